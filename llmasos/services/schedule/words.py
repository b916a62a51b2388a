"""Words to time, English and Chinese: "tomorrow at 9", "from 2 to 4 this afternoon", 下周三下午三点半.

`reading` finds the parts of a phrase, `ranges` splits one with two ends, `days` and `moments` put it on the
calendar.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from llmasos.core.base.errors import SyscallError
from llmasos.services.schedule import chinese, english
from llmasos.services.schedule.days import Days, NoSuchDayError, Prefer, monday, resolve
from llmasos.services.schedule.moments import days_or_today, midnight, moment, moment_of
from llmasos.services.schedule.parts import PARTS_OF_DAY, Bound, PartOfDay, Parts, Unit, add_months, elapsed
from llmasos.services.schedule.ranges import ends_of, resolve_ends
from llmasos.services.schedule.reading import EXAMPLES, normalised, understood

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""The ends of an open stretch: "since Monday", "before May"."""

LIMIT = 200
"""Characters in a time phrase."""


@dataclass(frozen=True, slots=True)
class When:
    """A time that was said.

    Attributes:
        start: When it begins, in the person's time zone.
        end: When it ends, exclusive; None where that wasn't said.
        timed: The time of day was said; else it is a whole day.
        bound: "before", "by", ...: the time is a limit.
        note: How it could be read otherwise.
        said_day: The day was said, and not only the time.
    """

    start: datetime
    end: datetime | None = None
    timed: bool = True
    bound: Bound | None = None
    note: str = ""
    said_day: bool = True

    @property
    def deadline(self) -> datetime:
        """The last moment: of the day where no time was said, of the stretch where there is one."""
        if self.bound == "before":
            return self.start
        if self.end is not None:
            return self.end
        return self.start if self.timed else self.start + timedelta(days=1)


def when(text: str, now: datetime, *, about: str = "", repeated: bool = False) -> When:
    """The time that a phrase says.

    Args:
        text: The phrase, as the person said it.
        now: The present, in the person's time zone; what it's counted from.
        about: What happens then: a dinner "at 7" is in the evening, a wake-up call isn't.
        repeated: The start of a repetition: "at 8" is 08:00 even where that is over today.

    Raises:
        SyscallError: EINVAL, the phrase can't be read or there is no such time.
    """
    usual: PartOfDay | None = (
        "morning" if _MORNING.search(about.casefold()) else "evening" if _EVENING.search(about.casefold()) else None
    )
    return _guarded(text, lambda: _when(text, now, usual, upcoming=not repeated))


def span(text: str, now: datetime, *, prefer: Prefer = "future") -> tuple[datetime, datetime]:
    """The stretch of time that a phrase says, for listing and finding: "next week", "last month", 去年.

    Args:
        text: The phrase.
        now: The present, in the person's time zone.
        prefer: Which "Monday" or "3 March" is meant: the coming one, or the one that was.

    Returns:
        Start and end, the end exclusive; `EARLIEST` and `LATEST` where it's open.

    Raises:
        SyscallError: EINVAL, the phrase can't be read.
    """
    return _guarded(text, lambda: _span(text, now, prefer))


def shift(text: str, now: datetime) -> timedelta | None:
    """A distance something is moved by ("by 20 minutes", 推迟半小时), or None where a time is said."""
    phrase = chinese.normalised(normalised(text))
    m = re.fullmatch(rf"(?:(?:back|forward)? ?by )?({english.DURATION}) ?(later|earlier|sooner)?", phrase)
    if m and (phrase.startswith(("by", "back", "forward")) or m[2]):
        sign = -1 if m[2] in ("earlier", "sooner") or phrase.startswith("forward") else 1
        return _total(english.durations(m[1]), now, sign)
    m = re.fullmatch(
        rf"(推迟|延后|延迟|往后(?:推|拨|延)?|推后|晚|提前|提早|往前(?:提|拨)?|早)({chinese.DURATION})", phrase
    )
    if m:
        return _total(chinese.durations(m[2]), now, -1 if m[1][0] in "提早" or m[1].startswith("往前") else 1)
    return None


def _total(amounts: list[tuple[float, Unit]], now: datetime, sign: int) -> timedelta:
    parts = Parts()
    naive = now.replace(tzinfo=None)  # the distance on the wall clock
    english.offset(parts, naive, amounts, sign)
    moment = parts.exact or datetime.combine(parts.on or naive.date(), naive.time())
    return moment - naive


_T = TypeVar("_T")
_MORNING = re.compile(r"\b(?:wake|waking|alarm|breakfast|get up|sunrise)|起床|闹钟|早餐|早饭|叫醒|早起")
_EVENING = re.compile(r"\b(?:dinner|supper|drinks|party|bedtime|movie|cinema|theat|concert)|晚饭|晚餐|宵夜|聚餐|电影")


def _guarded(text: str, read: Callable[[], _T]) -> _T:
    if not text.strip():
        raise SyscallError("EINVAL", "No time was said.", EXAMPLES)
    if len(text) > LIMIT:
        raise SyscallError("EINVAL", f"{text[:40]!r}... is too long for a time.", EXAMPLES)
    try:
        return read()
    except NoSuchDayError as error:
        raise SyscallError("EINVAL", f"{text!r} is no time: {error}", EXAMPLES) from None
    except (ValueError, OverflowError) as error:
        raise SyscallError("EINVAL", f"{text!r} is no time on the calendar.", EXAMPLES) from error


def _when(text: str, now: datetime, usual: PartOfDay | None, *, upcoming: bool) -> When:
    ends = ends_of(text, now)
    if ends:
        start, end, timed, note = resolve_ends(*ends, now, "future")
        zone = now.tzinfo
        return When(start.astimezone(zone), end.astimezone(zone), timed, note=note, said_day=ends[0].has_day)
    parts = understood(text, now)
    if parts.span:
        day = parts.unit not in ("hour", "minute")
        return When(parts.span[0], parts.span[1], timed=True, bound="by") if day else When(*parts.span)
    if parts.exact:
        return When(parts.exact.replace(microsecond=0), bound=parts.bound)
    if (
        usual
        and parts.hour is not None
        and not (parts.part or parts.meridiem or parts.certain)
        and 4 <= parts.hour <= 11
    ):
        parts.part = usual
    found = _point(parts, now, upcoming=upcoming)
    if parts.zone is not None:
        found = replace(found, start=found.start.astimezone(now.tzinfo))
    return replace(found, bound=parts.bound, said_day=parts.has_day)


def _point(parts: Parts, now: datetime, *, upcoming: bool) -> When:
    zone = parts.zone or now.tzinfo
    today = now.astimezone(zone).date()
    days = resolve(parts, today, "future")
    if days is None:
        start, note = moment_of(parts, today, now, upcoming=upcoming)
        if start <= now and upcoming:
            start += timedelta(days=1)
        return When(elapsed(start), note=note)
    if parts.unit == "week" and parts.moment:
        days = Days(monday(days.first), monday(days.first) + timedelta(days=6)) if parts.month or parts.day else days
    if not parts.has_time:
        if days.movable:
            days = Days(days.first + timedelta(days=7), days.last + timedelta(days=7))
        first = days.last if parts.edge == "end" else days.first
        length = (days.last - first).days + 1 if parts.edge in (None, "first half", "second half", "rest") else 1
        end = midnight(first + timedelta(days=length), zone) if length > 1 else None
        return When(midnight(first, zone), end, timed=False)
    day = days.last if parts.edge == "end" else days.first
    start, note = moment_of(parts, day, now, upcoming=upcoming)
    if start <= now and days.movable and upcoming:
        start, note = moment_of(parts, day + timedelta(days=7), now)
    return When(elapsed(start), note=note)


def _span(text: str, now: datetime, prefer: Prefer) -> tuple[datetime, datetime]:
    ends = ends_of(text, now)
    if ends:
        start, end, _, _ = resolve_ends(*ends, now, prefer)
        return start, end
    parts = understood(text, now)
    start, end = parts.span or _stretch(parts, now, prefer)
    match parts.bound:
        case "before":
            return EARLIEST, start
        case "by" | "until":
            return (min(now, start) if prefer == "future" else EARLIEST), end
        case "after":
            return end, LATEST
        case "since":
            return start, LATEST
    return start, end


def _stretch(parts: Parts, now: datetime, prefer: Prefer) -> tuple[datetime, datetime]:
    zone = parts.zone or now.tzinfo
    if parts.exact:
        # "two hours ago" is about then, not to the second.
        width = timedelta(minutes=5 if parts.unit == "minute" else 60)
        return parts.exact - width / 2, parts.exact + width / 2
    days = days_or_today(parts, now, prefer)
    if parts.moment and parts.unit and not parts.has_time:
        days = _whole(days.first, parts.unit)
    if parts.hour is not None:
        start, _ = moment_of(parts, days.first, now, upcoming=prefer == "future")
        return start, elapsed(start, 3600)
    if parts.part:
        _, first, last = PARTS_OF_DAY[parts.part]
        return moment(days.first, first, 0, zone), moment(days.last, last, 0, zone)
    return midnight(days.first, zone), midnight(days.last + timedelta(days=1), zone)


def _whole(day: date, unit: str) -> Days:
    """The calendar week, month or year around a day."""
    if unit == "week":
        return Days(monday(day), monday(day) + timedelta(days=6))
    if unit == "month":
        first = day.replace(day=1)
        return Days(first, add_months(first, 1) - timedelta(days=1))
    if unit == "year":
        return Days(date(day.year, 1, 1), date(day.year, 12, 31))
    return Days(day, day)
