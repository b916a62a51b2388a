"""memory.*: facts a person wants kept, found by words and meaning, erased for good when they say so."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import SyscallError
from llmasos.core.base.values import done, items, sourced
from llmasos.core.kernel.journal import Entry
from llmasos.core.kernel.labels import kept
from llmasos.core.kernel.store import Snapshot, Store
from llmasos.core.kernel.syscall import inverse, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.memory.retrieval import Embedder, Hit, Index, Item
from llmasos.services.memory.words import means_everything, normalized
from llmasos.services.script import has_chinese

KIND = "memory"
REVISION = "memory.revision"
WORTH_KEEPING = 1_000
"""Memories from which on their index is kept; one of fewer is built in no time."""
LONGEST = 20_000
"""Characters of one fact."""
SHOWN = 8
SURE = 0.3
"""Relevance from which a memory without all the query's words may be meant by `forget`."""


class Memory:
    """What persons asked to be remembered, each their own.

    Args:
        store: Where the facts are kept, sealed.
        clock: Says when something was said.
        embedder: Finds by meaning; None finds by words alone.

    Attributes:
        elsewhere: Answers a question from what else there is; None looks nowhere else.
    """

    def __init__(self, store: Store, clock: Clock, embedder: Embedder | None = None) -> None:
        self.elsewhere: Callable[[Caller, str], Awaitable[dict[str, Any] | None]] | None = None
        self._store = store
        self._clock = clock
        self._embedder = embedder
        self._indexes: dict[str, Index] = {}
        self._stale: set[str] = set()
        """Whose snapshot isn't there, or is older than the index."""

    @syscall("memory.remember", effect="write")
    async def remember(self, caller: Caller, text: str) -> dict[str, Any]:
        """Keep a fact.

        Args:
            text: The fact.

        Examples:
            remember that the boiler was serviced in March
            keep in mind that Noor doesn't eat fish
            for later: locker 214 is mine
            记住我的车停在三楼
        """
        fact = " ".join(text.split())
        if not fact:
            raise SyscallError("EINVAL", "There is nothing to remember.", "Say what: 'remember that ...'.")
        if len(fact) > LONGEST:
            raise SyscallError(
                "E2BIG", f"A memory has at most {LONGEST:,} characters.", "Put a longer text into a file."
            )
        person = caller.session.person
        index = self._index(person)
        id = _digest(person, fact)
        before = self._store.get(KIND, id)
        value: dict[str, Any] = {
            "person": person,
            "text": fact,
            "at": self._clock.now().isoformat(timespec="seconds"),
            # Said again, it counts as new, though the record keeps its place in the store.
            "order": index.newest + 1,
            "vector": await index.embed(fact),
            "sources": kept(caller.call, "text"),
        }
        # The inverse names the record and not its words: those live in one place only.
        caller.prepare("memory.remember", {"id": id, "order": value["order"], "before": _dated(before)})
        with self._changed(person):
            self._store.put(KIND, id, value)
        index.add(_item(id, value))
        return done(f"I'll remember: {fact}" if not has_chinese(fact) else f"记住了：{fact}", ref=fact)

    @syscall("memory.recall", effect="read")
    async def recall(self, caller: Caller, query: str) -> dict[str, Any]:
        """What is known about something; where nothing is, what answers that question elsewhere.

        Args:
            query: What it is about.

        Examples:
            what do you know about the boiler
            do you remember where I parked
            what did I tell you about Noor
            我的车停在哪里
        """
        hits = await self.find(caller.session.person, query)
        rows = [self._row(hit.item) for hit in hits]
        if not rows and self.elsewhere and (found := await self.elsewhere(caller, caller.request)):
            return found
        empty = f"我不知道关于“{query}”的事。" if has_chinese(query) else f"I know nothing about {query!r}."
        return items("memory", rows, ["text", "said", "source"], empty=empty)

    @syscall("memory.forget", effect="final", preview="forget_preview", bound=True)
    async def forget(self, caller: Caller, query: str) -> dict[str, Any]:
        """Erase what is known about something, for good.

        Args:
            query: What it is about.

        Examples:
            forget what I said about the locker
            erase everything you know about Noor
            把我的车位号忘掉
        """
        shown = caller.session.state.pop(_pending(query), None)
        index = self._index(caller.session.person)
        # What was shown is what goes: a fact told while the question stood is not erased unseen.
        going = await self._meant(caller, query) if shown is None else [i for i in index.items() if i.id in shown]
        with self._changed(caller.session.person):
            for item in going:
                self._store.delete(KIND, item.id)
        self._snapshot(caller.session.person).drop()  # its words are gone for good, there too
        for item in going:
            index.remove(item.id)
        ids, texts = {item.id for item in going}, [normalized(item.text) for item in going]
        current = caller.entry.id if caller.entry else None
        caller.erase(lambda entry: entry.id == current or _mentions(entry, ids, texts))
        return done(f"Forgotten for good: {len(going)} {'memory' if len(going) == 1 else 'memories'}.")

    async def forget_preview(self, caller: Caller, query: str) -> dict[str, str]:
        """The very texts that will go."""
        going = await self._meant(caller, query)
        caller.session.state[_pending(query)] = {item.id for item in going}
        return {"query": query, "erases": "\n".join(f"{item.text} ({_said(item.at)})" for item in going)}

    @inverse("memory.remember")
    async def take_back(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Unlearn a fact, or date it back to when it was said first."""
        value = self._store.get(KIND, payload["id"])
        if value is None or value["order"] != payload["order"]:
            raise SyscallError("ESTALE", "That memory has changed since, so it was left as it is.")
        index = self._index(value["person"])
        if payload["before"]:
            value |= payload["before"]
            with self._changed(value["person"]):
                self._store.put(KIND, payload["id"], value)
            index.add(_item(payload["id"], value))
            return f"As before: {value['text']}"
        with self._changed(value["person"]):
            self._store.delete(KIND, payload["id"])
        index.remove(payload["id"])
        return f"No longer remembered: {value['text']}"

    async def find(self, person: str, query: str, limit: int = SHOWN) -> list[Hit]:
        """A person's memories that fit a query, best first."""
        index = self._index(person)
        if means_everything(query):
            return [Hit(item, 1.0, 1.0, True) for item in reversed(index.items())][:limit]
        return await index.search(query, limit)

    async def look(self, caller: Caller, query: str) -> Sequence[dict[str, Any]]:
        """Memories as rows of `search.find`."""
        hits = await self.find(caller.session.person, query)
        return [{**self._row(hit.item), "score": hit.relevance} for hit in hits]

    async def _meant(self, caller: Caller, query: str) -> list[Item]:
        """What is to be forgotten: all that has every word of the query, else the one that is meant."""
        index = self._index(caller.session.person)
        if means_everything(query):
            hits = [Hit(item, 1.0, 1.0, True) for item in index.items()]
        else:
            hits = await index.search(query, len(index))
        if not hits:
            raise SyscallError("ENOENT", f"I know nothing about {query!r}, so there is nothing to forget.")
        complete = [hit.item for hit in hits if hit.complete]
        if complete:
            return sorted(complete, key=lambda item: item.order)
        near = [hit.item for hit in hits[:SHOWN] if hit.relevance >= SURE]
        if not near:
            raise SyscallError("ENOENT", f"I know nothing about {query!r}, so there is nothing to forget.")
        if len(near) == 1:
            return near
        chosen = await caller.choose("Which should be forgotten?", [item.text for item in near])
        return [item for item in near if item.text == chosen]

    def _row(self, item: Item) -> dict[str, Any]:
        """A memory as it is shown, with whose words it is where they aren't the person's."""
        sources = (self._store.get(KIND, item.id) or {}).get("sources", ())
        row = {"ref": item.text, "text": item.text, "said": _said(item.at), "at": item.at, "id": item.id}
        return sourced(row, sources)

    def _index(self, person: str) -> Index:
        """A person's index, at first use from its snapshot, or built from the store where that is of another time."""
        if person not in self._indexes:
            index = self._indexes[person] = Index(self._embedder)
            kept = self._snapshot(person).read(self._revision(person))
            if kept is None or not index.load(kept):
                self._stale.add(person)
                for record in self._store.scan(KIND):
                    if record.value["person"] == person:
                        index.add(_item(record.id, record.value))
        return self._indexes[person]

    def close(self) -> None:
        """Keep the indexes that take long to build, sealed, for the next start."""
        for person in self._stale:
            index = self._indexes.get(person)
            if index is not None and len(index) >= WORTH_KEEPING and not self._store.frozen:
                self._snapshot(person).write(index.pack(), self._revision(person))
        self._stale.clear()

    @contextlib.contextmanager
    def _changed(self, person: str) -> Iterator[None]:
        """What is written inside makes snapshots of before stale, in the same transaction."""
        with self._store.transaction():
            self._store.put(REVISION, person, self._revision(person) + 1)
            yield
        self._stale.add(person)

    def _revision(self, person: str) -> int:
        return int(self._store.get(REVISION, person) or 0)

    def _snapshot(self, person: str) -> Snapshot:
        return self._store.snapshot(f"memory\n{person}")


def _digest(person: str, fact: str) -> str:
    """A fact's id: the same in every process, and the same fact isn't kept twice."""
    return hashlib.sha256(f"{person}\n{normalized(fact)}".encode()).hexdigest()[:24]


def _item(id: str, value: dict[str, Any]) -> Item:
    return Item(id, value["text"], value["order"], value["at"], value["vector"], source=value["person"])


def _dated(value: dict[str, Any] | None) -> dict[str, Any] | None:
    return {"at": value["at"], "order": value["order"], "sources": value.get("sources", [])} if value else None


def _said(at: str) -> str:
    return f"{datetime.fromisoformat(at):%a %d %b %Y %H:%M}"


def _pending(query: str) -> str:
    return f"memory.forget {query}"


def _mentions(entry: Entry, ids: set[str], texts: Sequence[str]) -> bool:
    """Whether a journal entry holds a forgotten fact: its words, or its record's id."""
    payload = (entry.inverse or {}).get("payload") or {}
    if payload.get("id") in ids:
        return True
    said = normalized(" ".join([entry.request, entry.message, *map(str, entry.call.get("args", {}).values())]))
    return any(text in said for text in texts)
