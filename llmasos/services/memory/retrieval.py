"""Finding what was said: by words, by meaning (embedding, where there is one), newer before older.

    score = relevance * recency * importance
    relevance  the better of words and meaning, and a little of the other
    recency    halves with every `HALF_LIFE` later texts, but never below `FLOOR`: an old hit stays a hit

Relevance has an absolute threshold, so that where nothing fits nothing is found. Some queries are near to every text
and some to none; how far a text stands out from what is usual for a query says more of whether it answers it than how
near it is. No clock and no randomness take part: the same texts and the same query give the same answer in another
process.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from llmasos.core.base.errors import LlmasosError
from llmasos.services.memory import packing
from llmasos.services.memory.column import Column
from llmasos.services.memory.postings import Postings
from llmasos.services.memory.words import terms
from llmasos.services.script import has_chinese

log = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float32]
FLOOR = 0.8
HALF_LIFE = 50
WIDTH = 384
"""Numbers in a vector."""
FORM = "words, vectors in steps/1"
"""What `Index.pack` writes; another one where terms or vectors are made otherwise."""
CALIBRATED = "multilingual-e5-small"
COVERED = 0.34
"""Share of a query's weight that a text must have to be found by words alone."""
FAR, NEAR = 0.81, 0.91
"""Cosines of multilingual-e5-small below which a text is about something else, above which it is the thing;
unrelated sentences reach 0.80."""
USUAL, USUAL_CHINESE = 0.768, 0.80
"""As near to a query are three of four texts at most, where little is known; Chinese ones are nearer to each other."""
KNOWN = 8
"""So many texts count as much as that."""
STANDS_OUT = 0.03
"""From so much above the usual on a text is found by who asks for all that may be meant."""


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
        words: The part of the relevance that is of words, 0 to 1.
        meaning: The part that is of meaning, 0 to 1; None where there was no embedder.
        above: How much nearer it is to the query than texts in the query's script usually are; None as for `meaning`,
            and where the search wasn't wide.
    """

    item: Item
    score: float
    relevance: float
    complete: bool
    words: float = 0.0
    meaning: float | None = None
    above: float | None = None


class Index:
    """Texts, searched by words and meaning.

    Args:
        embedder: Where None, words alone serve.
    """

    def __init__(self, embedder: Embedder | None = None) -> None:
        # Another model's cosines mean something else, and the lexical one knows no more than words do.
        self._embedder = embedder if embedder and embedder.name.startswith(CALIBRATED) else None
        self._places: dict[str, int] | None = {}
        """The number of each id; None where they were loaded and nobody asked yet."""
        self._items: list[Item | None] = []
        """By number; None where it is gone, or still in `_loaded`."""
        self._loaded, self._ends = memoryview(b""), np.zeros(0, np.int64)
        self._loaded_ids = memoryview(b"")
        self._words = Postings()
        self._there = Column(np.bool_)
        self._orders = Column(np.int64)
        self._importance = Column(np.float32)
        self._vectors = Column(np.float32, WIDTH)
        self._steps = Column(np.float32)
        self._any_vectors = False
        self._chinese: Column | None = Column(np.bool_)
        """Which texts have Chinese; None where they were loaded and nobody asked yet."""
        self._sorted: npt.NDArray[np.int64] | None = None
        """Orders of all that are there, ascending; None where that has to be found anew."""

    def __len__(self) -> int:
        return int(np.count_nonzero(self._there.view))

    def __contains__(self, id: str) -> bool:
        return id in self._numbers()

    def get(self, id: str) -> Item | None:
        """The text of an id."""
        number = self._numbers().get(id)
        return None if number is None else self._item(np.int64(number))

    @property
    def newest(self) -> int:
        """The highest order there is; 0 where there is none."""
        return int(self._in_order()[-1]) if len(self) else 0

    def items(self) -> list[Item]:
        """All texts, oldest first."""
        return sorted(map(self._item, np.flatnonzero(self._there.view)), key=lambda item: item.order)

    def add(self, item: Item) -> None:
        """Enter a text, in place of the one with its id."""
        self.remove(item.id)
        number = len(self._items)
        self._numbers()[item.id] = number
        self._items.append(item)
        if self._chinese is not None:
            self._chinese.append(has_chinese(item.text))
        self._words.add(number, terms(item.text))
        self._there.append(True)
        self._orders.append(item.order)
        self._importance.append(item.importance)
        steps, size = _in_steps(unpack(item.vector)) if item.vector else (np.zeros(WIDTH, np.int8), np.float32(1))
        self._vectors.append(steps * size)
        self._steps.append(size)
        self._any_vectors |= bool(item.vector)
        self._sorted = None

    def remove(self, id: str) -> None:
        """Take a text out, if it is in."""
        number = self._numbers().pop(id, None)
        if number is not None:
            self._there.view[number] = False
            self._vectors.view[number] = 0.0
            self._items[number] = None
            self._sorted = None

    def pack(self) -> bytes:
        """All of it, for `load` in another process."""
        kept = np.flatnonzero(self._there.view)
        renumbered = np.full(len(self._items), -1, np.int64)
        renumbered[kept] = np.arange(len(kept))
        steps = self._steps.view[kept]
        vectors = np.rint(self._vectors.view[kept] / steps[:, None]).astype(np.int8)
        words, ends, numbers = self._words.pack(renumbered)
        texts = [self._text(number) for number in kept]
        return packing.pack(
            {"form": FORM},
            ids="\n".join(self._ids(kept)).encode("utf-8", "surrogatepass"),
            texts=b"".join(texts),
            text_ends=np.cumsum([len(text) for text in texts], dtype=np.int64),
            orders=self._orders.view[kept],
            importance=self._importance.view[kept],
            vectors=vectors if self._any_vectors else vectors[:0],
            steps=steps,
            words=words.encode("utf-8", "surrogatepass"),
            word_ends=ends,
            numbers=numbers,
        )

    def load(self, data: memoryview) -> bool:
        """Take up what `pack` gave, into an index that is empty; False where it is of another form."""
        head, sections = packing.unpack(data)
        if head["form"] != FORM:
            return False
        self._loaded, self._ends = sections["texts"], sections["text_ends"]
        self._loaded_ids = sections["ids"]
        count = len(self._ends)
        self._items, self._places = [None] * count, None if count else {}
        self._there.load(np.ones(count, np.bool_))
        self._orders.load(sections["orders"])
        self._importance.load(sections["importance"])
        self._any_vectors = bool(len(sections["vectors"]))
        self._steps.load(sections["steps"])
        vectors = sections["vectors"] * self._steps.view[:, None] if self._any_vectors else np.zeros((count, WIDTH))
        self._vectors.load(vectors)
        words = bytes(sections["words"]).decode("utf-8", "surrogatepass")
        self._words.load(words, sections["word_ends"], sections["numbers"])
        self._chinese = None
        self._sorted = None
        return True

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
        wide: bool = False,
    ) -> list[Hit]:
        """What fits a query, best first; empty where nothing does.

        Args:
            query: Free text.
            limit: At most so many.
            where: Only these take part.
            by_meaning: Use the embedder too.
            wide: Behind these also what merely stands out, its relevance 0: for who judges what is found.
        """
        # First, as others may add texts meanwhile.
        asked = await self._embedded(query, "query") if by_meaning and self._any_vectors else None
        candidates = self._there.view.copy()
        if where is not None:
            for number in np.flatnonzero(candidates):
                candidates[number] = where(self._item(number))
        # How rare a word is, is counted among what may be found: what others said, or what came later, changes nothing.
        covered = self._words.coverage(terms(query, query=True), candidates)
        by_words = np.where(covered >= COVERED, covered, 0.0)
        near = np.zeros(len(covered)) if asked is None else self._nearness(asked, exact=wide)
        meant = np.clip((near - FAR) / (NEAR - FAR), 0.0, 1.0)
        relevance = 0.75 * np.maximum(by_words, meant) + 0.25 * np.minimum(by_words, meant)
        above = near - (self._usual(query, near, candidates) if wide else 0.0)
        fits = relevance > 0
        found = np.flatnonzero(candidates & (fits | (above >= STANDS_OUT) if wide else fits))
        orders = self._orders.view[found]
        newer = self._in_order() if where is None else np.sort(self._orders.view[candidates])
        age = len(newer) - np.searchsorted(newer, orders, side="right")
        recency = FLOOR + (1 - FLOOR) * 0.5 ** (age / HALF_LIFE)
        fits = fits[found]
        scores = np.where(fits, relevance[found], above[found]) * recency * self._importance.view[found]
        # Rounded, so that a last bit doesn't decide; equal ones newest first.
        best = np.lexsort((-orders, -np.round(scores, 6), ~fits))[:limit]
        return [
            Hit(
                self._item(found[at]),
                float(scores[at]),
                float(relevance[found[at]]),
                bool(covered[found[at]] > 0.999),
                float(by_words[found[at]]),
                None if asked is None else float(meant[found[at]]),
                float(above[found[at]]) if wide and asked is not None else None,
            )
            for at in best
        ]

    def _nearness(self, asked: Vectors, *, exact: bool) -> npt.NDArray[np.floating]:
        """The cosine of each text to a query; exact is slower, and in no bit depends on how many texts there are."""
        vectors = self._vectors.view
        return np.einsum("ij,j->i", vectors, asked) if exact else vectors @ asked

    def _usual(self, query: str, near: npt.NDArray[np.floating], candidates: npt.NDArray[np.bool_]) -> float:
        """The upper quartile of what is near to a query, of texts in its script; few of them say little.

        Not the mean: what the query is about, and what it isn't, would move that.
        """
        chinese = has_chinese(query)
        usual = USUAL_CHINESE if chinese else USUAL
        if not self._any_vectors:
            return usual
        alike = near[candidates & (self._in_chinese() == chinese) & (near != 0)]  # 0 where there is no vector
        if not len(alike):
            return usual
        return float((KNOWN * usual + len(alike) * np.quantile(alike, 0.75)) / (KNOWN + len(alike)))

    def _in_chinese(self) -> npt.NDArray[np.bool_]:
        if self._chinese is None:
            there = np.zeros(len(self._items), np.bool_)
            for term in filter(has_chinese, self._words.vocabulary()):
                there[self._words.holding(term)] = True
            self._chinese = Column(np.bool_)
            self._chinese.load(there)
        return self._chinese.view

    def _numbers(self) -> dict[str, int]:
        if self._places is None:
            # Nothing was added or removed yet: that asks for numbers first.
            ids = bytes(self._loaded_ids).decode("utf-8", "surrogatepass").split("\n")
            self._places = dict(zip(ids, range(len(ids)), strict=True))
        return self._places

    def _ids(self, kept: npt.NDArray[np.int64]) -> list[str]:
        by_number = {number: id for id, number in self._numbers().items()}
        return [by_number[int(number)] for number in kept]

    def _in_order(self) -> npt.NDArray[np.int64]:
        if self._sorted is None:
            self._sorted = np.sort(self._orders.view[self._there.view], kind="stable")
        return self._sorted

    def _item(self, number: np.int64) -> Item:
        item = self._items[number]
        if item is None:
            item = self._items[number] = Item(*json.loads(bytes(self._text(number))))
        return item

    def _text(self, number: np.int64) -> bytes | memoryview:
        """A text as it is packed, its vector apart."""
        if number < len(self._ends):
            return self._loaded[self._ends[number - 1] if number else 0 : self._ends[number]]
        item = self._items[number]
        assert item is not None
        said = [item.id, item.text, item.order, item.at, "", item.importance, item.source]
        return json.dumps(said, separators=(",", ":")).encode()

    async def _embedded(self, text: str, kind: Literal["query", "passage"]) -> Vectors | None:
        if self._embedder is None:
            return None
        try:
            vectors = await self._embedder.embed([text], kind)
        except LlmasosError as error:
            log.warning("searching by words alone: %s", error)
            return None
        return np.asarray(vectors[0], np.float32)


def _in_steps(vector: Vectors) -> tuple[npt.NDArray[np.int8], np.float32]:
    """A vector in whole steps of 1/127 of its largest number, and the step.

    A cosine moves by less than 0.001, and an index is a quarter as large on disk. Built or loaded, it is the same.
    """
    size = np.float32(np.abs(vector).max() / 127) or np.float32(1)
    return np.rint(vector / size).astype(np.int8), size


def pack(vector: Vectors) -> str:
    """A vector as text for a record: half precision, base 64, 1 kB."""
    return base64.b64encode(vector.astype("<f2").tobytes()).decode("ascii")


def unpack(text: str) -> Vectors:
    """What `pack` wrote."""
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float32)
