"""From sentence files to token examples: python -m training.data --out FILE [--public DIR] [--passes N].

A pass is every sentence once, the first as written, the later ones varied (augment.py), with joined commands
and with every plugin's requests behind their definitions (toolsets.py). Training reads the passes as one
stream.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from training import seal_tools, toolsets
from training.augment import Values, joined, varied
from training.example import Example, Turn, turn_of
from training.files import SENTENCES, default_base

DEV_EVERY = 20
"""Every 20th line of each sentence file is never trained on, for checks while training."""

JOINED = 0.12
"""Joined commands per sentence of a pass."""

PUBLIC = ("dev.jsonl", "test_in_domain.jsonl")
"""Files of Seal-Tools that are trained on; test_out_domain.jsonl stays unseen."""


def sentences(folder: Path = SENTENCES, *, dev: bool = False) -> Iterator[tuple[str, Turn]]:
    """(file stem, turn) of every sentence file, without or only with the dev lines."""
    for file in sorted(folder.glob("*.jsonl")):
        if file.stem.startswith("tools"):
            continue
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        for number, line in enumerate(lines):
            if (number % DEV_EVERY == DEV_EVERY - 1) == dev:
                yield file.stem, turn_of(json.loads(line))


def catalogue_pass(turns: Sequence[Turn], values: Values, number: int, order: random.Random) -> Iterator[Example]:
    """Every sentence once, and joined ones."""
    for turn in turns:
        yield Example([turn if number == 0 else varied(turn, values, order)], source="catalogue")
    single = [turn for turn in turns if len(turn.calls) == 1]
    wanted = int(len(turns) * JOINED)
    while wanted:
        first, second = (varied(turn, values, order) for turn in order.sample(single, 2))
        both = joined(first, second, order)
        if both:
            wanted -= 1
            yield Example([both], source="joined")


def tools_pass(turns: Sequence[Turn], folder: Path, variants: int, order: random.Random) -> Iterator[Example]:
    """Every plugin some times over; now and then a catalogue sentence beside its requests."""
    plugins = [plugin for file in sorted(folder.glob("tools*.jsonl")) for plugin in toolsets.read(file)]
    everything = [tool for tools, _ in plugins for tool in tools]
    for tools, requests in plugins * variants:
        made = toolsets.example(tools, requests, order.sample(everything, 4), order)
        extra = [order.choice(turns)] if order.random() < 0.4 else []
        yield Example([*made.turns, *extra], made.definitions, source="tools")


def build(
    passes: int, seed: int, public: Path | None, folder: Path = SENTENCES, twice: Sequence[str] = ()
) -> list[list[Example]]:
    """The examples of every pass; the sentences of files whose stem is in `twice` count double."""
    order = random.Random(seed)
    turns = [turn for stem, turn in sentences(folder) for _ in range(2 if stem in twice else 1)]
    values = Values(turns)
    result: list[list[Example]] = []
    for number in range(passes):
        examples = [*catalogue_pass(turns, values, number, order), *tools_pass(turns, folder, 1, order)]
        if public:
            found = list(seal_tools.examples(public / "seal-tools", PUBLIC, order))
            # A part of it a pass: it is one set among several, and its sentences are written by a machine.
            examples += order.sample(found, len(found) // 2)
        result.append(examples)
    return result


def main() -> None:
    """Write tokens, a line an example, a blank line between passes."""
    from training.tokens import Tokenizer

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--public", type=Path, help="folder with seal-tools/")
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--twice", nargs="*", default=(), metavar="STEM", help="sentence files that count double")
    options = parser.parse_args()
    tokenizer = Tokenizer(options.base or default_base())
    counts: Counter[str] = Counter()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w") as out:
        for number, examples in enumerate(build(options.passes, options.seed, options.public, twice=options.twice)):
            out.write("\n" if number else "")
            for example in examples:
                prefix = tokenizer.encode(example.prefix()) if example.definitions else []
                turns = [(tokenizer.encode(prompt), tokenizer.encode(answer)) for prompt, answer in example.texts()]
                counts[example.source or "seal-tools"] += len(prefix) + sum(len(p) + len(a) for p, a in turns)
                out.write(json.dumps([prefix, turns], separators=(",", ":")) + "\n")
    print(f"{sum(counts.values()):,} tokens: {dict(counts)}")


if __name__ == "__main__":
    main()
