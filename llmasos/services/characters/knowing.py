"""Whether what was found answers a question: what a character says it knows, and where it says that it doesn't.

A line that has a word of the question may be about something else ("we talked about dogs"), and one that means
something near it too ("I live in Lisbon" for where I work). Words and meaning together are rarely wrong, so each helps
the other over its threshold. Measured by `python -m benchmarks.memory` (abstain, told_answered), chosen on the half
that was looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmasos.services.memory.retrieval import Hit
from llmasos.services.memory.words import terms
from llmasos.services.script import has_chinese

BESIDE_WORDS = 0.29
"""Meaning from which a line that has words of the question answers it."""
MEANT, MEANT_CHINESE = 0.28, 0.6
"""Meaning from which one does that has none; Chinese sentences are nearer to each other."""
WORDS_ALONE = 0.6
"""Share of the question's words from which one does where there is no embedder."""


def knows(question: str, hit: Hit) -> bool:
    """Whether a memory answers a question."""
    if hit.meaning is None:
        return hit.words >= WORDS_ALONE
    if hit.words > 0:
        return hit.meaning >= BESIDE_WORDS
    return hit.meaning >= (MEANT_CHINESE if has_chinese(question) else MEANT)


def covers(question: str, texts: Sequence[str]) -> bool:
    """Whether one of these texts has all that a question asks about."""
    asked = set(terms(question, query=True))
    return bool(asked) and any(asked <= set(terms(text)) for text in texts)
