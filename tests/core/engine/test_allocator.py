"""Memory of large blocks that were freed."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="glibc alone is told"
)

MB = 1 << 20
KEPT = f"""
from os import sysconf
from pathlib import Path
from llmasos.core.engine.native import native

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * sysconf("SC_PAGE_SIZE")

native(tiles=False)
b"x" * (24 * {MB})  # freed at once: glibc takes it as the size from which blocks have pages of their own
before = resident()
saved, others = [], []
for _ in range(16):
    saved.append(b"x" * (4 * {MB}))
    others.append(b"x" * 60_000)
held = resident()
saved.clear()
print(held - before, resident() - before)
"""


def kept(**settings: str) -> tuple[int, int]:
    """Bytes resident beyond the start: with 16 blocks of 4 MB, and when they are freed and what lay between isn't."""
    left = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    ran = subprocess.run(
        [sys.executable, "-c", KEPT], env={**left, **settings}, capture_output=True, text=True, check=True
    )
    full, freed = ran.stdout.split()
    return int(full), int(freed)


def test_large_blocks_go_back_when_they_are_freed_whatever_lies_between_them() -> None:
    full, freed = kept()
    assert full >= 64 * MB
    assert freed < 8 * MB


def test_what_the_person_says_of_the_allocator_stays() -> None:
    assert kept(MALLOC_MMAP_THRESHOLD_=str(32 * MB))[1] > 32 * MB
    assert kept(GLIBC_TUNABLES=f"glibc.malloc.mmap_threshold={32 * MB}")[1] > 32 * MB
