"""What is in a workspace, by one look at each thing: hidden files too, for a command reaches those as well."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Collection, Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llmasos.core.base.errors import SyscallError
from llmasos.services.files.place import display, names_in

THINGS, BYTES = 10_000, 200 << 20
"""Files and folders, and bytes of all files, up to which undo can keep what a workspace was before a command."""

Kind = Literal["file", "folder", "link", "special"]
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class UnkeptError(Exception):
    """What a workspace is can't be kept; says why, in a sentence without its end."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing as it was seen.

    Attributes:
        kind: What it is.
        mode: Its permissions.
        size: Bytes of a file, else 0.
        mtime: When its content was changed, in nanoseconds.
        stamp: Device, inode, and when anything of it was changed: no program can set that back.
        target: Where a link leads.
    """

    kind: Kind
    mode: int
    size: int = 0
    mtime: int = 0
    stamp: tuple[int, int, int] = (0, 0, 0)
    target: str = ""

    def to_json(self) -> list[Any]:
        """For the store."""
        return [self.kind, self.mode, self.size, self.mtime, list(self.stamp), self.target]

    @staticmethod
    def from_json(value: list[Any]) -> Thing:
        """It again."""
        kind, mode, size, mtime, stamp, target = value
        return Thing(kind, mode, size, mtime, tuple(stamp), target)

    @staticmethod
    def of(status: os.stat_result, target: str = "") -> Thing:
        """What a status says."""
        stamp = (status.st_dev, status.st_ino, status.st_ctime_ns)
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISREG(status.st_mode):
            return Thing("file", mode, status.st_size, status.st_mtime_ns, stamp)
        if stat.S_ISDIR(status.st_mode):
            return Thing("folder", mode, 0, status.st_mtime_ns, stamp)
        return Thing("link" if stat.S_ISLNK(status.st_mode) else "special", mode, 0, 0, stamp, target)

    def looks_like(self, other: Thing) -> bool:
        """Whether it is the same for whoever reads it, as far as can be seen without reading."""
        if (self.kind, self.target) != (other.kind, other.target):
            return False
        if self.kind == "link":
            return True
        if self.kind == "file" and (self.size, self.mtime) != (other.size, other.mtime):
            return False
        return self.mode == other.mode


@dataclass(frozen=True, slots=True)
class Survey:
    """What was seen.

    Attributes:
        things: Path from the top -> what is there, folders before what is in them.
        unseen: Folders that couldn't be looked into.
    """

    things: dict[str, Thing]
    unseen: tuple[str, ...] = ()


def survey(
    root: Path,
    skipped: Collection[str],
    stop: threading.Event,
    *,
    known: Container[str] | None = None,
    bounded: bool = False,
) -> Survey:
    """Look at everything, or at what can be kept.

    Args:
        root: The workspace's real path.
        skipped: Paths from the top that aren't looked at.
        stop: Asks it to give up.
        known: Folders that are looked into; all where None.
        bounded: Give up where it is too much to be kept.

    Raises:
        UnkeptError: It is too much, or can't all be looked at; only where it is bounded.
        SyscallError: ECANCELED; ENOENT, the workspace is gone.
    """
    things: dict[str, Thing] = {}
    unseen: list[str] = []
    size = 0
    waiting = [""]
    try:
        top = os.open(root, _FOLDER)
    except OSError as error:
        raise SyscallError("ENOENT", f"The workspace {root} can't be entered: {error.strerror}.") from None
    try:
        while waiting:
            if stop.is_set():
                raise SyscallError("ECANCELED", "It was stopped.")
            folder = waiting.pop()
            try:
                found = list(_entries(top, folder))
            except (FileNotFoundError, NotADirectoryError):
                continue  # gone meanwhile
            except OSError as error:
                if bounded:
                    raise UnkeptError(f"{shown(folder) or 'the workspace'} can't be read ({error.strerror})") from None
                unseen.append(folder)
                continue
            for name, thing in found:
                path = f"{folder}/{name}" if folder else name
                if path in skipped:
                    continue
                things[path] = thing
                size += thing.size
                if thing.kind == "folder" and (known is None or path in known):
                    waiting.append(path)
            if bounded and (len(things) > THINGS or size > BYTES):
                raise UnkeptError(f"there are more than {THINGS:,} files or {BYTES >> 20} MB in the workspace")
    finally:
        os.close(top)
    return Survey(things, tuple(unseen))


def look(root: Path, path: str) -> Thing | None:
    """What is at a path now; None where nothing is, or its folder is none any more."""
    folder, _, name = path.rpartition("/")
    try:
        top = os.open(root, _FOLDER)
        try:
            inside = _opened(top, folder)
            try:
                return _thing(inside, name)
            finally:
                os.close(inside)
        finally:
            os.close(top)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link stands where a folder was
            return None
        raise


def shown(path: str) -> str:
    """A path as a person reads it."""
    return "/".join(map(display, path.split("/")))


def _entries(top: int, folder: str) -> Iterator[tuple[str, Thing]]:
    descriptor = _opened(top, folder)
    try:
        for name in names_in(descriptor):
            thing = _thing(descriptor, name)
            if thing is not None:
                yield name, thing
    finally:
        os.close(descriptor)


def _thing(folder: int, name: str) -> Thing | None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        target = os.readlink(name, dir_fd=folder) if stat.S_ISLNK(status.st_mode) else ""
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.EINVAL:  # it was a link a moment ago
            return None
        raise
    return Thing.of(status, target)


def _opened(top: int, folder: str) -> int:
    """A descriptor of a folder, reached without following links."""
    descriptor = os.dup(top)
    for part in folder.split("/") if folder else ():
        try:
            below = os.open(part, _FOLDER, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor
