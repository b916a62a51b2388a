"""Prints what `llmasos model train` holds out of a file of examples, as pairs for `llmasos model eval --pairs`.

    python -m benchmarks.models.held benchmarks/models/bookings.jsonl > held.jsonl
    llmasos model eval --pairs held.jsonl --prompt "$(cat benchmarks/models/bookings_prompt.txt)"

So another way to the same answers, a prompt with instructions say, is measured on what an adapter was measured on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from llmasos.services.models import examples
from llmasos.services.models.training import Wanted


def main() -> None:
    """Print them."""
    usual = Wanted()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="examples")
    parser.add_argument("--held-out", type=float, default=usual.held_out, help="the share that is held out")
    parser.add_argument("--seed", type=int, default=usual.seed, help="of the split")
    options = parser.parse_args()
    _, found = examples.read(options.file)
    for one in examples.split(found, options.held_out, options.seed)[1]:
        print(json.dumps({"source": one.text, "target": one.answer}, ensure_ascii=False))


if __name__ == "__main__":
    main()
