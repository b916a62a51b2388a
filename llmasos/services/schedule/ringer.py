"""Rings reminders when they are due, and tells at the start what was missed."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from llmasos.core.base.clock import Clock
from llmasos.core.kernel.store import Store
from llmasos.services.schedule import recurrence
from llmasos.services.schedule.alarms import Alarms
from llmasos.services.schedule.event import KIND, Event

log = logging.getLogger(__name__)

OnReminder = Callable[[dict[str, Any]], Awaitable[None] | None]
"""Shows a reminder: `id title when start timed repeat missed count`."""

TOLD = "event.told"
"""Up to when an event's reminders were shown; apart from the event, for showing one is no change of it."""
LATE = timedelta(minutes=2)
"""A reminder later than this was missed: the program was closed, or the machine asleep."""
MOST_PASSED = 100_000
"""Occurrences of one event that are counted as missed."""


class Ringer:
    """What rings when.

    Args:
        store: Where the events are.
        clock: What decides what is due.
        on_reminder: Shows a reminder to the person.
        kind: Of the records that are events.
        told: Of the records that say up to when they rang.
    """

    def __init__(
        self, store: Store, clock: Clock, on_reminder: OnReminder | None, *, kind: str = KIND, told: str = TOLD
    ) -> None:
        self._kind, self._told_kind = kind, told
        self._store = store
        self._clock = clock
        self._on_reminder = on_reminder
        self._alarms = Alarms(self.ring_due)
        self._next: dict[str, datetime] = {}
        self._ringing = False

    async def start(self) -> int:
        """Tell what was missed, and ring from now on; returns how many were missed."""
        self._alarms.start()
        return await self.ring_due()

    def stop(self) -> None:
        """Ring no more."""
        self._alarms.stop()
        self._next.clear()

    def changed(self, id: str) -> None:
        """An event was added, moved or cancelled."""
        if not self._alarms.running:
            return
        value = self._store.get(self._kind, id)
        if value is None:
            self._next.pop(id, None)
        else:
            event = Event.from_json(value)
            self._note(event, self._told(event))
        self._set_alarm()

    async def ring_due(self) -> int:
        """Ring all that is due by our clock, and set the next alarm; returns how many were rung."""
        if self._ringing:  # a heartbeat while a reminder is being shown
            return 0
        self._ringing = True
        try:
            now = self._clock.now()
            # Anew from the store each time: another program of this home may have changed it.
            self._next.clear()
            for record in self._store.scan(self._kind):
                event = Event.from_json(record.value)
                self._note(event, self._told(event))
            due = sorted((moment, id) for id, moment in self._next.items() if moment <= now)
            for _, id in due:
                await self._ring(id, now)
            return len(due)
        finally:
            self._ringing = False
            self._set_alarm()

    async def _ring(self, id: str, now: datetime) -> None:
        value = self._store.get(self._kind, id)
        if value is None:  # cancelled while another was shown
            self._next.pop(id, None)
            return
        event = Event.from_json(value)
        # What came several times while nobody looked is told once, as its last time.
        passed: list[tuple[datetime, datetime]] = []
        for alarm, start in islice(event.alarms(self._told(event)), MOST_PASSED):
            if alarm > now:
                break
            passed.append((alarm, start))
        if passed:
            await self._show(event, *passed[-1], missed=now - passed[-1][0] > LATE, count=len(passed))
        # After it was shown: killed in between, it is shown twice rather than never.
        self._store.put(self._told_kind, id, {"until": now.astimezone(UTC).isoformat()})
        self._note(event, now)

    async def _show(self, event: Event, alarm: datetime, start: datetime, *, missed: bool, count: int) -> None:
        if self._on_reminder is None:
            return
        reminder = {
            "id": event.id,
            "title": event.title,
            "when": event.shown(start),
            "start": start.isoformat(),
            "alarm": alarm.isoformat(),
            "timed": event.timed,
            "repeat": recurrence.said(event.rule) if event.rule else "",
            "missed": missed,
            "count": count,
        }
        try:
            shown = self._on_reminder(reminder)
            if inspect.isawaitable(shown):
                await shown
        except Exception:  # one front end that can't show it must not silence the other reminders
            log.exception("a reminder could not be shown")

    def _note(self, event: Event, since: datetime) -> None:
        upcoming = next(event.alarms(since), None)
        if upcoming is None:
            self._next.pop(event.id, None)
        else:
            self._next[event.id] = upcoming[0]

    def _told(self, event: Event) -> datetime:
        told = self._store.get(self._told_kind, event.id)
        return datetime.fromisoformat(told["until"] if told else event.created)

    def _set_alarm(self) -> None:
        now = self._clock.now()
        self._alarms.set(min((moment for moment in self._next.values() if moment > now), default=None))
