"""English clock times: "half past six", "7 in the evening", "18:30"."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from llmasos.services.schedule.english import UNIT
from llmasos.services.schedule.parts import Parts, Rule, entering

RULES: list[Rule] = []
rule = entering(RULES)


@rule(
    r"\b(half|(?:1 )?quarter|\d{1,2}(?: minutes?)?) (past|after|to|before|till|of) "
    r"(\d{1,2}|midnight|noon)\b(?!:|st|nd|rd|th|/)(?: ?(am|pm)\b)?"
)
def _past_to(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    amount = 30 if m[1] == "half" else 15 if "quarter" in m[1] else int(m[1].split()[0])
    named = {"midnight": 24, "noon": 12}.get(m[3])
    # "5 to 6" is a quarter of the clock in speech, but "3 to 9" a range: only the fives are minutes.
    spoken = (
        "quarter" in m[1]
        or "minute" in m[1]
        or m[1] == "half"
        or (m[2] in ("past", "to") and amount in (5, 10, 20, 25))
    )
    if amount > 59 or not (spoken or named):
        return False
    hour = int(m[3]) if named is None else named
    if (
        m[2] == "to"
        and not named
        and "minute" not in m[1]
        and "quarter" not in m[1]
        and re.search(r"\b(?:from|between) $", m.string[: m.start()])
    ):
        return False
    minutes = hour * 60 + (amount if m[2] in ("past", "after") else -amount)
    parts.hour, parts.minute = divmod(minutes, 60)
    if parts.hour == 0 and named is None:
        parts.hour = 12
    parts.certain = named is not None
    parts.meridiem = _meridiem(m[4])
    return True


@rule(r"\bhalf (\d{1,2})\b(?!:)")
def _half(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.hour, parts.minute = int(m[1]), 30


@rule(
    r"(?<![\d.])(\d{1,2})[:.h](\d{2})(?::\d{2}(?:\.\d+)?)?\s*(am|pm)?(?![\d.:m])(?:\s*(?:uhr"
    r"|o'clock|hours|hrs))?"
)
def _clock(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    hour, minute = int(m[1]), int(m[2])
    if hour > 24 or minute > 59:
        return False
    parts.hour, parts.minute, parts.meridiem = hour, minute, _meridiem(m[3])
    # "10:30" is a time of the clock; "4:30" is said for the afternoon as well.
    parts.certain = m[3] is None and (hour == 0 or hour >= 10 or m[1].startswith("0"))
    return True


@rule(r"(?<![\d.])(\d{1,2})\s*(am|pm)\b")
def _am_pm(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if not 0 <= int(m[1]) <= 12:
        return False
    parts.hour, parts.meridiem = int(m[1]), _meridiem(m[2])
    return True


@rule(r"(?<![\d.])(\d{1,2})\s*(?:o'clock|uhr|heures?|h(?!\w))(?! (?:from|ago|later))")
def _oclock(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if re.search(r"\bin $", m.string[: m.start()]) or (m[0].endswith("h") and m.start() == 0 and int(m[1]) < 13):
        return False  # "in 2h" is a distance
    return _hour(parts, int(m[1]))


@rule(r"\b(0\d|1\d|2[0-3])([0-5]\d) (?:hours|hrs)\b")
def _military(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.hour, parts.minute, parts.certain = int(m[1]), int(m[2]), True


@rule(
    r"(?:\bat|\bby|\baround|\babout|@|\ba las|\bum|\bà)\s*(\d{1,2}) ([0-5]\d)\b(?! (?:minute|hour"
    r"|day|week|month))"
)
def _spoken(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    parts.minute = int(m[2])
    return _hour(parts, int(m[1]))


@rule(
    rf"(?:\bat|\baround|\babout|\bby|@|\ba las|\balle|\bum|\bà|\bàs)\s*(\d{{1,2}})(?![\d.:/]"
    rf"|\s*(?:st|nd|rd|th)\b|\s*{UNIT}\b|%)"
)
def _at(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    return _hour(parts, int(m[1]))


def _hour(parts: Parts, hour: int) -> bool:
    if hour > 24 or parts.hour is not None:
        return False
    parts.hour, parts.certain = hour, hour > 12 or hour == 0
    return True


def _meridiem(word: str | None) -> Literal["am", "pm"] | None:
    return None if not word else "am" if word == "am" else "pm"
