"""A place in the workspace, and the only way to it: folder by folder from its top, following no link.

A path is first resolved by its real name (`contain`), so that a link that stays inside may be used. What is
then opened, renamed or removed is reached by descriptors with O_NOFOLLOW at every step: a folder that is
exchanged for a link between the check and the use leads nowhere.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from llmasos.core.base.errors import SyscallError

TRASH = ".llmasos-trash"
"""Folder of the workspace for what is too large to be sealed."""

TEMPORARY = ".llmasos-"
"""How our own temporary names begin; nothing said may begin so."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the workspace, whether something is there or not.

    Attributes:
        root: The workspace's real path.
        parts: Names from its top, as they are on the disk; empty for the top itself.
    """

    root: Path
    parts: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The whole path."""
        return self.root.joinpath(*self.parts)

    @property
    def name(self) -> str:
        """The last name, fit for showing."""
        return display(self.parts[-1]) if self.parts else display(self.root.name)

    @property
    def shown(self) -> str:
        """The path from the workspace's top, as a person reads it and as a later call can name it."""
        return "/".join(display(p) for p in self.parts) or "."

    @property
    def parent(self) -> Place:
        """The folder it is in."""
        return Place(self.root, self.parts[:-1])

    def child(self, *names: str) -> Place:
        """A place below."""
        return Place(self.root, (*self.parts, *names))

    def inside(self, other: Place) -> bool:
        """Whether it is the other place or below it."""
        return self.parts[: len(other.parts)] == other.parts

    @contextmanager
    def folder(self) -> Iterator[tuple[int, str]]:
        """A descriptor of the folder it is in, and its name there.

        Raises:
            OSError: A folder on the way is missing, or is a link.
        """
        assert self.parts, "the top has no folder of ours above it"
        descriptor = os.open(self.root, _FOLDER)
        try:
            for part in self.parts[:-1]:
                below = os.open(part, _FOLDER, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor, self.parts[-1]
        finally:
            os.close(descriptor)

    def stat(self) -> os.stat_result | None:
        """What is there, a link itself and not its target; None where nothing is."""
        if not self.parts:
            return self.root.stat()
        try:
            with self.folder() as (folder, name):
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def exists(self) -> bool:
        """Whether something is there."""
        return self.stat() is not None

    def is_folder(self) -> bool:
        """Whether a folder is there."""
        found = self.stat()
        return found is not None and stat.S_ISDIR(found.st_mode)

    def open(self) -> int:
        """A descriptor for reading an ordinary file.

        Raises:
            SyscallError: EISDIR or EACCES, it is none.
            OSError: It can't be opened.
        """
        with self.folder() as (folder, name):
            return open_file(folder, name, self.shown)

    def reader(self) -> BufferedReader:
        """An ordinary file, open for reading; errors as of `open`."""
        return os.fdopen(self.open(), "rb")


def open_file(folder: int, name: str, shown: str, flags: int = os.O_RDONLY) -> int:
    """A descriptor of an ordinary file; O_NONBLOCK, so that a pipe put there meanwhile can't hold us.

    Raises:
        SyscallError: EISDIR or EACCES, it is none.
        OSError: It can't be opened.
    """
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        check_ordinary(os.fstat(descriptor).st_mode, shown, folders=False)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def check_ordinary(mode: int, shown: str, *, folders: bool = True) -> None:
    """Let files, links and folders through.

    Raises:
        SyscallError: EACCES, a pipe, device or socket; EISDIR, a folder where none is wanted.
    """
    if stat.S_ISDIR(mode) and not folders:
        raise SyscallError("EISDIR", f"{shown} is a folder.", "Name a file in it.")
    kinds = {
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    kind = kinds.get(stat.S_IFMT(mode))
    if kind:
        raise SyscallError("EACCES", f"{shown} is {kind}, not a file.", "Only files and folders are touched.")


def names_in(folder: int) -> list[str]:
    """The names in an open folder, sorted."""
    with os.scandir(folder) as listing:
        return sorted(entry.name for entry in listing)


def display(name: str) -> str:
    """A name from the disk, fit for showing: bytes that are no text and control characters become U+FFFD."""
    if name.isprintable():  # nearly all are
        return name
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join("\ufffd" if unicodedata.category(c) == "Cc" else c for c in text)


def key(name: str) -> str:
    """What two names that a person takes for the same one have in common: case and Unicode form left out."""
    return (
        name.lower()
        if name.isascii() and name.isprintable()
        else unicodedata.normalize("NFKC", display(name)).casefold()
    )


def make_folders(place: Place) -> None:
    """Make a folder and those above it that are missing."""
    for depth in range(1, len(place.parts) + 1):
        with Place(place.root, place.parts[:depth]).folder() as (folder, name):
            try:
                os.mkdir(name, dir_fd=folder)
            except FileExistsError:
                continue


def missing_folders(place: Place) -> list[Place]:
    """Those folders of a place's path, itself included, that aren't there, outermost first."""
    chain = [Place(place.root, place.parts[:depth]) for depth in range(1, len(place.parts) + 1)]
    return [folder for folder in chain if not folder.exists()]


def drop_folders(folders: list[Place]) -> None:
    """Remove folders that were made for something that is gone again, as far as they are empty."""
    for place in reversed(folders):
        try:
            with place.folder() as (folder, name):
                os.rmdir(name, dir_fd=folder)
        except OSError:
            return  # something of the person's own is in it by now


@contextmanager
def folders(place: Place, made: list[Place]) -> Iterator[None]:
    """A folder and those above it, for a thing that comes into it; taken away again where it doesn't come.

    Args:
        place: The innermost folder.
        made: Those of its path that are missing, as `missing_folders` gives them.
    """
    try:
        make_folders(place)
        yield
    except BaseException:
        drop_folders(made)
        raise
