"""AMX tiles: the configuration that ggml forgets to give the processor, and whether they can be trusted.

A processor with AMX multiplies small matrices of bytes in registers called tiles, whose shapes a thread sets once with
`ldtilecfg`. GCC 12 takes that instruction to read 8 of its 64 bytes and drops the shapes, so that the first tile
instruction of every thread is illegal: llama.cpp built with it dies at a prompt of more than one token
(ggml-org/llama.cpp#20824). Here that first fault is answered with the shapes, and the instruction runs again. What a
thread's registers held is in the frame that Linux hands to a signal's handler, and is put back from there.

Layouts: struct sigaction and ucontext_t of glibc on x86-64 (sys/ucontext.h), the frame's vector state as XSAVE writes
it (Intel SDM vol. 1, 13.4; struct _fpx_sw_bytes in Linux's asm/sigcontext.h), the shapes as `ldtilecfg` reads them
(SDM vol. 2) and as ggml's kernels want them (ggml_tile_config_init in ggml-cpu/amx/mmq.cpp).
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from llmasos.core.base.paths import cache_dir

SWITCH = "LLMASOS_AMX"
"""`off` in this environment variable keeps tiles unused."""
_TRIAL_SECONDS = 60

_CPUINFO = Path("/proc/cpuinfo")
_ROWS = (8, 8, 16, 16, 16, 16, 16, 16)
_BYTES_A_ROW = (64, 64, 32, 32, 64, 64, 64, 64)

_INSTRUCTION = 40 + 16 * 8
"""Offset in ucontext_t of the pointer to the faulting instruction."""
_VECTORS = 40 + 23 * 8
"""Offset in ucontext_t of the pointer to the vector state."""
_SOFTWARE, _MAGIC = 464, 0x46505853
"""Offset in the vector state of what Linux says about it, which begins with this number."""
_HEADER = 512
"""Offset in the vector state of the bits that say which parts of it are in use."""
_SHAPES, _SIZES = 2752, frozenset({2816, 2816 + 8192})
"""Offset in the vector state of the tiles' shapes, where it has one of these sizes: until a thread has used a tile,
Linux keeps no room for their contents."""
_SHAPES_BIT = 1 << 17
_VEX, _TILE_OPCODES = 0xC4, frozenset({0x49, 0x4B, 0x5E})
"""Tile instructions: a VEX prefix of three bytes, in the map 0F38; zero, load and store, multiply."""


class _Action(ctypes.Structure):
    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ubyte * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


_WITH_CONTEXT = 4
_Handler = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_previous = _Action()


def has_tiles() -> bool:
    """Whether this is Linux on a processor with AMX for bytes."""
    try:
        return sys.platform.startswith("linux") and " amx_int8" in _CPUINFO.read_text()
    except OSError:
        return False


def shape() -> bytes:
    """The 64 bytes that `ldtilecfg` should have read."""
    rows = bytes(_ROWS).ljust(16, b"\0")
    widths = b"".join(width.to_bytes(2, "little") for width in _BYTES_A_ROW).ljust(32, b"\0")
    return b"\1\0".ljust(16, b"\0") + widths + rows


def answer_faults() -> bool:
    """Give shapes to each thread whose first tile instruction is illegal; other illegal ones end the program as before.

    Calling it again puts it before a handler that was installed in between, such as faulthandler's.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    now = _Action()
    if libc.sigaction(signal.SIGILL, None, ctypes.byref(now)) != 0:
        return False
    mine = ctypes.cast(_callback, ctypes.c_void_p).value
    if now.handler == mine:
        return True
    ctypes.memmove(ctypes.byref(_previous), ctypes.byref(now), ctypes.sizeof(_Action))
    wanted = _Action(handler=mine, flags=_WITH_CONTEXT)
    return bool(libc.sigaction(signal.SIGILL, ctypes.byref(wanted), None) == 0)


def _answer(number: int, _info: int | None, context: int | None) -> None:
    if context is None or not _reshaped(context):
        # Whoever was asked before is asked now: the instruction runs again and faults again.
        ctypes.CDLL(None).sigaction(number, ctypes.byref(_previous), None)


_callback = _Handler(_answer)


def _reshaped(context: int) -> bool:
    """Write the shapes into what the thread gets back; False where the fault had another cause."""
    instruction = ctypes.string_at(_word(context + _INSTRUCTION), 4)
    in_tiles = instruction[0] == _VEX and instruction[1] & 31 == 2 and instruction[3] in _TILE_OPCODES
    state = _word(context + _VECTORS)
    known = (
        ctypes.c_uint32.from_address(state + _SOFTWARE).value == _MAGIC
        and ctypes.c_uint32.from_address(state + _SOFTWARE + 16).value in _SIZES
    )
    if not in_tiles or not known or ctypes.string_at(state + _SHAPES, 64) == shape():
        return False
    parts = ctypes.c_uint64.from_address(state + _HEADER)
    parts.value |= _SHAPES_BIT
    ctypes.memmove(state + _SHAPES, shape(), 64)
    return True


def _word(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


def trusted(library: Path, model: Path) -> bool:
    """Whether tiles compute what one row at a time does; found out once in a process of its own, which may crash.

    Args:
        library: ggml's code for this processor.
        model: A model that the trial reads.
    """
    if os.environ.get(SWITCH, "").lower() in {"off", "0", "no", "false"} or not has_tiles():
        return False
    verdict = cache_dir() / f"amx-{_key(library)}"
    try:
        return verdict.read_text() == "yes"
    except OSError:
        pass
    found = _tried(model)
    if found is None:
        return False
    try:
        verdict.parent.mkdir(parents=True, exist_ok=True)
        verdict.write_text("yes" if found else "no")
    except OSError:
        pass  # tried again next time
    return found


def _key(library: Path) -> str:
    """Tells builds of ggml and processors apart."""
    facts = library.stat()
    processor = next((line for line in _CPUINFO.read_text().splitlines() if line.startswith("model name")), "")
    return hashlib.sha256(f"1 {library} {facts.st_size} {facts.st_mtime_ns} {processor}".encode()).hexdigest()[:16]


def _tried(model: Path) -> bool | None:
    """What the trial says; None where it didn't come to an end, which says nothing."""
    command = [sys.executable, "-m", "llmasos.core.engine.tiles_trial", os.fspath(model)]
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_TRIAL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.returncode == 0
