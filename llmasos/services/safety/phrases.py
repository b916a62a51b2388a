"""What a sentence says beyond its single words: threats, dares, instructions, in patterns over folded text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmasos.services.safety.finding import Finding, Reason
from llmasos.services.safety.patterns import compiled

_BEFORE = 48
"""Characters before a match in which it may be taken back."""
_CLAUSE = re.compile(r"[.!?;。！？；]")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One pattern.

    Attributes:
        finding: What it is about.
        pattern: A regular expression over folded text. Its gaps are bounded, so that a sentence costs only its length.
        guarded: Whether a "never" or "if you feel like" before it means the opposite.
    """

    finding: Finding
    pattern: str
    guarded: bool = True


def phrase(reason: Reason, grade: int, pattern: str, *, sure: bool = True, guarded: bool = True) -> Phrase:
    """A pattern from its parts."""
    return Phrase(Finding(reason, grade, sure), pattern, guarded)


@dataclass(frozen=True, slots=True)
class Phrases:
    """The patterns of one language.

    Attributes:
        triggers: One of these is in whatever a pattern matches, so that an ordinary sentence costs one search.
        taken_back: Words before a match that turn it into a warning, an offer of help, or a report.
        table: The patterns.
    """

    triggers: str
    taken_back: str
    table: Sequence[Phrase]

    def find(self, folded: str) -> Iterator[Finding]:
        """What a folded text says."""
        if not compiled(self.triggers).search(folded):
            return
        for phrase in self.table:
            for match in compiled(phrase.pattern).finditer(folded):
                if not (phrase.guarded and self._is_taken_back(folded, match.start())):
                    yield phrase.finding
                    break

    def _is_taken_back(self, folded: str, start: int) -> bool:
        before = folded[max(0, start - _BEFORE) : start]
        return bool(compiled(self.taken_back).search(_CLAUSE.split(before)[-1]))
