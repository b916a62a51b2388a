"""`files.find` as a whole: names, texts and meaning merged, and only what is clearly meant shown."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from llmasos.core.kernel.store import Store
from llmasos.services.files import find
from llmasos.services.files.find import Hit
from llmasos.services.files.meaning import Meaning
from llmasos.services.files.place import Place
from llmasos.services.files.query import Query, parse
from llmasos.services.files.space import Space
from llmasos.services.files.task import in_thread
from llmasos.services.files.walk import Entry, Walk

SHOWN = 10
FLOOR = 0.3
"""A match by words below this says too little."""

CLOSE = 0.75
"""What falls below this share of the best match isn't meant, so that one good match is one item."""

CERTAIN = 0.95
"""Words that are all in a name: what is inside other files can't be meant more."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to.

    Attributes:
        hits: The best first.
        notes: What bounded it.
    """

    hits: list[Hit]
    notes: list[str]


async def search(
    store: Store,
    space: Space,
    start: Place,
    said: str,
    *,
    span: tuple[datetime, datetime] | None = None,
    meaning: Meaning | None = None,
) -> Found:
    """Search below a folder."""
    query = parse(said)
    notes: list[str] = []
    entries, complete = await in_thread(lambda stop: _entries(space, start, span, stop))
    if not complete:
        notes.append(f"There is more than can be looked at in one go; {len(entries):,} files and folders were.")
    hits = await in_thread(lambda stop: _by_words(query, entries, start, notes, stop))
    if meaning is not None and query.terms and not _certain(hits):
        values, later = await meaning.likeness(store, said, query.chinese, [h.entry for h in hits])
        for hit, value in zip(hits, values, strict=True):
            hit.meaning = value
        if later:
            notes.append(f"{later:,} files are not indexed by meaning yet; searching again goes on with them.")
    if not query.terms and not query.extensions:
        return Found([], notes)
    return Found(_clear(hits), notes)


def _entries(
    space: Space, start: Place, span: tuple[datetime, datetime] | None, stop: threading.Event
) -> tuple[list[Entry], bool]:
    walk = Walk(space, start, stop=stop)
    found = list(walk)
    if span is not None:
        first, last = span[0].timestamp(), span[1].timestamp()
        found = [e for e in found if not e.folder and first <= e.modified < last]
    return found, walk.complete


def _by_words(
    query: Query, entries: Sequence[Entry], start: Place, notes: list[str], stop: threading.Event
) -> list[Hit]:
    hits = find.by_name(query, entries, start)
    if query.kind_words:
        literally = find.by_name(query.literal(), entries, start)
        find.score(query.literal(), literally)
        for hit, literal in zip(hits, literally, strict=True):
            hit.literal = literal.score
    find.score(query, hits)
    if _certain(hits) or not query.terms:
        return hits
    read, readable = find.by_text(query, hits, stop)
    if read < readable:
        notes.append(f"The texts of {read:,} of {readable:,} files were read in the time there is.")
    find.score(query, hits)
    if all(hit.score < FLOOR for hit in hits):
        again = find.corrected(query, entries)
        if again.terms != query.terms:
            hits = find.by_name(again, entries, start)
            find.score(again, hits)
            if _certain(hits):
                notes.append(f"Nothing is called {query.said}; this is what looks like it.")
    return hits


def _certain(hits: Sequence[Hit]) -> bool:
    return any(
        hit.literal >= 1 or (hit.score >= 0.85 * CERTAIN and all(n >= CERTAIN for n in hit.named)) for hit in hits
    )


def _clear(hits: Sequence[Hit]) -> list[Hit]:
    """The best, without what is far behind them."""
    ranked = sorted(hits, key=lambda h: (-_merged(h), -h.entry.modified, h.entry.place.shown))
    ranked = [h for h in ranked if h.score >= FLOOR or h.meaning > 0]
    if not ranked:
        return []
    least = CLOSE * _merged(ranked[0])
    return [h for h in ranked[:SHOWN] if _merged(h) >= least]


def _merged(hit: Hit) -> float:
    words = hit.score if hit.score >= FLOOR else 0.0
    return words + (1 - min(1.0, words)) * 0.6 * hit.meaning
