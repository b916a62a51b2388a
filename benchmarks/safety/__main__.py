"""Print every sentence that went wrong, then the figures: `python -m benchmarks.safety`."""

from __future__ import annotations

from benchmarks.safety import LEVELS, misread, missed, over, rows
from benchmarks.safety.sets import HALVES


def main() -> None:
    """Print them."""
    for level in LEVELS:
        for half in HALVES:
            for case in over(level, half)[0]:
                print(f"held back, {level}, {half}: {case.text}")
            for case in missed(level, half)[0]:
                print(f"let through, {level}, {half}: {case.text}")
    unseen, taken, _, _ = misread()
    for case in unseen:
        print(f"no crisis seen: {case.text}")
    for case in taken:
        print(f"taken for a crisis: {case.text}")
    print()
    for one in rows():
        mark = {True: "ok", False: "MISSED", None: ""}[one["holds"]]
        print(f"{one['id']:32} {one['value']:>10} {one['unit']:4} {one['must']:8} {mark:7} n={one['n']}")


if __name__ == "__main__":
    main()
