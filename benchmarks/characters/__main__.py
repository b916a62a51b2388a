"""Print the figures: `python -m benchmarks.characters`."""

from __future__ import annotations

import argparse

from benchmarks.characters import TURNS, rows
from benchmarks.row import table


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS, help="turns of talk that are looked over")
    parser.add_argument("--questions", type=int, default=0, help="only so many questions for facts")
    parser.add_argument("--model", default="smollm2", help="who speaks")
    parser.add_argument("--wrong", action="store_true", help="print every reply with something wrong in it")
    options = parser.parse_args()
    wrong: list[str] = []
    found = rows(turns=options.turns, questions=options.questions, model=options.model, wrong=wrong)
    if options.wrong:
        print(*wrong, "", sep="\n")
    table(found)


if __name__ == "__main__":
    main()
