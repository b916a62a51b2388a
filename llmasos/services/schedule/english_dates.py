"""English dates and days counted from today; a rule sees only what the rules before it left."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from llmasos.services.schedule.english import MONTH, month_number, part_of_day
from llmasos.services.schedule.parts import Parts, Rule, entering

RULES: list[Rule] = []
rule = entering(RULES)


# Whole dates


@rule(r"\b(\d{4})-(\d{1,2})-(\d{1,2})(?:t|\b)|\b(\d{4})/(\d{1,2})/(\d{1,2})\b")
def _iso(m: re.Match[str], parts: Parts, now: datetime) -> None:
    year, month, day = (int(g) for g in m.groups() if g)
    parts.on = date(year, month, day)


@rule(r"\b(\d{1,2})\.(\d{1,2})\.(\d{4}|\d{2}\b)?")
def _dotted(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if int(m[2]) > 12:
        return False
    parts.day, parts.month = int(m[1]), int(m[2])
    parts.year = _century(m[3])
    return True


@rule(r"\b(\d{1,2})/(\d{1,2})(?:/(\d{4}|\d{2}))?\b")
def _slashed(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    first, second = int(m[1]), int(m[2])
    # Day first as in most of the world, month first where the person's clock is American.
    zone = str(now.tzinfo)
    month_first = zone.startswith(("America/", "US/")) if max(first, second) <= 12 else second > 12
    parts.month, parts.day = (first, second) if month_first else (second, first)
    parts.year = _century(m[3])
    return parts.month <= 12


def _century(digits: str | None) -> int | None:
    return None if not digits else int(digits) if len(digits) == 4 else 2000 + int(digits)


@rule(r"\b(\d{4})-(\d{2})\b(?!-)")
def _iso_month(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.year, parts.month = int(m[1]), int(m[2])


@rule(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({MONTH})\b\.?(?:,? (\d{{4}})\b(?!:))?")
def _day_month(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.day, parts.month, parts.year = int(m[1]), month_number(m[2]), int(m[3]) if m[3] else None


@rule(rf"\b({MONTH})\.? (?:the )?(\d{{1,2}})(?:st|nd|rd|th)?\b(?!\s*(?::|am|pm|o'clock))(?:,? (\d{{4}})\b)?")
def _month_day(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.month, parts.day, parts.year = month_number(m[1]), int(m[2]), int(m[3]) if m[3] else None


# Counted from today


@rule(r"\b(?:the )?day after tomorrow\b|\bin 2 days\b")
def _day_after_tomorrow(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.on = now.date() + timedelta(days=2)


@rule(r"\b(?:the )?day before yesterday\b")
def _day_before_yesterday(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.on = now.date() - timedelta(days=2)


@rule(r"\blast night\b")
def _last_night(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.on, parts.part = now.date() - timedelta(days=1), "night"


@rule(r"\b(today|tomorrow|yesterday)\b")
def _today(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.on = now.date() + timedelta(days={"today": 0, "tomorrow": 1, "yesterday": -1}[m[1]])


@rule(r"\btonight\b")
def _tonight(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.on = parts.on or now.date()
    parts.part = "tonight"


@rule(r"\bthis (morning|afternoon|evening|noon|lunchtime)\b")
def _this_part(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.on = now.date()
    parts.part = part_of_day(m[1])
