"""Landlock: the kernel lets this process open what it was named, and nothing else; for good, and for what it starts.

Files, TCP, signals and abstract sockets. What it can't see (UDP, other sockets, chmod, stat) is seccomp's part.
Source: the kernel's Documentation/userspace-api/landlock.rst.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterable
from typing import NamedTuple

from .libc import call

ABI = 4
"""The least that will do: the first that knows TCP."""

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every architecture
_ONLY_THE_VERSION = 1
_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH
_FILES = {4: (1 << 15) - 1, 5: (1 << 16) - 1}  # ABI 5 adds ioctl on devices
_TCP = 0b11  # bind and connect
_SCOPES = {4: 0, 6: 0b11}  # abstract sockets and signals
SCOPES_ABI = 6
"""The first that keeps signals inside."""

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_FILE = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_MAKE_PIPE, _MAKE_LINK, _REFER, _TRUNCATE = 1 << 10, 1 << 12, 1 << 13, 1 << 14
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE

READ = _READ_FILE | _READ_DIR
RUN = READ | _EXECUTE
USE = READ | _WRITE_FILE
"""Read and write what is there, as devices are used."""
WRITE = USE | _TRUNCATE | _REFER | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_FILE
"""Write and truncate files, make, move and remove files and folders; no links, no devices."""
CHANGE = WRITE | RUN | _MAKE_PIPE | _MAKE_LINK
"""All but making devices and sockets."""


class Place(NamedTuple):
    """A folder, and which one it is, whatever stands under its name by now.

    Attributes:
        path: Where it is.
        device: Of its file system.
        number: Its inode.
    """

    path: str
    device: int
    number: int


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("tcp", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def abi() -> int:
    """The ABI of the running kernel; 0 where there is no Landlock, or it is switched off."""
    try:
        return call("syscall", _CREATE, None, 0, _ONLY_THE_VERSION)
    except OSError:
        return 0


def restrict(
    readable: Iterable[str],
    granted: Iterable[Place] = (),
    writable: Iterable[Place] = (),
    others: Iterable[tuple[str | Place, int]] = (),
) -> None:
    """Let this thread, and all that it will start, read what is named and open nothing else.

    Needs no_new_privs, and a process of one thread.

    Args:
        readable: Files and folders; a name that leads nowhere is passed over.
        granted: Further folders to read, which must be there.
        writable: Folders to read and write, which must be there.
        others: Files and folders with the rights to them: `RUN`, `USE` or `CHANGE`.

    Raises:
        OSError: It isn't in force, or another folder has taken a granted one's place.
    """
    found = abi()
    handled = _Ruleset(_known(_FILES, found), _TCP, _known(_SCOPES, found))
    # A kernel that doesn't know the last field refuses the longer form, even where it is 0.
    ruleset = call("syscall", _CREATE, handled, 24 if handled.scopes else 16, 0)
    try:
        for path in readable:
            with contextlib.suppress(FileNotFoundError):
                _allow(ruleset, path, READ)
        for folder in granted:
            _allow(ruleset, folder.path, READ, folder)
        for folder in writable:
            _allow(ruleset, folder.path, WRITE, folder)
        for where, rights in others:
            if isinstance(where, Place):
                _allow(ruleset, where.path, rights, where)
                continue
            with contextlib.suppress(FileNotFoundError):
                _allow(ruleset, where, rights)
        call("syscall", _RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int, expected: Place | None = None) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        found = os.fstat(place)
        if expected and (found.st_dev, found.st_ino) != (expected.device, expected.number):
            raise OSError(f"{path} was replaced meanwhile")
        folder = found.st_mode & 0o170000 == 0o040000
        call("syscall", _ADD, ruleset, _BENEATH, _Beneath(rights if folder else rights & _OF_FILES, place), 0)
    finally:
        os.close(place)


def _known(since: dict[int, int], found: int) -> int:
    return since[max(abi for abi in since if abi <= found)]
