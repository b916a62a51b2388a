"""How long an engine computes, however many of its threads do at the same time."""

from __future__ import annotations

import threading
import time
from types import TracebackType


class BusyTime:
    """The time in which at least one thread is in here: moments that several share count once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._since = 0.0
        self._seconds = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._since = time.monotonic()
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._seconds += time.monotonic() - self._since

    @property
    def seconds(self) -> float:
        """Of what is over; a moment that lasts isn't counted yet."""
        return self._seconds
