"""An event or reminder as it is stored, and the times at which it comes."""

from __future__ import annotations

import heapq
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from llmasos.services.schedule import recurrence
from llmasos.services.schedule.parts import elapsed

KIND = "event"
MORNING = 9
"""The hour at which a whole day is reminded of."""
EVENING = 18
"""The hour for a whole day that was entered later than that."""
FROM_CALENDAR = "calendar:"
"""How labels of events begin that another program wrote."""
IMPORTED = f"{FROM_CALENDAR}imported"
"""The label of those that were imported, which are the person's own since."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. Times are wall-clock times of `zone`, so that they stay right when daylight saving changes.

    Attributes:
        id: Random.
        title: As said.
        start: ISO 8601 without offset; of the first time, where it recurrence.
        end: The same, exclusive; empty where it has none.
        zone: IANA name, or an offset like "+01:00".
        timed: Whether it has a time of day; else it is for whole days.
        rule: Its RRULE; empty where it comes once.
        skipped: Starts that are left out of the repetition.
        said: The words for the time.
        created: When it was entered, UTC.
        by: The subject that entered it; `calendar:NAME` where it came from another program.
        place: Where it is; empty where nothing was said.
        added: Further starts beside those of the rule.
        before: Seconds before its start at which it is reminded of, each once; None for the usual time.
        words: Whose words it says, as labels name it, where the person entered it with those of others.
    """

    id: str
    title: str
    start: str
    end: str
    zone: str
    timed: bool
    rule: str
    skipped: list[str]
    said: str
    created: str
    by: str
    place: str = ""
    added: list[str] = field(default_factory=list)
    before: list[int] | None = None
    words: list[str] = field(default_factory=list)

    @property
    def sources(self) -> list[str]:
        """The labels of its words, where they are others'."""
        return sorted({*self.words, self.by} if self.by.startswith(FROM_CALENDAR) else self.words)

    @property
    def calendar(self) -> str:
        """The calendar that it is mirrored from, where it can only be read; else empty."""
        of = self.by if self.by.startswith(FROM_CALENDAR) and self.by != IMPORTED else ""
        return of.removeprefix(FROM_CALENDAR)

    @staticmethod
    def new(
        title: str,
        start: datetime,
        end: datetime | None,
        timed: bool,
        *,
        rule: str,
        said: str,
        now: datetime,
        by: str,
        words: Sequence[str] = (),
    ) -> Event:
        """A new event with a random id."""
        event = Event(
            id=secrets.token_hex(6),
            title=title,
            start="",
            end="",
            zone=zone_name(start.tzinfo),
            timed=timed,
            rule=rule,
            skipped=[],
            said=said,
            created=now.astimezone(UTC).isoformat(timespec="seconds"),
            by=by,
            words=[*words],
        )
        return event.at(start, end, timed)

    @staticmethod
    def from_json(value: dict[str, Any]) -> Event:
        """As the store gives it."""
        return Event(**value)

    def to_json(self) -> dict[str, Any]:
        """As the store takes it."""
        return asdict(self)

    def at(self, start: datetime, end: datetime | None, timed: bool) -> Event:
        """The same event at another time."""
        return replace(
            self,
            start=start.replace(tzinfo=None).isoformat(timespec="minutes" if not start.second else "seconds"),
            end=end.replace(tzinfo=None).isoformat(timespec="minutes") if end else "",
            zone=zone_name(start.tzinfo),
            timed=timed,
        )

    def without(self, start: datetime) -> Event:
        """The same repetition without one of its occurrences."""
        return replace(self, skipped=[*self.skipped, _wall(start)])

    @property
    def first(self) -> datetime:
        """Its (first) start."""
        return elapsed(datetime.fromisoformat(self.start).replace(tzinfo=zone_of(self.zone)))

    @property
    def length(self) -> timedelta | None:
        """How long it lasts on the wall clock."""
        return datetime.fromisoformat(self.end) - datetime.fromisoformat(self.start) if self.end else None

    def end_of(self, start: datetime) -> datetime:
        """When an occurrence is over; a whole day lasts to midnight, a moment no time."""
        if self.length is not None:
            return elapsed(start + self.length)
        return start if self.timed else start + timedelta(days=1)

    def occurrences(self, after: datetime, *, inclusive: bool = False) -> Iterator[datetime]:
        """Its starts after a moment, in order."""
        starts: Iterator[datetime]
        if self.rule:
            regular = recurrence.occurrences(self.rule, self.first, after, inclusive=inclusive)
            starts = (moment for moment in regular if _wall(moment) not in self.skipped)
        else:
            starts = iter([self.first] if _is_after(self.first, after, inclusive) else [])
        if not self.added:
            yield from starts
            return
        zone = zone_of(self.zone)
        more = sorted(elapsed(datetime.fromisoformat(wall).replace(tzinfo=zone)) for wall in self.added)
        last = None
        for moment in heapq.merge(starts, (m for m in more if _is_after(m, after, inclusive))):
            if moment != last:
                yield moment
            last = moment

    def within(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """The starts of its occurrences that touch a stretch of time."""
        # Something that began before the stretch can reach into it.
        reach = (self.length or timedelta(days=0 if self.timed else 1)) + timedelta(hours=2)
        for moment in self.occurrences(start - reach, inclusive=True):
            if moment >= end:
                return
            if self.end_of(moment) > start or moment >= start:
                yield moment

    def next(self, now: datetime) -> datetime | None:
        """The start of the occurrence that is under way or comes next, or None where it is over."""
        far = now.replace(year=min(now.year + 100, 9000), day=min(now.day, 28))
        return next(self.within(now, far), None)

    def alarm(self, start: datetime) -> datetime:
        """When an occurrence is reminded of: at its time, or in the morning of its day."""
        if self.timed:
            return start
        morning = start.replace(hour=MORNING, minute=0)
        evening = start.replace(hour=EVENING, minute=0)
        return morning if datetime.fromisoformat(self.created) < morning else evening

    def alarms(self, after: datetime) -> Iterator[tuple[datetime, datetime]]:
        """(alarm, start) of the occurrences whose alarm is after a moment, in order of the alarms."""
        if self.before is None:
            for start in self.occurrences(after - timedelta(days=1)):
                alarm = self.alarm(start)
                if alarm > after:
                    yield alarm, start
        else:
            yield from heapq.merge(*(self._alarms(seconds, after) for seconds in sorted(set(self.before))))

    def _alarms(self, seconds: int, after: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The alarms so many seconds before each start."""
        for start in self.occurrences(elapsed(after, seconds)):
            yield elapsed(start, -seconds), start

    def shown(self, start: datetime | None = None) -> str:
        """When it is, for people: "Sun 22 Nov 2026 09:00–10:00"."""
        return shown(start or self.first, self.end_of(start or self.first), self.timed)


def _is_after(moment: datetime, after: datetime, inclusive: bool) -> bool:
    return moment > after or (inclusive and moment == after)


def shown(start: datetime, end: datetime | None, timed: bool, *, zone: bool = False) -> str:
    """A time for people: "Sun 22 Nov 2026 09:00 Europe/Berlin"."""
    text = _day(start.date())
    if not timed:
        last = (end - timedelta(days=1)).date() if end else start.date()
        return text if last <= start.date() else f"{text} to {_day(last)}"
    text += f" {start:%H:%M}"
    if end is not None and end > start:
        text += f"–{end:%H:%M}" if end.date() == start.date() else f" to {_day(end.date())} {end:%H:%M}"
    return f"{text} {zone_name(start.tzinfo)}" if zone else text


WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def _day(day: date) -> str:
    # Not strftime: its names follow the locale, and what is shown can be said back.
    return f"{WEEKDAYS[day.weekday()][:3]} {day.day} {_MONTHS[day.month - 1]} {day.year}"


def _wall(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="minutes")


def zone_name(zone: tzinfo | None) -> str:
    """A zone's IANA name, or its offset."""
    if isinstance(zone, ZoneInfo) and zone.key:
        return zone.key
    offset = zone.utcoffset(None) if zone is not None else None
    if not offset:
        return "UTC"
    minutes = int(offset.total_seconds() // 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def zone_of(name: str) -> tzinfo:
    """The zone of a name that `zone_name` gave."""
    if name[:1] in "+-":
        hours, minutes = int(name[1:3]), int(name[4:6])
        offset = timedelta(hours=hours, minutes=minutes)
        return timezone(-offset if name[0] == "-" else offset)
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:  # stored on a machine that knew more zones
        return UTC
