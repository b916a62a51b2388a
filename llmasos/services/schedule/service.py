"""schedule.*: events and reminders, kept in the store and fired while a program of this home is open."""

# ruff: noqa: D417  `caller` is the kernel's first argument to every syscall and no argument of the call

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import SyscallError
from llmasos.core.base.values import done, items
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Kind, inverse, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services import matching
from llmasos.services.changes import change, take_back
from llmasos.services.schedule import recurrence, repeats, words
from llmasos.services.schedule.alarms import Alarms
from llmasos.services.schedule.event import KIND, Event, shown
from llmasos.services.schedule.parts import elapsed
from llmasos.services.schedule.repeats import Repeat
from llmasos.services.schedule.words import When

log = logging.getLogger(__name__)

OnReminder = Callable[[dict[str, Any]], Awaitable[None] | None]
"""Shows a reminder: `id title when start timed repeat missed count`."""

TOLD = "event.told"
"""Up to when the reminders of an event were shown; apart from the event, so that showing one is no change of it."""
LATE = timedelta(minutes=2)
"""A reminder later than this was missed: the program was closed, or the machine asleep."""
TITLE_LIMIT = 500
LIST_LIMIT = 200
"""Rows of one list."""
MINIMUM_STEP = timedelta(minutes=1)


class Schedule:
    """Events and reminders.

    Args:
        store: Where they are kept.
        clock: What decides what is due.
        on_reminder: Shows a reminder to the person.
    """

    def __init__(self, store: Store, clock: Clock, on_reminder: OnReminder | None = None) -> None:
        self._store = store
        self._clock = clock
        self.on_reminder = on_reminder
        self._alarms = Alarms(self.ring_due)
        self._next: dict[str, datetime] = {}
        """Id -> when it rings next; only what is in here can ring."""
        self._ringing = False

    # Clock

    async def start(self, owner: bool = True) -> int:
        """Tell what was missed while no program was open, and ring from now on.

        Args:
            owner: Whether this program owns the home. Others start nothing: a reminder is shown once.

        Returns:
            How many reminders were missed.
        """
        if not owner:
            return 0
        self._alarms.start()
        return await self.ring_due()

    async def stop(self) -> None:
        """Ring no more."""
        self._alarms.stop()
        self._next.clear()

    async def ring_due(self) -> int:
        """Ring all that is due by our clock, and set the next alarm; returns how many were rung."""
        if self._ringing:  # a heartbeat, while a reminder is being shown
            return 0
        self._ringing = True
        try:
            now = self._clock.now()
            self._rebuild(now)
            due = sorted((moment, id) for id, moment in self._next.items() if moment <= now)
            for _, id in due:
                await self._ring(id, now)
            return len(due)
        finally:
            self._ringing = False
            self._set_alarm()

    async def _ring(self, id: str, now: datetime) -> None:
        value = self._store.get(KIND, id)
        if value is None:
            self._next.pop(id, None)
            return
        event = Event.from_json(value)
        since = self._told(event)
        # What came several times while nobody looked is told once, as its last time.
        passed = []
        for alarm, start in islice(event.alarms(since), 100_000):
            if alarm > now:
                break
            passed.append((alarm, start))
        if passed:
            alarm, start = passed[-1]
            reminder = {
                "id": id,
                "title": event.title,
                "when": event.shown(start),
                "start": start.isoformat(),
                "timed": event.timed,
                "repeat": recurrence.said(event.rule) if event.rule else "",
                "missed": now - alarm > LATE,
                "count": len(passed),
            }
            try:
                shown_now = self.on_reminder(reminder) if self.on_reminder else None
                if inspect.isawaitable(shown_now):
                    await shown_now
            except Exception:  # one front end that can't show it must not silence the other reminders
                log.exception("a reminder could not be shown")
        # After it was shown: killed in between, it is shown twice rather than never.
        self._store.put(TOLD, id, {"until": now.astimezone(UTC).isoformat()})
        self._note(event, now)

    def _rebuild(self, now: datetime) -> None:
        """What rings when, from the store; another program may have changed it."""
        self._next.clear()
        for event in self._events():
            self._note(event, self._told(event))

    def _note(self, event: Event, since: datetime) -> None:
        upcoming = next(event.alarms(since), None)
        if upcoming is None:
            self._next.pop(event.id, None)
        else:
            self._next[event.id] = upcoming[0]

    def _told(self, event: Event) -> datetime:
        told = self._store.get(TOLD, event.id)
        return datetime.fromisoformat(told["until"] if told else event.created)

    def _set_alarm(self) -> None:
        now = self._clock.now()
        self._alarms.set(min((moment for moment in self._next.values() if moment > now), default=None))

    def _changed(self, event: Event) -> None:
        if self._alarms.running:
            self._next.pop(event.id, None)
            if self._store.get(KIND, event.id) is not None:
                self._note(event, self._told(event))
            self._set_alarm()

    # Syscalls

    @syscall("schedule.add", effect="write", preview="preview_add")
    async def add(self, caller: Caller, title: str, when: str, repeat: str | None = None) -> dict[str, Any]:
        """Plan an event or a reminder.

        Args:
            title: What it is.
            when: The time, in words: "tomorrow at 9", "Thursday from 14:00 to 15:30".
            repeat: How it repeats: "every Monday", "daily".

        Examples:
            ping me about the roast in 40 minutes
            chess club every Thursday at 19:00
            put a site visit on 12 May from 10 to 11:30
            下周三下午三点半提醒我交房租
        """
        event, note = self._planned(caller, title, when, repeat)
        if any(
            e.title == event.title and (e.start, e.rule) == (event.start, event.rule) for e in self._events()
        ):
            raise SyscallError("EEXIST", f"{event.title!r} is planned for {event.shown()} already.")
        conflicts = self._conflicts(event)
        await change(caller, "schedule.restore", repr(event.title), (KIND, event.id, event.to_json()))
        self._changed(event)
        return done(
            f"Planned {event.title!r} for {self._described(event)}.",
            ref=event.title,
            note=_joined(note, conflicts),
        )

    async def preview_add(
        self, caller: Caller, title: str, when: str, repeat: str | None = None
    ) -> dict[str, str]:
        """The resolved time."""
        event, _ = self._planned(caller, title, when, repeat)
        seen = {"when": shown(event.first, event.end_of(event.first), event.timed, zone=event.timed)}
        if event.rule:
            seen["repeat"] = recurrence.said(event.rule)
        return seen

    @syscall("schedule.list", effect="read")
    async def overview(self, caller: Caller, when: str | None = None) -> dict[str, Any]:
        """Show what is planned.

        Args:
            when: Of which time; all that is to come where it's left out.

        Examples:
            anything on my plate this Friday?
            which appointments are coming up
            am I free next week
            明天有什么安排
        """
        now = self._now()
        events = self._events()
        if when:
            start, end = words.span(when, now)
            rows = [
                (moment, event) for event in events for moment in islice(event.within(start, end), LIST_LIMIT)
            ]
        else:
            rows = [(moment, event) for event in events if (moment := event.next(now)) is not None]
        rows.sort(key=lambda row: (row[0].astimezone(UTC), row[1].title))
        refs = self._refs(events)
        shown_rows = [
            {
                "ref": refs[event.id],
                "when": event.shown(moment.astimezone(now.tzinfo) if event.timed else moment),
                "title": event.title,
                "repeat": recurrence.said(event.rule) if event.rule else "",
            }
            for moment, event in rows[:LIST_LIMIT]
        ]
        empty = f"Nothing is planned for {when}." if when else "Nothing is planned."
        return items("event", shown_rows, ["when", "title", "repeat"], empty=empty)

    @syscall("schedule.move", effect="write", preview="preview_move")
    async def move(self, caller: Caller, title: Annotated[str, Kind("event")], when: str) -> dict[str, Any]:
        """Move an event to another time.

        Args:
            title: Which event.
            when: The new time, or the distance: "Friday at 3", "by an hour".

        Examples:
            the haircut is on Tuesday at 11 instead
            push the parents' meeting back by half an hour
            can yoga be tomorrow evening
            把看牙改到后天上午十点
        """
        event = await self._meant(caller, title)
        moved, note = self._moved(event, when)
        now = self._now()
        steps: list[tuple[str, str, dict[str, Any] | None]] = []
        if event.rule and not moved.rule:  # one occurrence of a repetition
            old = event.next(now)
            assert old is not None
            skipped = [*event.skipped, old.replace(tzinfo=None).isoformat(timespec="minutes")]
            steps.append((KIND, event.id, replace(event, skipped=skipped).to_json()))
            note = _joined(note, f"Only this one moves; the others stay {recurrence.said(event.rule)}.")
        conflicts = self._conflicts(moved, without=event.id)
        steps.append((KIND, moved.id, moved.to_json()))
        # A moved event rings again, also where its old time was told already.
        steps.append((TOLD, moved.id, {"until": now.astimezone(UTC).isoformat()}))
        await change(caller, "schedule.restore", repr(event.title), *steps)
        for changed in (event, moved):
            self._changed(Event.from_json(self._store.get(KIND, changed.id)))
        return done(
            f"Moved {event.title!r} to {self._described(moved)}.",
            ref=event.title,
            note=_joined(note, conflicts),
        )

    async def preview_move(self, caller: Caller, title: str, when: str) -> dict[str, str]:
        """The event and its new time."""
        event = await self._meant(caller, title)
        moved, _ = self._moved(event, when)
        current = event.next(self._now()) or event.first
        seen = shown(moved.first, moved.end_of(moved.first), moved.timed, zone=moved.timed)
        return {"title": f"{event.title} ({event.shown(current)})", "when": seen}

    @syscall("schedule.cancel", effect="destroy", preview="preview_cancel")
    async def cancel(self, caller: Caller, title: Annotated[str, Kind("event")]) -> dict[str, Any]:
        """Cancel an event or a reminder.

        Args:
            title: Which event.

        Examples:
            call off the barbecue
            I no longer need the reminder about the parking meter
            scrap my appointment with the notary
            取消周五的聚餐
        """
        event = await self._meant(caller, title)
        described = self._described(event)
        await change(
            caller, "schedule.restore", repr(event.title), (KIND, event.id, None), (TOLD, event.id, None)
        )
        self._changed(event)
        return done(f"Cancelled {event.title!r} ({described}).", ref=event.title)

    async def preview_cancel(self, caller: Caller, title: str) -> dict[str, str]:
        """The event that is meant."""
        event = await self._meant(caller, title)
        return {"title": f"{event.title} ({self._described(event)})"}

    @inverse("schedule.restore")
    async def restore(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Put events back as they were before."""
        # That a reminder was shown meanwhile is no change of the event.
        events = [step for step in payload["steps"] if step["kind"] == KIND]
        what = take_back(self._store, {**payload, "steps": events})
        for step in payload["steps"]:
            if step["kind"] == TOLD and step["before"] is not None:
                self._store.put(TOLD, step["id"], step["before"])
        for step in events:
            self._changed(Event.from_json(step["before"] or step["after"]))
        return f"The schedule of {what} is as it was before."

    # For other services

    def span(self, text: str) -> tuple[datetime, datetime]:
        """The stretch that a phrase says, looked for in the past: when a file was changed.

        Raises:
            SyscallError: EINVAL, it can't be read.
        """
        return words.span(text, self._now(), prefer="past")

    async def look(self, caller: Caller, query: str) -> Sequence[dict[str, Any]]:
        """Events as rows of `search.find`."""
        events = self._events()
        refs = self._refs(events)
        found = matching.rank(query, events, lambda event: [event.title])
        return [
            {"ref": refs[m.item.id], "text": f"{m.item.title}, {self._described(m.item)}", "score": m.score}
            for m in found
        ]

    # Reading

    def _now(self) -> datetime:
        return self._clock.now()

    def _events(self) -> list[Event]:
        return [Event.from_json(record.value) for record in self._store.scan(KIND)]

    def _planned(self, caller: Caller, title: str, when: str, repeat: str | None) -> tuple[Event, str]:
        """The event that a call describes, and a note."""
        title = title.strip()
        if not title:
            raise SyscallError("EINVAL", "The event has no title.", "Say what it is.")
        if len(title) > TITLE_LIMIT:
            raise SyscallError("E2BIG", f"The title has {len(title)} characters; {TITLE_LIMIT} is the limit.")
        now = self._now()
        found, rule = self._resolved(title, when, repeat, now)
        event = Event.new(
            title,
            found.start,
            found.end,
            found.timed,
            rule=rule,
            said=when if not repeat else f"{when}, {repeat}",
            now=now,
            by=caller.process.subject,
        )
        return event, found.note

    def _resolved(self, title: str, when: str, repeat: str | None, now: datetime) -> tuple[When, str]:
        """The (first) time and the rule."""
        in_when = repeats.find(when, now)
        repetition = repeats.repeat(repeat, now) if repeat else in_when
        if repetition is None:
            return _upcoming(words.when(when, now, about=title), when, now), ""
        if in_when is not None and repeat:
            # "every Tuesday at 7" and "every Tuesday": what says more is the rule.
            repetition = max(in_when, repetition, key=lambda r: len(r.fields))
        return self._first(title, in_when.rest if in_when else when, repeat, repetition, now)

    def _first(
        self, title: str, rest: str, repeat: str | None, repetition: Repeat, now: datetime
    ) -> tuple[When, str]:
        """The first time of a repetition."""
        start = When(now.replace(hour=0, minute=0, second=0, microsecond=0), timed=False, said_day=False)
        beside = repeats.repeat(repeat, now).rest if repeat else ""
        # "each morning" with "at seven": both say the time, and only together do they say it right.
        combined = " ".join(text for text in (beside, rest) if text)
        for text in dict.fromkeys((combined, rest, beside)):
            if text:
                try:
                    start = words.when(text, now, about=title, repeated=True)
                    break
                except SyscallError:
                    if text == beside:
                        raise
        elapsing = repetition.fields["FREQ"] in ("HOURLY", "MINUTELY")
        if elapsing and not start.timed:
            step = timedelta(
                minutes=int(repetition.fields.get("INTERVAL", 1)) * (60 if "HOURLY" in repetition.rule else 1)
            )
            start = replace(
                start, start=elapsed(now.replace(second=0, microsecond=0), step.total_seconds()), timed=True
            )
        repetition = repetition.anchored(start.start)
        # From the first time on, or "every other Friday" could begin with the week of a Friday that is over.
        plain = Repeat(
            {k: v for k, v in repetition.fields.items() if k not in ("INTERVAL", "COUNT")}
            if not elapsing
            else repetition.fields
        )
        earliest = max(start.start, now) if start.timed else start.start
        first = recurrence.next_after(plain.rule, start.start, earliest, inclusive=True)
        if first is None:
            raise SyscallError(
                "EINVAL", f"{recurrence.said(repetition.rule).capitalize()} never comes.", EXAMPLES
            )
        length = start.end - start.start if start.end and start.timed else None
        return replace(start, start=first, end=first + length if length else None), repetition.rule

    def _moved(self, event: Event, when: str) -> tuple[Event, str]:
        """An event at a new time; one occurrence of it as an event of its own, where it repeats."""
        now = self._now()
        current = event.next(now) or event.first
        length = event.length
        if event.rule and repeats.find(when, now):
            found, rule = self._resolved(event.title, when, None, now)
            if not found.timed and event.timed:
                found = replace(found, start=_at_time_of(found.start, event.first), timed=True)
            end = found.end or (found.start + length if length else None)
            return replace(event, rule=rule, skipped=[]).at(found.start, end, found.timed), found.note
        distance = words.shift(when, now)
        if distance is not None:
            found = When(elapsed(current + distance), timed=event.timed or bool(distance.seconds))
            if found.start <= now - MINIMUM_STEP:  # "snooze" what has rung already
                found = replace(found, start=elapsed(now.replace(microsecond=0) + distance))
        else:
            found = self._moved_to(event, current, when, now)
        end = found.end
        if end is None and length is not None and found.timed == event.timed:
            end = elapsed(found.start + length)
        moved = (
            event
            if not event.rule
            else Event.new(
                event.title, found.start, end, found.timed, rule="", said=when, now=now, by=event.by
            )
        )
        return moved.at(found.start, end, found.timed), found.note

    def _moved_to(self, event: Event, current: datetime, when: str, now: datetime) -> When:
        found = words.when(when, now, about=event.title)
        if found.timed and not found.said_day and current > now:
            # "to 16:30" means on its own day.
            there = words.when(when, current.replace(hour=0, minute=0), about=event.title)
            if there.start > now:
                found = there
        elif not found.timed and event.timed and found.end is None:
            found = replace(found, start=_at_time_of(found.start, current), timed=True)
        return _upcoming(found, when, now)

    async def _meant(self, caller: Caller, title: str) -> Event:
        """The event that a title means: one to come, else one that is over."""
        now = self._now()
        events = self._events()
        refs = self._refs(events)
        upcoming = [event for event in events if event.next(now) is not None]

        def names(event: Event) -> list[str]:
            moment = event.next(now) or event.first
            day = shown(moment, None, event.timed)
            # "the dentist on Thursday", 周五的聚餐
            weekday = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"][
                moment.weekday()
            ]
            chinese = "一二三四五六日"[moment.weekday()]
            return [
                event.title,
                refs[event.id],
                f"{event.title} {weekday}",
                f"周{chinese}{event.title}",
                f"{event.title} {day}",
            ]

        for some in (upcoming, events):
            group = matching.leading(matching.rank(title, some, names))
            if group:
                return await matching.pick(
                    caller,
                    title,
                    [match.item for match in group],
                    names=names,
                    label=lambda event: f"{event.title} ({event.shown(event.next(now))})",
                    what="event",
                )
        raise matching.missing(
            title, events, names=names, what="event", remedy="'schedule.list' shows what is planned."
        )

    def _refs(self, events: list[Event]) -> dict[str, str]:
        """Id -> what a later call names it by: its title, and its time where several have the same."""
        titles = [event.title for event in events]
        return {
            event.id: event.title
            if titles.count(event.title) == 1
            else f"{event.title} ({event.shown(event.next(self._now()))})"
            for event in events
        }

    def _described(self, event: Event) -> str:
        now = self._now()
        text = shown_in(event, event.next(now) or event.first)
        return f"{text}, {recurrence.said(event.rule)}" if event.rule else text

    def _conflicts(self, event: Event, *, without: str = "") -> str:
        """What else is at the time of an event."""
        if not event.timed:
            return ""
        start = event.first
        end = max(event.end_of(start), start + MINIMUM_STEP)
        found = []
        for other in self._events():
            if other.id in (event.id, without) or not other.timed:
                continue
            for moment in islice(other.within(start, end), 1):
                if max(other.end_of(moment), moment + MINIMUM_STEP) > start:
                    found.append(f"{other.title!r} ({other.shown(moment)})")
        return f"At the same time: {', '.join(found[:3])}." if found else ""


def shown_in(event: Event, moment: datetime) -> str:
    """An occurrence with its zone."""
    return shown(moment, event.end_of(moment), event.timed, zone=event.timed)


def _upcoming(found: When, said: str, now: datetime) -> When:
    """A time that is to come.

    Raises:
        SyscallError: EINVAL, it is over.
    """
    over = found.start <= now - MINIMUM_STEP if found.timed else found.deadline <= now
    if found.bound == "by" and found.deadline > now:
        over = False
    if over:
        raise SyscallError(
            "EINVAL",
            f"{said!r} is {shown(found.start, None, found.timed)}, which is over.",
            "Say a time that is to come.",
        )
    if found.start >= words.LATEST:
        raise SyscallError("EINVAL", f"{said!r} is too far away.", EXAMPLES)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if not found.timed and found.end is not None and found.start < today:  # "this week": what is left of it
        return replace(found, start=today)
    return found


def _at_time_of(day: datetime, time: datetime) -> datetime:
    return elapsed(day.replace(hour=time.hour, minute=time.minute, second=0, microsecond=0))


def _joined(*notes: str) -> str:
    return " ".join(note for note in notes if note)
