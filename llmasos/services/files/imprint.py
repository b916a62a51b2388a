"""What a file or folder is, in few bytes, to tell later whether it is still the same."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Iterator

from llmasos.core.base.errors import SyscallError
from llmasos.services.files.place import Place, names_in, open_file

HASHED = 64 << 20
"""Bytes in all whose content counts; of more, sizes and times do."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def file_digest(place: Place) -> str:
    """SHA-256 of a file's content; empty where no file is there."""
    status = place.stat()
    if status is None or not stat.S_ISREG(status.st_mode):
        return ""
    with place.reader() as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def imprint(place: Place, *, content: bool, stop: threading.Event | None = None) -> str:
    """A digest over all names, kinds and sizes below a place, and content or times; empty where nothing is.

    Args:
        place: A file, link or folder.
        content: Whether content counts, or else the times of modification.
        stop: Asks it to give up.
    """
    if not place.exists():
        return ""
    whole = hashlib.sha256()
    with place.folder() as (folder, name):
        for path, descriptor, below, status in tree(folder, name):
            if stop is not None and stop.is_set():
                raise SyscallError("ECANCELED", "It was stopped before anything was done.")
            if stat.S_ISLNK(status.st_mode):
                what = f"link {os.readlink(below, dir_fd=descriptor)}"
            elif stat.S_ISDIR(status.st_mode):
                what = "folder"
            elif content and stat.S_ISREG(status.st_mode):
                with os.fdopen(open_file(descriptor, below, place.shown), "rb") as file:
                    what = f"file {hashlib.file_digest(file, 'sha256').hexdigest()}"
            else:
                what = f"file {status.st_size} {status.st_mtime_ns}"
            whole.update(f"{path}\0{what}\0".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def weight(place: Place) -> tuple[int, int]:
    """Bytes of all files below a place, and how many things there are."""
    with place.folder() as (folder, name):
        sizes = [status.st_size if stat.S_ISREG(status.st_mode) else 0 for _, _, _, status in tree(folder, name)]
    return sum(sizes), len(sizes)


def tree(folder: int, name: str, path: str = "") -> Iterator[tuple[str, int, str, os.stat_result]]:
    """All things from a name in an open folder downwards, itself first with the path "", in order of names.

    Yields:
        Path below the start, descriptor of the folder it is in (open until the next step), name there,
        status.
    """
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    yield path, folder, name, status
    if stat.S_ISDIR(status.st_mode):
        descriptor = os.open(name, _FOLDER, dir_fd=folder)
        try:
            for below in names_in(descriptor):
                yield from tree(descriptor, below, f"{path}/{below}" if path else below)
        finally:
            os.close(descriptor)
