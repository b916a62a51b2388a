"""English words for repeating: "every other Friday", "monthly on the 3rd", "weekdays"."""

from __future__ import annotations

import re

from llmasos.core.base.errors import SyscallError
from llmasos.services.schedule import english
from llmasos.services.schedule.rrule import (
    DAYS,
    EXAMPLES,
    FREQUENCIES,
    WORKDAYS,
    Fields,
    RepeatRule,
    entering,
    interval,
    month_day,
    month_days,
)

RULES: list[RepeatRule] = []
rule = entering(RULES)
_WD = rf"(?:{english.WEEKDAY})s?\b\.?"
_LIST = rf"{_WD}(?:(?:\s*(?:,|/|&|\band\b|,\s*and\b)\s*){_WD})*"
_NTH = r"(\d)(?:st|nd|rd|th)|(last)"


def _weekdays(text: str) -> str:
    named = [english.weekday_number(w) for w in re.findall(rf"\b({english.WEEKDAY})s?\b", text)]
    return ",".join(DAYS[d] for d in sorted(set(named)))


@rule(
    rf"\b(?:(?:every|each|on|monthly|(?:every"
    rf"|each) month) )*(?:on )?(?:the )?(?:{_NTH}) ({english.WEEKDAY}|day|weekday|workday"
    rf"|weekend)s?"
    r"(?: (?:of|in) (?:(?:every|each|the|a) )?month| (?:every|each) month| monthly)"
    rf"|\b(?:monthly|(?:every|each) month) on the (?:{_NTH}) ({english.WEEKDAY}|day|weekday)\b"
)
def _nth_of_month(m: re.Match[str]) -> Fields | None:
    nth = -1 if m[2] or m[5] else int(m[1] or m[4])
    word = m[3] or m[6]
    if word == "day":
        return {"FREQ": "MONTHLY", **month_day(31 if nth < 0 else nth)}
    if word in ("weekday", "workday"):
        return {"FREQ": "MONTHLY", "BYDAY": WORKDAYS, "BYSETPOS": str(nth)}
    if word == "weekend":
        return {"FREQ": "MONTHLY", "BYDAY": f"{nth}SA"}
    return {"FREQ": "MONTHLY", "BYDAY": f"{nth}{DAYS[english.weekday_number(word)]}"}


@rule(
    r"\b(?:on |at )?(?:the )?(?:end|last day) of (?:(?:every|each|the) )?month\b"
    r"|\bevery month end\b|\b(?:monthly|every month) (?:on|at) the (?:end|last day)\b"
)
def _month_end(m: re.Match[str]) -> Fields:
    return {"FREQ": "MONTHLY", "BYMONTHDAY": "-1"}


@rule(
    rf"\b(?:(?:every|each) year|yearly|annually|every) (?:on )?(?:the )?(?:(\d{{1,2}})(?:st|nd|rd"
    rf"|th)?(?: of)? ({english.MONTH})|({english.MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?)\b"
)
def _yearly_on(m: re.Match[str]) -> Fields:
    day, month = int(m[1] or m[4]), english.month_number(m[2] or m[3])
    if day == 29 and month == 2:
        return {"FREQ": "YEARLY", "BYMONTH": "2", **month_day(29)}
    if not 1 <= day <= (30 if month in (4, 6, 9, 11) else 29 if month == 2 else 31):
        raise SyscallError("EINVAL", f"{m[0]!r} is no day of the year.", EXAMPLES)
    return {"FREQ": "YEARLY", "BYMONTH": str(month), "BYMONTHDAY": str(day)}


@rule(
    r"\b(?:every (?:(other|\d+) )?months?|each month|monthly) (?:on )?(?:the )?(\d{1,2}(?:st|nd"
    r"|rd|th)?(?:(?:,| and|, and) (?:the )?\d{1,2}(?:st|nd|rd|th))*)(?![\d:]| ?(?:am|pm|o'clock))"
    r"|\b(?:on )?(?:every |each )?(?:the )?(\d{1,2}(?:st|nd|rd|th)(?:(?:,| and"
    r"|, and) (?:the )?\d{1,2}(?:st|nd|rd|th))*)(?: day)?(?: of)? (?:(?:every|each|the|a) month"
    r"|monthly)"
    r"|\b(?:every|each) (\d{1,2}(?:st|nd|rd|th))(?! (?:mon|tue|wed|thu|fri|sat|sun|day|week|year"
    r"|hour|minute|workday))\b"
)
def _monthly_on(m: re.Match[str]) -> Fields:
    days = [int(d) for d in re.findall(r"\d+", m[2] or m[3] or m[4])]
    return {"FREQ": "MONTHLY", **interval(m[1]), **month_days(days)}


@rule(
    rf"\b(?:every|each|on)? ?({english.WEEKDAY})s? (?:to|through|thru|till"
    rf"|until) ({english.WEEKDAY})\b|\b({english.WEEKDAY})s?-({english.WEEKDAY})\b"
    rf"|每?周([①-⑦])(?:到|至|-)周?([①-⑦1-7])"
)
def _from_to(m: re.Match[str]) -> Fields:
    if m[5]:
        first, last = "①②③④⑤⑥⑦".index(m[5]), "①②③④⑤⑥⑦".find(m[6]) if m[6] in "①②③④⑤⑥⑦" else int(m[6]) - 1
    else:
        first, last = english.weekday_number(m[1] or m[3]), english.weekday_number(m[2] or m[4])
    days = [(first + i) % 7 for i in range((last - first) % 7 + 1)]
    return {"FREQ": "WEEKLY", "BYDAY": ",".join(DAYS[d] for d in sorted(days))}


@rule(
    rf"\b(?:every (other |2nd |\d+ )?weeks?|weekly|each week|once a week|biweekly|bi-weekly"
    rf"|fortnightly) on (?:the )?({_LIST})"
)
def _weekly_on(m: re.Match[str]) -> Fields:
    number = "2" if m[0].startswith(("bi", "fort")) else m[1]
    return {"FREQ": "WEEKLY", **interval(number), "BYDAY": _weekdays(m[2])}


@rule(rf"\b(?:every|each) (other |2nd |3rd |4th |\d+ )?({_LIST})")
def _every_weekday(m: re.Match[str]) -> Fields:
    return {"FREQ": "WEEKLY", **interval(m[1]), "BYDAY": _weekdays(m[2])}


@rule(rf"\b(?:on )?((?:(?:{english.WEEKDAY})s\b(?:\s*(?:,|/|&|\band\b)\s*)?)+)")
def _plural_weekdays(m: re.Match[str]) -> Fields | None:
    # "tues", "weds" and "thurs" end in s and are one day.
    if not re.search(r"days\b|(?:mon|fri|sat|sun)s\b", m[1]):
        return None
    return {"FREQ": "WEEKLY", "BYDAY": _weekdays(m[1])}


@rule(
    r"\b(?:on |every |each |all )?(?:weekdays|week days|workdays|working days|business days"
    r"|school days)\b|\b(?:every|each) (?:weekday|week day|workday|working day|business day"
    r"|school day)\b|(?:每个?|每1个)?(?:工作日|上班日)(?:的?每天|都)?|每天?(?:周末除外)"
)
def _workdays(m: re.Match[str]) -> Fields:
    return {"FREQ": "WEEKLY", "BYDAY": WORKDAYS}


@rule(r"\b(?:on |every |each |at )?weekends\b|\b(?:every|each) weekend\b|每个?周末")
def _weekends(m: re.Match[str]) -> Fields:
    return {"FREQ": "WEEKLY", "BYDAY": "SA,SU"}


@rule(rf"\b(?:every|each|in) ({english.MONTH})\b(?= (?:every|each) year|$)")
def _every_month_of_year(m: re.Match[str]) -> Fields | None:
    if m[0].startswith("in "):
        return None
    return {"FREQ": "YEARLY", "BYMONTH": str(english.month_number(m[1]))}


@rule(
    r"\b(?:every|each) (?:single )?(morning|afternoon|evening|night|noon|lunchtime|midday"
    r"|midnight)s?\b|\b(nightly)\b|\b(mornings|evenings|nights)\b"
)
def _every_part(m: re.Match[str]) -> Fields:
    return {"FREQ": "DAILY", "": m[1] or ("night" if m[2] else m[3][:-1])}


@rule(
    rf"\b(?:every|each) (?:single )?(other |2nd |3rd |\d+ )?({english.UNIT})\b|\bonce (?:every|an?"
    rf"|per|1) (\d+ )?({english.UNIT})\b|\b1 (day|week|month|year)$"
)
def _every_unit(m: re.Match[str]) -> Fields | None:
    if m[5]:
        return None
    unit = english.unit_of(m[2] or m[4])
    if unit == "second":
        raise SyscallError("EINVAL", "A repetition can't be shorter than a minute.", EXAMPLES)
    return {"FREQ": FREQUENCIES[unit], **interval(m[1] or m[3])}


@rule(
    r"\b(hourly|daily|weekly|biweekly|bi-weekly|fortnightly|monthly|quarterly|every quarter"
    r"|half-yearly|yearly|annually|annual|every ?day|everyday)\b"
)
def _adverb(m: re.Match[str]) -> Fields:
    return {
        "hourly": {"FREQ": "HOURLY"},
        "daily": {"FREQ": "DAILY"},
        "weekly": {"FREQ": "WEEKLY"},
        "biweekly": {"FREQ": "WEEKLY", "INTERVAL": "2"},
        "bi-weekly": {"FREQ": "WEEKLY", "INTERVAL": "2"},
        "fortnightly": {"FREQ": "WEEKLY", "INTERVAL": "2"},
        "monthly": {"FREQ": "MONTHLY"},
        "quarterly": {"FREQ": "MONTHLY", "INTERVAL": "3"},
        "every quarter": {"FREQ": "MONTHLY", "INTERVAL": "3"},
        "half-yearly": {"FREQ": "MONTHLY", "INTERVAL": "6"},
    }.get(m[1], {"FREQ": "YEARLY"} if m[1].startswith(("year", "annual")) else {"FREQ": "DAILY"})
