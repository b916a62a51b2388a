"""What a time phrase says, piece by piece, before it is put on the calendar."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Literal

PartOfDay = Literal["dawn", "morning", "noon", "lunch", "afternoon", "dusk", "evening", "tonight", "night", "midnight"]
Edge = Literal["start", "middle", "end", "first half", "second half", "rest"]
Bound = Literal["before", "by", "after", "since", "until"]
Unit = Literal["second", "minute", "hour", "day", "week", "month", "year"]

PARTS_OF_DAY: dict[PartOfDay, tuple[int, int, int]] = {
    "dawn": (5, 0, 6),
    "morning": (9, 5, 12),
    "noon": (12, 11, 14),
    "lunch": (13, 11, 15),
    "afternoon": (15, 12, 18),
    "dusk": (18, 17, 20),
    "evening": (19, 17, 24),
    "tonight": (20, 17, 29),
    "night": (21, 18, 29),
    "midnight": (24, 23, 25),
}
"""Part of the day -> the hour that stands for it alone, and the hours it lasts (past 24: of the next day)."""


@dataclass
class Parts:
    """The pieces of one phrase; what wasn't said is None.

    Attributes:
        on: One whole date, absolute or counted from today.
        last: With `on`, the last day of a stretch.
        year: A year by its number.
        years: A year counted from this one.
        month: A month by its number.
        months: A month counted from this one.
        weeks: A week counted from this one.
        day: A day of the month.
        weekday: Monday is 0.
        shift: How the weekday, weekend, month or season was named: -1 last, 0 this, 1 next.
        weekend: Whether a weekend was named.
        nth: "the first Monday", -1 for the last.
        stretch: First month and number of months: a season, a quarter.
        festival: The first and last day of a named day in a year.
        relative: "the week before", "3 days after": how many, of what, -1 or 1; no number: the unit whole.
        edge: "the end of", "the first half of", ...
        exact: A moment counted from now.
        moment: The moment lies in the middle of what is meant: "two hours ago".
        unit: The unit that an offset was said in.
        hour: 0-24.
        certain: The hour can't be meant twelve hours later: "14:00", "09:15".
        bare: The hour is a lone number that could be a day of the month as well.
        meridiem: am or pm.
        part: The part of the day.
        bound: "before", "since", ...
        zone: A time zone that was said.
        same_time: "at the same time".
        span: A stretch counted from now: "the next three hours".
    """

    on: date | None = None
    last: date | None = None
    year: int | None = None
    years: int | None = None
    month: int | None = None
    months: int | None = None
    weeks: int | None = None
    day: int | None = None
    weekday: int | None = None
    shift: int | None = None
    weekend: bool = False
    nth: int | None = None
    stretch: tuple[int, int] | None = None
    festival: Callable[[int], tuple[date, date]] | None = None
    relative: tuple[int | None, Unit, int] | None = None
    edge: Edge | None = None
    exact: datetime | None = None
    moment: bool = False
    unit: Unit | None = None
    hour: int | None = None
    minute: int = 0
    certain: bool = False
    bare: bool = False
    meridiem: Literal["am", "pm"] | None = None
    part: PartOfDay | None = None
    bound: Bound | None = None
    zone: tzinfo | None = None
    same_time: bool = False
    span: tuple[datetime, datetime] | None = None

    DAY_FIELDS = (
        *("on", "last", "year", "years", "month", "months", "weeks", "day", "weekday", "shift"),
        *("weekend", "nth", "stretch", "festival", "relative", "edge"),
    )

    @property
    def has_day(self) -> bool:
        """Whether anything about the day was said."""
        # By identity: 0 is this week, this month, Monday.
        return any(getattr(self, n) is not None and getattr(self, n) is not False for n in self.DAY_FIELDS)

    @property
    def has_time(self) -> bool:
        """Whether anything about the time of day was said."""
        return self.hour is not None or self.part is not None or self.exact is not None

    def take_day(self, other: Parts) -> None:
        """Take over what another phrase said about the day."""
        for name in self.DAY_FIELDS:
            setattr(self, name, getattr(other, name))


Action = Callable[[re.Match[str], Parts, datetime], bool | None]
"""Notes what a match says. False: the match says nothing after all, leave it."""

Rule = tuple[re.Pattern[str], Action]


def entering(rules: list[Rule]) -> Callable[[str], Callable[[Action], Action]]:
    """A decorator that enters actions into a list of rules, with the pattern that calls them."""

    def rule(pattern: str) -> Callable[[Action], Action]:
        def enter(action: Action) -> Action:
            rules.append((re.compile(pattern), action))
            return action

        return enter

    return rule


def add(moment: datetime, amount: float, unit: Unit) -> datetime:
    """A moment some units later. Hours and less are elapsed time; days and more keep the wall clock."""
    if unit in ("second", "minute", "hour"):
        seconds = amount * {"second": 1, "minute": 60, "hour": 3600}[unit]
        return elapsed(moment, seconds)
    if unit in ("day", "week"):
        return moment + timedelta(days=amount * (7 if unit == "week" else 1))
    months = round(amount * (12 if unit == "year" else 1))
    day = add_months(moment.date(), months)
    return moment.replace(year=day.year, month=day.month, day=day.day)


def elapsed(moment: datetime, seconds: float = 0.0) -> datetime:
    """A moment some elapsed seconds later; also moves a time that the clock skips to the one that exists."""
    if moment.tzinfo is None:
        return moment + timedelta(seconds=seconds)
    return (moment.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(moment.tzinfo)


def add_months(day: date, months: int) -> date:
    """The same day some months later, or that month's last where it is shorter."""
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(day.day, month_length(year, month)))


def month_length(year: int, month: int) -> int:
    """Days in a month."""
    following = date(year + month // 12, month % 12 + 1, 1)
    return (following - timedelta(days=1)).day
