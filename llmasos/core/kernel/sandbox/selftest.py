"""What a confined child tries at each start of the zygote: one way out for each thing that must not work.

A layer that is there and doesn't hold would else be noticed by nobody. Harmless where it succeeds; all attacks are in
benchmarks/sandbox.
"""

from __future__ import annotations

import _socket
import mmap
import os
from collections.abc import Callable

from .libc import call

_NEW_USER, _NEW_MOUNTS = 0x10000000, 0x00020000
_TRACE_ME = 0


def _fork() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


WAYS: dict[str, Callable[[], object]] = {
    "read a file": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "list a folder": lambda: os.listdir("/"),  # noqa: PTH208 - pathlib costs 4 ms
    "write a file": lambda: os.open("/dev/null", os.O_WRONLY),
    "open a network socket": lambda: _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM),
    "open a TCP socket": lambda: _socket.socket(_socket.AF_INET6, _socket.SOCK_STREAM),
    "open a local socket": lambda: _socket.socket(_socket.AF_UNIX),
    "open a kernel's socket": lambda: _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW),
    "start a process": _fork,
    "signal another process": lambda: os.kill(os.getppid(), 0),
    "hold another process": lambda: os.pidfd_open(os.getppid()),
    "be root": lambda: os.seteuid(0),
    "be traced": lambda: call("ptrace", _TRACE_ME, 0, 0, 0),
    "keep a file in memory": lambda: os.memfd_create("x"),
    "take a gigabyte of memory": lambda: mmap.mmap(-1, 1 << 30),
    "enter a user namespace": lambda: call("unshare", _NEW_USER),
    "enter a mount namespace": lambda: call("unshare", _NEW_MOUNTS),
}
"""What it does -> how. The last ones may leave it changed; it ends afterwards."""


def ways_out() -> list[str]:
    """What this process can do and shouldn't."""
    return [way for way, tried in WAYS.items() if _works(tried)]


def _works(tried: Callable[[], object]) -> bool:
    try:
        tried()
    except OSError:
        return False
    return True
