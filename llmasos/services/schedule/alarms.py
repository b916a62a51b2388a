"""What wakes the schedule: APScheduler sleeps until the next alarm, our clock decides what is due.

Its jobs live in memory and hold nothing but a time; they are made anew from the store at each start. A
heartbeat looks as well: a timer doesn't run while the machine is suspended, and another program may have
added an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

HEARTBEAT = 30.0
"""Seconds between two looks at the clock."""


class Alarms:
    """A timer that calls when it's time to look.

    Args:
        look: Rings what is due; called at each set time and at each heartbeat.
    """

    def __init__(self, look: Callable[[], Awaitable[object]], *, heartbeat: float = HEARTBEAT) -> None:
        self._look = look
        self._heartbeat = heartbeat
        self._scheduler: AsyncIOScheduler | None = None

    @property
    def running(self) -> bool:
        """Whether it is started."""
        return self._scheduler is not None

    def start(self) -> None:
        """Begin, on the running event loop."""
        if self._scheduler is not None:
            return
        self._scheduler = AsyncIOScheduler(
            event_loop=asyncio.get_running_loop(),
            jobstores={"default": MemoryJobStore()},
            timezone=UTC,
            # Its own default drops a job that is a second late; ours are rung late rather than never.
            job_defaults={"misfire_grace_time": None, "coalesce": True},
        )
        self._scheduler.add_job(self._look, IntervalTrigger(seconds=self._heartbeat, timezone=UTC), id="heartbeat")
        self._scheduler.start()

    def stop(self) -> None:
        """End; nothing calls any more."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
            self._scheduler = None

    def set(self, moment: datetime | None) -> None:
        """Look again at a moment; None for no moment but the heartbeat's."""
        if self._scheduler is None:
            return
        if moment is None:
            if self._scheduler.get_job("next"):
                self._scheduler.remove_job("next")
            return
        trigger = DateTrigger(run_date=moment.astimezone(UTC), timezone=UTC)
        self._scheduler.add_job(self._look, trigger, id="next", replace_existing=True)
