"""Print the figures, and with `--wrong` every question that went wrong: `python -m benchmarks.memory`."""

from __future__ import annotations

import argparse

from benchmarks.memory import rows
from benchmarks.row import table


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases and shorter talks")
    parser.add_argument("--wrong", action="store_true", help="print what went wrong")
    options = parser.parse_args()
    wrong: list[str] = []
    found = rows(quick=options.quick, wrong=wrong)
    if options.wrong:
        print(*wrong, "", sep="\n")
    table(found)


if __name__ == "__main__":
    main()
