"""Words to time, English and Chinese: "tomorrow at 9", "from 2 to 4 this afternoon", 下周三下午三点半.

Our own rules read first, because a general parser is wrong without saying so: dateparser 1.5 takes "tomorrow at 9" as
tomorrow at the present hour and knows no 下周三. It reads what the rules leave (other languages), and its answer is
taken only where it accounts for every number that was said.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import TypeVar
from zoneinfo import ZoneInfo, available_timezones

from llmasos.core.base.errors import SyscallError
from llmasos.services.schedule import chinese, english
from llmasos.services.schedule.days import Days, NoSuchDay, Prefer, monday, resolve
from llmasos.services.schedule.festivals import FESTIVALS
from llmasos.services.schedule.parts import (
    PARTS_OF_DAY,
    Bound,
    PartOfDay,
    Parts,
    Rule,
    Unit,
    add_months,
    elapsed,
)

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""The ends of an open stretch: "since Monday", "before May"."""

LIMIT = 200
"""Characters in a time phrase."""

EXAMPLES = "Say it like 'tomorrow at 9', 'Thursday from 14:00 to 15:30', 'in 20 minutes' or '下周三下午三点'."


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
        "morning"
        if _MORNING.search(about.casefold())
        else "evening"
        if _EVENING.search(about.casefold())
        else None
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
    """A distance by which something is moved ("by 20 minutes", "an hour later", 推迟半小时), or None where a time is said."""
    phrase = normalised(text)
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
_EVENING = re.compile(
    r"\b(?:dinner|supper|drinks|party|bedtime|movie|cinema|theat|concert)|晚饭|晚餐|宵夜|聚餐|电影"
)


def _guarded(text: str, read: Callable[[], _T]) -> _T:
    if not text.strip():
        raise SyscallError("EINVAL", "No time was said.", EXAMPLES)
    if len(text) > LIMIT:
        raise SyscallError("EINVAL", f"{text[:40]!r}... is too long for a time.", EXAMPLES)
    try:
        return read()
    except NoSuchDay as error:
        raise SyscallError("EINVAL", f"{text!r} is no time: {error}", EXAMPLES) from None
    except (ValueError, OverflowError) as error:
        raise SyscallError("EINVAL", f"{text!r} is no time on the calendar.", EXAMPLES) from error


# Reading


def normalised(text: str) -> str:
    """A phrase in the form that the rules read."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = text.strip().strip("\"'“”‘’「」,.;!? ")
    return english.normalised(text)


def read(text: str, now: datetime) -> tuple[Parts, str]:
    """What a normalised phrase says, and what of it no rule could read."""
    parts = Parts()
    rest = _take_zone(text, parts)
    for pattern, festival in FESTIVALS:
        m = pattern.search(rest)
        if m:
            parts.festival = festival
            rest = _cut(rest, m)
            break
    rest = chinese.normalised(rest)
    rules: list[Rule] = (
        [*chinese.RULES, *english.RULES] if re.search("[\u4e00-\u9fff]", rest) else english.RULES
    )
    for pattern, act in rules:
        m = pattern.search(rest)
        while m:
            if act(m, parts, now) is not False:
                rest = _cut(rest, m)
                break
            m = pattern.search(rest, m.end()) if m.end() > m.start() else None
    rest = chinese.FILLER.sub(" ", english.FILLER.sub(" ", rest)).strip()
    rest = " ".join(rest.split())
    if re.fullmatch(r"\d{1,2}", rest) and parts.hour is None and parts.exact is None and int(rest) <= 24:
        parts.hour, parts.bare, rest = int(rest), True, ""
        parts.certain = parts.hour > 12
    elif parts.hour is None and (m := re.fullmatch(r"(\d{1,2}) ([0-5]\d)", rest)) and int(m[1]) <= 24:
        parts.hour, parts.minute, rest = int(m[1]), int(m[2]), ""
    return parts, rest


def _cut(text: str, match: re.Match[str]) -> str:
    return f"{text[: match.start()]} {text[match.end() :]}"


_ABBREVIATIONS = {
    **dict.fromkeys(("utc", "gmt", "z"), "UTC"),
    **dict.fromkeys(("cet", "cest", "mez", "mesz"), "Europe/Berlin"),
    **dict.fromkeys(("bst", "uk time"), "Europe/London"),
    **dict.fromkeys(("eet", "eest"), "Europe/Helsinki"),
    **dict.fromkeys(("msk",), "Europe/Moscow"),
    **dict.fromkeys(("est", "edt", "eastern time", "et"), "America/New_York"),
    **dict.fromkeys(("cst", "cdt", "central time"), "America/Chicago"),
    **dict.fromkeys(("mst", "mdt", "mountain time"), "America/Denver"),
    **dict.fromkeys(("pst", "pdt", "pacific time", "pt"), "America/Los_Angeles"),
    **dict.fromkeys(("jst", "东京时间"), "Asia/Tokyo"),
    **dict.fromkeys(("ist",), "Asia/Kolkata"),
    **dict.fromkeys(("北京时间", "china time"), "Asia/Shanghai"),
    **dict.fromkeys(("伦敦时间",), "Europe/London"),
    **dict.fromkeys(("纽约时间",), "America/New_York"),
}
_ZONE = re.compile(
    r"(?:(?<=[\s\d])|\b)(?:("
    + "|".join(re.escape(a) for a in sorted(_ABBREVIATIONS, key=len, reverse=True))
    + r")(?![a-z0-9])"
    r"|([a-z]+/[a-z_]+)|(?<=\d)([+-]\d{2}):?(\d{2})$|([a-z]+(?: [a-z]+)?) time\b)"
)


def _take_zone(text: str, parts: Parts) -> str:
    """Note and cut out a time zone that was said."""
    for m in _ZONE.finditer(text):
        zone = _zone(m)
        if zone is not None and re.search(r"\d", text):
            parts.zone = zone
            return _cut(text, m)
    return text


def _zone(m: re.Match[str]) -> tzinfo | None:
    if m[1]:
        return ZoneInfo(_ABBREVIATIONS[m[1]])
    if m[3]:
        minutes = int(m[3]) * 60 + (int(m[4]) if m[3][0] == "+" else -int(m[4]))
        return timezone(timedelta(minutes=minutes))
    wanted = (m[2] or m[5]).replace(" ", "_")
    for name in available_timezones():
        folded = name.casefold()
        if folded == wanted or ("/" in folded and folded.rsplit("/", 1)[1] == wanted):
            return ZoneInfo(name)
    return None


def _understood(text: str, now: datetime) -> Parts:
    """What a whole phrase says.

    Raises:
        SyscallError: EINVAL, a part of it can't be read.
    """
    phrase = normalised(text)
    parts, rest = read(phrase, now)
    if rest:
        mended = _mended(rest)
        if mended != rest:
            for wrong, right in zip(rest.split(), mended.split(), strict=True):
                phrase = re.sub(rf"\b{re.escape(wrong)}\b", right, phrase)
            again, left = read(phrase, now)
            if not left:
                return again
        foreign = _by_dateparser(rest, parts, now)
        if foreign is None:
            raise SyscallError("EINVAL", f"{rest!r} in {text!r} can't be read as a time.", EXAMPLES)
        parts = foreign
    if not parts.has_day and not parts.has_time and parts.span is None and not parts.same_time:
        raise SyscallError("EINVAL", f"{text!r} says no time.", EXAMPLES)
    return parts


def _mended(rest: str) -> str:
    """Misspelt words put right, where one known word is near."""
    words = []
    for word in rest.split():
        near = (
            difflib.get_close_matches(word, english.VOCABULARY, n=1, cutoff=0.75)
            if len(word) > 3 and word.isascii()
            else []
        )
        words.append(near[0] if near else word)
    return " ".join(words)


def _by_dateparser(rest: str, parts: Parts, now: datetime) -> Parts | None:
    """A day in another language. The time was read by our rules already."""
    if parts.has_day or parts.span or len(rest) > 40:
        return None
    import dateparser  # late: it loads 0.1 s of languages

    # An odd time of day, so that a time that was read can be told from the one it starts with.
    base = now.replace(tzinfo=None, hour=3, minute=7, second=11, microsecond=13)
    settings = {"PREFER_DATES_FROM": "future", "RELATIVE_BASE": base, "RETURN_AS_TIMEZONE_AWARE": False}
    found = dateparser.parse(rest, settings=settings)
    if found is None:
        return None
    told = copy(parts)
    told.on = found.date()
    if found.time() == base.time() or found.time().isoformat() == "00:00:00":
        # A relative day says no number; a number that left no trace was not understood.
        if found.time() == base.time() and re.search(r"\d", rest):
            return None
        return told
    if told.has_time:
        return None
    told.hour, told.minute, told.certain = found.hour, found.minute, True
    return told


# Ranges

_TO = r"(?:to|till|until|through|thru|and|[-–—~]|\.\.)"
_CLOCKISH = r"\d{1,2}(?:[:.]\d{2})?\s*(?:am|pm)?"
_RANGES = [
    re.compile(rf"^(?P<before>.*?)\bfrom (?P<a>.+?) (?:to|till|until|through|thru|[-–—~]) (?P<b>.+)$"),
    re.compile(r"^(?P<before>.*?)\bbetween (?P<a>.+?) and (?P<b>.+)$"),
    re.compile(r"^(?P<before>)(?P<a>.+?)\s*(?:\.\.|–|—|~)\s*(?P<b>.+)$"),
    re.compile(r"^(?P<before>)(?P<a>.+?)\s+(?:to|till|until|through|thru|-)\s+(?P<b>.+)$"),
    re.compile(
        rf"^(?P<before>.*?)(?:\bfrom )?(?P<a>\d{{1,2}}[:.]\d{{2}}(?:am|pm)?|\d{{1,2}}(?:am|pm)?)-(?P<b>{_CLOCKISH})(?P<after>\s.*)?$"
    ),
    re.compile(rf"^(?P<before>)(?P<a>(?:{english.WEEKDAY})\b|\d{{1,2}}(?:st|nd|rd|th)?)\s*-\s*(?P<b>.+)$"),
    re.compile(r"^(?P<before>)(?P<a>.+?) and (?P<b>.+)$"),
    re.compile(r"^(?P<before>.*?)从?(?P<a>.+?)\s*(?:到|至|直到)\s*(?P<b>.+)$"),
    re.compile(r"^(?P<before>)(?P<a>.+?)和(?P<b>.+)$"),
    re.compile(r"^(?P<before>)(?P<a>.*[点半刻分日号])\s*[-–—~]\s*(?P<b>.+)$"),
]


def _range(text: str, now: datetime) -> tuple[Parts, Parts] | None:
    """The two ends of a stretch, each with what the other says for both; None where it is no stretch."""
    phrase = re.sub(r"\b(1st|2nd) half\b", "_", normalised(text))
    if re.fullmatch(r"[\d-]+(?:[t ][\d:]+)?", phrase):
        return None  # an ISO date
    for pattern in _RANGES:
        m = pattern.match(phrase)
        if not m:
            continue
        after = m.groupdict().get("after") or ""
        left, left_rest = read(f"{m['before']} {m['a']}".strip(), now)
        right, right_rest = read(f"{m['b']}{after}", now)
        if (
            left_rest
            or right_rest
            or left.bound
            or right.bound
            or left.exact
            or right.exact
            or left.span
            or right.span
        ):
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
    if left.has_time != right.has_time:
        return left.has_day and right.has_day
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


def _ends(left: Parts, right: Parts, now: datetime, prefer: Prefer) -> tuple[datetime, datetime, bool, str]:
    """Start, end, whether times were said, and a note."""
    zone = now.tzinfo
    first = _days_or_today(left, now, prefer)
    last = _days_or_today(right, now, prefer)
    if not left.has_time and not right.has_time:
        if last.last < first.first:
            last = _after(right, first.first, now)
        return _midnight(first.first, zone), _midnight(last.last + timedelta(days=1), zone), False, ""
    if left.part and not right.part and not right.meridiem and not right.certain:
        right.part = left.part if right.hour is not None else None
    elif right.part and right.hour is not None and not left.part and not left.meridiem and not left.certain:
        left.part = right.part
    elif (
        right.meridiem and not left.meridiem and not left.part and not left.certain and left.hour is not None
    ):
        # "2 to 4pm" and "11 to 1pm": the start takes the end's half of the day unless it would come after it.
        left.meridiem = right.meridiem
        if _clock(left)[0] > _clock(right)[0]:
            left.meridiem = "am" if right.meridiem == "pm" else "pm"
    start, note = _at(left, first.first, now, upcoming=False)
    if right.hour is not None and not right.certain and not right.meridiem and not right.part:
        right_day = last.first
        choices = [
            _moment(right_day, hour, right.minute, right.zone or zone)
            for hour in (right.hour, right.hour + 12)
            if hour <= 24
        ]
        end = next((c for c in choices if c > start), choices[0])
    else:
        end, _ = _at(right, last.first, now)
        if right.hour is None and right.part and right.part not in ("noon", "midnight", "dusk", "lunch"):
            end = _moment(last.first, PARTS_OF_DAY[right.part][2], 0, zone)
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


def _after(parts: Parts, first: date, now: datetime) -> Days:
    days = resolve(parts, first, "future")
    assert days is not None
    return days


# Resolving


def _when(text: str, now: datetime, usual: PartOfDay | None, *, upcoming: bool) -> When:
    ends = _range(text, now)
    if ends:
        start, end, timed, note = _ends(*ends, now, "future")
        zone = now.tzinfo
        return When(start.astimezone(zone), end.astimezone(zone), timed, note=note, said_day=ends[0].has_day)
    parts = _understood(text, now)
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
        start, note = _at(parts, today, now, upcoming=upcoming)
        if start <= now and upcoming:
            start += timedelta(days=1)
        return When(elapsed(start), note=note)
    if parts.unit == "week" and parts.moment:
        days = (
            Days(monday(days.first), monday(days.first) + timedelta(days=6))
            if parts.month or parts.day
            else days
        )
    if not parts.has_time:
        if days.movable:
            days = Days(days.first + timedelta(days=7), days.last + timedelta(days=7))
        first = days.last if parts.edge == "end" else days.first
        length = (
            (days.last - first).days + 1 if parts.edge in (None, "first half", "second half", "rest") else 1
        )
        end = _midnight(first + timedelta(days=length), zone) if length > 1 else None
        return When(_midnight(first, zone), end, timed=False)
    day = days.last if parts.edge == "end" else days.first
    start, note = _at(parts, day, now, upcoming=upcoming)
    if start <= now and days.movable and upcoming:
        start, note = _at(parts, day + timedelta(days=7), now)
    return When(elapsed(start), note=note)


def _days_or_today(parts: Parts, now: datetime, prefer: Prefer) -> Days:
    return resolve(parts, now.date(), prefer) or Days(now.date(), now.date())


def _at(parts: Parts, day: date, now: datetime, *, upcoming: bool = True) -> tuple[datetime, str]:
    """The moment of a time on a day, and a note where it could be another.

    Args:
        upcoming: Take the later reading of "at 8" where the usual one is over.
    """
    zone = parts.zone or now.tzinfo
    hour, ambiguous = _clock(parts)
    note = ""
    if ambiguous:
        other = hour + 12 if hour < 12 else hour - 12
        if upcoming and _moment(day, hour, parts.minute, zone) <= now < _moment(
            day, other, parts.minute, zone
        ):
            hour, other = other, hour
        if hour >= 12:
            note = (
                f"Read as {hour:02d}:{parts.minute:02d}; the morning would be {other:02d}:{parts.minute:02d}."
            )
    return _moment(day, hour, parts.minute, zone), note


def _clock(parts: Parts) -> tuple[int, bool]:
    """The hour from 0 to 30 (past 24: the next day), and whether it's a guess between morning and evening."""
    hour = parts.hour
    if hour is None:
        assert parts.part is not None
        return PARTS_OF_DAY[parts.part][0], False
    if parts.meridiem:
        return hour % 12 + (12 if parts.meridiem == "pm" else 0), False
    if parts.part == "midnight" and hour == 24:
        return 24, False
    if parts.part == "midnight" and parts.certain:
        return hour, False
    if parts.certain:
        return (
            (hour + 24, False)
            if parts.part in ("tonight", "night", "midnight") and hour < 6
            else (hour, False)
        )
    match parts.part:
        case "dawn" | "morning":
            return hour % 12 if parts.part == "morning" and hour == 12 else hour % 12, False
        case "noon" | "lunch":
            return (hour if hour >= 10 else hour + 12), False
        case "afternoon" | "dusk" | "evening":
            return hour % 12 + 12, False
        case "tonight" | "night" | "midnight":
            return (24 if hour == 12 else hour + 12 if hour >= 5 else hour + 24), False
    if parts.hour == 12:
        return 12, False
    return (hour + 12, True) if hour < 7 else (hour, True)


def _midnight(day: date, zone: tzinfo | None) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _moment(day: date, hour: int, minute: int, zone: tzinfo | None) -> datetime:
    day += timedelta(days=hour // 24)
    return datetime(day.year, day.month, day.day, hour % 24, minute, tzinfo=zone)


def _span(text: str, now: datetime, prefer: Prefer) -> tuple[datetime, datetime]:
    ends = _range(text, now)
    if ends:
        start, end, _, _ = _ends(*ends, now, prefer)
        return start, end
    parts = _understood(text, now)
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
    days = _days_or_today(parts, now, prefer)
    if parts.moment and parts.unit and not parts.has_time:
        days = _whole(days.first, parts.unit)
    if parts.hour is not None:
        start, _ = _at(parts, days.first, now, upcoming=prefer == "future")
        return start, elapsed(start, 3600)
    if parts.part:
        _, first, last = PARTS_OF_DAY[parts.part]
        return _moment(days.first, first, 0, zone), _moment(days.last, last, 0, zone)
    return _midnight(days.first, zone), _midnight(days.last + timedelta(days=1), zone)


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
