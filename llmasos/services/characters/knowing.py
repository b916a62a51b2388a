"""Whether what was found answers a question: what a character says it knows, and where it says that it doesn't.

Some questions are near to everything that was ever said and some to nothing, so what counts isn't how near a memory is,
but how far it stands out from what this question is usually near to (`Hit.above`). Chosen on sentences that were
written for it and are in no benchmark; `python -m benchmarks.memory --only answers` measures.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmasos.services.memory.retrieval import Hit
from llmasos.services.memory.words import terms
from llmasos.services.script import has_chinese

STANDS_OUT, STANDS_OUT_CHINESE = 0.066, 0.055
"""From how much on a memory answers a question."""
WORDS_ALONE = 0.6
"""Share of the question's words from which one does where there is no embedder."""


def knows(question: str, hit: Hit) -> bool:
    """Whether a memory answers a question."""
    if hit.above is None:
        return hit.words >= WORDS_ALONE
    return hit.above >= (STANDS_OUT_CHINESE if has_chinese(question) else STANDS_OUT)


def covers(question: str, texts: Sequence[str]) -> bool:
    """Whether one of these texts has all that a question asks about."""
    asked = set(terms(question, query=True))
    return bool(asked) and any(asked <= set(terms(text)) for text in texts)
