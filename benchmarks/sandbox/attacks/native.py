"""System calls by number, as native code makes them: nothing of Python's is in between."""

from __future__ import annotations

import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"


def syscall(x86: int, arm: int, *words: int | bytes | ctypes.Array | None) -> int:
    """Make one; raises OSError where it fails."""
    passed = [ctypes.c_long(word) if isinstance(word, int) else word for word in words]
    LIBC.syscall.restype = ctypes.c_long
    result = int(LIBC.syscall(ctypes.c_long(x86 if X86 else arm), *passed))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
