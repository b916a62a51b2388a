"""Print every question that went wrong, then the figures: `python -m benchmarks.answers`."""

from __future__ import annotations

import asyncio

from benchmarks.answers import measured, rows


def main() -> None:
    """Print them."""
    found = asyncio.run(measured())
    for one in found:
        if not one.right:
            said = " | ".join(one.text.splitlines()) if one.quoted else "(nothing quoted)"
            print(f"{one.case.half}: {one.case.question}\n    {said}\n    wanted: {one.case.says or '(nothing)'}")
    print()
    for row in rows(found):
        print(f"{row['id']:24} {row['value']:>10} {row['unit']:4} n={row['n']}")


if __name__ == "__main__":
    main()
