"""Which sentence answers a question: by its words, by meaning, and by having what is asked for.

A word counts by how rare it is among the sentences that are looked at; one that none of them has counts most, so that a
question about something else finds nothing. The weights and the threshold were fitted on half of the questions of
benchmarks/answers; the figures in docs/benchmarks.md are of the other half.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from llmasos.services.answers.passage import Passage
from llmasos.services.answers.question import Question, fits
from llmasos.services.memory.words import terms

ENOUGH = 0.70
"""From this score on a sentence is an answer."""
ENOUGH_WORDS = 0.75
"""The same where there is no meaning to go by."""
WHOLE = 0.95
"""Share of a question's words, two or more, with which a sentence that has what is asked for needs no more."""
FAR, NEAR = 0.80, 0.92
"""Cosines of multilingual-e5-small below which a sentence is about something else, above which it says just that."""
LOOKED_AT = 24
"""Sentences whose meaning is compared."""
_WORDS, _MEANING, _FITS = 0.55, 0.45, 0.12
_ABOVE, _BEFORE = 0.8, 0.4
ALIKE, SHORTEST = 5, 4
"""Letters at the beginning that two words share which are forms of one; fewer where one begins with the whole other."""


class Embedder(Protocol):
    """What makes vectors."""

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> npt.NDArray[np.float32]:
        """Shape (texts, 384), each of length 1."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A sentence and how well it answers.

    Attributes:
        passage: The sentence.
        score: What counts; an answer from `enough` on.
        enough: From where on.
        words: Share of the question's words that it has, by weight.
        meaning: 0 to 1.
    """

    passage: Passage
    score: float
    enough: float
    words: float
    meaning: float


async def ranked(question: Question, passages: Sequence[Passage], embedder: Embedder | None) -> list[Ranked]:
    """The likeliest sentences, best first, whether they answer or not."""
    if not passages or not question.terms:
        return []
    covered = _coverage(question, passages)
    order = sorted(range(len(passages)), key=lambda at: (-covered[at], at))[:LOOKED_AT]
    near = [0.0] * len(order)
    if embedder is not None:
        texts = [f"{passages[at].context}\n{passages[at].text}"[:600] for at in order]
        asked = (await embedder.embed([question.said], "query"))[0]
        cosines = await embedder.embed(texts, "passage") @ asked
        near = np.clip((cosines - FAR) / (NEAR - FAR), 0.0, 1.0).tolist()
    found = []
    for at, meaning in zip(order, near, strict=True):
        kind = fits(question.kind, passages[at].text)
        if embedder is None:
            score, enough = covered[at] + _FITS * kind, ENOUGH_WORDS
        else:
            score, enough = _WORDS * covered[at] + _MEANING * meaning + _FITS * kind, ENOUGH
        if covered[at] >= WHOLE and len(question.terms) > 1 and kind >= 0:
            score = max(score, enough)
        # A question that comes back as a heading or as another question answers nothing.
        if passages[at].text.rstrip().endswith(("?", "？")):
            score -= 0.3
        found.append(Ranked(passages[at], score, enough, covered[at], meaning))
    return sorted(found, key=lambda one: -one.score)


def _coverage(question: Question, passages: Sequence[Passage]) -> list[float]:
    """For each sentence the share of the question's words that it has or stands under."""
    known: dict[str, set[str]] = {}

    def bag(text: str) -> set[str]:
        """The words of a text; what stands above one sentence stands above many."""
        if text not in known:
            known[text] = set(terms(text))
        return known[text]

    bags = [(bag(p.text), bag(p.context), bag(p.before)) for p in passages]
    having = [[_has(bags[at], term) for term in question.terms] for at in range(len(passages))]
    count = len(passages)
    weights = []
    for place in range(len(question.terms)):
        holders = sum(1 for row in having if row[place] > _BEFORE)
        weights.append(math.log(1 + (count - holders + 0.5) / (holders + 0.5)))
    whole = sum(weights)
    return [
        # What only stands above it says nothing yet.
        sum(w * v for w, v in zip(weights, row, strict=True)) / whole * (1.0 if any(v == 1 for v in row) else 0.7)
        for row in having
    ]


def _has(bags: tuple[set[str], set[str], set[str]], term: str) -> float:
    for bag, value in zip(bags, (1.0, _ABOVE, _BEFORE), strict=True):
        if term in bag or any(are_forms(term, word) for word in bag):
            return value
    return 0.0


def are_forms(one: str, other: str) -> bool:
    """Whether two stems are likely of one word: moved and move, allergic and allergy."""
    short, long = sorted((one, other), key=len)
    if len(short) > ALIKE:
        return short[:ALIKE] == long[:ALIKE]
    return len(short) >= SHORTEST and len(long) - len(short) <= 2 and long.startswith(short)
