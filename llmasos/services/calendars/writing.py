"""Events as an iCalendar file that other programs read: what they wrote themselves is given back as it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from llmasos.services.calendars import rules
from llmasos.services.calendars.lines import escaped, folded
from llmasos.services.calendars.reading import OURS, wall
from llmasos.services.calendars.zones import definition, tzid
from llmasos.services.schedule.event import Event, zone_of
from llmasos.services.schedule.parts import elapsed

PRODUCT = "-//llmasos//llmasos//EN"
MANAGED = ("title", "start", "end", "zone", "timed", "rule", "skipped", "added", "place", "before")
"""What an event here and one in a file have in common."""
_TIME = frozenset({"DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "EXDATE", "RDATE"})
_VERSION = frozenset({"UID", "DTSTAMP", "SEQUENCE", "LAST-MODIFIED"})


def essence(event: Event) -> dict[str, Any]:
    """What makes an event the same as another."""
    found = {name: getattr(event, name) for name in MANAGED}
    return {
        **found,
        "skipped": sorted(event.skipped),
        "added": sorted(event.added),
        "rule": sorted(event.rule.split(";")),
    }


def calendar(events: Iterable[Event], known: Mapping[str, Mapping[str, Any]], now: datetime) -> str:
    """A whole calendar.

    Args:
        events: What goes into it.
        known: Id -> what was kept when an event was imported, for those that were.
        now: The present.
    """
    events = list(events)
    # What is told of single times belongs to these, which must not leave them out then.
    told: dict[str, set[str]] = {}
    for event in events:
        record = known.get(event.id, {})
        if record.get("occurrence"):
            told.setdefault(record["uid"], set()).add(record["occurrence"])
    bodies: list[str] = []
    years: dict[str, tuple[tzinfo, int]] = {}
    for event in events:
        record = known.get(event.id, {})
        bodies += _event(event, record, told.get(str(record.get("uid") or ""), set()), now)
        zone = zone_of(event.zone)
        if event.timed and not _is_utc(zone, event):
            year = int(event.start[:4])
            years[tzid(zone)] = (zone, min(year, years.get(tzid(zone), (zone, year))[1]))
    last = now.year + 1
    zones = [line for zone, first in years.values() for line in definition(zone, min(max(first, 1970), last), last)]
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODUCT}", "CALSCALE:GREGORIAN"]
    return "".join(f"{folded(line)}\r\n" for line in [*head, *zones, *bodies, "END:VCALENDAR"])


def _event(event: Event, record: Mapping[str, Any], told: set[str], now: datetime) -> list[str]:
    """A VEVENT: what was imported with its own lines, as far as nothing was changed here."""
    was = record.get("was")
    changed = {name for name, value in essence(event).items() if not was or was[name] != value}
    rule = event.rule if event.rule.startswith("FREQ=") else ""  # one by another calendar has no such form
    ours = {
        "SUMMARY": [f"SUMMARY:{escaped(event.title)}"],
        "LOCATION": [f"LOCATION:{escaped(event.place)}"] if event.place else [],
        "RRULE": [f"RRULE:{rules.written(rule, event.zone, event.timed)}"] if rule else [],
    }
    kept = dict.fromkeys(("title", "place", "rule"), False)
    names = {"title": "SUMMARY", "place": "LOCATION", "rule": "RRULE"}
    out = ["BEGIN:VEVENT", f"UID:{record['uid']}" if record else f"UID:{event.id}{OURS}"]
    out.append(f"DTSTAMP:{now.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    sequence = int(record.get("sequence", 0)) + (1 if was and changed else 0)
    if sequence:
        out.append(f"SEQUENCE:{sequence}")
    if was and changed:
        out.append(f"LAST-MODIFIED:{now.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    elif record.get("changed"):
        out.append(f"LAST-MODIFIED:{record['changed']}")
    out += _times(event, str(record.get("occurrence") or ""), told)
    body: list[str] = []
    depth: list[str] = []
    for line in record.get("raw", ()):
        name = line.partition(":")[0].partition(";")[0].upper()
        if name == "BEGIN":
            depth.append(line[6:].strip().upper())
        if not depth and name in _TIME | _VERSION:
            continue
        managed = next((one for one, of in names.items() if of == name), "") if not depth else ""
        if managed and (managed in changed or kept[managed]):
            continue
        if depth[:1] != ["VALARM"] or "before" not in changed:
            body.append(line)
        if managed:
            kept[managed] = True
        if name == "END" and depth:
            depth.pop()
    for one, of in names.items():
        if not kept[one] and (not was or one in changed):
            out += ours[of]
    if "before" in changed:
        body += _alarms(event)
    return [*out, *body, "END:VEVENT"]


def _times(event: Event, occurrence: str, told: set[str]) -> list[str]:
    """When it is: always written anew, in zones that this file defines."""
    zone = zone_of(event.zone)
    start = event.first
    out = [_at("DTSTART", start.replace(tzinfo=None), event, zone)]
    if event.length is not None:
        out.append(_at("DTEND", start.replace(tzinfo=None) + event.length, event, zone))
    if occurrence:
        out.append(_at("RECURRENCE-ID", datetime.fromisoformat(wall(occurrence, event)), event, zone))
    for name, walls in (("EXDATE", event.skipped), ("RDATE", event.added)):
        apart = {wall(one, event) for one in told} if name == "EXDATE" else set()
        if event.rule or event.added:
            out += [_at(name, datetime.fromisoformat(one), event, zone) for one in sorted(set(walls) - apart)]
    return out


def _at(name: str, at: datetime, event: Event, zone: tzinfo) -> str:
    """A line with a time."""
    if not event.timed:
        return f"{name};VALUE=DATE:{at:%Y%m%d}"
    if _is_utc(zone, event):
        return f"{name}:{elapsed(at.replace(tzinfo=zone)).astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"{name};TZID={tzid(zone)}:{at:%Y%m%dT%H%M%S}"


def _is_utc(zone: tzinfo, event: Event) -> bool:
    return (event.zone == "UTC" and (not isinstance(zone, ZoneInfo) or zone.key == "UTC")) or zone is UTC


def _alarms(event: Event) -> list[str]:
    """A VALARM for each reminder."""
    out = []
    for seconds in event.before or ():
        out += ["BEGIN:VALARM", "ACTION:DISPLAY", f"TRIGGER:{_duration(-seconds)}",
                f"DESCRIPTION:{escaped(event.title)}", "END:VALARM"]  # fmt: skip
    return out


def _duration(seconds: int) -> str:
    sign, length = ("-", timedelta(seconds=-seconds)) if seconds < 0 else ("", timedelta(seconds=seconds))
    hours, rest = divmod(length.seconds, 3600)
    time = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (rest // 60, "M"), (rest % 60, "S")) if number)
    days = f"{length.days}D" if length.days else ""
    return f"{sign}P{days}{'T' + time if time else ''}" if days or time else "PT0S"
