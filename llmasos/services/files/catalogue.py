"""All files and folders of a workspace, as arrays: what a search looks at instead of at the disk.

Each thing has a number. What has changed gets a new one, so that nothing known of the old file is taken for the new
one; numbers of what is gone stay empty, and where they are too many another catalogue takes the place of this one.

A folder's own time tells whether names in it changed, so a look at a known workspace reads few folders. It doesn't tell
that a file's content changed: a thorough look compares each file.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from llmasos.core.base.errors import SyscallError
from llmasos.services.files.documents import KINDS
from llmasos.services.files.place import Place
from llmasos.services.files.query import is_chinese, tokens
from llmasos.services.files.said import loose, stem
from llmasos.services.files.space import Space
from llmasos.services.files.vocabulary import Vocabulary
from llmasos.services.files.walk import Entry, entries_of
from llmasos.services.memory.column import Column

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
Values = TypeVar("Values", npt.NDArray[np.bool_], npt.NDArray[np.float64])
LIMIT = 200_000
"""Files and folders that are known of one workspace."""
WIDTH = 384
"""Numbers in a vector."""
UNREAD, READ, NO_TEXT = 0, 1, 2
_JUST_NOW = 2.0
"""Seconds within which a folder's time can't tell two changes apart on some file systems."""
LARGEST = 4 << 20
"""Bytes; larger files are books or data, whose first words say little. Documents may be larger."""
_BINARY_WORDS = """
png jpg jpeg gif webp heic bmp tif tiff zip gz bz2 xz 7z tar rar mp3 mp4 mov mkv avi webm flac ogg
wav m4a xlsx pptx ods odp exe dll so a o bin iso gguf onnx pt db sqlite pyc woff woff2 ttf
otf class jar
"""
_BINARY = frozenset(_BINARY_WORDS.split())
_TOP = 0
_MANY = 1_000
"""Numbers below which empty ones cost nothing."""


class Catalogue:
    """The things of one workspace. Whoever reads or changes it holds its `lock`.

    Args:
        root: The workspace's real path.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = threading.RLock()
        self.complete = True
        self._entries: list[Entry | None] = []
        self._below: dict[int, dict[str, int]] = {}
        self._inner: dict[int, set[int]] = {}
        self._paths: dict[int, str] = {}
        self._listed: dict[int, int] = {}
        self._alive = Column(np.bool_)
        self._folders = Column(np.bool_)
        self._modified = Column(np.float64)
        self._parents = Column(np.int64)
        self._kinds = Column(np.int64)
        self._kind_numbers: dict[str, int] = {"": 0}
        self.sizes = Column(np.int32)
        """Words in each name, without its extension."""
        self.texts_read = Column(np.int8)
        self._rows = Column(np.int64)
        self._vectors = Column(np.float32, WIDTH)
        self.names, self.stems, self.texts = Vocabulary(), Vocabulary(), Vocabulary()
        self.whole = Vocabulary()
        """Names as they are said at full length."""
        self.characters = Vocabulary()
        """Chinese characters and pairs of them, of things that have them in their names."""
        self._add(Entry(Place(self.root, ()), True, 0, 0.0), -1)
        self._alive.view[_TOP] = False  # nobody looks for the workspace itself

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def worn(self) -> bool:
        """Whether most of its numbers stand for nothing any more, so that another one should take its place."""
        return len(self) > _MANY and int(np.count_nonzero(self.alive)) < len(self) // 2

    @property
    def alive(self) -> Mask:
        """Which numbers are things that are there."""
        return self._alive.view

    @property
    def folders(self) -> Mask:
        """Which are folders."""
        return self._folders.view

    @property
    def modified(self) -> npt.NDArray[np.float64]:
        """When each was changed last."""
        return self._modified.view

    @property
    def parents(self) -> Numbers:
        """The number of the folder that each is in; below 0 for the top."""
        return self._parents.view

    def entry(self, number: int) -> Entry:
        """The thing of a number that is alive."""
        entry = self._entries[number]
        assert entry is not None
        return entry

    def number(self, place: Place) -> int | None:
        """The number of a place; None where nothing is known to be there."""
        number = _TOP
        for part in place.parts:
            below = self._below.get(number, {}).get(part)
            if below is None:
                return None
            number = below
        return number

    def of_kinds(self, extensions: Iterable[str]) -> Mask:
        """Which files have one of these extensions."""
        numbers = [self._kind_numbers[e] for e in extensions if e in self._kind_numbers]
        return np.isin(self._kinds.view, numbers) & ~self.folders

    def inside(self, start: Place) -> Mask:
        """Which things are below a place."""
        first = self.number(start)
        if first is None:
            return np.zeros(len(self), np.bool_)
        found = np.zeros(len(self), np.bool_)
        found[first] = True
        below = self.spread(found)
        below[first] = False
        inside: Mask = below & self.alive
        return inside

    def spread(self, values: Values) -> Values:
        """For each thing the largest value of itself and the folders that it is in; values aren't negative."""
        parents = np.maximum(self.parents, 0)
        current = values
        while True:
            more: Values = np.maximum(current, current[parents])
            if np.array_equal(more, current):
                return current
            current = more

    # What is on the disk

    def look(self, space: Space, stop: threading.Event, *, thorough: bool, seconds: float) -> None:
        """Bring it up to date with the disk.

        Args:
            space: The workspace.
            stop: Asks to give up.
            thorough: Whether files are compared too, and not only folders.
            seconds: How long it may take; `complete` tells whether that was enough.
        """
        until = time.monotonic() + seconds
        waiting = deque([_TOP])
        complete = True
        while waiting:
            if stop.is_set():
                raise SyscallError("ECANCELED", "The search was stopped.")
            if time.monotonic() > until:
                complete = False
                break
            number = waiting.popleft()
            with self.lock:
                complete &= self._look_into(space, number, thorough=thorough)
                waiting += sorted(self._inner.get(number, ()))
        with self.lock:
            self.complete = complete

    def check(self, numbers: Iterable[int]) -> bool:
        """Whether these are still as they are known; what isn't is forgotten, and met anew by the next look."""
        same = True
        with self.lock:
            for number in numbers:
                entry = self._entries[number]
                if entry is None:
                    same = False
                    continue
                status = entry.place.stat()
                kept = status is not None and stat.S_ISDIR(status.st_mode) == entry.folder
                if status is None or not kept or (not entry.folder and _is_other(entry, status)):
                    self._listed.pop(int(self.parents[number]), None)
                    self._remove(number)
                    same = False
        return same

    def _look_into(self, space: Space, number: int, *, thorough: bool) -> bool:
        """Compare a folder with the disk; whether all of it is known now."""
        folder = self._entries[number]
        if folder is None:
            return True
        if len(self) > LIMIT and number not in self._below:
            return False
        try:
            path = self._paths.get(number) or self._paths.setdefault(number, str(folder.place.path))
            status = os.lstat(path)
        except OSError:
            return True  # its own folder's next look takes it out
        if not stat.S_ISDIR(status.st_mode):
            return True  # a link in its place leads nowhere
        recent = time.time() - status.st_mtime < _JUST_NOW
        if not thorough and self._listed.get(number) == status.st_mtime_ns:
            return True
        found = {entry.place.parts[-1]: entry for entry in entries_of(space, folder.place)}
        known = self._below.setdefault(number, {})
        for name in [name for name in known if name not in found]:
            self._remove(known[name])
        whole = True
        for name, entry in found.items():
            before = self._entries[known[name]] if name in known else None
            if before is not None:
                if before.folder == entry.folder and (
                    entry.folder or (before.size, before.modified) == (entry.size, entry.modified)
                ):
                    continue
                self._remove(known[name])
            if len(self) - 1 >= LIMIT:
                whole = False
                break
            self._add(entry, number)
        if whole and not recent:
            self._listed[number] = status.st_mtime_ns
        else:
            self._listed.pop(number, None)
        return whole

    def _add(self, entry: Entry, parent: int) -> int:
        number = len(self._entries)
        self._entries.append(entry)
        name = entry.place.parts[-1] if entry.place.parts else ""
        words, bare = tokens(name), tokens(stem(name))
        bare = bare or words
        extension = extension_of(entry)
        self._alive.append(True)
        self._folders.append(entry.folder)
        self._modified.append(entry.modified)
        self._parents.append(parent)
        self._kinds.append(self._kind_numbers.setdefault(extension, len(self._kind_numbers)))
        self.sizes.append(len(bare))
        self.texts_read.append(UNREAD if passable(entry) else NO_TEXT)
        self._rows.append(-1)
        self.names.add(number, words)
        self.stems.add(number, bare)
        self.whole.add(number, {loose(name), " ".join(bare)})
        for word in words:
            if is_chinese(word):
                self.characters.add(number, {*word, *(word[i : i + 2] for i in range(len(word) - 1))})
        if parent >= 0:
            self._below.setdefault(parent, {})[name] = number
            if entry.folder:
                self._inner.setdefault(parent, set()).add(number)
        return number

    def _remove(self, number: int) -> None:
        entry = self._entries[number]
        if entry is None:
            return
        for below in list(self._below.pop(number, {}).values()):
            self._remove(below)
        parent = int(self.parents[number])
        self._below.get(parent, {}).pop(entry.place.parts[-1], None)
        self._inner.get(parent, set()).discard(number)
        self._inner.pop(number, None)
        self._paths.pop(number, None)
        self._listed.pop(number, None)
        self._entries[number] = None
        self._alive.view[number] = False
        row = int(self._rows.view[number])
        if row >= 0:
            self._vectors.view[row] = 0.0
            self._rows.view[number] = -1

    # What is in the files

    def unread(self, wanted: npt.NDArray[np.float64] | None = None) -> list[int]:
        """Files whose words aren't known yet, those that are wanted most and the newest first."""
        numbers = np.flatnonzero(self.alive & (self.texts_read.view == UNREAD))
        liked = np.zeros(len(self))
        if wanted is not None:  # fewer, where others came since
            liked[: len(wanted)] = wanted[: len(self)]
        liked = liked[numbers]
        order = np.lexsort((-self.modified[numbers], -liked))
        return [int(n) for n in numbers[order]]

    def without_vector(self) -> list[int]:
        """Files that have no vector yet, the newest first."""
        numbers = np.flatnonzero(self.alive & ~self.folders & (self._rows.view < 0))
        return [int(n) for n in numbers[np.argsort(-self.modified[numbers], kind="stable")]]

    def enter_words(self, number: int, words: Iterable[str]) -> None:
        """What a file says; without words it has no text."""
        found = set(words)
        self.texts.add(number, found)
        self.texts_read.view[number] = READ if found else NO_TEXT

    def enter_nothing(self, number: int) -> None:
        """A file has no text that can be read."""
        self.texts_read.view[number] = NO_TEXT

    def enter_vector(self, number: int, vector: npt.NDArray[np.float32]) -> None:
        """What a file is about."""
        if self._rows.view[number] < 0:
            self._rows.view[number] = len(self._vectors.view)
            self._vectors.append(vector)
        else:
            self._vectors.view[self._rows.view[number]] = vector

    def likeness(self, direction: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], Numbers]:
        """Products of all vectors with a direction, and whose they are; only of what is there."""
        numbers = np.flatnonzero(self.alive & (self._rows.view >= 0))
        return (self._vectors.view @ direction)[self._rows.view[numbers]], numbers


def extension_of(entry: Entry) -> str:
    """A file's extension in small letters; empty where it has none."""
    name = entry.place.parts[-1] if entry.place.parts else ""
    return name.rpartition(".")[2].lower() if "." in name and not entry.folder else ""


def passable(entry: Entry) -> bool:
    """Whether a file may have text in it, by its name and size."""
    extension = extension_of(entry)
    return (
        not entry.folder
        and entry.size > 0
        and extension not in _BINARY
        and (extension in KINDS or entry.size <= LARGEST)
    )


def _is_other(entry: Entry, status: os.stat_result) -> bool:
    return (entry.size, entry.modified) != (status.st_size, status.st_mtime)
