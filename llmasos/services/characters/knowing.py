"""Whether what was found answers a question: what a character says it knows, and where it says that it doesn't.

What a question asks about are its content words: for "what is my sister called?" the sister. A line that has none of them
answers it only where it means nearly the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmasos.services.memory.retrieval import Hit
from llmasos.services.memory.words import terms

SURE = 0.45
"""Relevance from which a line that has words of the question answers it."""
MEANT = 0.6
"""Relevance from which one does that has none of them; measured by `python -m benchmarks.memory`."""


def knows(question: str, hit: Hit) -> bool:
    """Whether a memory answers a question."""
    asked = set(terms(question, query=True))
    shared = asked & set(terms(hit.item.text))
    return hit.relevance >= (SURE if shared or not asked else MEANT)


def covers(question: str, texts: Sequence[str]) -> bool:
    """Whether one of these texts has all that a question asks about."""
    asked = set(terms(question, query=True))
    return bool(asked) and any(asked <= set(terms(text)) for text in texts)
