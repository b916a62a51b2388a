"""Memory of contexts that are gone goes back to the operating system."""

from __future__ import annotations

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""What malloc.h calls M_TRIM_THRESHOLD and M_MMAP_THRESHOLD."""

LARGE = 1 << 20
"""Bytes from which a block has pages of its own: 46 tokens of the default model's KV state."""


def return_large_blocks() -> None:
    """Have glibc give blocks of a MiB and more back as soon as they are freed; nothing with another C library.

    By itself it raises both thresholds with each larger block that was freed, up to 32 and 64 MiB. Saved contexts, of
    some MB each, then lie between small blocks, in as many arenas as there were threads that sealed one, and what is
    freed of them stays resident. Thresholds that the environment sets are left as they are.
    """
    if sys.platform != "linux" or _are_set():
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(_MMAP_THRESHOLD, LARGE)
        libc.mallopt(_TRIM_THRESHOLD, LARGE)


def _are_set() -> bool:
    """Whether the person chose thresholds, in either way that glibc reads."""
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    return any(
        f"glibc.malloc.{threshold}" in tunables or f"MALLOC_{threshold.upper()}_" in os.environ
        for threshold in ("mmap_threshold", "trim_threshold")
    )
