"""How many threads a step gets.

A step with few tokens is bound by memory, and one thread is best. A prompt's chunk gains from more, but only
where cores are free: beside a busy program two threads are slower than one. So we look at what others use.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from llmasos.core.engine.native import native

MANY = 32
"""Tokens of a step from which more than one thread can pay."""

_MOST = 4
_INTERVAL = 0.25
"""Seconds between two looks at the machine."""


class ThreadChoice:
    """Chooses before every step.

    Args:
        said: The person's setting, taken as it is; 0 lets us choose.
    """

    def __init__(self, said: int = 0) -> None:
        self._said = said
        # Threads that spin while they wait collapse as soon as another program wants a core: one must do.
        self._most = min(_MOST, os.cpu_count() or 1) if native().patient else 1
        self._free = 1.0
        self._last = self._look()

    def count(self, rows: int) -> int:
        """Threads for a step of so many tokens."""
        if self._said > 0:
            return self._said
        if rows < MANY or self._most == 1:
            return 1
        now = self._look()
        elapsed = now[0] - self._last[0]
        if elapsed >= _INTERVAL:
            others = (now[1] - self._last[1]) - (now[2] - self._last[2])
            self._free = (os.cpu_count() or 1) - max(0.0, others) / elapsed
            self._last = now
        # Rounded down, with a fifth of a core to spare: half a core more is no core.
        return max(1, min(self._most, int(self._free + 0.2)))

    def _look(self) -> tuple[float, float, float]:
        """Seconds: the clock, all programs' time on all cores, our own."""
        return time.monotonic(), machine_seconds(), time.process_time()


def machine_seconds() -> float:
    """Processor time of all programs but those that yield (nice); 0 where the system doesn't tell."""
    try:
        fields = Path("/proc/stat").read_text().split(maxsplit=10)
    except OSError:
        return 0.0
    user, _nice, system, _idle, _wait, irq, softirq, steal = map(int, fields[1:9])
    return (user + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
