"""From what was said about the day to days on the calendar."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from llmasos.services.schedule.parts import Edge, Parts, add_months, month_length

Prefer = Literal["future", "past"]
"""Which way a day without a year is looked for."""

NAMES = list(calendar.month_name)


class NoSuchDayError(ValueError):
    """The calendar has no such day; the message says why."""


@dataclass(frozen=True, slots=True)
class Days:
    """A stretch of days, both ends included.

    Attributes:
        movable: A weekday that is today as well, and could mean the one a week later.
    """

    first: date
    last: date
    movable: bool = False


def resolve(parts: Parts, today: date, prefer: Prefer) -> Days | None:
    """The days that were said, or None where nothing was said about the day.

    Raises:
        NoSuchDayError: 31 June.
    """
    if parts.relative:
        return _relative(parts, today, prefer)
    days = _stretch(parts, today, prefer)
    if days is None and parts.edge:
        days = Days(today, today)
    if days and parts.edge:
        days = _edge(days, parts.edge, today)
    return days


def _stretch(parts: Parts, today: date, prefer: Prefer) -> Days | None:
    if parts.on:
        return Days(parts.on, parts.last or parts.on)
    if parts.festival:
        return _festival(parts, today, prefer)
    if parts.stretch:
        return _season(parts, today, prefer)
    if parts.weeks is not None and parts.month is None and parts.months is None:
        return _in_week(parts, monday(today) + timedelta(weeks=parts.weeks))
    if parts.month is not None or parts.months is not None:
        return _in_month(parts, today, prefer)
    if parts.day is not None:
        return _day_of_month(parts.day, parts, today, prefer)
    if parts.weekend:
        if parts.year or parts.years is not None:
            raise NoSuchDayError("A year has many weekends.")
        saturday = monday(today) + timedelta(days=5, weeks=parts.shift or 0)
        # On a Sunday, "the weekend" is what is left of it.
        return Days(max(saturday, today) if parts.shift == 0 else saturday, saturday + timedelta(days=1))
    if parts.weekday is not None:
        return _weekday(parts.weekday, parts.shift, today, prefer)
    year = parts.year if parts.year is not None else today.year + parts.years if parts.years is not None else None
    if year is None:
        return None
    return Days(date(year, 1, 1), date(year, 12, 31))


def monday(day: date) -> date:
    """The first day of a day's week."""
    return day - timedelta(days=day.weekday())


def _relative(parts: Parts, today: date, prefer: Prefer) -> Days | None:
    assert parts.relative
    amount, unit, sign = parts.relative
    anchor = _stretch(parts, today, prefer)
    if anchor is None:
        raise NoSuchDayError("Nothing was said that it is before or after.")
    from_day = anchor.first if sign < 0 else anchor.last
    if amount is None and unit != "day":
        length = {"week": timedelta(weeks=1), "month": timedelta(days=30)}.get(unit, timedelta(days=1))
        if sign < 0:
            return Days(from_day - length, from_day - timedelta(days=1))
        return Days(from_day + timedelta(days=1), from_day + length)
    amount = amount or 1
    if unit == "month":
        day = add_months(from_day, sign * amount)
    else:
        day = from_day + timedelta(days=sign * amount * (7 if unit == "week" else 1))
    return Days(day, day)


def _festival(parts: Parts, today: date, prefer: Prefer) -> Days:
    assert parts.festival
    if parts.year is not None or parts.years is not None:
        first, last = parts.festival(parts.year if parts.year is not None else today.year + (parts.years or 0))
        return Days(first, last)
    years = range(today.year - 2, today.year + 4)
    found = []
    for year in years:
        try:
            found.append(Days(*parts.festival(year)))
        except ValueError:  # a lunar month without a 30th day
            continue
    fitting = (
        (days for days in reversed(found) if days.first <= today)
        if prefer == "past"
        else (days for days in found if days.last >= today)
    )
    days = next(fitting, None)
    if days is None:
        raise NoSuchDayError("no year has such a day.")
    return days


def _season(parts: Parts, today: date, prefer: Prefer) -> Days:
    assert parts.stretch
    month, count = parts.stretch

    def of(year: int) -> Days:
        first = date(year, month, 1)
        return Days(first, add_months(first, count) - timedelta(days=1))

    if parts.year is not None or parts.years is not None:
        return of(parts.year if parts.year is not None else today.year + (parts.years or 0))
    seasons = [of(year) for year in range(today.year - 2, today.year + 3)]
    if parts.shift == -1:
        return next(s for s in reversed(seasons) if s.last < today)
    if parts.shift == 1:
        return next(s for s in seasons if s.first > today)
    if parts.shift == 0:
        return of(today.year if not (month == 12 and today.month < 3) else today.year - 1)
    if prefer == "past":
        return next(s for s in reversed(seasons) if s.first <= today)
    return next(s for s in seasons if s.last >= today)


def _in_week(parts: Parts, start: date) -> Days:
    if parts.weekday is not None:
        day = start + timedelta(days=parts.weekday)
        return Days(day, day)
    if parts.weekend:
        return Days(start + timedelta(days=5), start + timedelta(days=6))
    return Days(start, start + timedelta(days=6))


def _in_month(parts: Parts, today: date, prefer: Prefer) -> Days:
    if parts.months is not None and parts.month is None:
        first = add_months(today.replace(day=1), parts.months)
        return _days_in(first.year, first.month, parts)
    assert parts.month is not None
    if not 1 <= parts.month <= 12:
        raise NoSuchDayError(f"There is no month {parts.month}.")
    if parts.year is not None or parts.years is not None:
        return _days_in(parts.year if parts.year is not None else today.year + (parts.years or 0), parts.month, parts)
    candidates = []
    for year in range(today.year - 8, today.year + 9):  # far enough for 29 February
        try:
            candidates.append(_days_in(year, parts.month, parts))
        except NoSuchDayError:
            continue
    if not candidates:
        _days_in(today.year, parts.month, parts)  # raises, saying why
    if parts.shift == -1:
        return next(d for d in reversed(candidates) if d.last < today)
    if parts.shift == 1:
        return next(d for d in candidates if d.first > today)
    if parts.shift == 0:
        return next((d for d in candidates if d.first.year == today.year), candidates[0])
    # "Friday 4 June" means a year in which that is a Friday, where one is near.
    if parts.weekday is not None and parts.day is not None and prefer == "future":
        near = [d for d in candidates if d.last >= today and d.first.weekday() == parts.weekday][:1]
        if near and (near[0].first - today).days < 366:
            return near[0]
    if prefer == "past":
        return next(d for d in reversed(candidates) if d.first <= today)
    return next(d for d in candidates if d.last >= today)


def _days_in(year: int, month: int, parts: Parts) -> Days:
    if not 1 <= year <= 9998:
        raise NoSuchDayError(f"The calendar has no year {year}.")
    length = month_length(year, month)
    if parts.nth is not None and (parts.weekday is not None or parts.weekend):
        weekday = 5 if parts.weekend else parts.weekday
        found = [d for d in range(1, length + 1) if date(year, month, d).weekday() == weekday]
        if abs(parts.nth) > len(found):
            raise NoSuchDayError(f"{NAMES[month]} {year} has no {parts.nth}th {calendar.day_name[weekday or 0]}.")
        day = date(year, month, found[parts.nth - 1 if parts.nth > 0 else -1])
        return Days(day, day + timedelta(days=1) if parts.weekend else day)
    if parts.day is not None:
        if not 1 <= parts.day <= length:
            raise NoSuchDayError(f"{NAMES[month]} {year} has no day {parts.day}.")
        return Days(date(year, month, parts.day), date(year, month, parts.day))
    return Days(date(year, month, 1), date(year, month, length))


def _day_of_month(day: int, parts: Parts, today: date, prefer: Prefer) -> Days:
    if not 1 <= day <= 31:
        raise NoSuchDayError(f"No month has a day {day}.")
    found = []
    for step in range(-13, 26):
        month = add_months(today.replace(day=1), step)
        if day <= month_length(month.year, month.month):
            found.append(month.replace(day=day))
    if parts.years is not None or parts.year is not None:
        raise NoSuchDayError("The month is missing.")
    past = prefer == "past"
    ahead = [d for d in reversed(found) if d <= today] if past else [d for d in found if d >= today]
    if parts.weekday is not None:  # "Saturday the 21st"
        ahead = [d for d in ahead if d.weekday() == parts.weekday] or ahead
    return Days(ahead[0], ahead[0])


def _weekday(weekday: int, shift: int | None, today: date, prefer: Prefer) -> Days:
    if shift == 1:
        day = monday(today) + timedelta(weeks=1, days=weekday)
        return Days(day, day)
    if shift == -1 or (shift is None and prefer == "past"):
        back = (today.weekday() - weekday) % 7
        day = today - timedelta(days=back or (7 if shift == -1 else 0))
        return Days(day, day)
    day = today + timedelta(days=(weekday - today.weekday()) % 7)
    return Days(day, day, movable=day == today and shift is None)


def _edge(days: Days, edge: Edge, today: date) -> Days:
    length = (days.last - days.first).days + 1
    middle = days.first + timedelta(days=length // 2)
    third = timedelta(days=max(length // 3, 1))
    if length > 360:  # a year's halves are six months each, its end is December
        middle = add_months(days.first, 6)
        third = timedelta(days=31)
    match edge:
        case "start":
            return Days(days.first, min(days.last, days.first + third - timedelta(days=1)))
        case "end":
            return Days(max(days.first, days.last - third + timedelta(days=1)), days.last)
        case "middle":
            third = timedelta(days=length // 3)
            return Days(days.first + third, days.last - third)
        case "first half":
            return Days(days.first, middle - timedelta(days=1)) if length > 1 else days
        case "second half":
            return Days(middle, days.last)
        case "rest":
            return Days(max(days.first, today), days.last)
