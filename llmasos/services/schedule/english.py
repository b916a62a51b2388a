"""English time words: spellings made uniform, names of months and units, distances."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from llmasos.services import numerals
from llmasos.services.schedule.parts import PartOfDay, Parts, Unit, add

MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
MONTH = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
WEEKDAY = (
    r"mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday|s)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?"
    r"|sat(?:urday)?|sun(?:day)?"
)
UNIT = r"(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|wks?|fortnights?|months?|years?|yrs?|[smhdw])"
NUMBER = r"\d+(?:\.\d+)?"
DURATION = rf"{NUMBER}\s*{UNIT}(?![a-z])(?:(?:\s*,)?(?:\s+and)?\s*{NUMBER}\s*{UNIT}(?![a-z]))*"
SHIFT = r"this|next|last|past|coming|upcoming|previous"
SHIFTS = {"this": 0, "next": 1, "coming": 0, "upcoming": 0, "last": -1, "past": -1, "previous": -1}

VOCABULARY = frozenset(
    (
        *MONTHS,
        *WEEKDAYS,
        *("today", "tomorrow", "yesterday", "tonight", "morning", "afternoon", "evening", "midnight", "noon"),
        *("minutes", "hours", "week", "weeks", "month", "weekend", "weekday", "next", "quarter", "o'clock"),
    )
)
"""Words that a misspelt one is mended to."""

_SPELLINGS = [
    (r"[’`]", "'"),
    (r"\b(a|p)\.\s?m\b\.?", r"\1m"),
    (r"\b(?:tmrw?|tmw|tomo|2morrow|tommorow|tommorrow)\b", "tomorrow"),
    (r"\btonite\b", "tonight"),
    (r"\bo'? ?clock\b", "o'clock"),
    (r"\b(?:a |an )?half(?: an?|-)? hour\b|\bhalf-an-hour\b", "30 minutes"),
    (r"\bthree quarters? of an hour\b", "45 minutes"),
    (r"\b(?:a )?quarter of an hour\b", "15 minutes"),
    (r"\ban hour and a half\b", "90 minutes"),
    (r"\ban hour and a quarter\b", "75 minutes"),
    (r"\b(?:a )?couple(?: of)?\b", "2"),
    (r"\b(in \d+) ?h ?(\d{2})\b(?!\d|:| ?m)", r"\1 hours \2 minutes"),
    (r"\bhalf a year\b", "6 months"),
    (r"\bfortnight\b", "2 weeks"),
    (r"\b(?:a|the) 2 weeks\b", "2 weeks"),
    (
        r"\b(?:eod|end of (?:the )?(?:business|working|work) ?day|end of business|close of business|cob)\b",
        "today at 17:00",
    ),
]
_AFTER_NUMBERS = [
    (rf"\b(\d+) and a half ({UNIT})\b", r"\1.5 \2"),
    (rf"\b(\d+) ({UNIT}) and a half\b", r"\1.5 \2"),
    (rf"\ban? ({UNIT})\b(?! (?:from|ago)? ?(?:before|after) the)", r"1 \1"),
    (r"\b(\d+) (?:1st|1nd)\b", r"\1"),
]


def normalised(text: str) -> str:
    """A casefolded phrase with its spellings and numbers made uniform."""
    for pattern, replacement in _SPELLINGS:
        text = re.sub(pattern, replacement, text)
    # "second" is an ordinal only where no number precedes it; "30 second" is a unit.
    text = re.sub(r"(?<=\d) second\b", " seconds", text)
    text = re.sub(r"(?<=\bone) second\b|(?<=\ba) second\b", " seconds", text)
    text = numerals.english(text)
    for pattern, replacement in _AFTER_NUMBERS:
        text = re.sub(pattern, replacement, text)
    return text


def month_number(word: str) -> int:
    """Read "sept" as 9."""
    return next(i for i, name in enumerate(MONTHS, 1) if name.startswith(word[:3]))


def weekday_number(word: str) -> int:
    """Read "thurs" as 3."""
    return next(i for i, name in enumerate(WEEKDAYS) if name.startswith(word[:3]))


def unit_of(word: str) -> Unit:
    """Read "mins" as "minute"."""
    initial: dict[str, Unit] = {"s": "second", "h": "hour", "d": "day", "w": "week", "y": "year"}
    if word[0] == "m":
        return "month" if word.startswith("mo") else "minute"
    return initial[word[0]]


def durations(text: str) -> list[tuple[float, Unit]]:
    """The amounts of a matched `DURATION`."""
    return [(float(n), unit_of(u)) for n, u in re.findall(rf"({NUMBER})\s*({UNIT})(?![a-z])", text)]


def offset(parts: Parts, now: datetime, amounts: list[tuple[float, Unit]], sign: int) -> None:
    """Note a distance from now: a moment for hours and minutes, a day for the rest."""
    moment = now
    for amount, unit in amounts:
        moment = add(moment, sign * amount, unit)
    parts.unit = amounts[-1][1]
    if any(unit in ("second", "minute", "hour") for _, unit in amounts):
        parts.exact = moment
        parts.moment = sign < 0
    elif all(amount % 1 == 0 for amount, _ in amounts):
        parts.on = moment.date()
        if parts.unit != "day":
            parts.moment = True
    else:
        parts.on = moment.date()


def reach(parts: Parts, now: datetime, amounts: list[tuple[float, Unit]], sign: int) -> None:
    """Note a stretch from now: the next three days, the last two hours."""
    moment = now
    for amount, unit in amounts:
        moment = add(moment, sign * amount, unit)
    if all(unit in ("second", "minute", "hour") for _, unit in amounts):
        parts.span = (now, moment) if sign > 0 else (moment, now)
        return
    # Of days, the last is meant whole.
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    parts.span = (now, day + timedelta(days=1)) if sign > 0 else (day, now)


_PART_WORDS: dict[str, PartOfDay] = {
    "dawn": "dawn",
    "sunrise": "dawn",
    "morning": "morning",
    "breakfast": "morning",
    "noon": "noon",
    "midday": "noon",
    "lunch": "lunch",
    "lunchtime": "noon",
    "afternoon": "afternoon",
    "dusk": "dusk",
    "sunset": "dusk",
    "evening": "evening",
    "dinner": "evening",
    "night": "night",
    "midnight": "midnight",
}


def part_of_day(word: str) -> PartOfDay:
    """Read "breakfast" as "morning"."""
    return _PART_WORDS[word]


FILLER = re.compile(
    r"\b(?:at|on|in|the|of|a|an|for|during|by|around|about|this|sometime|some|time|please|exactly"
    r"|sharp|and|coming|day|later|once|from|now|to|uhr|um|date)\b|['.,;:!?~@-]"
)
"""Words that may be left over."""
