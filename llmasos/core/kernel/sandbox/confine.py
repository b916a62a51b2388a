"""What is done to a child between our code and the plugin's, in the one order that works."""

from __future__ import annotations

import os
import signal
import sys
from typing import NamedTuple

from . import identity, landlock, limits, namespaces, seccomp
from .landlock import Place
from .libc import call

_END_WITH_PARENT, _NO_NEW_PRIVILEGES = 1, 38  # PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS
_INSTALLED = ("site-packages", "dist-packages")


class Library(NamedTuple):
    """The standard library and the system libraries it loads.

    Attributes:
        readable: Files and folders that a plugin may read; no installed packages.
        places: The few folders where all of them are.
    """

    readable: list[str]
    places: list[str]


class How(NamedTuple):
    """How children of one zygote are confined.

    Attributes:
        library: Python.
        programs: The filter of system calls: of a child that only reads, and of one that writes somewhere.
        parent: The process whose end is theirs.
        own_user: Whether each becomes a user of its own.
        hidden: Whether it is in namespaces, so that all else can be hidden.
    """

    library: Library
    programs: tuple[bytes, ...]
    parent: int
    own_user: bool
    hidden: bool


class Granted(NamedTuple):
    """What one plugin was granted of the machine.

    Attributes:
        read: Folders to read.
        write: Folders to read and write.
        memory: Bytes of address space; 0 for what everybody has.
    """

    read: list[Place]
    write: list[Place]
    memory: int


def apply(folder: str, how: How, granted: Granted) -> None:
    """Confine this process, for good. It may read what it was named, and write where it was granted to.

    It must have one thread: a second one would stay as it is.

    Args:
        folder: The plugin.
        how: All that is the same for every plugin.
        granted: What isn't.

    Raises:
        OSError, ValueError: A layer isn't in force; the plugin must not be loaded.
    """
    writes = bool(granted.write)
    limits.apply(alone=how.hidden or how.own_user, memory=granted.memory or limits.MEMORY, writes=writes)
    if how.hidden:
        own = [place.path for place in granted.read + granted.write]
        namespaces.hide_all_but([*how.library.places, folder, *own])
    identity.drop(own_user=how.own_user, writes=writes)
    end_with(how.parent)  # a change of user would take it back
    call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    landlock.restrict([*how.library.readable, folder], granted.read, granted.write)
    seccomp.load(how.programs[writes])


def end_with(parent: int) -> None:
    """Let the system end this process with its parent, even inside an endless loop."""
    call("prctl", _END_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise OSError("the parent has ended")


def library() -> Library:
    """Where this Python keeps what it loads."""
    machine = getattr(sys.implementation, "_multiarch", "unknown")
    system = ["/etc/ld.so.cache", "/usr/share/zoneinfo"]
    system += [f"/lib/{machine}", f"/usr/lib/{machine}", "/lib64", "/usr/lib64"]
    own = f"{sys.base_prefix}/lib"  # conda keeps libraries there
    readable = system + [f"{own}/{name}" for name in _names(own) if name.startswith("lib") and ".so" in name]
    for folder in sys.path:
        inside = _names(folder)
        rest = [f"{folder}/{name}" for name in inside if name not in _INSTALLED]
        readable += [folder] if len(rest) == len(inside) else rest
    return Library(readable, [*system, own, *sys.path])


def _names(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except OSError:  # Python names a zip file that few have
        return []
