"""Tries to get out in one way for each layer; harmless where it succeeds."""

from __future__ import annotations

import mmap
import os
import socket
from collections.abc import Callable

from llmasos.sdk import syscall


def _fork() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


_WAYS: dict[str, Callable[[], object]] = {
    "read a file": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "write a file": lambda: os.open("/dev/null", os.O_WRONLY),
    "open a network socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "open a local socket": lambda: socket.socket(socket.AF_UNIX),
    "start a process": _fork,
    "signal another process": lambda: os.kill(os.getppid(), 0),
    "take a gigabyte of memory": lambda: mmap.mmap(-1, 1 << 30),
    "be root": lambda: os.seteuid(0),
}


@syscall(effect="read")
def ways_out() -> list[str]:
    """What this process can do and shouldn't."""
    return [way for way, tried in _WAYS.items() if _works(tried)]


def _works(tried: Callable[[], object]) -> bool:
    try:
        tried()
    except OSError:
        return False
    return True
