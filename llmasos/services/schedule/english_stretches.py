"""English distances, stretches, parts of the day, bounds: "in 20 minutes", "next week", "before noon"."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from llmasos.services.schedule.english import (
    DURATION,
    MONTH,
    SHIFT,
    SHIFTS,
    WEEKDAY,
    durations,
    month_number,
    offset,
    part_of_day,
    reach,
    unit_of,
    weekday_number,
)
from llmasos.services.schedule.parts import Parts, Rule, entering

RULES: list[Rule] = []
rule = entering(RULES)


# Distances


@rule(r"\b(?:the )?(week|month) after next\b")
def _after_next(m: re.Match[str], parts: Parts, now: datetime) -> None:
    if m[1] == "week":
        parts.weeks = 2
    else:
        parts.months = 2


@rule(rf"\b(?:within|in|during|over)?(?: the)? ?\b(?:next|coming|following)(?: the)? ({DURATION})")
def _next_days(m: re.Match[str], parts: Parts, now: datetime) -> None:
    reach(parts, now, durations(m[1]), 1)


@rule(rf"\bwithin (?:the )?({DURATION})")
def _within(m: re.Match[str], parts: Parts, now: datetime) -> None:
    reach(parts, now, durations(m[1]), 1)


@rule(rf"\b(?:in |over |during )?(?:the )?(?:last|past|previous) ({DURATION})")
def _last_days(m: re.Match[str], parts: Parts, now: datetime) -> None:
    reach(parts, now, durations(m[1]), -1)


@rule(rf"\bin (?:about |around )?({DURATION})(?:'s?)?(?: time)?(?: from now)?")
def _in(m: re.Match[str], parts: Parts, now: datetime) -> None:
    offset(parts, now, durations(m[1]), 1)


@rule(rf"\b({DURATION}) (?:from now|from today|later|hence)")
def _later(m: re.Match[str], parts: Parts, now: datetime) -> None:
    offset(parts, now, durations(m[1]), 1)


@rule(rf"\b({DURATION}) ago\b")
def _ago(m: re.Match[str], parts: Parts, now: datetime) -> None:
    offset(parts, now, durations(m[1]), -1)


@rule(rf"^\s*({DURATION})\s*$")
def _lone_duration(m: re.Match[str], parts: Parts, now: datetime) -> None:
    offset(parts, now, durations(m[1]), 1)


@rule(r"\b(?:the )?(?:(\d+) )?(day|week|month)s? (before|after|from)\b")
def _relative(m: re.Match[str], parts: Parts, now: datetime) -> None:
    amount = int(m[1]) if m[1] else None
    parts.relative = (amount, unit_of(m[2]), -1 if m[3] == "before" else 1)


# Stretches


@rule(r"\b(?:the )?(1st|2nd|first|second) half of\b")
def _half_of(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.edge = "first half" if m[1] in ("1st", "first") else "second half"


@rule(
    r"\b(?:the )?(?:very )?(end|beginning|start|middle|rest|remainder)(?: of)?\b(?=.*\w)|\b(early"
    r"|mid|late)[ -](?=\w)"
)
def _edge(m: re.Match[str], parts: Parts, now: datetime) -> None:
    word = m[1] or m[2]
    parts.edge = (
        "end"
        if word in ("end", "late")
        else "middle"
        if word in ("middle", "mid")
        else "rest"
        if word[0] == "r"
        else "start"
    )


@rule(r"\bweek of\b")
def _week_of(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.unit, parts.moment = "week", True


@rule(rf"\b(?:the )?(1st|2nd|3rd|4th|5th|last) ({WEEKDAY}|weekend|day)s?(?: (?:of|in)\b|$)(?=(.*))")
def _nth_weekday(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if m[1] == "last" and not m[3].strip():
        return False  # "last Thursday" is the one before today
    nth = -1 if m[1] == "last" else int(m[1][0])
    if m[2] == "day":
        if nth < 0:
            parts.edge = "end"
        else:
            parts.day = nth
        return True
    parts.nth = nth
    if m[2] == "weekend":
        parts.weekend = True
    else:
        parts.weekday = weekday_number(m[2])
    if not m[3].strip():
        parts.months = 0
    return True


@rule(rf"\b({SHIFT}) week\b")
def _week(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.weeks = 1 if m[1] in ("coming", "upcoming") else SHIFTS[m[1]]


@rule(r"\bthe week\b")
def _the_week(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.weeks = 0


@rule(rf"\b({SHIFT}|the) month\b")
def _month(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.months = 1 if m[1] in ("coming", "upcoming") else SHIFTS.get(m[1], 0)


@rule(rf"\b({SHIFT}|the) year\b")
def _year(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.years = 1 if m[1] in ("coming", "upcoming") else SHIFTS.get(m[1], 0)


@rule(rf"\b(?:({SHIFT}|the) )?weekend\b")
def _weekend(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.weekend, parts.shift = True, SHIFTS.get(m[1] or "", 0)


@rule(rf"\b(?:({SHIFT}|the) )?(spring|summer|autumn|fall|winter)\b")
def _season(m: re.Match[str], parts: Parts, now: datetime) -> None:
    first = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}[m[2]]
    parts.stretch, parts.shift = (first, 3), SHIFTS.get(m[1] or "")


@rule(r"\b(?:q([1-4])|(?:the )?([1-4])(?:st|nd|rd|th) quarter)\b")
def _quarter(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.stretch = (int(m[1] or m[2]) * 3 - 2, 3)


@rule(rf"\b({SHIFT}|the) quarter\b")
def _this_quarter(m: re.Match[str], parts: Parts, now: datetime) -> None:
    current = (now.month - 1) // 3 + SHIFTS.get(m[1], 0)
    parts.year = now.year + current // 4
    parts.stretch = (current % 4 * 3 + 1, 3)


@rule(rf"\b(?:({SHIFT}|on) )?({WEEKDAY})\b\.?")
def _weekday(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if parts.weekday is not None:
        return False
    parts.weekday, parts.shift = weekday_number(m[2]), SHIFTS.get(m[1] or "")
    return True


@rule(r"\b(?:the )?(\d{1,2})(?:st|nd|rd|th)\b(?: of)?")
def _day(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if parts.day is not None:
        return False
    parts.day = int(m[1])
    return True


@rule(rf"\b(?:({SHIFT}) )?({MONTH})\b(?:,? (\d{{4}})\b)?")
def _named_month(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if parts.month is not None:
        return False
    parts.month, parts.shift = month_number(m[2]), SHIFTS.get(m[1] or "", parts.shift)
    parts.year = int(m[3]) if m[3] else parts.year
    return True


@rule(r"\b((?:19|20)\d{2})\b(?!:)")
def _year_number(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if parts.year is not None:
        return False
    parts.year = int(m[1])
    return True


@rule(
    r"\b(?:in the |at |after )?(dawn|sunrise|morning|breakfast|noon|midday|lunchtime|lunch"
    r"|afternoon|dusk|sunset|evening|dinner|midnight|night)\b"
)
def _part_of_day(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if parts.part is not None:
        return False
    parts.part = part_of_day(m[1])
    return True


# What stands before or after


@rule(r"\b(before|by|after|since|until|till)\b|\b(starting|from)\b|\b(due)\b")
def _bound(m: re.Match[str], parts: Parts, now: datetime) -> None:
    word = m[1]
    if word:
        bounds: dict[str, Any] = {"till": "until"}
        parts.bound = bounds.get(word, word)
    elif m[2] == "from":
        parts.bound = "since"


@rule(r"\bsame time\b")
def _same_time(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.same_time = True
