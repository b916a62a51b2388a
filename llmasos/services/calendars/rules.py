"""Repetitions of other programs as the schedule's own, and back: only what can be followed without end in sight.

A rule can be written in a line and keep a computer busy for hours. What is taken here has a next time within a few
years, at most 24 times a day, and no more than a thousand counted ones; hours and minutes only by their distance.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from llmasos.services.schedule import recurrence
from llmasos.services.schedule.event import zone_of
from llmasos.services.schedule.parts import elapsed

LONGEST = 500
"""Characters of a rule."""
MOST_COUNTED = 1_000
MOST_A_DAY = 24
MOST_APART = 10_000

_NUMBERS = {
    "BYMONTH": (1, 12), "BYMONTHDAY": (-31, 31), "BYYEARDAY": (-366, 366), "BYWEEKNO": (-53, 53),
    "BYSETPOS": (-366, 366), "BYHOUR": (0, 23), "BYMINUTE": (0, 59), "BYSECOND": (0, 59),
}  # fmt: skip
_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_DATE = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?")
_ORDER = (
    "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY",
    "BYHOUR", "BYMINUTE", "BYSECOND", "BYSETPOS",
)  # fmt: skip


class NotFollowed(ValueError):
    """A rule that isn't taken; the event comes once."""


def taken(value: str, start: datetime, timed: bool) -> tuple[str, bool]:
    """A rule as the schedule keeps it, and whether the event's own start is one of its times.

    Args:
        value: An RRULE.
        start: The first time, with its zone.
        timed: Whether it has a time of day.

    Raises:
        NotFollowed: It asks for more than is followed.
    """
    if len(value) > LONGEST:
        raise NotFollowed
    said = dict(part.upper().split("=", 1) for part in value.replace(" ", "").split(";") if "=" in part)
    fields = {name: said[name] for name in _ORDER if name in said}
    frequency = fields.get("FREQ")
    if "RSCALE" in said or frequency not in ("MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"):
        raise NotFollowed
    fields["INTERVAL"] = str(_number(fields.get("INTERVAL", "1"), 1, MOST_APART))
    if "COUNT" in fields:
        fields["COUNT"] = str(_number(fields["COUNT"], 1, MOST_COUNTED))
        fields.pop("UNTIL", None)
    if "UNTIL" in fields:
        fields["UNTIL"] = _until(fields["UNTIL"], start.tzinfo)
    if fields["INTERVAL"] == "1":
        del fields["INTERVAL"]
    if fields.get("WKST") == "MO" or fields.get("WKST", "") not in ("MO", "TU", "WE", "TH", "FR", "SA", "SU"):
        fields.pop("WKST", None)
    by = [name for name in fields if name.startswith("BY")]
    if frequency in ("MINUTELY", "HOURLY"):
        if by or not timed:
            raise NotFollowed
        return ";".join(f"{name}={fields[name]}" for name in _ORDER if name in fields), True
    for name in by:
        fields[name] = _days(fields[name], frequency) if name == "BYDAY" else _listed(fields[name], *_NUMBERS[name])
    if not timed:
        for name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
            fields.pop(name, None)
    times = 1
    for name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
        times *= len(fields[name].split(",")) if name in fields else 1
    if times > MOST_A_DAY:
        raise NotFollowed
    rule = ";".join(f"{name}={fields[name]}" for name in _ORDER if name in fields)
    endless = ";".join(f"{name}={fields[name]}" for name in _ORDER if name in fields and name not in ("COUNT", "UNTIL"))
    try:
        if recurrence.next_after(endless, start, start, inclusive=True) is None:
            raise NotFollowed
        first = recurrence.next_after(rule, start, start, inclusive=True)
    except (ValueError, OverflowError):
        raise NotFollowed from None
    return rule, first == start


def written(rule: str, zone: str, timed: bool) -> str:
    """A rule of the schedule as an RRULE: its end in UTC, or a date where it is for whole days."""
    fields = dict(part.split("=", 1) for part in rule.split(";"))
    if "UNTIL" in fields:
        last = datetime.strptime(fields["UNTIL"], "%Y%m%dT%H%M%S")
        if timed:
            fields["UNTIL"] = f"{elapsed(last.replace(tzinfo=zone_of(zone))).astimezone(UTC):%Y%m%dT%H%M%SZ}"
        else:
            fields["UNTIL"] = f"{last:%Y%m%d}"
    return ";".join(f"{name}={value}" for name, value in fields.items())


def _until(value: str, zone: tzinfo | None) -> str:
    """The last moment, on the wall clock of the event."""
    found = _DATE.fullmatch(value)
    if found is None:
        raise NotFollowed
    try:
        last = datetime.strptime(f"{found[1]}{found[2] or '235959'}", "%Y%m%d%H%M%S")
        if found[3]:
            last = last.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise NotFollowed from None
    if last > datetime(9000, 1, 1):
        last = datetime(9000, 1, 1) - timedelta(seconds=1)
    return f"{last:%Y%m%dT%H%M%S}"


def _number(text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[+-]?\d{1,6}", text) or not least <= int(text) <= most:
        raise NotFollowed
    return int(text)


def _listed(text: str, least: int, most: int) -> str:
    numbers = dict.fromkeys(_number(one, least, most) for one in text.split(",") if one)
    if not numbers or (least < 0 and 0 in numbers):
        raise NotFollowed
    return ",".join(map(str, numbers))


def _days(text: str, frequency: str) -> str:
    days = []
    for one in text.split(","):
        found = _DAY.fullmatch(one)
        if found is None or (found[1] and int(found[1]) == 0):
            raise NotFollowed
        # Only in months and years has a weekday a place.
        place = str(int(found[1])) if found[1] and frequency in ("MONTHLY", "YEARLY") else ""
        days.append(f"{place}{found[2]}")
    return ",".join(dict.fromkeys(days))
