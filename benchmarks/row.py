"""One figure of a benchmark, in the form that `llmasos bench NAME --json` prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def row(
    id: str,
    value: float,
    unit: str,
    *,
    n: int,
    command: str,
    must: str = "",
    holds: bool | None = None,
    samples: list[float] | None = None,
) -> dict[str, Any]:
    """A row.

    Args:
        id: What was measured.
        value: The figure.
        unit: Its unit.
        n: How many cases or repetitions it is from.
        command: The command that prints it.
        must: What it must reach, in words; empty where nothing is asked.
        holds: Whether it does; None where nothing is asked.
        samples: The single measurements.
    """
    return {
        "id": id,
        "value": round(value, 4),
        "unit": unit,
        "must": must,
        "holds": holds,
        "n": n,
        "samples": [round(s, 4) for s in samples or []],
        "command": command,
    }


def at_least(value: float, bar: float) -> dict[str, Any]:
    """`must` and `holds` for a figure that must reach a bar."""
    return {"must": f">= {bar:g}", "holds": value >= bar}


def at_most(value: float, bar: float) -> dict[str, Any]:
    """`must` and `holds` for a figure that must stay below a bar."""
    return {"must": f"<= {bar:g}", "holds": value <= bar}


def table(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows, one a line."""
    for one in rows:
        mark = {True: "ok", False: "MISSED", None: ""}[one["holds"]]
        print(f"{one['id']:36} {one['value']:>10} {one['unit']:6} {one['must']:8} {mark:7} n={one['n']}")
