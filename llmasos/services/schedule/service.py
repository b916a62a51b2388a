"""schedule.*: events and reminders, kept in the store and fired while a program of this home is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import SyscallError
from llmasos.core.base.values import done, items, sourced
from llmasos.core.kernel.labels import kept
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Kind, inverse, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services import matching
from llmasos.services.asking import Once
from llmasos.services.changes import Change, change, take_back
from llmasos.services.schedule import recurrence, words
from llmasos.services.schedule.event import KIND, WEEKDAYS, Event, shown
from llmasos.services.schedule.mirror import Mirror
from llmasos.services.schedule.planning import checked_title, moved, planned
from llmasos.services.schedule.ringer import TOLD, OnReminder, Ringer

LIST_LIMIT = 200
"""Rows of one list."""
MOMENT = timedelta(minutes=1)
"""How long something without an end is taken to last, where two could be at the same time."""


class Schedule:
    """Events and reminders.

    Args:
        store: Where they are kept.
        clock: What times are counted from, and what decides what is due.
        on_reminder: Shows a reminder to the person.

    Attributes:
        mirror: Events of other calendars.
    """

    def __init__(self, store: Store, clock: Clock, on_reminder: OnReminder | None = None) -> None:
        self.mirror = Mirror(store)
        self._store = store
        self._clock = clock
        self._ringer = Ringer(store, clock, on_reminder, others=self.mirror.events)

    async def start(self) -> int:
        """Tell what was missed while nobody listened, and ring from now on; returns how many were missed."""
        return await self._ringer.start()

    def stop(self) -> None:
        """Ring no more."""
        self._ringer.stop()

    async def ring_due(self) -> int:
        """Ring all that is due by the clock now; returns how many were rung."""
        return await self._ringer.ring_due()

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
        for other in self._events():
            if (other.title, other.start, other.rule) == (event.title, event.start, event.rule):
                raise SyscallError("EEXIST", f"{event.title!r} is planned for {event.shown()} already.")
        conflicts = self._conflicts(event)
        await change(caller, "schedule.restore", repr(event.title), (KIND, event.id, event.to_json()))
        self._ringer.changed(event.id)
        message = f"Planned {event.title!r} for {self._described(event)}."
        return done(message, ref=event.title, note=_joined(note, conflicts), sources=event.sources)

    async def preview_add(self, caller: Caller, title: str, when: str, repeat: str | None = None) -> dict[str, str]:
        """The resolved time."""
        event, _ = self._planned(caller, title, when, repeat)
        seen = {"when": _with_zone(event, event.first)}
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
        now = self._clock.now()
        events = self._all()
        if when:
            start, end = words.span(when, now)
            rows = [(m, event) for event in events for m in islice(event.within(start, end), LIST_LIMIT)]
        else:
            rows = [(m, event) for event in events if (m := event.next(now)) is not None]
        rows.sort(key=lambda row: (row[0].astimezone(UTC), row[1].title))
        rows = rows[:LIST_LIMIT]
        refs = self._refs([event for _, event in rows], events)
        shown_rows = [
            sourced(
                {
                    "ref": refs[event.id],
                    "when": event.shown(moment.astimezone(now.tzinfo) if event.timed else moment),
                    "title": event.title,
                    "repeat": recurrence.said(event.rule) if event.rule else "",
                    "place": event.place,
                    "calendar": event.calendar,
                },
                event.sources,
            )
            for moment, event in rows
        ]
        empty = f"Nothing is planned for {when}." if when else "Nothing is planned."
        more = [column for column in ("place", "calendar") if any(row[column] for row in shown_rows)]
        more += ["source"] if any(event.words for _, event in rows) else []
        return items("event", shown_rows, ["when", "title", "repeat", *more], empty=empty)

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
        now = self._clock.now()
        event = await self._meant(caller, title)
        after, note = moved(event, when, now)
        after = replace(after, words=sorted({*after.words, *kept(caller.call, "when")}))
        steps: list[Change] = [(KIND, after.id, after.to_json())]
        if after.id != event.id:  # one occurrence of a repetition
            old = event.next(now)
            assert old is not None
            steps.append((KIND, event.id, event.without(old).to_json()))
            note = _joined(note, f"Only this one moves; the others stay {recurrence.said(event.rule)}.")
        # A moved event rings at its new time, also where its old one was told already.
        steps.append((TOLD, after.id, {"until": now.astimezone(UTC).isoformat()}))
        conflicts = self._conflicts(after, without=event.id)
        await change(caller, "schedule.restore", repr(event.title), *steps)
        for id in {event.id, after.id}:
            self._ringer.changed(id)
        message = f"Moved {event.title!r} to {self._described(after)}."
        return done(message, ref=event.title, note=_joined(note, conflicts), sources=after.sources)

    async def preview_move(self, caller: Caller, title: str, when: str) -> dict[str, str]:
        """The event and its new time."""
        now = self._clock.now()
        event = await self._meant(caller, title)
        after, _ = moved(event, when, now)
        current = event.next(now) or event.first
        return {"title": f"{event.title} ({event.shown(current)})", "when": _with_zone(after, after.first)}

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
        steps: list[Change] = [(KIND, event.id, None), (TOLD, event.id, None)]
        await change(caller, "schedule.restore", repr(event.title), *steps)
        self._ringer.changed(event.id)
        return done(f"Cancelled {event.title!r} ({described}).", ref=event.title, sources=event.sources)

    async def preview_cancel(self, caller: Caller, title: str) -> dict[str, str]:
        """The event that is meant."""
        event = await self._meant(caller, title)
        return {"title": f"{event.title} ({self._described(event)})"}

    @inverse("schedule.restore")
    async def restore(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Put events back as they were before."""
        # That a reminder was shown meanwhile is no change of the event, so only events are compared.
        events = [step for step in payload["steps"] if step["kind"] == KIND]
        what = take_back(self._store, {**payload, "steps": events})
        for step in payload["steps"]:
            if step["kind"] == TOLD and step["before"] is not None:
                self._store.put(TOLD, step["id"], step["before"])
            elif step["kind"] == TOLD:
                self._store.delete(TOLD, step["id"])
        for step in events:
            self._ringer.changed(step["id"])
        return f"The schedule of {what} is as it was before."

    # For other services

    def span(self, text: str) -> tuple[datetime, datetime]:
        """The stretch that a phrase says, looked for in the past: when a file was changed.

        Raises:
            SyscallError: EINVAL, it can't be read.
        """
        return words.span(text, self._clock.now(), prefer="past")

    async def look(self, caller: Caller, query: str) -> Sequence[dict[str, Any]]:
        """Events as rows of `search.find`."""
        events = self._all()
        matches = matching.rank(query, events, lambda event: [event.title, *filter(None, [event.place])])[:LIST_LIMIT]
        refs = self._refs([match.item for match in matches], events)
        rows = []
        for match in matches:
            event = match.item
            about = [f"{event.title}, {self._described(event)}", event.place]
            about.append(f"in the calendar {event.calendar!r}" if event.calendar else "")
            text = ", ".join(filter(None, about))
            rows.append(sourced({"ref": refs[event.id], "text": text, "score": match.score}, event.sources))
        return rows

    async def all_changed(self) -> None:
        """Many events were changed at once, here or in the mirror: ring by what there is now."""
        await self._ringer.all_changed()

    # Reading

    def _events(self) -> list[Event]:
        return [Event.from_json(record.value) for record in self._store.scan(KIND)]

    def _all(self) -> list[Event]:
        """The person's own, then those of other calendars."""
        return [*self._events(), *self.mirror.events().values()]

    def _planned(self, caller: Caller, title: str, when: str, repeat: str | None) -> tuple[Event, str]:
        """The event that a call describes, and a note."""
        title = checked_title(title)
        now = self._clock.now()
        found, rule = planned(title, when, repeat, now)
        said = f"{when}, {repeat}" if repeat else when
        by = caller.process.subject
        event = Event.new(
            title, found.start, found.end, found.timed, rule=rule, said=said, now=now, by=by, words=kept(caller.call)
        )
        return event, found.note

    async def _meant(self, caller: Caller, title: str) -> Event:
        """The event that a title means: one to come, else one that is over.

        Raises:
            SyscallError: ENOENT; EPERM, it belongs to another calendar.
        """
        now = self._clock.now()
        events = self._all()
        titles = Counter(event.title for event in events)

        def names(event: Event) -> list[str]:
            start = event.next(now) or event.first
            day = WEEKDAYS[start.weekday()]
            # "the dentist on Thursday", 周五的聚餐
            called = [
                event.title,
                self._ref(event, titles, now),
                f"{event.title} {day}",
                f"{event.title} {event.shown(start)}",
            ]
            return [*called, f"周{'一二三四五六日'[start.weekday()]}{event.title}"]

        for some in ([event for event in events if event.next(now) is not None], events):
            group = matching.leading(matching.rank(title, some, names))
            if group and all(match.item.calendar for match in group):
                event = group[0].item
                raise SyscallError(
                    "EPERM", f"{event.title!r} is in the calendar {event.calendar!r}, which is only read here.",
                    "Change it in the program where that calendar is kept.",
                )  # fmt: skip
            if group:
                return await matching.pick(
                    Once(caller),
                    title,
                    [match.item for match in group if not match.item.calendar],
                    names=names,
                    label=lambda event: f"{event.title} ({self._described(event)})",
                    what="event",
                )
        hint = "'schedule.list' shows what is planned."
        raise matching.missing(title, events, names=names, what="event", remedy=hint)

    def _refs(self, some: Sequence[Event], events: Sequence[Event]) -> dict[str, str]:
        """Id -> what a later call names it by: its title, with the time where several have the same."""
        titles = Counter(event.title for event in events)
        now = self._clock.now()
        return {event.id: self._ref(event, titles, now) for event in some}

    def _ref(self, event: Event, titles: Counter[str], now: datetime) -> str:
        return event.title if titles[event.title] == 1 else f"{event.title} ({event.shown(event.next(now))})"

    def _described(self, event: Event) -> str:
        text = _with_zone(event, event.next(self._clock.now()) or event.first)
        return f"{text}, {recurrence.said(event.rule)}" if event.rule else text

    def _conflicts(self, event: Event, *, without: str = "") -> str:
        """What else is at the time of an event."""
        if not event.timed:
            return ""
        start = event.first
        end = max(event.end_of(start), start + MOMENT)
        others = [other for other in self._all() if other.timed and other.id not in (event.id, without)]
        found = [
            f"{other.title!r} ({', '.join(filter(None, [other.shown(moment), other.calendar]))})"
            for other in others
            for moment in islice(other.within(start, end), 1)
        ]
        return f"At the same time: {', '.join(found[:3])}." if found else ""


def _with_zone(event: Event, start: datetime) -> str:
    return shown(start, event.end_of(start), event.timed, zone=event.timed)


def _joined(*notes: str) -> str:
    return " ".join(note for note in notes if note)
