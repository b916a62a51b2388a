"""Facts that a person tells, with questions for them and corrections: written for this benchmark (facts.txt, facts_chinese.txt).

Every second one was set aside while rules and thresholds were chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HALVES = ("looked_at", "set_aside")


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact.

    Attributes:
        statement: With a place for the value.
        near: A question in its words.
        far: One in other words.
        correction: With a place for the new value.
        values: Values it can have.
        half: Whether it was looked at.
    """

    statement: str
    near: str
    far: str
    correction: str
    values: tuple[str, ...]
    half: str

    def said(self, which: int) -> str:
        """The fact with one of its values."""
        return self.statement.format(self.values[which % len(self.values)])

    def corrected(self, which: int) -> str:
        """Its correction, with one of its values."""
        return self.correction.format(self.values[which % len(self.values)])


def facts(name: str = "facts") -> list[Fact]:
    """All of one file."""
    lines = Path(__file__).with_name(f"{name}.txt").read_text(encoding="utf-8").splitlines()
    found = []
    for line in (line for line in lines if line and not line.startswith("#")):
        statement, near, far, correction, values = (part.strip() for part in line.split("|"))
        found.append(Fact(statement, near, far, correction, tuple(values.split(", ")), HALVES[len(found) % 2]))
    return found
