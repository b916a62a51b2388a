"""Taking more than a plugin's share."""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import mmap
import os
import resource
import threading
from typing import Any

from .native import LIBC

Ground = dict[str, Any]


def take_a_gigabyte(_: Ground) -> object:
    return len(mmap.mmap(-1, 1 << 30))


def lock_memory(_: Ground) -> object:
    block = mmap.mmap(-1, 1 << 20)
    return LIBC.mlock(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(block))), 1 << 20) == 0


def start_many_processes(_: Ground) -> object:
    children = []
    with contextlib.suppress(OSError):
        for _number in range(30):
            child = os.fork()
            if not child:
                threading.Event().wait(10)
                os._exit(0)
            children.append(child)
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)
    return len(children) == 30


def start_many_threads(_: Ground) -> object:
    closed = _thread.allocate_lock()
    closed.acquire()
    threading.stack_size(32 << 10)
    return [_thread.start_new_thread(closed.acquire, ()) for _ in range(5_000)]


def open_many_files(_: Ground) -> object:
    return [os.dup(0) for _ in range(500)]


def write_a_large_file(ground: Ground) -> object:
    with open(f"{ground['open_folder']}/large", "wb") as file:
        return file.write(bytes(50 << 20))


def leave_a_core(_: Ground) -> object:
    return resource.getrlimit(resource.RLIMIT_CORE)[1] != 0


def compute_without_end(_: Ground) -> object:
    return resource.getrlimit(resource.RLIMIT_CPU)[1] == resource.RLIM_INFINITY
