"""Print the figures, and with `--wrong` every question that went wrong: `python -m benchmarks.memory`."""

from __future__ import annotations

import argparse

from benchmarks.memory import PARTS, QUICK, Size, rows
from benchmarks.row import table


def main() -> None:
    """Print them."""
    usual = Size()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases and shorter talks")
    parser.add_argument("--streams", type=int, default=usual.streams, help="talks in which facts are planted")
    parser.add_argument("--rounds", type=int, default=usual.rounds, help="talks with corrections and unknown facts")
    parser.add_argument("--kills", type=int, default=usual.kills, help="programs that are killed")
    parser.add_argument(
        "--leaks", type=int, default=usual.leaks, help="things that happen while prompts are looked through"
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="one part of it; can be said several times")
    parser.add_argument("--wrong", action="store_true", help="print what went wrong")
    options = parser.parse_args()
    wrong: list[str] = []
    size = QUICK if options.quick else Size(options.streams, options.rounds, options.kills, options.leaks)
    found = rows(size, wrong, options.only or PARTS)
    if options.wrong:
        print(*wrong, "", sep="\n")
    table(found)


if __name__ == "__main__":
    main()
