"""Finding what was said: by words (BM25), by meaning (embedding, where there is one), newer before older.

    score = relevance * recency * importance
    relevance  the better of words and meaning, and a little of the other
    recency    halves with every `HALF_LIFE` later texts, but never below `FLOOR`: an old hit stays a hit

Relevance has an absolute threshold, so that where nothing fits nothing is found. No clock and no randomness
take part: the same texts and the same query give the same answer in another process.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from llmasos.core.base.errors import LlmasosError
from llmasos.services.memory.bm25 import BM25
from llmasos.services.memory.words import terms

log = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float32]
FLOOR = 0.8
HALF_LIFE = 50
CALIBRATED = "multilingual-e5-small"
COVERED = 0.34
"""Share of a query's weight that a text must have to be found by words alone."""
FAR, NEAR = 0.81, 0.91
"""Cosines of multilingual-e5-small below which a text is about something else, above which it is the thing;
unrelated sentences reach 0.80."""


class Embedder(Protocol):
    """What makes vectors."""

    name: str

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Vectors:
        """Shape (texts, 384), each of length 1."""


@dataclass(frozen=True, slots=True)
class Item:
    """A text that can be found.

    Attributes:
        id: Unique in its index.
        text: What was said.
        order: Later ones are newer.
        at: When, ISO 8601.
        vector: Its embedding as `pack` writes it; empty where there is none.
        importance: 0 to 1, by rule.
        source: Who said it, or where it is from.
    """

    id: str
    text: str
    order: int
    at: str = ""
    vector: str = ""
    importance: float = 1.0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A text that was found.

    Attributes:
        item: The text.
        score: What it is ranked by.
        relevance: How well it fits the query, 0 to 1.
        complete: Whether it has all content words of the query.
    """

    item: Item
    score: float
    relevance: float
    complete: bool


class Index:
    """Texts, searched by words and meaning.

    Args:
        embedder: Where None, words alone serve.
    """

    def __init__(self, embedder: Embedder | None = None) -> None:
        # Another model's cosines mean something else, and the lexical one knows no more than BM25 does.
        self._embedder = embedder if embedder and embedder.name.startswith(CALIBRATED) else None
        self._items: dict[str, Item] = {}
        self._words = BM25()
        self._vectors: dict[str, Vectors] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, id: str) -> bool:
        return id in self._items

    def items(self) -> list[Item]:
        """All texts, oldest first."""
        return sorted(self._items.values(), key=lambda item: item.order)

    def add(self, item: Item) -> None:
        """Enter a text, in place of the one with its id."""
        self._items[item.id] = item
        self._words.add(item.id, terms(item.text))
        self._vectors.pop(item.id, None)
        if item.vector:
            self._vectors[item.id] = unpack(item.vector)

    def remove(self, id: str) -> None:
        """Take a text out, if it is in."""
        if self._items.pop(id, None):
            self._words.remove(id)
            self._vectors.pop(id, None)

    async def embed(self, text: str) -> str:
        """A text's vector as `Item.vector` wants it; empty where there is no embedder or it fails."""
        vectors = await self._embedded(text, "passage")
        return "" if vectors is None else pack(vectors)

    async def search(
        self,
        query: str,
        limit: int = 8,
        *,
        where: Callable[[Item], bool] | None = None,
        by_meaning: bool = True,
    ) -> list[Hit]:
        """What fits a query, best first; empty where nothing does.

        Args:
            query: Free text.
            limit: At most so many.
            where: Only these take part.
            by_meaning: Use the embedder too.
        """
        candidates = [item for item in self.items() if where is None or where(item)]
        wanted = terms(query, query=True)
        matches = self._words.search(wanted)
        near = await self._near(query, candidates) if by_meaning else {}
        hits = []
        for age, item in enumerate(reversed(candidates)):
            match = matches.get(item.id)
            by_words = match.coverage if match and match.coverage >= COVERED else 0.0
            meant = min(1.0, max(0.0, (near.get(item.id, 0.0) - FAR) / (NEAR - FAR)))
            relevance = 0.75 * max(by_words, meant) + 0.25 * min(by_words, meant)
            if relevance <= 0:
                continue
            recency = FLOOR + (1 - FLOOR) * 0.5 ** (age / HALF_LIFE)
            complete = match is not None and match.coverage > 0.999
            hits.append(Hit(item, relevance * recency * item.importance, relevance, complete))
        # Rounded, so that a last bit doesn't decide; equal ones newest first.
        hits.sort(key=lambda hit: (-round(hit.score, 6), -hit.item.order))
        return hits[:limit]

    async def _near(self, query: str, candidates: Sequence[Item]) -> dict[str, float]:
        known = [item.id for item in candidates if item.id in self._vectors]
        if not known:
            return {}
        vectors = await self._embedded(query, "query")
        if vectors is None:
            return {}
        cosines = np.stack([self._vectors[id] for id in known]) @ vectors
        return dict(zip(known, (float(c) for c in cosines), strict=True))

    async def _embedded(self, text: str, kind: Literal["query", "passage"]) -> Vectors | None:
        if self._embedder is None:
            return None
        try:
            vectors = await self._embedder.embed([text], kind)
        except LlmasosError as error:
            log.warning("searching by words alone: %s", error)
            return None
        return np.asarray(vectors[0], np.float32)


def pack(vector: Vectors) -> str:
    """A vector as text for a record: half precision, base 64, 1 kB."""
    return base64.b64encode(vector.astype("<f2").tobytes()).decode("ascii")


def unpack(text: str) -> Vectors:
    """What `pack` wrote."""
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float32)
