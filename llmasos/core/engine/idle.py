"""How many cores there are for us, and whether one is to spare right now."""

from __future__ import annotations

import os
from pathlib import Path

_RUNNING = Path("/proc/loadavg")


def cores() -> int:
    """Cores that this program may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_spare_core() -> bool:
    """Whether nothing but the caller wants to run; False where that can't be known. Takes some 20 microseconds."""
    try:
        running = int(_RUNNING.read_text().split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return False
    return running <= 1 < (os.cpu_count() or 1)
