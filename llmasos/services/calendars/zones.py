"""Time zones of other programs, by name or by definition, as zones that are known here; and ours, written out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from llmasos.services.calendars.lines import Component
from llmasos.services.schedule import expansion
from llmasos.services.schedule.event import zone_name

COMMON = (
    "Europe/Berlin", "Europe/London", "Europe/Athens", "Europe/Moscow", "America/New_York", "America/Chicago",
    "America/Denver", "America/Los_Angeles", "America/Sao_Paulo", "Asia/Shanghai", "Asia/Tokyo", "Asia/Kolkata",
    "Asia/Dubai", "Australia/Sydney", "Pacific/Auckland",
)  # fmt: skip
"""Zones that are taken first where several have the same clock."""
WINDOWS = {
    "W. Europe Standard Time": "Europe/Berlin", "Central Europe Standard Time": "Europe/Budapest",
    "Romance Standard Time": "Europe/Paris", "Central European Standard Time": "Europe/Warsaw",
    "GMT Standard Time": "Europe/London", "FLE Standard Time": "Europe/Kiev", "GTB Standard Time": "Europe/Bucharest",
    "Russian Standard Time": "Europe/Moscow", "Turkey Standard Time": "Europe/Istanbul",
    "Eastern Standard Time": "America/New_York", "Central Standard Time": "America/Chicago",
    "Mountain Standard Time": "America/Denver", "Pacific Standard Time": "America/Los_Angeles",
    "E. South America Standard Time": "America/Sao_Paulo", "China Standard Time": "Asia/Shanghai",
    "Taipei Standard Time": "Asia/Taipei", "Tokyo Standard Time": "Asia/Tokyo", "Korea Standard Time": "Asia/Seoul",
    "Singapore Standard Time": "Asia/Singapore", "India Standard Time": "Asia/Kolkata",
    "Arabian Standard Time": "Asia/Dubai", "Israel Standard Time": "Asia/Jerusalem",
    "AUS Eastern Standard Time": "Australia/Sydney", "New Zealand Standard Time": "Pacific/Auckland",
}  # fmt: skip
"""Names that Outlook gives; most of its files define them too."""

_OFFSET = re.compile(r"(?:UTC|GMT)? ?([+-])(\d{1,2}):?(\d\d)?")
_RULE = re.compile(
    r"(?:(?:FREQ=YEARLY|INTERVAL=1|BYMONTH=\d{1,2}|BYDAY=-?[1-5]?[A-Z]{2}|BYMONTHDAY=[\d,-]{1,60}|WKST=[A-Z]{2}"
    r"|UNTIL=\d{8}(?:T\d{6}Z?)?)(?:;|$)){1,8}"
)
_UNTIL = re.compile(r"UNTIL=(\d{4})")
_OBSERVANCES = 200


class Zones:
    """The zones of one or several files.

    Args:
        home: The person's own zone, for what says none or one that nobody knows.
        notes: What couldn't be read is counted here.
    """

    def __init__(self, home: tzinfo, notes: Counter[str]) -> None:
        self.home = home
        self._notes = notes
        self._defined: dict[str, Component] = {}
        self._found: dict[str, tzinfo] = {}

    def define(self, definition: Component) -> None:
        """Take in a VTIMEZONE."""
        for line in definition.lines():
            if line.name == "TZID":
                self._defined.setdefault(line.text, definition)
                self._found.pop(line.text, None)

    def of(self, name: str) -> tzinfo:
        """The zone of a TZID."""
        if name not in self._found:
            zone = known(name) or self._by_definition(name)
            if zone is None:
                self._notes["times in a zone that isn't known, read in yours"] += 1
                return self.home
            self._found[name] = zone
        return self._found[name]

    def _by_definition(self, name: str) -> tzinfo | None:
        definition = self._defined.get(name)
        if definition is None:
            return None
        place = next((line.text for line in definition.lines() if line.name == "X-LIC-LOCATION"), "")
        return known(place) or _alike(_offsets(definition), self.home)


def known(name: str) -> tzinfo | None:
    """The zone of a name, as far as the name says it."""
    name = name.strip()
    if name.upper() in ("UTC", "GMT", "Z", "ETC/UTC"):
        return ZoneInfo("UTC") if name.upper() != "ETC/UTC" else ZoneInfo("Etc/UTC")
    if name in WINDOWS:
        return ZoneInfo(WINDOWS[name])
    offset = _OFFSET.fullmatch(name)
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes)) if minutes < 1440 else None
    parts = name.split("/")  # "/freeassociation.sourceforge.net/Europe/Berlin"
    candidates = ["/".join(parts[-count:]) for count in range(min(len(parts), 3), 0, -1)]
    return next((ZoneInfo(one) for one in candidates if one in _available()), None)


@cache
def _available() -> frozenset[str]:
    return frozenset(available_timezones())


@dataclass(frozen=True, slots=True)
class _Change:
    """A clock that is set."""

    at: datetime
    before: timedelta
    after: timedelta


_YEAR = 2026
"""The year in which definitions are compared; rules of today."""


def _offsets(definition: Component) -> list[_Change]:
    """How a definition sets its clock in that year, the state at its beginning first."""
    changes: list[_Change] = []
    for part in definition.parts[:_OBSERVANCES]:
        values = {line.name: line.value for line in part.lines()}
        before, after = _offset(values.get("TZOFFSETFROM", "")), _offset(values.get("TZOFFSETTO", ""))
        try:
            start = datetime.strptime(values.get("DTSTART", "")[:15], "%Y%m%dT%H%M%S")
        except ValueError:
            continue
        if before is None or after is None:
            continue
        rule = values.get("RRULE", "")
        until = _UNTIL.search(rule)
        if rule and _RULE.fullmatch(rule) and not (until and int(until[1]) < _YEAR):
            begin = datetime(_YEAR - 1, 1, 1, start.hour, start.minute, start.second)
            plain = ";".join(part for part in rule.split(";") if part and not part.startswith("UNTIL"))
            onsets = list(expansion.times(plain, begin, begin, datetime(_YEAR, 12, 31, 23, 59, 59)))
            changes += [_Change(onset, before, after) for onset in onsets[:_OBSERVANCES]]
        else:
            onsets = [start, *_dates(part)]
            changes += [_Change(onset, before, after) for onset in onsets if onset.year <= _YEAR]
    changes.sort(key=lambda change: change.at)
    first = [change for change in changes if change.at.year < _YEAR][-1:]
    return [*first, *(change for change in changes if change.at.year == _YEAR)]


def _dates(part: Component) -> Iterator[datetime]:
    for line in part.lines():
        for value in line.value.split(",") if line.name == "RDATE" else ():
            if re.fullmatch(r"\d{8}T\d{6}", value):
                try:
                    yield datetime.strptime(value, "%Y%m%dT%H%M%S")
                except ValueError:
                    continue


def _offset(value: str) -> timedelta | None:
    found = re.fullmatch(r"([+-])(\d\d)(\d\d)(\d\d)?", value.strip())
    if found is None or int(found[2]) > 23 or int(found[3]) > 59:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return -offset if found[1] == "-" else offset


def _alike(changes: Sequence[_Change], home: tzinfo) -> tzinfo | None:
    """The known zone whose clock is set like that; a fixed distance where it is never set."""
    if not changes:
        return None
    moments: list[tuple[datetime, timedelta]] = []
    for number, change in enumerate(changes):
        begin = max(change.at - change.before, datetime(_YEAR, 1, 1)) + timedelta(minutes=1)
        following = changes[number + 1] if number + 1 < len(changes) else None
        end = following.at - change.after if following else datetime(_YEAR, 12, 31)
        moments += [(at.replace(tzinfo=UTC), change.after) for at in (begin, end - timedelta(minutes=1)) if end > begin]
    if not moments:
        return None
    names = [*COMMON, *sorted(_available())]
    zones: Iterable[tzinfo] = (home, *(ZoneInfo(name) for name in names if name in _available()))
    if len({offset for _, offset in moments}) == 1:
        fixed = moments[0][1]
        same = all(at.astimezone(home).utcoffset() == fixed for at, _ in moments)
        return home if same else timezone(fixed)
    return next((zone for zone in zones if all(at.astimezone(zone).utcoffset() == o for at, o in moments)), None)


def definition(zone: tzinfo, first: int, last: int) -> list[str]:
    """A VTIMEZONE, as lines.

    Args:
        zone: The zone.
        first: The first year that it must be right for.
        last: The last one; where its clock is set by a yearly rule, that goes on.
    """
    name = tzid(zone)
    lines = ["BEGIN:VTIMEZONE", f"TZID:{name}"]
    start = datetime(first, 1, 1, tzinfo=UTC)
    offset = start.astimezone(zone).utcoffset() or timedelta(0)
    lines += _observance("STANDARD", start.replace(tzinfo=None), offset, offset, zone)
    yearly = {year: list(_changes(zone, year)) for year in range(first, last + 6)}
    rules = [_rule(change) for change in yearly[last]]
    steady = [rule for rule in rules if all(rule in map(_rule, yearly[year]) for year in range(last, last + 6))]
    begun: set[str] = set()
    for year in range(first, last + 1):
        for change in yearly[year]:
            rule = _rule(change)
            if rule in begun:
                continue
            goes_on = rule in steady and all(rule in map(_rule, yearly[y]) for y in range(year, last + 1))
            if goes_on:
                begun.add(rule)
            kind = "DAYLIGHT" if change.after > change.before else "STANDARD"
            lines += _observance(kind, change.at, change.before, change.after, zone, rule if goes_on else "")
    return [*lines, "END:VTIMEZONE"]


def tzid(zone: tzinfo) -> str:
    """What a zone is called in a file."""
    name = zone_name(zone)
    # Without the colon: where a name stands in a line, a colon ends it.
    return f"UTC{name.replace(':', '')}" if name[:1] in "+-" else name


def _observance(
    kind: str, at: datetime, before: timedelta, after: timedelta, zone: tzinfo, rule: str = ""
) -> list[str]:
    name = (at.replace(tzinfo=UTC) - before).astimezone(zone).tzname() or ""
    return [
        f"BEGIN:{kind}", f"DTSTART:{at:%Y%m%dT%H%M%S}", *([f"RRULE:{rule}"] if rule else []),
        f"TZOFFSETFROM:{_written(before)}", f"TZOFFSETTO:{_written(after)}", f"TZNAME:{name}", f"END:{kind}",
    ]  # fmt: skip


def _changes(zone: tzinfo, year: int) -> Iterator[_Change]:
    """The moments of a year at which a clock is set, on the clock before."""
    at = datetime(year, 1, 1, tzinfo=UTC)
    while at.year == year:
        after = at + timedelta(days=1)
        if at.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            low, high = at, after
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                same = middle.astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            moment = high.replace(microsecond=0)
            before, now = at.astimezone(zone).utcoffset(), after.astimezone(zone).utcoffset()
            assert before is not None and now is not None
            yield _Change(moment.replace(tzinfo=None) + before, before, now)
        at = after


def _rule(change: _Change) -> str:
    """The yearly rule of a change: "the last Sunday of March"."""
    at = change.at
    last = (at + timedelta(days=7)).month != at.month
    place = -1 if last else (at.day - 1) // 7 + 1
    return f"FREQ=YEARLY;BYMONTH={at.month};BYDAY={place}{('MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU')[at.weekday()]}"


def _written(offset: timedelta) -> str:
    seconds = int(offset.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    text = f"{sign}{seconds // 3600:02d}{seconds // 60 % 60:02d}"
    return f"{text}{seconds % 60:02d}" if seconds % 60 else text
