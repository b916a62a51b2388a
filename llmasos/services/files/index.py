"""The index of a workspace: its catalogue, brought up to date before each search and completed in the background.

What was read of a file is kept sealed, under a tag of the workspace and of the file's path: its words, its vector, and
a document's text. It counts as long as size and time of the file are the same, and goes when the file goes.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from llmasos.core.base.errors import LlmasosError, SyscallError
from llmasos.core.kernel.store import Store
from llmasos.services.files.catalogue import Catalogue, extension_of, passable
from llmasos.services.files.documents import KINDS, Document, Documents, Part
from llmasos.services.files.find import content
from llmasos.services.files.meaning import Meaning
from llmasos.services.files.place import Place
from llmasos.services.files.said import stem
from llmasos.services.files.space import Space
from llmasos.services.files.task import in_thread
from llmasos.services.files.walk import SECONDS as WALKING
from llmasos.services.files.walk import Entry
from llmasos.services.memory.words import terms

log = logging.getLogger(__name__)

VECTOR, WORDS, DOCUMENT = "files.vector", "files.words", "files.document"
READING = 3.0
"""How long one search waits for texts to be read."""
FRESH = 200
"""Vectors that one search waits for."""
FEW = 2_000
"""Things that are compared one by one before each search; of more only the folders, and the rest in the background."""
AGAIN = 300.0
"""Seconds between two looks in the background."""
_WORDS = 4_000
"""Different words of one file that are kept."""
_REST = 2.0
"""How long the background rests after each piece of work, as a multiple of it."""
_STEP = 16
_CHARACTERS = 400
HURRIED, PATIENT = 3.0, 120.0
"""Seconds that one document may take while somebody waits, and in the background."""
ASKED_FOR = 20.0
"""The same where it is what was asked for."""


@dataclass(slots=True)
class Shelf:
    """What is known of one workspace.

    Attributes:
        catalogue: Its things.
        tag: The workspace, in the ids of records.
        turn: Guards the reading of text files and the making of vectors: one at a time.
        kept: Words and vectors from the store, until their files are met.
        hurried: Documents of which there was no time to read all.
        task: Goes on in the background.
    """

    catalogue: Catalogue
    tag: str
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    hurried: set[int] = field(default_factory=set)
    loaded: bool = False
    task: asyncio.Task[None] | None = None


class Index:
    """The indexes of all workspaces.

    Args:
        meaning: What makes vectors; None for words alone.
        documents: What reads documents; None leaves them closed.
    """

    def __init__(self, meaning: Meaning | None, documents: Documents | None) -> None:
        self._meaning = meaning
        self._documents = documents
        self._shelves: dict[Path, Shelf] = {}

    async def current(self, store: Store, space: Space) -> Catalogue:
        """The catalogue of a workspace, as the disk is now; `complete` tells whether that could be seen in time."""
        shelf = await self._shelf(store, space.root)
        await self._look(store, shelf, space, thorough=len(shelf.catalogue) <= FEW)
        return shelf.catalogue

    async def read_texts(
        self,
        store: Store,
        space: Space,
        wanted: npt.NDArray[np.float64] | None,
        seconds: float = -1.0,
        patience: float = HURRIED,
    ) -> int:
        """Read what wasn't read yet, what is wanted most first; how many files are left.

        Args:
            store: Keeps what was read.
            space: The workspace.
            wanted: How much each is wanted, by number.
            seconds: How long; `READING` where below 0.
            patience: How long one document may take.
        """
        shelf = await self._shelf(store, space.root)
        until = time.monotonic() + (READING if seconds < 0 else seconds)
        async with shelf.turn:
            with shelf.catalogue.lock:
                unread = shelf.catalogue.unread(wanted)
            plain = [n for n in unread if not self._is_document(shelf, n)]
            done = await in_thread(lambda stop: _read_plain(store, shelf, plain, until, stop))
        left = len(plain) - done
        # Documents take long, and whoever searches meanwhile doesn't wait for them: one read twice does no harm.
        for number in [n for n in unread if self._is_document(shelf, n)]:
            if time.monotonic() > until:
                left += 1
            else:
                await self._read_document(store, shelf, number, patience)
        return left

    async def embed(self, store: Store, space: Space, most: int = FRESH) -> int:
        """Make vectors of the newest files without one; how many files are left.

        Raises:
            EngineError: The embedder broke.
        """
        shelf = await self._shelf(store, space.root)
        if self._meaning is None:
            return 0
        async with shelf.turn:
            with shelf.catalogue.lock:
                waiting = shelf.catalogue.without_vector()
            for start in range(0, min(len(waiting), most), _STEP):
                await self._embed(store, shelf, waiting[start : min(start + _STEP, most)])
        return max(0, len(waiting) - most)

    async def document(self, store: Store, place: Place, seconds: float = ASKED_FOR) -> Document:
        """The text of a document: as it was read before, or read now and kept.

        Raises:
            SyscallError: It can't be read, and why.
        """
        if self._documents is None:
            raise SyscallError("ENOTSUP", f"{place.shown} is a document, and nothing here reads documents.")
        status = await asyncio.to_thread(place.stat)
        now = [status.st_mtime, status.st_size] if status else None
        id = _id(_tag(place.root), place)
        kept = await asyncio.to_thread(store.get, DOCUMENT, id)
        if kept is not None and now is not None and kept[:2] == now:
            return Document([Part(*part) for part in kept[3]], kept[2])
        found = await self._documents.read(place, seconds)
        if now is not None and not store.frozen and not found.hurried:
            parts = [[part.label, part.text] for part in found.parts]
            await in_thread(lambda _: store.put(DOCUMENT, id, [*now, found.note, parts]))
        return found

    def go_on(self, store: Store, space: Space) -> None:
        """Read and embed in the background what is left, and look for changes from time to time."""
        shelf = self._shelves.get(space.root)
        if shelf is None or shelf.task is None or shelf.task.done():
            task = asyncio.get_running_loop().create_task(self._completed(store, space))
            shelf = self._shelves.setdefault(space.root, Shelf(Catalogue(space.root), _tag(space.root)))
            shelf.task = task

    async def close(self) -> None:
        """End what goes on in the background."""
        tasks = [shelf.task for shelf in self._shelves.values() if shelf.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _completed(self, store: Store, space: Space) -> None:
        while not store.frozen:
            try:
                await self._complete(store, space)
            except (LlmasosError, OSError) as error:
                log.warning("indexing waits: %s", error)
            await asyncio.sleep(AGAIN)

    async def _complete(self, store: Store, space: Space) -> None:
        """Look at everything once, and read what wasn't read."""
        await self._look(store, await self._shelf(store, space.root), space, thorough=True)
        async for _ in self._steps(store, space):
            pass
        shelf = await self._shelf(store, space.root)
        if shelf.catalogue.complete:
            await in_thread(lambda _: _forget_gone(store, shelf))

    async def _steps(self, store: Store, space: Space) -> AsyncIterator[None]:
        """Short pieces of work with a rest after each, so that whoever sits here has the machine."""
        left = 1
        while left:
            began = time.monotonic()
            left = await self.read_texts(store, space, None, 0.5, PATIENT)
            await asyncio.sleep(_REST * (time.monotonic() - began))
            yield
        shelf = await self._shelf(store, space.root)
        while shelf.hurried:
            await self._read_document(store, shelf, shelf.hurried.pop(), PATIENT)
            yield
        left = 1
        while left:
            began = time.monotonic()
            left = await self.embed(store, space, _STEP)
            await asyncio.sleep(_REST * (time.monotonic() - began))
            yield

    async def _shelf(self, store: Store, root: Path) -> Shelf:
        shelf = self._shelves.setdefault(root, Shelf(Catalogue(root), _tag(root)))
        if not shelf.loaded:
            async with shelf.turn:
                if not shelf.loaded:
                    shelf.kept = await in_thread(lambda stop: _kept(store, shelf.tag, stop))
                    shelf.loaded = True
        return shelf

    async def _look(self, store: Store, shelf: Shelf, space: Space, *, thorough: bool) -> None:
        if shelf.catalogue.worn:
            shelf.catalogue, shelf.loaded, shelf.hurried = Catalogue(space.root), False, set()
            shelf = await self._shelf(store, space.root)
        catalogue = shelf.catalogue
        before = len(catalogue)
        await in_thread(lambda stop: catalogue.look(space, stop, thorough=thorough, seconds=WALKING))
        if len(catalogue) != before:
            await asyncio.to_thread(_apply, shelf, before if before > 1 else 0)

    def _is_document(self, shelf: Shelf, number: int) -> bool:
        with shelf.catalogue.lock:
            return bool(shelf.catalogue.alive[number]) and extension_of(shelf.catalogue.entry(number)) in KINDS

    async def _read_document(self, store: Store, shelf: Shelf, number: int, seconds: float) -> None:
        with shelf.catalogue.lock:
            if not shelf.catalogue.alive[number]:
                return
            entry = shelf.catalogue.entry(number)
        try:
            document = await self.document(store, entry.place, seconds)
        except SyscallError as error:
            log.info("a document isn't indexed: %s", error.code)
            hurried = error.code == "ETIMEDOUT" and seconds < PATIENT
            if hurried or error.code == "EAGAIN":  # nothing could be confined now; or it takes long
                shelf.hurried |= {number} if hurried else set()
                with shelf.catalogue.lock:
                    shelf.catalogue.enter_nothing(number)
                return
            document = Document([])
        words = document.text
        if document.hurried:
            shelf.hurried.add(number)
            with shelf.catalogue.lock:
                shelf.catalogue.enter_words(number, terms(words))
            return
        await in_thread(lambda _: _enter(store, shelf, [(number, entry, words)]))

    async def _embed(self, store: Store, shelf: Shelf, numbers: Sequence[int]) -> None:
        assert self._meaning is not None
        with shelf.catalogue.lock:
            some = [(n, shelf.catalogue.entry(n)) for n in numbers if shelf.catalogue.alive[n]]
        texts = await in_thread(lambda _: [_passage(store, shelf.tag, entry) for _, entry in some])
        made: Sequence[Any] = list(await self._meaning.passages(texts)) if texts else []
        await in_thread(lambda _: _enter_vectors(store, shelf, some, made))


def _tag(root: Path) -> str:
    return hashlib.sha256(str(root).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _id(tag: str, place: Place) -> str:
    path = "/".join(place.parts).encode("utf-8", "surrogateescape")
    return f"{tag}.{hashlib.sha256(path).hexdigest()[:32]}"


def _passage(store: Store, tag: str, entry: Entry) -> str:
    """The name and the first paragraph."""
    words = ""
    if extension_of(entry) in KINDS:
        kept = store.get(DOCUMENT, _id(tag, entry.place))
        if kept is not None:
            words = next((text for _, text in kept[3] if text), "")
    elif passable(entry):
        words = content(entry.place, 4 * _CHARACTERS) or ""
    paragraph = next((p.strip() for p in words.split("\n\n") if p.strip()), "")
    return f"{stem(entry.place.name)}\n{paragraph[:_CHARACTERS]}".strip()


def _read_plain(store: Store, shelf: Shelf, numbers: Sequence[int], until: float, stop: threading.Event) -> int:
    """Read text files; how many were."""
    batch: list[tuple[int, Entry, str]] = []
    done = 0
    for number in numbers:
        if stop.is_set():
            raise SyscallError("ECANCELED", "The search was stopped.")
        if time.monotonic() > until:
            break
        with shelf.catalogue.lock:
            entry = shelf.catalogue.entry(number) if shelf.catalogue.alive[number] else None
        if entry is not None:
            words = content(entry.place) if passable(entry) else None
            batch.append((number, entry, words or ""))
        done += 1
        if len(batch) >= 4 * _STEP:
            _enter(store, shelf, batch)
            batch = []
    _enter(store, shelf, batch)
    return done


def _enter(store: Store, shelf: Shelf, read: Sequence[tuple[int, Entry, str]]) -> None:
    found = [(number, entry, list(dict.fromkeys(terms(words)))[:_WORDS]) for number, entry, words in read]
    with shelf.catalogue.lock:
        for number, _, words in found:
            shelf.catalogue.enter_words(number, words)
    if found and not store.frozen:
        with store.transaction():
            for _, entry, words in found:
                store.put(WORDS, _id(shelf.tag, entry.place), [entry.modified, entry.size, " ".join(words)])


def _enter_vectors(store: Store, shelf: Shelf, some: Sequence[tuple[int, Entry]], made: Sequence[Any]) -> None:
    with shelf.catalogue.lock:
        for (number, _), vector in zip(some, made, strict=True):
            shelf.catalogue.enter_vector(number, vector)
    if some and not store.frozen:
        with store.transaction():
            for (_, entry), vector in zip(some, made, strict=True):
                packed = base64.b64encode(vector.astype(np.float16).tobytes()).decode()
                store.put(VECTOR, _id(shelf.tag, entry.place), [entry.modified, entry.size, packed])


def _kept(store: Store, tag: str, stop: threading.Event) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for kind in (VECTOR, WORDS):
        for record in store.scan(kind):
            if stop.is_set():
                break
            if record.id.startswith(f"{tag}."):
                found.setdefault(record.id, {})[kind] = record.value
    return found


def _apply(shelf: Shelf, first: int) -> None:
    """Enter what was kept of files that were met since a number."""
    catalogue = shelf.catalogue
    with catalogue.lock:
        for number in np.flatnonzero(catalogue.alive[first:] & ~catalogue.folders[first:]) + first:
            entry = catalogue.entry(int(number))
            kept = shelf.kept.pop(_id(shelf.tag, entry.place), None)
            if kept is None:
                continue
            now = [entry.modified, entry.size]
            words, vector = kept.get(WORDS), kept.get(VECTOR)
            if words is not None and words[:2] == now:
                catalogue.enter_words(int(number), words[2].split())
            if vector is not None and vector[:2] == now:
                half = np.frombuffer(base64.b64decode(vector[2]), np.float16)
                catalogue.enter_vector(int(number), half.astype(np.float32))


def _forget_gone(store: Store, shelf: Shelf) -> None:
    """Delete what is kept of files that aren't there any more."""
    with shelf.catalogue.lock:
        numbers = np.flatnonzero(shelf.catalogue.alive & ~shelf.catalogue.folders)
        there = {_id(shelf.tag, shelf.catalogue.entry(int(n)).place) for n in numbers}
    for kind in (VECTOR, WORDS, DOCUMENT):
        gone = [r.id for r in store.scan(kind) if r.id.startswith(f"{shelf.tag}.") and r.id not in there]
        with store.transaction():
            for id in gone:
                store.delete(kind, id)
    shelf.kept.clear()
