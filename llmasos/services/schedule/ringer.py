"""Rings reminders when they are due, and tells at the start what was missed."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Any

from llmasos.core.base.clock import Clock
from llmasos.core.kernel.store import Store
from llmasos.services.schedule import recurrence
from llmasos.services.schedule.alarms import Alarms
from llmasos.services.schedule.event import KIND, Event

log = logging.getLogger(__name__)

OnReminder = Callable[[dict[str, Any]], Awaitable[None] | None]
"""Shows a reminder: `id title when start timed repeat missed count place calendar source`."""

TOLD = "event.told"
"""Up to when an event's reminders were shown; apart from the event, for showing one is no change of it."""
LATE = timedelta(minutes=2)
"""A reminder later than this was missed: the program was closed, or the machine asleep."""
MOST_PASSED = 100_000
"""Occurrences of one event that are counted as missed."""
STEP = 500
"""Events that are looked at before anything else may run."""


class Ringer:
    """What rings when.

    Args:
        store: Where the events are.
        clock: What decides what is due.
        on_reminder: Shows a reminder to the person.
        kind: Of the records that are events.
        told: Of the records that say up to when they rang.
        others: Events that are kept elsewhere, by id.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        on_reminder: OnReminder | None,
        *,
        kind: str = KIND,
        told: str = TOLD,
        others: Callable[[], Mapping[str, Event]] = dict,
    ) -> None:
        self._kind, self._told_kind = kind, told
        self._store = store
        self._clock = clock
        self._on_reminder = on_reminder
        self._others = others
        self._alarms = Alarms(self._wake)
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
        event = self._event(id)
        if event is None:
            self._next.pop(id, None)
        else:
            self._note(event, self._told(event))
        self._set_alarm()

    async def all_changed(self) -> None:
        """Many events may have changed."""
        if self._alarms.running:
            await self._look_at_all()
            self._set_alarm()

    async def ring_due(self) -> int:
        """Look at all events, ring what is due by our clock, and set the next alarm; returns how many were rung."""
        return await self._rung(anew=True)

    async def _wake(self) -> None:
        """Ring what is due of what is known: this program alone carries the home, and is told of each change."""
        await self._rung(anew=False)

    async def _rung(self, *, anew: bool) -> int:
        if self._ringing:  # a heartbeat while a reminder is being shown
            return 0
        self._ringing = True
        try:
            if anew:
                await self._look_at_all()
            now = self._clock.now()
            due = sorted((moment, id) for id, moment in self._next.items() if moment <= now)
            for _, id in due:
                await self._ring(id, now)
            return len(due)
        finally:
            self._ringing = False
            self._set_alarm()

    async def _look_at_all(self) -> None:
        """When each event rings next; thousands of them may not hold up everything else."""
        self._next.clear()
        told = {
            record.id: datetime.fromisoformat(record.value["until"]) for record in self._store.scan(self._told_kind)
        }
        own = (Event.from_json(record.value) for record in self._store.scan(self._kind))
        for number, event in enumerate(chain(own, list(self._others().values()))):
            self._note(event, told.get(event.id) or datetime.fromisoformat(event.created))
            if number % STEP == STEP - 1:
                await asyncio.sleep(0)

    def _event(self, id: str) -> Event | None:
        value = self._store.get(self._kind, id)
        return Event.from_json(value) if value is not None else self._others().get(id)

    async def _ring(self, id: str, now: datetime) -> None:
        event = self._event(id)
        if event is None:  # cancelled while another was shown
            self._next.pop(id, None)
            return
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
            "place": event.place,
            "calendar": event.calendar,
            "source": ", ".join(event.words),
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
