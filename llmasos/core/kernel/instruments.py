"""How fast, how full, how long: what the kernel measures of itself while it runs.

Counters only grow, and what they were when each of the last seconds began is remembered. So a rate is the difference of
two counts, and a step pays for a few additions and one look at the clock, however many processes took part in it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from llmasos.core.base.clock import Clock
from llmasos.core.engine.base import LiveSequence
from llmasos.core.kernel.process import ProcessTable

if TYPE_CHECKING:
    from llmasos.core.kernel.trap import Trapped

WINDOW = 5
"""Seconds that a rate is taken over, the one that isn't over yet among them."""
KEPT = 512
"""Durations of which percentiles are taken: the last ones."""
LOOKING = ("system.status", "process.list")
"""Calls that read the instruments. They aren't timed, or a system that is watched would show mostly its watcher.

No set: whoever is hostile calls by names that have no hash.
"""


class Latencies:
    """The last durations of something, in seconds. One thread adds; any may ask."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=KEPT)
        self.add: Callable[[float], None] = self._last.append
        self.extend: Callable[[Iterable[float]], None] = self._last.extend

    def percentile(self, percent: int) -> float | None:
        """The duration that so many percent didn't exceed (nearest rank); None where there was nothing yet."""
        ordered = sorted(self._last)
        return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)] if ordered else None


@dataclass(frozen=True, slots=True)
class Counts:
    """What an engine has done since it was there.

    Attributes:
        steps: Steps computed.
        rows: Tokens computed in them.
        sequences: Sequences that took part, summed over the steps.
        waiting: Sequences that could have and didn't, summed over the steps.
        seconds: Spent in steps.
    """

    steps: int = 0
    rows: int = 0
    sequences: int = 0
    waiting: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    """What an engine does at present.

    Attributes:
        tokens_per_second: Computed, prompts included.
        busy: Share of its lanes' time that it spends in steps.
        batch: Sequences in a step on average; None where there was no step.
        queue: Sequences that were runnable and left out of a step, on average.
    """

    tokens_per_second: float = 0.0
    busy: float = 0.0
    batch: float | None = None
    queue: float = 0.0


@dataclass(frozen=True, slots=True)
class _Mark:
    """What the counters were when a second began."""

    second: int
    tokens: dict[int, int]
    engines: dict[str, Counts]


class _Lane(threading.local):
    """What is known between choosing and the end of a step, by each of an engine's threads."""

    runnable = 0


class Meter:
    """Counts the steps of one engine, as `scheduler.Instrument`; only that engine's threads write, one a lane.

    Args:
        mark: Remembers all counters where a new second has begun.
    """

    def __init__(self, mark: Callable[[], None]) -> None:
        self.first_tokens = Latencies()
        self.lanes = 1
        """Steps that the engine can compute side by side."""
        self._mark = mark
        self._lock = threading.Lock()
        self._lane = _Lane()
        self._steps = self._rows = self._sequences = self._waiting = 0
        self._seconds = 0.0

    def scheduled(self, chosen: Sequence[LiveSequence], waiting: int) -> None:
        """Before a step: nothing of a new second is counted yet."""
        self._mark()
        self._lane.runnable = len(chosen) + waiting

    def stepped(self, sequences: int, rows: int, seconds: float, first_tokens: Sequence[float]) -> None:
        """After a step. Who was chosen and found no room in the batch has waited too."""
        with self._lock:
            self._steps += 1
            self._rows += rows
            self._sequences += sequences
            self._waiting += self._lane.runnable - sequences
            self._seconds += seconds
        if first_tokens:
            self.first_tokens.extend(first_tokens)

    def counts(self) -> Counts:
        """The counters; to another thread they can be a step apart."""
        return Counts(self._steps, self._rows, self._sequences, self._waiting, self._seconds)


class Instruments:
    """All that is measured, and the hook of the door.

    Marks are made by whichever engine's thread is the first in a second, and read by the kernel's event loop. Dicts and
    deques are shared only through single operations, which the interpreter doesn't interrupt; should two threads mark
    one second, the first mark counts.

    Args:
        clock: Whose seconds.
        processes: Whose tokens.
    """

    def __init__(self, clock: Clock, processes: ProcessTable) -> None:
        self.traps = Latencies()
        self._clock = clock
        self._processes = processes
        self._born = clock.monotonic()
        self._meters: dict[str, Meter] = {}
        self._marks: deque[_Mark] = deque(maxlen=2 * WINDOW)
        self._marked = -1

    def meter(self, engine: str) -> Meter:
        """The instrument of an engine, by the name of its role."""
        return self._meters.setdefault(engine, Meter(self._mark))

    def trapped(self, trapped: Trapped) -> None:
        """A call went through the door; from the kernel's event loop."""
        if trapped.call.syscall not in LOOKING:
            self.traps.add(trapped.seconds)

    @property
    def uptime(self) -> float:
        """Seconds since the kernel was started."""
        return self._clock.monotonic() - self._born

    def rates(self) -> dict[int, float]:
        """Tokens a second of each process, by pid."""
        mark, seconds = self._window()
        return {p.pid: (p.tokens - mark.tokens.get(p.pid, 0)) / seconds if mark else 0.0 for p in self._processes}

    def pace(self, engine: str) -> Pace:
        """What an engine does at present."""
        mark, seconds = self._window()
        meter = self._meters.get(engine)
        if mark is None or meter is None:
            return Pace()
        now, then = meter.counts(), mark.engines.get(engine, Counts())
        steps = now.steps - then.steps
        return Pace(
            (now.rows - then.rows) / seconds,
            min(1.0, (now.seconds - then.seconds) / seconds / meter.lanes),
            (now.sequences - then.sequences) / steps if steps else None,
            (now.waiting - then.waiting) / steps if steps else 0.0,
        )

    def _mark(self) -> None:
        second = int(self._clock.monotonic())
        if second == self._marked:
            return
        self._marked = second
        tokens = {process.pid: process.tokens for process in self._processes}
        engines = {name: meter.counts() for name, meter in list(self._meters.items())}
        self._marks.append(_Mark(second, tokens, engines))

    def _window(self) -> tuple[_Mark | None, float]:
        """The counters as they were when the window began, and the seconds since; None where nothing ran since."""
        now = self._clock.monotonic()
        first = int(now) - WINDOW + 1
        # Seconds without a step have no mark: nothing was counted in them, so the next mark has what they began with.
        mark = next((mark for mark in list(self._marks) if mark.second >= first), None)
        return mark, min(now - first, max(self.uptime, 1.0))
