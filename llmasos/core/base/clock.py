"""Time as a part that can be replaced: the machine's clock, and one that a test sets."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class Clock(Protocol):
    """What the kernel asks for the time."""

    def now(self) -> datetime:
        """The present, in the person's time zone."""

    def monotonic(self) -> float:
        """Seconds that only go forward."""


class SystemClock:
    """The machine's clock.

    Args:
        zone: The person's time zone; the machine's own where None.
    """

    def __init__(self, zone: tzinfo | None = None) -> None:
        self.zone = zone or local_zone()

    def now(self) -> datetime:
        """The present, in the person's time zone."""
        return datetime.now(self.zone)

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        return time.monotonic()


class MockClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._elapsed = 0.0

    def now(self) -> datetime:
        """The time it was set to."""
        return self._now

    def monotonic(self) -> float:
        """Seconds it was moved forward."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move forward."""
        self._now += timedelta(seconds=seconds)
        self._elapsed += seconds


def local_zone() -> tzinfo:
    """The machine's time zone by its IANA name, so that daylight saving is known; else a fixed offset."""
    link = Path("/etc/localtime")
    if link.is_symlink():
        name = str(link.readlink()).partition("zoneinfo/")[2]
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            pass
    zone = datetime.now().astimezone().tzinfo
    assert zone is not None
    return zone
