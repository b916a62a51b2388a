"""The one place where llama.cpp is brought into the process, silent and with safe processor features.

Everything here must happen before the first model is loaded, in this order: the allocator, OpenMP's waiting, the
import, the log, AMX, the backend.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llmasos.core.engine import models
from llmasos.core.engine.allocator import return_large_blocks
from llmasos.core.engine.tiles import answer_faults, has_tiles, trusted

_lock = threading.Lock()
_loaded: Native | None = None


class Native:
    """llama.cpp's low-level bindings and what was found out about this build.

    Attributes:
        api: The module `llama_cpp`.
        extra_buffers: Whether weights may be repacked for this processor; False where that would crash.
        tiles: Whether they are repacked for AMX, where their quantization has a layout for it.
    """

    def __init__(self, api: Any, *, extra_buffers: bool, tiles: bool) -> None:
        self.api = api
        self.extra_buffers = extra_buffers
        self.tiles = tiles


def native(*, tiles: bool | None = None) -> Native:
    """Import and prepare llama.cpp once; about 0.2 s, and 1.5 s more the first time on a machine with AMX.

    Args:
        tiles: Whether AMX is used, where that is decided already; only the first call's counts.
    """
    global _loaded
    with _lock:
        if _loaded is None:
            _loaded = _prepare(tiles)
        return _loaded


def _prepare(tiles: bool | None) -> Native:
    return_large_blocks()
    # A thread that spins at a barrier while another program holds the core stalls every step: with two threads a
    # prompt takes 20 times as long. One that sleeps at once wakes too late: with two threads decode is slower than with
    # one. Spinning for some 20 microseconds first has neither fault. libgomp reads this once, when it is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    # libgomp counts the program's first thread too, which never computes here, and so believes that there are more
    # threads than cores. Then it hardly spins unless asked to be active: a step of one row takes 14.5 ms, not 9.5.
    os.environ.setdefault("OMP_WAIT_POLICY", "active")

    import llama_cpp

    llama_cpp.llama_log_set(_silence(llama_cpp), ctypes.c_void_p(0))
    library = Path(llama_cpp.__file__).parent / "lib" / "libggml-cpu.so.0"
    if tiles is None:
        tiles = trusted(library, models.locate("smollm2"))
    tiles = tiles and answer_faults()
    extra = tiles or _without_amx(library)
    llama_cpp.llama_backend_init()
    return Native(llama_cpp, extra_buffers=extra, tiles=tiles)


_callbacks: list[Any] = []
"""Callbacks that C holds; collected ones would crash it."""


def _silence(api: Any) -> Any:
    """A log callback that keeps nothing: llama.cpp's log must not reach a person's terminal or a pipe."""
    callback = api.llama_log_callback(lambda _level, _text, _data: None)
    _callbacks.append(callback)
    return callback


class _SignalStack(ctypes.Structure):
    _fields_ = [("sp", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


def _without_amx(library: Path) -> bool:
    """Keep ggml from using AMX; returns whether other repacked layouts are safe to use.

    For processors whose tiles aren't trusted (tiles.py); there is no switch for it at run time. ggml asks the kernel
    for leave to use tiles; the kernel refuses where a thread has a signal stack too small for them. So we have
    a small one for the moment in which ggml asks. The other repacked layouts (1.5x for Q4_0) stay in use.
    """
    if not has_tiles():
        return True
    try:
        ggml = ctypes.CDLL(str(library))
        ask = ggml._Z28ggml_backend_amx_buffer_typev
        remember = ggml._Z39ggml_backend_cpu_get_extra_buffer_typesv
    except (OSError, AttributeError):
        return False
    ask.restype = ctypes.c_void_p
    libc = ctypes.CDLL(None, use_errno=True)
    before = _SignalStack()
    stack = ctypes.create_string_buffer(4096)
    small = _SignalStack(ctypes.addressof(stack), 0, len(stack))
    if libc.sigaltstack(ctypes.byref(small), ctypes.byref(before)) != 0:
        return False
    try:
        # ggml reports the refusal with fprintf, past every log callback.
        with _no_stderr():
            refused = ask() is None
            if refused:
                remember()
    finally:
        libc.sigaltstack(ctypes.byref(before), None)
    return refused


@contextmanager
def _no_stderr() -> Iterator[None]:
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
