"""Calls into the kernel that Python has no function for. A failure is an OSError that names the call."""

from __future__ import annotations

import ctypes
import os

Word = int | bytes | ctypes.Structure | ctypes.c_uint32 | None

_LIBC = ctypes.CDLL(None, use_errno=True)


def call(name: str, *words: Word) -> int:
    """Call a function of the C library that returns -1 and sets errno.

    Raises:
        OSError: It failed.
    """
    result = int(getattr(_LIBC, name)(*map(_word, words)))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{words[:1]}: {os.strerror(number)}")
    return result


def _word(value: Word) -> object:
    # ctypes would pass an int as 32 bits and leave the other half of the register as it is.
    if isinstance(value, int):
        return ctypes.c_long(value)
    return ctypes.byref(value) if isinstance(value, ctypes.Structure | ctypes.c_uint32) else value
