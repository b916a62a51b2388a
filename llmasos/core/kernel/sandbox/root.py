"""The root folder of a native command: the system's programs, a few device files, a temporary folder, the workspace.

Only the last two can be written to. All of it is mounted in a namespace of the command's own, and goes with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterable

from . import namespaces
from .landlock import CHANGE, RUN, USE, Place
from .libc import call

TEMPORARY = "/tmp"  # noqa: S108 - the command's own, as is its home folder
"""Where a command may keep what nobody needs when it has ended."""
TEMPORARY_BYTES, TEMPORARY_FILES = 256 << 20, 20_000

PROGRAMS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SETTINGS = tuple(
    f"/etc/{name}"
    for name in (
        "alternatives", "bash.bashrc", "debian_version", "fonts", "gitconfig", "group", "inputrc", "ld.so.cache",
        "ld.so.conf", "ld.so.conf.d", "locale.alias", "localtime", "login.defs", "magic", "mime.types", "nsswitch.conf",
        "os-release", "passwd", "protocols", "services", "shells", "ssl/openssl.cnf", "terminfo", "timezone",
    )
)  # fmt: skip
"""What programs look up there; none of it is secret, and nothing else of /etc is there."""
DEVICES = tuple(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom"))
_LINKS = {"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1",
          "/dev/stderr": "/proc/self/fd/2", "/dev/shm": TEMPORARY}  # fmt: skip  # noqa: S108

_PROCESSES = "/proc"
_MOUNT_SETATTR, _HERE, _WITH_ALL_BELOW = 442, -100, 0x8000
_READ_ONLY, _NO_SETUID, _NO_DEVICES, _NO_PROGRAMS = 1, 2, 4, 8  # the same for mount() and mount_setattr()


class _Attributes(ctypes.Structure):
    _fields_ = (("set", ctypes.c_uint64), ("clear", ctypes.c_uint64), ("propagation", ctypes.c_uint64),
                ("users", ctypes.c_uint64))  # fmt: skip


def build(workspace: str, closed: Iterable[str]) -> None:
    """Move this process, the first of its namespaces, into such a root folder.

    Args:
        workspace: Its real path, by which it is found inside too.
        closed: Real paths in it that stay as they are: folders are shown empty, files can only be read.

    Raises:
        OSError: The system doesn't allow it, or one of them isn't there.
    """
    namespaces.begin_root()
    for path in PROGRAMS:
        _show(path)
    for path in (*SETTINGS, *DEVICES):
        _show(path)
    os.makedirs("/dev", exist_ok=True)  # noqa: PTH103 - pathlib costs 4 ms, here and below
    for path, target in _LINKS.items():
        os.symlink(target, path)  # noqa: PTH211
    with contextlib.suppress(PermissionError):  # some containers forbid it, and most programs do without
        _mount("proc", _PROCESSES, _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS)
    room = f"mode=700,size={TEMPORARY_BYTES},nr_inodes={TEMPORARY_FILES}"
    _mount("tmpfs", TEMPORARY, _NO_SETUID | _NO_DEVICES, room)
    namespaces.make(workspace, folder=True)
    namespaces.bind(namespaces.OLD + workspace, workspace)
    _set(workspace, _NO_SETUID | _NO_DEVICES)
    _close(workspace, closed)
    namespaces.end_root()


def _close(workspace: str, closed: Iterable[str]) -> None:
    """Keep what lies in the workspace and is none of a command's business, and the folders that it lies in.

    What something is mounted at can't be moved. Otherwise a command could move the folder around it, and undo, which
    removes what a command made, would remove it for good.
    """
    around = {path[:at] for path in closed for at in range(len(workspace) + 1, len(path)) if path[at] == "/"}
    for folder in sorted(around):
        namespaces.bind(folder, folder)
    for path in closed:
        if os.path.isdir(path):  # noqa: PTH112
            _mount("tmpfs", path, _READ_ONLY | _NO_SETUID | _NO_DEVICES, "mode=555,size=4k")
        else:
            namespaces.bind(path, path)
            _set(path, _READ_ONLY)


def close() -> None:
    """Let nothing be changed any more in what the system tells of itself; the first process had to."""
    if os.path.ismount(_PROCESSES):
        _set(_PROCESSES, _READ_ONLY)


def rights(workspace: Place, temporary: str, *, built: bool) -> list[tuple[str | Place, int]]:
    """What a command may do where, for Landlock.

    Args:
        workspace: The only folder that it may change.
        temporary: Its temporary folder.
        built: Whether it is in such a root folder, where all that is there may be read.
    """
    shown = ["/"] if built else [*PROGRAMS, *SETTINGS]
    return [*((path, RUN) for path in shown), *((path, USE) for path in DEVICES),
            (temporary, CHANGE), (workspace, CHANGE)]  # fmt: skip


def _show(path: str) -> None:
    """Show a file or folder of the host, read-only; a link as a link."""
    source = namespaces.OLD + path
    try:
        target = os.readlink(source)  # noqa: PTH115
    except OSError:  # no link, or not there
        target = ""
    if target and path in PROGRAMS:
        os.symlink(target, path)  # noqa: PTH211
        return
    source = namespaces.OLD + _followed(path) if target else source
    if not os.path.exists(source):  # noqa: PTH110
        return
    namespaces.make(path, folder=os.path.isdir(source))  # noqa: PTH112
    namespaces.bind(source, path)
    _set(path, _READ_ONLY | _NO_SETUID | (0 if path in DEVICES else _NO_DEVICES))


def _followed(path: str) -> str:
    """Where a link of the host leads, in the host's names."""
    for _ in range(8):
        try:
            target = os.readlink(namespaces.OLD + path)  # noqa: PTH115
        except OSError:
            break
        path = os.path.normpath(os.path.join(os.path.dirname(path), target))  # noqa: PTH118, PTH120
    return path


def _mount(kind: str, path: str, flags: int, options: str = "") -> None:
    os.makedirs(path, exist_ok=True)  # noqa: PTH103
    call("mount", kind.encode(), path.encode(errors="surrogateescape"), kind.encode(), flags, options.encode() or None)


def _set(path: str, attributes: int) -> None:
    wanted = _Attributes(attributes, 0, 0, 0)
    call("syscall", _MOUNT_SETATTR, _HERE, path.encode(errors="surrogateescape"), _WITH_ALL_BELOW, wanted, 32)
