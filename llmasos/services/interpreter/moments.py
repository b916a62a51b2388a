"""Dates and times of day that a sentence says, in the form that definitions ask for: 2026-05-03, 20:15.

"two seats at a quarter past eight tonight" says 20:15, and neither 08:20 nor 18:15. What these rules don't see is left
to the model, which then may write any date or time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from itertools import product

from llmasos.services import numerals

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = re.compile(rf"(?<![a-z])({'|'.join(_MONTHS)})(?:[a-z]*\.?)(?![a-z])|(?<!\d)(1[0-2]|[1-9]) ?月")
_YEAR = re.compile(r"(?<![\d.,])([12]\d{3})(?![\d.,]\d|\d)")
_DAY = re.compile(r"(?<![\d.:,-])(\d{1,2})(?:st|nd|rd|th)?(?![\d:%]|[.,]\d| ?月)")
_WRITTEN = (
    re.compile(r"(?<!\d)(?P<year>[12]\d{3})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?!\d)"),
    re.compile(r"(?<!\d)(?P<day>\d{1,2})[-/.](?P<month>\d{1,2})[-/.](?P<year>[12]\d{3})(?!\d)"),
    re.compile(r"(?<!\d)(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>[12]\d{3})(?!\d)"),
)
_FEAST = re.compile(
    r"christmas|\beves?\b|new year|hallow|easter|valentine|\bfirst day\b|\blast day\b|\bend of\b|底|初|除夕|\bdays\b"
)
"""Days that are named otherwise, or counted."""
_LATE = re.compile(r"\bp\.?m\b|afternoon|evening|tonight|\bnight\b|下午|傍晚|晚|夜里")
_NIGHT = re.compile(r"\bnight\b|夜")
_SECONDS = re.compile(r"\bsecs?\b|\bseconds\b|秒")
"""Where a minute and a second are said, 03:10 is no time of day."""
_EARLY = re.compile(r"\ba\.?m\b|morning|dawn|sunrise|breakfast|上午|早|凌晨|清晨")
_BARE = re.compile(r"(?<![\d.:])(\d{1,2})(?![\d.:])")
_CLOCK = re.compile(
    r"(?P<at>\b(?:at|by|around|about|from|till|until|before|after|since|to|and|@) |[-–] ?)?"
    r"(?<![\d.:])(?P<hour>\d{1,2})(?:[:.h](?P<minute>\d{2})(?![\d.])|:(?P<minute_>\d{2}):\d{2})?(?! ?[\d点點时時]) ?"
    r"(?P<oclock>(?:o'clock|sharp) ?)?"
    r"(?:(?P<early>a\.?m\b|in the morning)|(?P<late>p\.?m\b|in the (?:afternoon|evening)|tonight))?"
)
_TO = re.compile(
    r"(?<!\d)(\d{1,2})(?: minutes?| mins?)? (to|before|till|past|after) (\d{1,2}|noon|midday|midnight)(?![\d:])"
)
_QUARTER = re.compile(r"(half|quarter)(?: an hour)?,? (to|past|after|before) (\d{1,2}|noon|midday|midnight)(?![\d:])")
_HALF = re.compile(r"\bhalf (\d{1,2})(?![\d:])")
_SPOKEN = re.compile(r"(?<![\d:.])(\d{1,2}) (?:oh )?(\d{1,2})(?![\d:])")
_MILITARY = re.compile(r"(?<![\d:-])(?!20\d\d(?!h| h))([01]\d|2[0-3])([0-5]\d)(?:h|hrs?| hours)?(?![\d:-])")
_CHINESE = re.compile(
    r"(?:(上午|早上|清晨|凌晨|早)|(下午|傍晚|晚上|晚))?(\d{1,2}) ?[点點时時](?:钟|整)?"
    r"(?:(半)|(一刻|1刻)|(三刻|3刻)|(\d{1,2}) ?分?)?"
)
_TO_CHINESE = re.compile(r"差(?:(\d{1,2}) ?分?|(一刻|1刻))[钟]?(?:到)?(\d{1,2}) ?[点點]")


@lru_cache(maxsize=64)
def dates(line: str) -> tuple[str, ...]:
    """The days that a sentence names with their year, as YYYY-MM-DD: whatever its days, months and years make."""
    found: dict[str, None] = {}
    if _FEAST.search(line.casefold()):
        return ()
    for text in _readings(line):
        rest = text
        for pattern in _WRITTEN:
            for match in pattern.finditer(text):
                found |= dict.fromkeys(_day(*(int(match[part]) for part in ("year", "month", "day"))))
            rest = pattern.sub(" ", rest)
        months = [_MONTHS.index(name) + 1 if name else int(number) for name, number in _MONTH.findall(rest)]
        years = [int(year) for year in _YEAR.findall(text)]
        days = [int(day) for day in _DAY.findall(rest)]
        for year, month, number in product(years, months, days):
            found |= dict.fromkeys(_day(year, month, number))
    return tuple(found)


def _day(year: int, month: int, day: int) -> tuple[str, ...]:
    try:
        return (date(year, month, day).isoformat(),)
    except ValueError:  # the 31st of June
        return ()


@lru_cache(maxsize=64)
def times(line: str) -> tuple[str, ...]:
    """The times of day that a sentence can mean, as HH:MM; both halves of the day where it doesn't say which."""
    found: dict[str, None] = {}
    late, early = bool(_LATE.search(line.casefold())), bool(_EARLY.search(line.casefold()))
    if _SECONDS.search(line.casefold()):
        return ()
    for text in _readings(line):
        clocks = list(_clocks(text)) or [(int(number), 0, "") for number in _BARE.findall(text)]
        if len(clocks) > 1 or _NIGHT.search(
            text
        ):  # which half of the day goes with which, or begins where, isn't plain
            late = early = False
        for hour, minute, half in clocks:
            if not (0 <= hour <= 24 and 0 <= minute < 60):
                continue
            for moment in _halves(hour, half, late=late, early=early):
                found[f"{moment % 24:02d}:{minute:02d}"] = None
        if re.search(r"\bnoon\b|\bmidday\b|中午|正午", line.casefold()):
            found["12:00"] = None
        if re.search(r"\bmidnight\b|午夜|半夜|零点", line.casefold()):
            found["00:00"] = None
    return tuple(found)


def _readings(line: str) -> tuple[str, ...]:
    """The sentence in lower case, and with its numbers in digits."""
    folded = line.casefold()
    return tuple(dict.fromkeys((folded, numerals.chinese(numerals.english(folded)))))


def _clocks(text: str) -> Iterator[tuple[int, int, str]]:
    """(hour, minute, `a`, `p` or nothing) of everything that may be a time; each word counts once."""
    for pattern, read in _CLOCKS:
        found = list(pattern.finditer(text))
        for match in found:
            clock = read(match)
            if clock:
                yield clock
        if pattern is not _CLOCK:
            text = pattern.sub(lambda match: " " * len(match[0]), text)


def _to(match: re.Match[str]) -> tuple[int, int, str]:
    return (*_shifted(match[3], int(match[1]), match[2]), "")


def _quarter(match: re.Match[str]) -> tuple[int, int, str]:
    return (*_shifted(match[3], 30 if match[1] == "half" else 15, match[2]), "")


def _chinese(match: re.Match[str]) -> tuple[int, int, str]:
    minute = 30 if match[4] else 15 if match[5] else 45 if match[6] else int(match[7] or 0)
    return int(match[3]), minute, "a" if match[1] else "p" if match[2] else ""


def _clock(match: re.Match[str]) -> tuple[int, int, str] | None:
    said = match.groupdict()
    if not any(said[part] for part in ("at", "minute", "minute_", "oclock", "early", "late")):
        return None
    half = "a" if said["early"] else "p" if said["late"] else ""
    return int(said["hour"]), int(said["minute"] or said["minute_"] or 0), half


_CLOCKS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], tuple[int, int, str] | None]], ...] = (
    (_QUARTER, _quarter),
    (_TO, _to),
    (_HALF, lambda match: (int(match[1]), 30, "")),
    (_TO_CHINESE, lambda match: (*_shifted(match[3], int(match[1] or 15), "to"), "")),
    (_CHINESE, _chinese),
    (_MILITARY, lambda match: (int(match[1]), int(match[2]), "")),
    (_CLOCK, _clock),
    (_SPOKEN, lambda match: (int(match[1]), int(match[2]), "")),
)


def _shifted(said: str, minutes: int, way: str) -> tuple[int, int]:
    hour = int(said) if said.isdigit() else 12  # noon, midnight
    if way in ("past", "after"):
        return hour, minutes
    return ((hour - 1) % 24 or 12, 60 - minutes) if 0 < minutes < 60 else (hour, 0)


def _halves(hour: int, half: str, *, late: bool, early: bool) -> Iterator[int]:
    """The hours of the day that one said hour can be."""
    if hour > 12 or hour == 0:
        yield hour
    elif half:
        yield hour % 12 + (12 if half == "p" else 0)
    else:
        if early or not late:
            yield hour
        if late or not early:
            yield hour % 12 + 12
        if hour == 12:  # "12 at night" is 0:00, "12 in the morning" too
            yield from (0, 12)
