"""English time words as rules: what matches is noted in `Parts` and cut out of the phrase.

Order matters: a rule sees only what the rules before it left.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Literal

from llmasos.services import numerals
from llmasos.services.schedule.parts import PARTS_OF_DAY, Action, PartOfDay, Parts, Rule, Unit, add

MONTHS = "january february march april may june july august september october november december".split()
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
MONTH = r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
WEEKDAY = r"mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday|s)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"
UNIT = (
    r"(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|wks?|fortnights?|months?|years?|yrs?|[smhdw])"
)
NUMBER = r"\d+(?:\.\d+)?"
DURATION = rf"{NUMBER}\s*{UNIT}\b(?:(?:\s*,)?(?:\s+and)?\s*{NUMBER}\s*{UNIT}\b)*"
SHIFT = r"this|next|last|past|coming|upcoming|previous"
SHIFTS = {"this": 0, "next": 1, "coming": 0, "upcoming": 0, "last": -1, "past": -1, "previous": -1}

RULES: list[Rule] = []
VOCABULARY = frozenset(
    [
        *MONTHS,
        *WEEKDAYS,
        "today",
        "tomorrow",
        "yesterday",
        "tonight",
        "morning",
        "afternoon",
        "evening",
        "midnight",
        "weekend",
    ]
    + [
        "minutes",
        "hours",
        "weeks",
        "months",
        "next",
        "noon",
        "quarter",
        "every",
        "weekday",
        "week",
        "month",
        "o'clock",
    ]
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


def rule(pattern: str) -> Callable[[Action], Action]:
    """Enter a rule."""

    def enter(action: Action) -> Action:
        RULES.append((re.compile(pattern), action))
        return action

    return enter


def month_number(word: str) -> int:
    """ "sept" -> 9."""
    return next(i for i, name in enumerate(MONTHS, 1) if name.startswith(word[:3]))


def weekday_number(word: str) -> int:
    """ "thurs" -> 3."""
    return next(i for i, name in enumerate(WEEKDAYS) if name.startswith(word[:3]))


def unit_of(word: str) -> Unit:
    """ "mins" -> "minute"."""
    initial: dict[str, Unit] = {"s": "second", "h": "hour", "d": "day", "w": "week", "y": "year"}
    if word[0] == "m":
        return "month" if word.startswith("mo") else "minute"
    return initial[word[0]]


def durations(text: str) -> list[tuple[float, Unit]]:
    """The amounts of a matched `DURATION`."""
    return [(float(n), unit_of(u)) for n, u in re.findall(rf"({NUMBER})\s*({UNIT})\b", text)]


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
    if sign < 0:
        parts.span = (moment, now)
    else:
        parts.span = (now, moment)


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
    parts.part = _part(m[1])


# Clock times


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
    r"(?<![\d.])(\d{1,2})[:.h](\d{2})(?::\d{2}(?:\.\d+)?)?\s*(am|pm)?(?![\d.:])(?:\s*(?:uhr|o'clock|hours|hrs))?"
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
    if re.search(r"\bin $", m.string[: m.start()]) or (m[0].endswith("h") and m.start() == 0):
        return False  # "in 2h" is a distance
    return _hour(parts, int(m[1]))


@rule(r"\b(0\d|1\d|2[0-3])([0-5]\d) (?:hours|hrs)\b")
def _military(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.hour, parts.minute, parts.certain = int(m[1]), int(m[2]), True


@rule(
    r"(?:\bat|\bby|\baround|\babout|@|\ba las|\bum|\bà)\s*(\d{1,2}) ([0-5]\d)\b(?! (?:minute|hour|day|week|month))"
)
def _spoken(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    parts.minute = int(m[2])
    return _hour(parts, int(m[1]))


@rule(
    rf"(?:\bat|\baround|\babout|\bby|@|\ba las|\balle|\bum|\bà|\bàs)\s*(\d{{1,2}})(?![\d.:/]|\s*(?:st|nd|rd|th)\b|\s*{UNIT}\b|%)"
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


# Distances


@rule(rf"\b(?:within|in|during|over)?(?: the)? ?\b(?:next|coming|following)(?: the)? ({DURATION})")
def _next_days(m: re.Match[str], parts: Parts, now: datetime) -> None:
    reach(parts, now, durations(m[1]), 1)


@rule(rf"\bwithin (?:the )?({DURATION})")
def _within(m: re.Match[str], parts: Parts, now: datetime) -> None:
    reach(parts, now, durations(m[1]), 1)


@rule(rf"\b(?:in |over |during )?(?:the )?(?:last|past|previous) ({DURATION})")
def _last_days(m: re.Match[str], parts: Parts, now: datetime) -> None:
    reach(parts, now, durations(m[1]), -1)


@rule(rf"\bin (?:about |around )?({DURATION})(?:'s?)?(?: time)?(?: from now)?")
def _in(m: re.Match[str], parts: Parts, now: datetime) -> None:
    offset(parts, now, durations(m[1]), 1)


@rule(rf"\b({DURATION}) (?:from now|from today|later|hence)")
def _later(m: re.Match[str], parts: Parts, now: datetime) -> None:
    offset(parts, now, durations(m[1]), 1)


@rule(rf"\b({DURATION}) ago\b")
def _ago(m: re.Match[str], parts: Parts, now: datetime) -> None:
    offset(parts, now, durations(m[1]), -1)


@rule(rf"^\s*({DURATION})\s*$")
def _lone_duration(m: re.Match[str], parts: Parts, now: datetime) -> None:
    offset(parts, now, durations(m[1]), 1)


@rule(r"\b(?:the )?(?:(\d+) )?(day|week|month)s? (before|after)\b")
def _relative(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.relative = (int(m[1]) if m[1] else None, unit_of(m[2]), -1 if m[3] == "before" else 1)


# Stretches


@rule(r"\b(?:the )?(1st|2nd|first|second) half of\b")
def _half_of(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.edge = "first half" if m[1] in ("1st", "first") else "second half"


@rule(
    r"\b(?:the )?(?:very )?(end|beginning|start|middle|rest|remainder)(?: of)?\b(?=.*\w)|\b(early|mid|late)[ -](?=\w)"
)
def _edge(m: re.Match[str], parts: Parts, now: datetime) -> None:
    word = m[1] or m[2]
    parts.edge = (
        "end"
        if word in ("end", "late")
        else "middle"
        if word in ("middle", "mid")
        else "rest"
        if word[0] == "r"
        else "start"
    )


@rule(r"\bweek of\b")
def _week_of(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.unit, parts.moment = "week", True


@rule(rf"\b(?:the )?(1st|2nd|3rd|4th|5th|last) ({WEEKDAY}|weekend|day)s?(?: (?:of|in)\b|$)(?=(.*))")
def _nth_weekday(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if m[1] == "last" and not m[3].strip():
        return False  # "last Thursday" is the one before today
    nth = -1 if m[1] == "last" else int(m[1][0])
    if m[2] == "day":
        if nth < 0:
            parts.edge = "end"
        else:
            parts.day = nth
        return True
    parts.nth = nth
    if m[2] == "weekend":
        parts.weekend = True
    else:
        parts.weekday = weekday_number(m[2])
    if not m[3].strip():
        parts.months = 0
    return True


@rule(rf"\b({SHIFT}) week\b")
def _week(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.weeks = 1 if m[1] in ("coming", "upcoming") else SHIFTS[m[1]]


@rule(r"\bthe week\b")
def _the_week(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.weeks = 0


@rule(r"\bweek after next\b|\bthe week after next\b")
def _week_after_next(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.weeks = 2


@rule(rf"\b({SHIFT}|the) month\b")
def _month(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.months = 1 if m[1] in ("coming", "upcoming") else SHIFTS.get(m[1], 0)


@rule(rf"\b({SHIFT}|the) year\b")
def _year(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.years = 1 if m[1] in ("coming", "upcoming") else SHIFTS.get(m[1], 0)


@rule(rf"\b(?:({SHIFT}|the) )?weekend\b")
def _weekend(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.weekend, parts.shift = True, SHIFTS.get(m[1] or "", 0)


@rule(rf"\b(?:({SHIFT}|the) )?(spring|summer|autumn|fall|winter)\b")
def _season(m: re.Match[str], parts: Parts, now: datetime) -> None:
    first = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}[m[2]]
    parts.stretch, parts.shift = (first, 3), SHIFTS.get(m[1] or "")


@rule(r"\b(?:q([1-4])|(?:the )?([1-4])(?:st|nd|rd|th) quarter)\b")
def _quarter(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.stretch = (int(m[1] or m[2]) * 3 - 2, 3)


@rule(rf"\b({SHIFT}|the) quarter\b")
def _this_quarter(m: re.Match[str], parts: Parts, now: datetime) -> None:
    current = (now.month - 1) // 3 + SHIFTS.get(m[1], 0)
    parts.year = now.year + current // 4
    parts.stretch = (current % 4 * 3 + 1, 3)


@rule(rf"\b(?:({SHIFT}|on) )?({WEEKDAY})\b\.?")
def _weekday(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if parts.weekday is not None:
        return False
    parts.weekday, parts.shift = weekday_number(m[2]), SHIFTS.get(m[1] or "")
    return True


@rule(r"\b(?:the )?(\d{1,2})(?:st|nd|rd|th)\b(?: of)?")
def _day(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if parts.day is not None:
        return False
    parts.day = int(m[1])
    return True


@rule(rf"\b(?:({SHIFT}) )?({MONTH})\b(?:,? (\d{{4}})\b)?")
def _named_month(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if parts.month is not None:
        return False
    parts.month, parts.shift = month_number(m[2]), SHIFTS.get(m[1] or "", parts.shift)
    parts.year = int(m[3]) if m[3] else parts.year
    return True


@rule(r"\b((?:19|20)\d{2})\b(?!:)")
def _year_number(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if parts.year is not None:
        return False
    parts.year = int(m[1])
    return True


# Parts of the day

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


def _part(word: str) -> PartOfDay:
    part = _PART_WORDS[word]
    assert part in PARTS_OF_DAY
    return part


@rule(
    r"\b(?:in the |at |after )?(dawn|sunrise|morning|breakfast|noon|midday|lunchtime|lunch|afternoon|dusk|sunset|evening|dinner|midnight|night)\b"
)
def _part_of_day(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if parts.part is not None:
        return False
    parts.part = _part(m[1])
    return True


# What stands before or after


@rule(r"\b(before|by|after|since|until|till)\b|\b(starting|from)\b|\b(due)\b")
def _bound(m: re.Match[str], parts: Parts, now: datetime) -> None:
    word = m[1]
    if word:
        bounds: dict[str, Any] = {"till": "until"}
        parts.bound = bounds.get(word, word)
    elif m[2] == "from":
        parts.bound = "since"


@rule(r"\bsame time\b")
def _same_time(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.same_time = True


FILLER = re.compile(
    r"\b(?:at|on|in|the|of|a|an|for|during|by|around|about|this|sometime|some|time|please|exactly|sharp|and|coming|day|later|once|from|now|to|uhr|um|date)\b|['.,;:!?~@-]"
)
"""Words that may be left over."""
