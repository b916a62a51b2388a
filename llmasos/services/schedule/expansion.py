"""The times of an RRULE (RFC 5545), period by period: in each year, month, week or day those that all parts let by.

Our own, for it has to end: a rule comes from anybody's calendar, and one that never has a time ("30 February") is
followed by other expanders to the year 9999, which takes half a minute. Here the caller says how far, and no period
costs more than its days.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import product

from llmasos.services.schedule.parts import add_months, month_length
from llmasos.services.schedule.rrule import DAYS

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """An RRULE in numbers; what it doesn't say is empty."""

    frequency: str
    interval: int
    count: int | None
    week_start: int
    months: frozenset[int]
    weeks: frozenset[int]
    year_days: frozenset[int]
    month_days: frozenset[int]
    weekdays: frozenset[int]
    placed: frozenset[tuple[int, int]]
    """(place, weekday): the second Monday, the last Friday."""
    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]
    places: tuple[int, ...]
    """BYSETPOS: which of a period's times."""


@lru_cache(maxsize=4096)
def parsed(rule: str) -> Rule:
    """A rule in numbers.

    Raises:
        ValueError: It is none.
    """
    fields = dict(part.split("=", 1) for part in rule.split(";"))

    def numbers(name: str) -> tuple[int, ...]:
        return tuple(int(number) for number in fields[name].split(",")) if name in fields else ()

    days = [(int(code[:-2] or 0), DAYS.index(code[-2:])) for code in fields.get("BYDAY", "").split(",") if code]
    return Rule(
        frequency=fields["FREQ"],
        interval=int(fields.get("INTERVAL", 1)),
        count=int(fields["COUNT"]) if "COUNT" in fields else None,
        week_start=DAYS.index(fields.get("WKST", "MO")),
        months=frozenset(numbers("BYMONTH")),
        weeks=frozenset(numbers("BYWEEKNO")),
        year_days=frozenset(numbers("BYYEARDAY")),
        month_days=frozenset(numbers("BYMONTHDAY")),
        weekdays=frozenset(day for place, day in days if not place),
        placed=frozenset((place, day) for place, day in days if place),
        hours=numbers("BYHOUR"),
        minutes=numbers("BYMINUTE"),
        seconds=numbers("BYSECOND"),
        places=numbers("BYSETPOS"),
    )


def times(text: str, start: datetime, since: datetime, last: datetime) -> Iterator[datetime]:
    """The times of a rule, in order, on a clock without a zone.

    Args:
        text: A rule by days or more; its UNTIL is the caller's affair.
        start: The first time; none is before it.
        since: From when on; where the rule doesn't count, what is before isn't walked through.
        last: Until when.
    """
    rule = parsed(text)
    if rule.interval < 1:
        return
    clock = sorted(
        time(*parts) for parts in product(
            rule.hours or (start.hour,), rule.minutes or (start.minute,), rule.seconds or (start.second,)
        )
    )  # fmt: skip
    number = 0 if rule.count is not None else max(_period_of(rule, start.date(), since.date()) // rule.interval - 1, 0)
    found = 0
    while True:
        try:
            first, days = _period(rule, start.date(), number * rule.interval)
        except (OverflowError, ValueError):  # the calendar ends
            return
        if first > last.date():
            return
        number += 1
        moments: Sequence[datetime] = [
            datetime.combine(day, at) for day in days if _lets(rule, start, day) for at in clock
        ]
        if rule.places:
            size = len(moments)
            chosen = {place - 1 if place > 0 else size + place for place in rule.places}
            moments = [moments[index] for index in sorted(chosen) if 0 <= index < size]
        for moment in moments:
            if moment < start:
                continue
            found += 1
            if moment > last or (rule.count is not None and found > rule.count):
                return
            if moment >= since:
                yield moment


def _period_of(rule: Rule, start: date, day: date) -> int:
    """How many periods after the start a day is."""
    match rule.frequency:
        case "YEARLY":
            return day.year - start.year
        case "MONTHLY":
            return (day.year - start.year) * 12 + day.month - start.month
        case "WEEKLY":
            return (day - start).days // 7
    return (day - start).days


def _period(rule: Rule, start: date, number: int) -> tuple[date, Iterator[date]]:
    """The first day of a period, and its days as far as the months let them through."""
    match rule.frequency:
        case "YEARLY":
            year = start.year + number
            months = sorted(rule.months) or range(1, 13)
            if not rule.months and not (
                rule.weeks or rule.year_days or rule.month_days or rule.weekdays or rule.placed
            ):
                months = [start.month]
            firsts = [date(year, month, 1) for month in months if 1 <= month <= 12]
            return date(year, 1, 1), (day for first in firsts for day in _month(first))
        case "MONTHLY":
            first = add_months(start.replace(day=1), number)
            return first, _month(first)
        case "WEEKLY":
            first = start - timedelta(days=(start.weekday() - rule.week_start) % 7) + timedelta(weeks=number)
            return first, (first + timedelta(days=n) for n in range(7))
    first = start + timedelta(days=number)
    return first, iter([first])


def _month(first: date) -> Iterator[date]:
    return (first.replace(day=day) for day in range(1, month_length(first.year, first.month) + 1))


def _lets(rule: Rule, start: datetime, day: date) -> bool:
    """Whether all parts of a rule let a day through; what the rule leaves open is as in its first time."""
    if rule.months and day.month not in rule.months:
        return False
    if rule.month_days:
        if not {day.day, day.day - month_length(day.year, day.month) - 1} & rule.month_days:
            return False
    elif not (rule.weeks or rule.year_days or rule.weekdays or rule.placed):
        if rule.frequency in ("YEARLY", "MONTHLY") and day.day != start.day:
            return False
        if rule.frequency == "WEEKLY" and day.weekday() != start.weekday():
            return False
    if (rule.weekdays or rule.placed) and day.weekday() not in rule.weekdays and not _placed(rule, day):
        return False
    if rule.year_days:
        of_year = day.timetuple().tm_yday
        if not {of_year, of_year - (366 if isleap(day.year) else 365) - 1} & rule.year_days:
            return False
    if rule.weeks:
        week, count = _week(day, rule.week_start)
        return bool({week, week - count - 1} & rule.weeks)
    return True


def _placed(rule: Rule, day: date) -> bool:
    """Whether a day is the second Monday, counted in its month, or in its year where the rule names no month."""
    in_year = rule.frequency == "YEARLY" and not rule.months
    if in_year:
        before = day.timetuple().tm_yday - 1
        after = (366 if isleap(day.year) else 365) - before - 1
    else:
        before, after = day.day - 1, month_length(day.year, day.month) - day.day
    return bool({(before // 7 + 1, day.weekday()), (-(after // 7) - 1, day.weekday())} & rule.placed)


def _week(day: date, week_start: int) -> tuple[int, int]:
    """The number of a day's week, and how many weeks the year has that the week belongs to."""
    first = day - timedelta(days=(day.weekday() - week_start) % 7)
    year = (first + timedelta(days=3)).year  # a week belongs to where most of its days are

    def begin(year: int) -> date:
        fourth = date(year, 1, 4)
        return fourth - timedelta(days=(fourth.weekday() - week_start) % 7)

    return (first - begin(year)).days // 7 + 1, (begin(year + 1) - begin(year)).days // 7
