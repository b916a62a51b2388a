"""The calendar files of a place in the workspace: one file, or those of a folder."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from llmasos.core.base.errors import SyscallError
from llmasos.services.files.place import Place, names_in, open_file
from llmasos.services.files.trouble import in_words

MOST_FILES = 5_000
MOST_BYTES = 10 << 20
"""Bytes of one calendar, all of its files together."""


@dataclass(frozen=True, slots=True)
class Files:
    """What lies there.

    Attributes:
        state: By which it is known whether anything has changed.
        contents: Of the files, by name; none where nothing has changed.
        changed: Whether anything has.
    """

    state: str
    contents: Sequence[bytes] = ()
    changed: bool = True


def files(place: Place, state: str, stop: threading.Event) -> Files:
    """Read the files of a place.

    Args:
        place: A file, or a folder whose `.ics` files are read.
        state: As of the last time; empty for none.
        stop: Ends it.

    Raises:
        SyscallError: It isn't there, has no calendar files, or too much of them.
    """
    with in_words(f"read {place.shown}"):
        if not place.is_folder():
            with place.folder() as (folder, name):
                return _read(folder, [name], place.shown, state, stop)
        with place.child(".").folder() as (folder, _):
            names = [n for n in names_in(folder) if n.lower().endswith(".ics") and not n.startswith(".")]
            if not names:
                raise SyscallError(
                    "ENOENT", f"There are no .ics files in {place.shown}.", "Name a folder that has some."
                )
            if len(names) > MOST_FILES:
                raise SyscallError(
                    "E2BIG", f"{place.shown} has more than {MOST_FILES:,} .ics files.", "Take it in parts."
                )
            return _read(folder, names, place.shown, state, stop)


def _read(folder: int, names: Sequence[str], shown: str, state: str, stop: threading.Event) -> Files:
    seen, size = [], 0
    for name in names:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        seen.append((name, found.st_size, found.st_mtime_ns, found.st_ino))
        size += found.st_size
    if size > MOST_BYTES:
        raise SyscallError("E2BIG", f"{shown} has {size:,} bytes; {MOST_BYTES:,} is the limit.", "Take it in parts.")
    now = hashlib.blake2b(repr(seen).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    if now == state:
        return Files(now, changed=False)
    contents = []
    for name in names:
        if stop.is_set():
            raise SyscallError("ECANCELED", "It was stopped.")
        with os.fdopen(open_file(folder, name, shown), "rb") as file:
            contents.append(file.read(MOST_BYTES + 1))
    return Files(now, contents)
