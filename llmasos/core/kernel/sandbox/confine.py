"""What is done to a child between our code and the plugin's, in the one order that works."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable

from . import identity, landlock, limits, seccomp
from .libc import call

_END_WITH_PARENT, _NO_NEW_PRIVILEGES = 1, 38  # PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS
_INSTALLED = ("site-packages", "dist-packages")


def apply(readable: Iterable[str], program: bytes, parent: int) -> None:
    """Confine this process, for good.

    It must have one thread: a second one would stay as it is.

    Args:
        readable: All that it may read; it may write nothing.
        program: The filter of system calls.
        parent: Whose end is its end.

    Raises:
        OSError, ValueError: A layer isn't in force; the plugin must not be loaded.
    """
    limits.apply(own_user=identity.is_own())
    identity.drop()
    end_with(parent)  # a change of user would take it back
    call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    landlock.restrict(readable)
    seccomp.load(program)


def end_with(parent: int) -> None:
    """Let the system end this process with its parent, even inside an endless loop."""
    call("prctl", _END_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise OSError("the parent has ended")


def python() -> list[str]:
    """What every plugin may read: the standard library and the system libraries it loads, no installed packages."""
    machine = sys.implementation._multiarch
    found = ["/etc/ld.so.cache", "/usr/share/zoneinfo"]
    found += [f"/lib/{machine}", f"/usr/lib/{machine}", "/lib64", "/usr/lib64"]
    for folder in filter(os.path.isdir, sys.path):
        inside = _names(folder)
        rest = [f"{folder}/{name}" for name in inside if name not in _INSTALLED]
        found += [folder] if len(rest) == len(inside) else rest
    own = f"{sys.base_prefix}/lib"  # conda keeps libraries there
    return found + [f"{own}/{name}" for name in _names(own) if name.startswith("lib") and ".so" in name]


def _names(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]
