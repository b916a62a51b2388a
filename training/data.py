"""From sentence files to token examples: python -m training.data --out training/runs/tokens.jsonl."""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

from training.example import Example, Turn, turn_of

HERE = Path(__file__).parent / "data"
DEV_EVERY = 20
"""Every 20th line of each sentence file is never trained on, for checks while training."""


def sentences(folder: Path = HERE, *, dev: bool = False) -> Iterator[tuple[str, Turn]]:
    """(file stem, turn) of every sentence file, without or only with the dev lines."""
    for file in sorted(folder.glob("*.jsonl")):
        if file.stem.startswith("tools"):
            continue
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        for number, line in enumerate(lines):
            if (number % DEV_EVERY == DEV_EVERY - 1) == dev:
                yield file.stem, turn_of(json.loads(line))


def build(seed: int) -> list[Example]:
    """All training examples."""
    return [Example([turn], source=stem) for stem, turn in sentences()]


def main() -> None:
    """Write tokens."""
    from training.tokens import Tokenizer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tokenizer = Tokenizer(options.base)
    random.seed(options.seed)
    total = 0
    with options.out.open("w") as out:
        for example in build(options.seed):
            prefix = tokenizer.encode(example.prefix()) if example.definitions else []
            turns = [(tokenizer.encode(prompt), tokenizer.encode(answer)) for prompt, answer in example.texts()]
            total += len(prefix) + sum(len(p) + len(a) for p, a in turns)
            out.write(json.dumps([prefix, turns], separators=(",", ":")) + "\n")
    print(f"{total:,} tokens")


if __name__ == "__main__":
    main()
