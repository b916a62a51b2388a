"""`files.find` as a whole: names, texts and meaning merged, and only what is clearly meant shown."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from llmasos.core.kernel.store import Store
from llmasos.services.files import find
from llmasos.services.files.catalogue import Catalogue, Mask
from llmasos.services.files.find import Hits, Scores
from llmasos.services.files.index import Index
from llmasos.services.files.meaning import Meaning
from llmasos.services.files.place import Place
from llmasos.services.files.query import Query, parse
from llmasos.services.files.space import Space

SHOWN = 10
FLOOR = 0.3
"""A match by words below this says too little."""

CLOSE = 0.75
"""What falls below this share of the best match isn't meant, so that one good match is one item."""

CERTAIN = 0.95
"""Words that are all in a name: what is inside other files can't be meant more."""

_TRIES = 3
"""Searches until what was found is what is on the disk."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to.

    Attributes:
        places: The best first.
        notes: What bounded it.
    """

    places: list[Place]
    notes: list[str]


async def search(
    store: Store,
    space: Space,
    start: Place,
    said: str,
    index: Index,
    *,
    span: tuple[datetime, datetime] | None = None,
    meaning: Meaning | None = None,
) -> Found:
    """Search below a folder."""
    query = parse(said)
    catalogue = await index.current(store, space)
    with catalogue.lock:
        known = catalogue.number(start) is not None
    if not known:  # a hidden folder that was named
        inner = Space(start.path, start.path, (), space.private)
        found = await search(store, inner, inner.top, said, index, span=span, meaning=meaning)
        return Found([start.child(*place.parts) for place in found.places], found.notes)
    for again in range(_TRIES):
        if again:
            catalogue = await index.current(store, space)
        numbers, notes = await _searched(store, space, start, query, index, catalogue, span, meaning)
        # What was found must be what is there: a content that changed unseen is read, and all is compared again.
        if await asyncio.to_thread(catalogue.check, numbers):
            break
    with catalogue.lock:
        return Found([catalogue.entry(n).place for n in numbers if catalogue.alive[n]], notes)


async def _searched(
    store: Store,
    space: Space,
    start: Place,
    query: Query,
    index: Index,
    catalogue: Catalogue,
    span: tuple[datetime, datetime] | None,
    meaning: Meaning | None,
) -> tuple[list[int], list[str]]:
    notes: list[str] = []
    if not catalogue.complete:
        known = f"{np.count_nonzero(catalogue.alive):,}"
        notes.append(f"There is more than can be looked at in one go; {known} files and folders were.")
    if not query.terms and not query.extensions:
        return [], notes
    hits = await asyncio.to_thread(_named, query, catalogue, start, span)
    if query.terms and not _certain(hits):
        left = await index.read_texts(store, space, hits.named.sum(axis=0))
        if left:
            notes.append(f"The texts of {left:,} files aren't read yet; searching again goes on with them.")
        hits = await asyncio.to_thread(_written, query, catalogue, start, span, hits, notes)
        if meaning is not None and not _certain(hits):
            later = await index.embed(store, space)
            hits.meaning = await meaning.likeness(query.said, query.chinese, catalogue, hits.among)
            if later:
                notes.append(f"{later:,} files are not indexed by meaning yet; searching again goes on with them.")
    with catalogue.lock:
        return _clear(hits, catalogue), notes


def _among(catalogue: Catalogue, start: Place, span: tuple[datetime, datetime] | None) -> Mask:
    among = catalogue.inside(start) if start.parts else catalogue.alive.copy()
    if span is not None:
        first, last = span[0].timestamp(), span[1].timestamp()
        among &= ~catalogue.folders & (catalogue.modified >= first) & (catalogue.modified < last)
    return among


def _named(query: Query, catalogue: Catalogue, start: Place, span: tuple[datetime, datetime] | None) -> Hits:
    with catalogue.lock:
        return find.by_name(query, catalogue, start, _among(catalogue, start, span))


def _written(
    query: Query,
    catalogue: Catalogue,
    start: Place,
    span: tuple[datetime, datetime] | None,
    hits: Hits,
    notes: list[str],
) -> Hits:
    with catalogue.lock:
        if len(hits.among) != len(catalogue):  # others came meanwhile
            hits = find.by_name(query, catalogue, start, _among(catalogue, start, span))
        among = hits.among
        find.score(query, hits, catalogue, find.by_text(query, catalogue))
        if not (hits.score >= FLOOR).any():
            again = find.corrected(query, catalogue)
            if again.terms != query.terms:
                hits = find.by_name(again, catalogue, start, among)
                if _certain(hits):
                    notes.append(f"Nothing is called {query.said}; this is what looks like it.")
        return hits


def _certain(hits: Hits) -> bool:
    whole = (hits.named >= CERTAIN).all(axis=0) & (hits.score >= 0.85 * CERTAIN)
    return bool(((whole | (hits.literal >= 1)) & hits.among).any())


def _clear(hits: Hits, catalogue: Catalogue) -> list[int]:
    """The best, without what is far behind them."""
    merged = _merged(hits)
    found = np.flatnonzero(hits.among & ((hits.score >= FLOOR) | (hits.meaning > 0)) & catalogue.alive[: len(merged)])
    if not len(found):
        return []
    found = found[merged[found] >= CLOSE * merged[found].max()]
    if len(found) > 10 * SHOWN:  # equal ones are told apart by name, which takes long for many
        found = found[np.lexsort((-catalogue.modified[found], -merged[found]))[: 10 * SHOWN]]
    ranked = sorted(
        map(int, found),
        key=lambda n: (-merged[n], -catalogue.modified[n], catalogue.entry(n).place.shown),
    )
    return ranked[:SHOWN]


def _merged(hits: Hits) -> Scores:
    words = np.where(hits.score >= FLOOR, hits.score, 0.0)
    merged: Scores = words + (1 - np.minimum(1.0, words)) * 0.6 * hits.meaning
    return merged
