"""From the parts of a phrase to a moment: which hour "at 4" is, on which day."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo

from llmasos.services.schedule.days import Days, Prefer, resolve
from llmasos.services.schedule.parts import PARTS_OF_DAY, Parts


def moment_of(parts: Parts, day: date, now: datetime, *, upcoming: bool = True) -> tuple[datetime, str]:
    """The moment of a time on a day, and a note where it could be another.

    Args:
        parts: What was said.
        day: The day it is on.
        now: The present.
        upcoming: Take the later reading of "at 8" where the usual one is over.
    """
    zone = parts.zone or now.tzinfo
    hour, ambiguous = hour_of(parts)
    note = ""
    if ambiguous:
        other = hour + 12 if hour < 12 else hour - 12
        if upcoming and moment(day, hour, parts.minute, zone) <= now < moment(day, other, parts.minute, zone):
            hour, other = other, hour
        if hour >= 12:
            note = f"Read as {hour:02d}:{parts.minute:02d}; the morning would be {other:02d}:{parts.minute:02d}."
    return moment(day, hour, parts.minute, zone), note


def hour_of(parts: Parts) -> tuple[int, bool]:
    """The hour from 0 to 30 (past 24: the next day), and whether it's a guess between morning and evening."""
    hour = parts.hour
    if hour is None:
        if parts.part is None:  # "the first", of which nothing is said: a day that is none, and no time of day
            raise ValueError("no time of day was said")
        return PARTS_OF_DAY[parts.part][0], False
    if parts.meridiem:
        return hour % 12 + (12 if parts.meridiem == "pm" else 0), False
    if parts.part == "midnight" and hour == 24:
        return 24, False
    if parts.part == "midnight" and parts.certain:
        return hour, False
    if parts.certain:
        return (hour + 24, False) if parts.part in ("tonight", "night", "midnight") and hour < 6 else (hour, False)
    match parts.part:
        case "dawn" | "morning":
            return hour % 12, False
        case "noon" | "lunch":
            return (hour if hour >= 10 else hour + 12), False
        case "afternoon" | "dusk" | "evening":
            return hour % 12 + 12, False
        case "tonight" | "night" | "midnight":
            return (24 if hour == 12 else hour + 12 if hour >= 5 else hour + 24), False
    if parts.hour == 12:
        return 12, False
    return (hour + 12, True) if hour < 7 else (hour, True)


def midnight(day: date, zone: tzinfo | None) -> datetime:
    """The first moment of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def moment(day: date, hour: int, minute: int, zone: tzinfo | None) -> datetime:
    """A time on a day; hours past 24 are of the next."""
    day += timedelta(days=hour // 24)
    return datetime(day.year, day.month, day.day, hour % 24, minute, tzinfo=zone)


def days_or_today(parts: Parts, now: datetime, prefer: Prefer) -> Days:
    """The days that were said, today where none were."""
    return resolve(parts, now.date(), prefer) or Days(now.date(), now.date())
