"""From the text of calendars to events of the schedule's form. What can't be read is counted, and the rest goes on."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo

from llmasos.core.base.errors import SyscallError
from llmasos.services.calendars import rules
from llmasos.services.calendars.folder import MOST_BYTES
from llmasos.services.calendars.lines import Component, Line, components, decoded, parsed
from llmasos.services.calendars.zones import Zones
from llmasos.services.schedule.event import IMPORTED, Event, zone_of
from llmasos.services.schedule.parts import elapsed
from llmasos.services.schedule.planning import TITLE_LIMIT

MOST_EVENTS = 50_000
MOST_REPEATED = 1_000
"""Repeated events of one calendar that are followed; each costs a little every time the schedule is looked at."""
MOST_SKIPPED = 2_000
"""Single times that one repetition can leave out or have beside."""
PATIENCE = 120.0
"""Seconds that reading may take."""
OURS = "@llmasos"
"""How the UIDs of the schedule's own events end."""
UNTITLED = "(untitled)"
FIRST_YEAR, LAST_YEAR = 1600, 2200
LONGEST = timedelta(days=3660)
MOST_ALARMS = 10
EARLIEST_ALARM, LATEST_ALARM = 366 * 86400, -31 * 86400

_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?")
_DURATION = re.compile(r"([+-])?P(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?")
_OURS = re.compile(rf"([0-9a-f]{{12}}){OURS}")
_PASSING = frozenset({"DTSTAMP", "CREATED"})
"""Lines that say nothing about the event itself; some programs write them anew each time."""


@dataclass(slots=True)
class Entry:
    """One VEVENT.

    Attributes:
        uid: What other programs know it by.
        occurrence: Of which time of a repetition it tells something else, ISO 8601, with its offset or a date alone;
            empty for none.
        sequence: Counts up when its author changes it.
        changed: When it was changed last, as far as it says so.
        cancelled: Whether its author called it off.
        event: It as an event here.
        raw: Its lines as they were.
        digest: Of all that it says.
    """

    uid: str
    occurrence: str
    sequence: int
    changed: str
    cancelled: bool
    event: Event
    raw: list[str]
    digest: str

    def newer(self, sequence: int, changed: str) -> int:
        """1 where it is a later version than another, -1 where it is an earlier one, 0 where that isn't said."""
        here, there = (self.sequence, self.changed), (sequence, changed)
        if here[0] != there[0] or (here[1] and there[1]):
            return (here > there) - (here < there)
        return 0


@dataclass(slots=True)
class Found:
    """What was read.

    Attributes:
        entries: All of it, an occurrence after what it belongs to.
        notes: What was left out or read otherwise -> how often.
    """

    entries: list[Entry] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def noted(self) -> str:
        """What was left out, in words."""
        left = ", ".join(f"{what} ({count:,})" for what, count in self.notes.most_common(6) if count)
        return f"Left out or read otherwise: {left}." if left else ""


def read(files: Iterable[bytes], home: tzinfo, now: datetime, stop: threading.Event, *, scope: str = "") -> Found:
    """The events of one or several files.

    Args:
        files: Their contents.
        home: The person's own zone.
        now: When they are entered.
        stop: Ends it where it is set.
        scope: Whose they are: two calendars may hold the same event.

    Raises:
        SyscallError: EINVAL, they hold no calendar; E2BIG.
    """
    found = Found()
    zones = Zones(home, found.notes)
    raw: list[Component] = []
    others: Counter[str] = Counter()
    size, began, method = 0, time.monotonic(), ""
    for data in files:
        size += len(data)
        if size > MOST_BYTES:
            raise SyscallError("E2BIG", f"The calendar has more than {MOST_BYTES >> 20} MB.", "Take it in parts.")
        text, encoding = decoded(data)
        if encoding:
            found.notes[f"files in {encoding} instead of UTF-8"] += 1
        if "BEGIN:VCALENDAR" not in text[:4096].upper():
            found.notes["files that hold no calendar"] += 1
            continue
        method = _method(text)
        if method == "REPLY":
            found.notes["answers to invitations"] += 1
            continue
        for component in components(text, found.notes):
            if component.name == "VTIMEZONE":
                zones.define(component)
            elif component.name == "VEVENT":
                raw.append(component)
                if method == "CANCEL":
                    component.raw.append("STATUS:CANCELLED")
            else:
                others[component.name] += 1
            if len(raw) > MOST_EVENTS:
                raise SyscallError("E2BIG", f"The calendar has more than {MOST_EVENTS:,} events.", "Take it in parts.")
    if others["VTODO"]:
        found.notes["to-dos"] += others["VTODO"]
    reader = _Reader(zones, found.notes, now, scope)
    for component in raw:
        if stop.is_set() or time.monotonic() - began > PATIENCE:
            raise SyscallError("E2BIG", f"Reading the calendar takes over {PATIENCE:.0f} s.", "Take it in parts.")
        entry = reader.entry(component)
        if entry is not None:
            found.entries.append(entry)
    found.entries = _together(found.entries)
    if not found.entries and found.notes["files that hold no calendar"]:
        raise SyscallError("EINVAL", "That is no calendar.", "It takes iCalendar files, which end in .ics.")
    return found


def _method(text: str) -> str:
    head = re.search(r"^METHOD:\s*(\w+)", text[:4096], re.IGNORECASE | re.MULTILINE)
    return head[1].upper() if head else ""


class _Reader:
    """Reads one event after another."""

    def __init__(self, zones: Zones, notes: Counter[str], now: datetime, scope: str) -> None:
        self._zones = zones
        self._notes = notes
        self._created = now.astimezone(UTC).isoformat(timespec="seconds")
        self._scope = scope
        self._repeated = 0

    def entry(self, component: Component) -> Entry | None:
        """The entry of a VEVENT; None where it can't be read."""
        lines: dict[str, list[Line]] = {}
        kept: list[str] = []
        for raw in component.raw:
            line = parsed(raw)
            if line is None:
                self._notes["lines that can't be read"] += 1
                continue
            kept.append(raw)
            lines.setdefault(line.name, []).append(line)
        component.raw = kept
        one = {name: some[0] for name, some in lines.items()}
        try:
            start, timed = self._moment(one["DTSTART"])
        except (KeyError, ValueError, OverflowError):
            self._notes["events without a time that can be read"] += 1
            return None
        if not FIRST_YEAR <= start.year <= LAST_YEAR:
            self._notes[f"events outside of {FIRST_YEAR} to {LAST_YEAR}"] += 1
            return None
        start = elapsed(start) if timed else start
        end = self._end(one, start, timed)
        added = self._walls(lines.get("RDATE", ()), start, timed)
        rule = self._rule(one, start, timed, added)
        occurrence = ""
        if "RECURRENCE-ID" in one:
            rule, added = "", []
            try:
                moment, has_time = self._moment(one["RECURRENCE-ID"])
            except (ValueError, OverflowError):
                self._notes["events without a time that can be read"] += 1
                return None
            occurrence = moment.astimezone(UTC).isoformat(timespec="minutes") if has_time else f"{moment:%Y-%m-%d}"
        uid = one["UID"].text.strip()[:1000] if "UID" in one else ""
        written = component.all_raw()
        said = [line for line in written if line.partition(":")[0].partition(";")[0].upper() not in _PASSING]
        digest = hashlib.blake2b("\n".join(said).encode("utf-8", "replace"), digest_size=16).hexdigest()
        uid = uid or f"{digest}@nowhere"
        event = Event(
            id=event_id(uid, occurrence, self._scope), title=_words(one.get("SUMMARY"), TITLE_LIMIT) or UNTITLED,
            start="", end="", zone="", timed=timed, rule=rule, said="", created=self._created, by=IMPORTED,
            skipped=self._walls(lines.get("EXDATE", ()), start, timed), added=added,
            place=_words(one.get("LOCATION"), TITLE_LIMIT), before=self._alarms(component, start, end),
        ).at(start, end, timed)  # fmt: skip
        changed = one["LAST-MODIFIED"].value.strip()[:20] if "LAST-MODIFIED" in one else ""
        cancelled = "STATUS" in one and lines["STATUS"][-1].value.strip().upper() == "CANCELLED"
        return Entry(uid, occurrence, _count(one.get("SEQUENCE")), changed, cancelled, event, written, digest)

    def _moment(self, line: Line) -> tuple[datetime, bool]:
        """A time with its zone, and whether it has a time of day.

        Raises:
            ValueError: It is none.
        """
        found = _DATE.fullmatch(line.value.strip())
        if found is None:
            raise ValueError(line.value)
        year, month, day = int(found[1]), int(found[2]), int(found[3])
        if found[4] is None:
            return datetime(year, month, day, tzinfo=self._zones.home), False
        zone = self._zones.home
        if found[7]:
            zone = self._zones.of("UTC")
        elif "TZID" in line.params:
            zone = self._zones.of(line.params["TZID"])
        return datetime(year, month, day, int(found[4]), int(found[5]), min(int(found[6]), 59), tzinfo=zone), True

    def _end(self, one: dict[str, Line], start: datetime, timed: bool) -> datetime | None:
        """The end, on the clock of the start."""
        end = None
        try:
            if "DTEND" in one:
                end, end_timed = self._moment(one["DTEND"])
                end = end.astimezone(start.tzinfo) if timed and end_timed else end.replace(tzinfo=start.tzinfo)
            elif "DURATION" in one:
                end = start + _duration(one["DURATION"].value)
        except (ValueError, OverflowError):
            self._notes["ends that can't be read"] += 1
        if end is None or end.replace(tzinfo=None) <= start.replace(tzinfo=None):
            return None
        if end.replace(tzinfo=None) - start.replace(tzinfo=None) > LONGEST:
            self._notes["events longer than ten years, of which the beginning is kept"] += 1
            return None
        return end

    def _rule(self, one: dict[str, Line], start: datetime, timed: bool, added: list[str]) -> str:
        if "RRULE" not in one:
            return ""
        try:
            if self._repeated >= MOST_REPEATED:
                raise rules.NotFollowed
            rule, starts = rules.taken(one["RRULE"].value.strip(), start, timed)
        except rules.NotFollowed:
            self._notes["repetitions that aren't followed: these come once"] += 1
            return ""
        self._repeated += 1
        if not starts:  # the time that is written out counts, whether or not the rule has it
            added.insert(0, f"{start.replace(tzinfo=None):%Y-%m-%dT%H:%M}")
        return rule

    def _walls(self, lines: Iterable[Line], start: datetime, timed: bool) -> list[str]:
        """Times as they are on the wall clock of an event."""
        walls: dict[str, None] = {}
        for line in lines:
            for value in line.value.split(",")[:MOST_SKIPPED]:
                try:
                    moment, has_time = self._moment(replace(line, value=value.partition("/")[0]))
                    if timed and not has_time:
                        moment = moment.replace(hour=start.hour, minute=start.minute, tzinfo=start.tzinfo)
                    elif timed:
                        moment = moment.astimezone(start.tzinfo)
                    else:
                        moment = moment.replace(hour=0, minute=0)
                    walls[f"{moment.replace(tzinfo=None):%Y-%m-%dT%H:%M}"] = None
                except (ValueError, OverflowError):
                    self._notes["single times that can't be read"] += 1
                if len(walls) >= MOST_SKIPPED:
                    return list(walls)
        return list(walls)

    def _alarms(self, component: Component, start: datetime, end: datetime | None) -> list[int] | None:
        """Seconds before the start; None where it says nothing of reminders."""
        found: list[int] = []
        parts = [part for part in component.parts if part.name == "VALARM"]
        for part in parts:
            one = {line.name: line for line in part.lines()}
            if "TRIGGER" not in one or ("ACTION" in one and one["ACTION"].value.strip().upper() == "NONE"):
                continue
            trigger = one["TRIGGER"]
            try:
                if trigger.params.get("VALUE", "").upper() == "DATE-TIME":
                    seconds = (start - self._moment(trigger)[0]).total_seconds()
                else:
                    seconds = -_duration(trigger.value).total_seconds()
                    if trigger.params.get("RELATED", "").upper() == "END" and end is not None:
                        seconds -= (end - start).total_seconds()
            except (ValueError, OverflowError):
                self._notes["alarms that can't be read"] += 1
                continue
            if LATEST_ALARM <= seconds <= EARLIEST_ALARM and len(found) < MOST_ALARMS:
                found.append(int(seconds))
        return sorted(set(found)) if parts else None


def event_id(uid: str, occurrence: str, scope: str) -> str:
    """The id of an event here: the same each time that it is read; its own where it comes from here."""
    ours = _OURS.fullmatch(uid)
    if ours and not occurrence and not scope:
        return ours[1]
    return hashlib.blake2b(f"{scope}\0{uid}\0{occurrence}".encode("utf-8", "replace"), digest_size=6).hexdigest()


def _together(entries: Sequence[Entry]) -> list[Entry]:
    """Each event once, in its last version; repetitions without the times of which something else is told."""
    last: dict[str, Entry] = {}
    for entry in entries:
        known = last.get(entry.event.id)
        if known is None or entry.newer(known.sequence, known.changed) >= 0:
            last[entry.event.id] = entry
    whole = {entry.uid: entry for entry in last.values() if not entry.occurrence}
    for entry in last.values():
        owner = whole.get(entry.uid) if entry.occurrence else None
        if owner is not None:
            owner.event = without(owner.event, entry.occurrence)
    return [*whole.values(), *(entry for entry in last.values() if entry.occurrence)]


def wall(occurrence: str, event: Event) -> str:
    """A time of a repetition on its own wall clock."""
    moment = datetime.fromisoformat(occurrence)
    if moment.tzinfo is not None:
        moment = moment.astimezone(zone_of(event.zone)).replace(tzinfo=None)
    elif event.timed:  # some programs name the day alone
        moment = datetime.combine(moment, event.first.time())
    return f"{moment:%Y-%m-%dT%H:%M}"


def without(event: Event, occurrence: str) -> Event:
    """A repetition without a time of which something else is told."""
    left_out = wall(occurrence, event)
    return event if left_out in event.skipped else replace(event, skipped=[*event.skipped, left_out])


def _words(line: Line | None, most: int) -> str:
    """The words of a line, in one line and without what isn't to be seen."""
    if line is None:
        return ""
    words = " ".join("".join(c if c.isprintable() else " " for c in line.text[: most * 4]).split())
    return words[:most]


def _count(line: Line | None) -> int:
    text = line.value.strip() if line else ""
    return int(text) if re.fullmatch(r"\d{1,9}", text) else 0


def _duration(value: str) -> timedelta:
    """A duration of RFC 5545.

    Raises:
        ValueError: It is none.
    """
    found = _DURATION.fullmatch(value.strip())
    if found is None or not any(found.groups()[1:]):
        raise ValueError(value)
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in found.groups()[1:])
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -length if found[1] == "-" else length
