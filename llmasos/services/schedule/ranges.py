"""Stretches with two ends: "from 9 till 11 tomorrow", "the 3rd to the 9th of August", 3月18日到22日."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from llmasos.services.schedule import english
from llmasos.services.schedule.days import Days, Prefer, resolve
from llmasos.services.schedule.moments import days_or_today, hour_of, midnight, moment, moment_of
from llmasos.services.schedule.parts import PARTS_OF_DAY, Parts, elapsed
from llmasos.services.schedule.reading import normalised, read

_TO = r"(?:to|till|until|through|thru|and|[-–—~]|\.\.)"
_CLOCKISH = r"\d{1,2}(?:[:.]\d{2})?\s*(?:am|pm)?"
_RANGES = [
    re.compile(r"^(?P<before>.*?)\bfrom (?P<a>.+?) (?:to|till|until|through|thru|[-–—~]) (?P<b>.+)$"),
    re.compile(r"^(?P<before>.*?)\bbetween (?P<a>.+?) and (?P<b>.+)$"),
    re.compile(r"^(?P<before>)(?P<a>.+?)\s*(?:\.\.|–|—|~)\s*(?P<b>.+)$"),
    re.compile(r"^(?P<before>)(?P<a>.+?)\s+(?:to|till|until|through|thru|-)\s+(?P<b>.+)$"),
    re.compile(
        rf"^(?P<before>.*?)(?:\bfrom )?(?P<a>\d{{1,2}}[:.]\d{{2}}(?:am|pm)?|\d{{1,2}}(?:am"
        rf"|pm)?)-(?P<b>{_CLOCKISH})(?P<after>\s.*)?$"
    ),
    re.compile(rf"^(?P<before>)(?P<a>(?:{english.WEEKDAY})\b|\d{{1,2}}(?:st|nd|rd|th)?)\s*-\s*(?P<b>.+)$"),
    re.compile(r"^(?P<before>)(?P<a>.+?) and (?P<b>.+)$"),
    re.compile(r"^(?P<before>.*?)从?(?P<a>.+?)\s*(?:到|至|直到)\s*(?P<b>.+)$"),
    re.compile(r"^(?P<before>)(?P<a>.+?)和(?P<b>.+)$"),
    re.compile(r"^(?P<before>)(?P<a>.*[点半刻分日号])\s*[-–—~]\s*(?P<b>.+)$"),
]


def ends_of(text: str, now: datetime) -> tuple[Parts, Parts] | None:
    """The two ends of a stretch, each with what the other says for both; None where it is no stretch."""
    phrase = re.sub(r"\b(1st|2nd) half\b", "_", normalised(text))
    if re.fullmatch(r"[\d-]+(?:[t ][\d:]+)?", phrase):
        return None  # an ISO date
    if "from" not in phrase and re.search(r"\b(?:5|10|20|25|quarter)(?: minutes)? to \d", phrase):
        return None  # "twenty to five"
    for pattern in _RANGES:
        m = pattern.match(phrase)
        if not m:
            continue
        after = m.groupdict().get("after") or ""
        left, left_rest = read(f"{m['before']} {m['a']}".strip(), now)
        right, right_rest = read(f"{m['b']}{after}", now)
        if left_rest or right_rest or left.bound or right.bound or left.exact or right.exact or left.span or right.span:
            continue
        if not (left.has_day or left.has_time) or not (right.has_day or right.has_time):
            continue
        if _joined(left, right):
            return left, right
    return None


def _joined(left: Parts, right: Parts) -> bool:
    """Let each end take from the other what was said once for both."""
    for lone, full in ((left, right), (right, left)):
        # "the 3rd to the 9th of August", "3 to 9 August", 3月18到22日
        if lone.bare and not lone.has_day and full.day is not None and not full.has_time:
            lone.day, lone.hour, lone.bare = lone.hour, None, False
        if lone.day is not None and lone.month is None and lone.months is None and full.day is not None:
            lone.month, lone.months, lone.year, lone.years = full.month, full.months, full.year, full.years
        if lone.month is not None and full.month is not None and lone.year is None and full is right:
            lone.year = full.year
    if left.has_time != right.has_time and not (left.has_day and right.has_day):
        return False
    if not left.has_day and right.has_day:
        left.take_day(right)
    elif left.has_day and not right.has_day:
        right.take_day(left)
    elif left.weeks is not None and right.weeks is None and right.weekday is not None:
        right.weeks = left.weeks
    elif left.months is not None and right.months is None and right.month is None and right.day is not None:
        right.months = left.months
    left.zone = right.zone = left.zone or right.zone
    return True


def resolve_ends(left: Parts, right: Parts, now: datetime, prefer: Prefer) -> tuple[datetime, datetime, bool, str]:
    """Start, end, whether times were said, and a note."""
    zone = now.tzinfo
    first = days_or_today(left, now, prefer)
    last = days_or_today(right, now, prefer)
    if not left.has_time and not right.has_time:
        if last.last < first.first:
            last = _after(right, first.first, now)
        return midnight(first.first, zone), midnight(last.last + timedelta(days=1), zone), False, ""
    if left.has_time != right.has_time:
        return _half_timed(left, right, first, now)
    if left.part and not right.part and not right.meridiem and not right.certain:
        right.part = left.part if right.hour is not None else None
    elif right.part and right.hour is not None and not left.part and not left.meridiem and not left.certain:
        left.part = right.part
    elif right.meridiem and not left.meridiem and not left.part and not left.certain and left.hour is not None:
        # "2 to 4pm" and "11 to 1pm": the start takes the end's half of the day unless it would come after it.
        left.meridiem = right.meridiem
        if hour_of(left)[0] > hour_of(right)[0]:
            left.meridiem = "am" if right.meridiem == "pm" else "pm"
    start, note = moment_of(left, first.first, now, upcoming=False)
    if right.hour is not None and not right.certain and not right.meridiem and not right.part:
        right_day = last.first
        choices = [
            moment(right_day, hour, right.minute, right.zone or zone)
            for hour in (right.hour, right.hour + 12)
            if hour <= 24
        ]
        end = next((c for c in choices if c > start), choices[0])
    else:
        end, _ = moment_of(right, last.first, now)
        if right.hour is None and right.part and right.part not in ("noon", "midnight", "dusk", "lunch"):
            end = moment(last.first, PARTS_OF_DAY[right.part][2], 0, zone)
    if end <= start:
        if right.on is not None or first != last:
            raise ValueError("it ends before it starts")
        end += timedelta(days=1)  # "from 22:00 to 6:00"
    if end <= now and prefer == "future":
        if first.movable:
            start, end = start + timedelta(days=7), end + timedelta(days=7)
        elif not left.has_day:
            start, end = start + timedelta(days=1), end + timedelta(days=1)
    return elapsed(start), elapsed(end), True, note


def _half_timed(left: Parts, right: Parts, first: Days, now: datetime) -> tuple[datetime, datetime, bool, str]:
    """A stretch with a time at one of its ends: "from Friday at 18:00 to Sunday"."""
    last = _after(right, first.first, now)
    note = ""
    if left.has_time:
        start, note = moment_of(left, first.first, now)
        end = midnight(last.last + timedelta(days=1), now.tzinfo)
    else:
        start = midnight(first.first, now.tzinfo)
        end, _ = moment_of(right, last.first, now)
    if end <= start:
        raise ValueError("it ends before it starts")
    return elapsed(start), elapsed(end), True, note


def _after(parts: Parts, first: date, now: datetime) -> Days:
    days = resolve(parts, first, "future")
    assert days is not None
    return days
