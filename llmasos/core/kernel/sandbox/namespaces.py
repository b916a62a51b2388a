"""Namespaces: where the system lets us, a child lives in a machine that has nothing but Python and the plugin.

Not needed for the confinement to hold. What it adds: a file that a child can't open doesn't seem to exist either,
its network has no devices, and the host's name isn't known. Many systems don't let ordinary users do this.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from .libc import call

NAME = b"llmasos"
"""What the machine calls itself inside."""

_FILES, _NAMES, _IPC, _USERS, _NETWORK = 0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x40000000  # CLONE_NEW*
_PROCESSES = 0x20000000
_BIND, _RECURSIVE, _SLAVE = 0x1000, 0x4000, 1 << 19
_NO_SETUID, _NO_DEVICES = 2, 4
_DETACH = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_NEW = "/tmp"  # noqa: S108 - any folder will do; it is covered in our namespace only
OLD = "/old"
"""Where the host's files are while a root folder is made."""


def enter() -> None:
    """Leave the host's network, IPC and names, and make its mounts ours to change; children inherit that.

    Raises:
        OSError: The system doesn't allow it. What was done until then weakens nothing.
    """
    wanted = _FILES | _NAMES | _IPC | _NETWORK
    user, group = os.geteuid(), os.getegid()
    if user:
        _enter_as_user(wanted, user, group)
    else:
        try:
            call("unshare", wanted)
        except PermissionError:  # root of a container
            _enter_as_user(wanted, user, group)
    # What the host unmounts goes here too; what is mounted here stays here.
    call("mount", b"none", b"/", None, _RECURSIVE | _SLAVE, None)
    call("sethostname", NAME, len(NAME))


def hide_all_but(shown: Iterable[str]) -> None:
    """Give this process a root folder of its own, with these files and folders at their places.

    Raises:
        OSError: The system doesn't allow it.
    """
    places = [(path, OLD + os.path.realpath(path)) for path in shown]  # links lead elsewhere in the new root
    call("unshare", _FILES)
    begin_root()
    places = [(path, source) for path, source in places if os.path.exists(source)]  # noqa: PTH110
    # All is made before anything is shown: inside a folder of the host nothing may be made.
    for path, source in places:
        make(path, folder=os.path.isdir(source))  # noqa: PTH112
    for path, source in sorted(places):  # what lies in another one comes after it, or it would be covered
        bind(source, path)
    end_root()


def leave_processes() -> None:
    """Leave the host's processes too: the next child is the first of its own, and all of them end with it.

    Its IPC, network and names are others than those that plugins share.
    """
    call("unshare", _PROCESSES | _FILES | _IPC | _NETWORK | _NAMES)


def begin_root() -> None:
    """Make an empty folder the root of this process's mounts; what was the root is at `OLD` until `end_root`."""
    call("mount", b"tmpfs", _NEW.encode(), b"tmpfs", _NO_SETUID | _NO_DEVICES, b"mode=755,size=64k")
    os.mkdir(_NEW + OLD)  # noqa: PTH102 - pathlib costs 4 ms, here and below
    call("syscall", _PIVOT_ROOT[os.uname().machine], _NEW.encode(), (_NEW + OLD).encode())
    os.chdir("/")


def end_root() -> None:
    """Let go of what was the root."""
    call("umount2", OLD.encode(), _DETACH)
    os.rmdir(OLD)  # noqa: PTH106


def bind(source: str, path: str) -> None:
    """Show a file or folder, with what is mounted in it, at another place."""
    call("mount", source.encode(errors="surrogateescape"), path.encode(errors="surrogateescape"), None,
         _BIND | _RECURSIVE, None)  # fmt: skip


def make(path: str, *, folder: bool) -> None:
    """Make something that a file or folder can be shown at."""
    os.makedirs(path if folder else os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
    if not folder:
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY))


def _enter_as_user(wanted: int, user: int, group: int) -> None:
    call("unshare", wanted | _USERS)
    for file, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{file}", "w") as map_:  # noqa: PTH123
            map_.write(text)
