"""Going through the workspace, near things first, within bounds of number and time."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from llmasos.core.base.errors import SyscallError
from llmasos.services.files.place import Place
from llmasos.services.files.space import Space

LIMIT = 50_000
"""Files and folders that are looked at."""

SECONDS = 5.0
"""How long it may take."""

SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})
"""Folders that programs fill for themselves; hidden ones are left out anyway."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something found on the way.

    Attributes:
        place: Where.
        folder: Whether it is one.
        size: In bytes; 0 for a folder.
        modified: Seconds since the epoch.
    """

    place: Place
    folder: bool
    size: int
    modified: float


class Walk:
    """All visible files and folders below a place. Links aren't followed and special files are passed over.

    Attributes:
        complete: False once a bound has cut it short.
    """

    def __init__(
        self,
        space: Space,
        start: Place,
        *,
        limit: int = LIMIT,
        seconds: float = SECONDS,
        stop: threading.Event | None = None,
    ) -> None:
        self._space = space
        self._start = start
        self._limit = limit
        self._seconds = seconds
        self._stop = stop
        self.complete = True

    def __iter__(self) -> Iterator[Entry]:
        until = time.monotonic() + self._seconds
        waiting = deque([self._start])
        seen = 0
        while waiting:
            if self._stop is not None and self._stop.is_set():
                raise SyscallError("ECANCELED", "The search was stopped.")
            folder = waiting.popleft()
            for entry in entries_of(self._space, folder):
                if seen >= self._limit or time.monotonic() > until:
                    self.complete = False
                    return
                seen += 1
                if entry.folder:
                    waiting.append(entry.place)
                yield entry


def entries_of(space: Space, folder: Place) -> Iterator[Entry]:
    """The visible files and folders in a folder, by name; none where it is gone or can't be read."""
    try:
        with os.scandir(folder.path) as listing:
            found = sorted(listing, key=lambda e: e.name)
    except OSError:
        return  # gone meanwhile, or not ours to read
    for item in found:
        if item.name.startswith(".") or item.name in SKIPPED:
            continue
        place = folder.child(item.name)
        try:
            if item.is_dir(follow_symlinks=False):
                if not space.is_private(place.path):
                    yield Entry(place, True, 0, item.stat(follow_symlinks=False).st_mtime)
            elif item.is_file(follow_symlinks=False):
                status = item.stat(follow_symlinks=False)
                yield Entry(place, False, status.st_size, status.st_mtime)
        except OSError:
            continue
