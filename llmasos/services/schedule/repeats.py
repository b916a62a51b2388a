"""Repeating times: "every weekday at 8", 每月3号 -> an RRULE of RFC 5545, and when it comes next.

Rules run on the wall clock of the event's zone, so that "daily at 8" stays at 8 when daylight saving begins or ends;
only hours and minutes run on elapsed time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]  # ships no types

from llmasos.core.base.errors import SyscallError
from llmasos.services.schedule import chinese, english, words
from llmasos.services.schedule.parts import Unit, add, elapsed

EXAMPLES = "Say it like 'every Monday', 'every weekday at 8', 'monthly on the 3rd', '每周一' or '每月3号'."
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
WORKDAYS = "MO,TU,WE,TH,FR"
_FREQUENCIES: dict[Unit, str] = {
    "minute": "MINUTELY",
    "hour": "HOURLY",
    "day": "DAILY",
    "week": "WEEKLY",
    "month": "MONTHLY",
    "year": "YEARLY",
}


@dataclass(frozen=True, slots=True)
class Repeat:
    """A repetition.

    Attributes:
        fields: The parts of its RRULE, FREQ first.
        rest: What the phrase says beside it, the time of day mostly.
    """

    fields: dict[str, str] = field(default_factory=dict)
    rest: str = ""

    @property
    def rule(self) -> str:
        """The RRULE as text."""
        return ";".join(f"{name}={value}" for name, value in self.fields.items())

    def anchored(self, start: datetime) -> Repeat:
        """The rule with what only its start says: "monthly" from the 31st is the last day of each month."""
        fields = dict(self.fields)
        by_day = any(name in fields for name in ("BYDAY", "BYMONTHDAY"))
        if fields["FREQ"] == "MONTHLY" and not by_day:
            fields |= _month_day(start.day)
        elif fields["FREQ"] == "YEARLY" and not by_day and (start.month, start.day) == (2, 29):
            fields |= {"BYMONTH": "2", **_month_day(29)}
        return Repeat(fields, self.rest)


def repeat(text: str, now: datetime) -> Repeat:
    """The repetition that a phrase says.

    Raises:
        SyscallError: EINVAL, it can't be read.
    """
    found = find(text, now)
    if found is None:
        raise SyscallError("EINVAL", f"{text!r} can't be read as a repetition.", EXAMPLES)
    return found


def find(text: str, now: datetime) -> Repeat | None:
    """The repetition in a phrase, or None where there is none."""
    if len(text) > words.LIMIT:
        raise SyscallError("EINVAL", f"{text[:40]!r}... is too long for a repetition.", EXAMPLES)
    phrase = chinese.normalised(words.normalised(text))
    phrase, limits = _limits(phrase, now)
    for pattern, act in _RULES:
        m = pattern.search(phrase)
        if not m:
            continue
        fields = act(m)
        if fields is None:
            continue
        keep = fields.pop("", "")
        rest = f"{phrase[: m.start()]} {keep} {phrase[m.end() :]}"
        return Repeat({**fields, **limits}, " ".join(rest.split()).strip(" ,"))
    return None


def _limits(phrase: str, now: datetime) -> tuple[str, dict[str, str]]:
    """COUNT or UNTIL, and the phrase without them."""
    m = re.search(r"\b(\d+) times\b|共?(\d+)次", phrase)
    if m and not re.search(r"times (?:a|per|every)\b", phrase):
        return words._cut(phrase, m), {"COUNT": m[1] or m[2]}
    m = re.search(rf"\bfor (?:the next )?({english.DURATION})", phrase)
    if m:
        return words._cut(phrase, m), {"UNTIL": _until(now, english.durations(m[1]))}
    m = re.search(rf"(?:持续|连续|坚持)({chinese.DURATION})", phrase)
    if m:
        return words._cut(phrase, m), {"UNTIL": _until(now, chinese.durations(m[1]))}
    m = re.search(r"\b(?:until|till) (.+)$|(?:直到|一直到|1直到)(.+?)(?:为止)?$", phrase)
    if m:
        _, end = words.span(m[1] or m[2], now)
        return words._cut(phrase, m), {"UNTIL": f"{end - timedelta(seconds=1):%Y%m%dT%H%M%S}"}
    return phrase, {}


def _until(now: datetime, amounts: list[tuple[float, Unit]]) -> str:
    end = now
    for amount, unit in amounts:
        end = add(end, amount, unit)
    return f"{end - timedelta(seconds=1):%Y%m%dT%H%M%S}"


# Rules: (pattern, match -> the RRULE's fields; "" is what stays in the phrase). None: not this rule after all.

_Fields = dict[str, str]
_RULES: list[tuple[re.Pattern[str], Callable[[re.Match[str]], _Fields | None]]] = []
_WD = rf"(?:{english.WEEKDAY})s?\b\.?"
_LIST = rf"{_WD}(?:(?:\s*(?:,|/|&|\band\b|,\s*and\b)\s*){_WD})*"
_NTH = r"(\d)(?:st|nd|rd|th)|(last)"


def _rule(
    pattern: str,
) -> Callable[[Callable[[re.Match[str]], _Fields | None]], Callable[[re.Match[str]], _Fields | None]]:
    def enter(act: Callable[[re.Match[str]], _Fields | None]) -> Callable[[re.Match[str]], _Fields | None]:
        _RULES.append((re.compile(pattern), act))
        return act

    return enter


def _interval(number: str | None) -> _Fields:
    if not number:
        return {}
    interval = 2 if number.startswith("other") else int(re.sub(r"\D", "", number))
    if interval < 1:
        raise SyscallError("EINVAL", "A repetition needs a distance above zero.", EXAMPLES)
    return {"INTERVAL": str(interval)} if interval > 1 else {}


def _month_day(day: int) -> _Fields:
    """A day of the month that short months have as well: their last one stands in."""
    if day > 31 or day < 1:
        raise SyscallError("EINVAL", f"No month has a day {day}.", EXAMPLES)
    if day == 31:
        return {"BYMONTHDAY": "-1"}
    if day > 28:
        return {"BYMONTHDAY": ",".join(str(d) for d in range(28, day + 1)), "BYSETPOS": "-1"}
    return {"BYMONTHDAY": str(day)}


def _month_days(days: list[int]) -> _Fields:
    if len(days) == 1:
        return _month_day(days[0])
    if any(not 1 <= d <= 31 for d in days):
        raise SyscallError("EINVAL", "A month has days 1 to 31.", EXAMPLES)
    return {"BYMONTHDAY": ",".join(str(d) for d in sorted(days))}


def _weekdays(text: str) -> str:
    named = [english.weekday_number(w) for w in re.findall(rf"\b({english.WEEKDAY})s?\b", text)]
    return ",".join(DAYS[d] for d in sorted(set(named)))


@_rule(
    rf"\b(?:(?:every|each|on|monthly|(?:every|each) month) )*(?:on )?(?:the )?(?:{_NTH}) ({english.WEEKDAY}|day|weekday|workday|weekend)s?"
    r"(?: (?:of|in) (?:(?:every|each|the|a) )?month| (?:every|each) month| monthly)"
    rf"|\b(?:monthly|(?:every|each) month) on the (?:{_NTH}) ({english.WEEKDAY}|day|weekday)\b"
)
def _nth_of_month(m: re.Match[str]) -> _Fields | None:
    nth = -1 if m[2] or m[5] else int(m[1] or m[4])
    word = m[3] or m[6]
    if word == "day":
        return {"FREQ": "MONTHLY", **_month_day(31 if nth < 0 else nth)}
    if word in ("weekday", "workday"):
        return {"FREQ": "MONTHLY", "BYDAY": WORKDAYS, "BYSETPOS": str(nth)}
    if word == "weekend":
        return {"FREQ": "MONTHLY", "BYDAY": f"{nth}SA"}
    return {"FREQ": "MONTHLY", "BYDAY": f"{nth}{DAYS[english.weekday_number(word)]}"}


@_rule(
    r"\b(?:on |at )?(?:the )?(?:end|last day) of (?:(?:every|each|the) )?month\b|\bevery month end\b|\b(?:monthly|every month) (?:on|at) the (?:end|last day)\b"
)
def _month_end(m: re.Match[str]) -> _Fields:
    return {"FREQ": "MONTHLY", "BYMONTHDAY": "-1"}


@_rule(
    rf"\b(?:(?:every|each) year|yearly|annually|every) (?:on )?(?:the )?(?:(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({english.MONTH})|({english.MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?)\b"
)
def _yearly_on(m: re.Match[str]) -> _Fields:
    day, month = int(m[1] or m[4]), english.month_number(m[2] or m[3])
    if day == 29 and month == 2:
        return {"FREQ": "YEARLY", "BYMONTH": "2", **_month_day(29)}
    if not 1 <= day <= (30 if month in (4, 6, 9, 11) else 29 if month == 2 else 31):
        raise SyscallError("EINVAL", f"{m[0]!r} is no day of the year.", EXAMPLES)
    return {"FREQ": "YEARLY", "BYMONTH": str(month), "BYMONTHDAY": str(day)}


@_rule(
    r"\b(?:every (?:(other|\d+) )?months?|each month|monthly) (?:on )?(?:the )?(\d{1,2}(?:st|nd|rd|th)?(?:(?:,| and|, and) (?:the )?\d{1,2}(?:st|nd|rd|th))*)(?![\d:]| ?(?:am|pm|o'clock))"
    r"|\b(?:on )?(?:every |each )?(?:the )?(\d{1,2}(?:st|nd|rd|th)(?:(?:,| and|, and) (?:the )?\d{1,2}(?:st|nd|rd|th))*)(?: day)?(?: of)? (?:(?:every|each|the|a) month|monthly)"
    r"|\b(?:every|each) (\d{1,2}(?:st|nd|rd|th))(?! (?:mon|tue|wed|thu|fri|sat|sun|day|week|year|hour|minute|workday))\b"
)
def _monthly_on(m: re.Match[str]) -> _Fields:
    days = [int(d) for d in re.findall(r"\d+", m[2] or m[3] or m[4])]
    return {"FREQ": "MONTHLY", **_interval(m[1]), **_month_days(days)}


@_rule(
    rf"\b(?:every|each|on)? ?({english.WEEKDAY})s? (?:to|through|thru|till|until) ({english.WEEKDAY})\b|\b({english.WEEKDAY})s?-({english.WEEKDAY})\b|每?周([①-⑦])(?:到|至|-)周?([①-⑦1-7])"
)
def _from_to(m: re.Match[str]) -> _Fields:
    if m[5]:
        first, last = "①②③④⑤⑥⑦".index(m[5]), "①②③④⑤⑥⑦".find(m[6]) if m[6] in "①②③④⑤⑥⑦" else int(m[6]) - 1
    else:
        first, last = english.weekday_number(m[1] or m[3]), english.weekday_number(m[2] or m[4])
    days = [(first + i) % 7 for i in range((last - first) % 7 + 1)]
    return {"FREQ": "WEEKLY", "BYDAY": ",".join(DAYS[d] for d in sorted(days))}


@_rule(
    rf"\b(?:every (other |2nd |\d+ )?weeks?|weekly|each week|once a week|biweekly|bi-weekly|fortnightly) on (?:the )?({_LIST})"
)
def _weekly_on(m: re.Match[str]) -> _Fields:
    interval = "2" if m[0].startswith(("bi", "fort")) else m[1]
    return {"FREQ": "WEEKLY", **_interval(interval), "BYDAY": _weekdays(m[2])}


@_rule(rf"\b(?:every|each) (other |2nd |3rd |4th |\d+ )?({_LIST})")
def _every_weekday(m: re.Match[str]) -> _Fields:
    return {"FREQ": "WEEKLY", **_interval(m[1]), "BYDAY": _weekdays(m[2])}


@_rule(rf"\b(?:on )?((?:(?:{english.WEEKDAY})s\b(?:\s*(?:,|/|&|\band\b)\s*)?)+)")
def _plural_weekdays(m: re.Match[str]) -> _Fields | None:
    # "tues", "weds" and "thurs" end in s and are one day.
    if not re.search(r"days\b|(?:mon|fri|sat|sun)s\b", m[1]):
        return None
    return {"FREQ": "WEEKLY", "BYDAY": _weekdays(m[1])}


@_rule(
    r"\b(?:on |every |each |all )?(?:weekdays|week days|workdays|working days|business days|school days)\b|\b(?:every|each) (?:weekday|week day|workday|working day|business day|school day)\b|(?:每个?|每1个)?(?:工作日|上班日)(?:的?每天|都)?|每天?(?:周末除外)"
)
def _workdays(m: re.Match[str]) -> _Fields:
    return {"FREQ": "WEEKLY", "BYDAY": WORKDAYS}


@_rule(r"\b(?:on |every |each |at )?weekends\b|\b(?:every|each) weekend\b|每个?周末")
def _weekends(m: re.Match[str]) -> _Fields:
    return {"FREQ": "WEEKLY", "BYDAY": "SA,SU"}


@_rule(rf"\b(?:every|each|in) ({english.MONTH})\b(?= (?:every|each) year|$)")
def _every_month_of_year(m: re.Match[str]) -> _Fields | None:
    if m[0].startswith("in "):
        return None
    return {"FREQ": "YEARLY", "BYMONTH": str(english.month_number(m[1]))}


@_rule(
    r"\b(?:every|each) (?:single )?(morning|afternoon|evening|night|noon|lunchtime|midday|midnight)s?\b|\b(nightly)\b|\b(mornings|evenings|nights)\b"
)
def _every_part(m: re.Match[str]) -> _Fields:
    return {"FREQ": "DAILY", "": m[1] or ("night" if m[2] else m[3][:-1])}


@_rule(
    rf"\b(?:every|each) (?:single )?(other |2nd |3rd |\d+ )?({english.UNIT})\b|\bonce (?:every|an?|per|1) (\d+ )?({english.UNIT})\b|\b1 (day|week|month|year)$"
)
def _every_unit(m: re.Match[str]) -> _Fields | None:
    if m[5]:
        return None
    unit = english.unit_of(m[2] or m[4])
    if unit == "second":
        raise SyscallError("EINVAL", "A repetition can't be shorter than a minute.", EXAMPLES)
    return {"FREQ": _FREQUENCIES[unit], **_interval(m[1] or m[3])}


@_rule(
    r"\b(hourly|daily|weekly|biweekly|bi-weekly|fortnightly|monthly|quarterly|every quarter|half-yearly|yearly|annually|annual|every ?day|everyday)\b"
)
def _adverb(m: re.Match[str]) -> _Fields:
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


# Chinese

_CIRCLED = "①②③④⑤⑥⑦"


@_rule(r"每(?:1个|个)?月的?(?:第(\d)个|(最后)(?:1个)?)周([①-⑦])")
def _zh_nth(m: re.Match[str]) -> _Fields:
    return {"FREQ": "MONTHLY", "BYDAY": f"{-1 if m[2] else m[1]}{DAYS[_CIRCLED.index(m[3])]}"}


@_rule(r"每(?:1个|个)?月的?(?:底|末|最后1?天|最后1日)")
def _zh_month_end(m: re.Match[str]) -> _Fields:
    return {"FREQ": "MONTHLY", "BYMONTHDAY": "-1"}


@_rule(r"每(?:1|个|1个)?月初")
def _zh_month_start(m: re.Match[str]) -> _Fields:
    return {"FREQ": "MONTHLY", "BYMONTHDAY": "1"}


@_rule(r"每(?:隔)?(\d+)?个?月的?(\d{1,2}[日号]?(?:[和、,]\d{1,2}[日号]?)*[日号])")
def _zh_monthly(m: re.Match[str]) -> _Fields:
    days = [int(d) for d in re.findall(r"\d+", m[2])]
    return {"FREQ": "MONTHLY", **_interval(m[1]), **_month_days(days)}


@_rule(r"每(?:1)?年的?(\d{1,2})月(\d{1,2})[日号]?")
def _zh_yearly(m: re.Match[str]) -> _Fields:
    if int(m[1]) == 2 and int(m[2]) == 29:
        return {"FREQ": "YEARLY", "BYMONTH": "2", **_month_day(29)}
    if not 1 <= int(m[1]) <= 12 or not 1 <= int(m[2]) <= 31:
        raise SyscallError("EINVAL", f"{m[0]!r} is no day of the year.", EXAMPLES)
    return {"FREQ": "YEARLY", "BYMONTH": m[1], "BYMONTHDAY": m[2]}


@_rule(
    r"(隔周的?|隔(?=周[①-⑦])|每隔?(\d+)?个?(?:周|星期|礼拜)的|每逢|每隔?(\d+)?个?|逢)(周[①-⑦](?:[1-7①-⑦、,和]|周(?=[①-⑦]))*)"
)
def _zh_weekly(m: re.Match[str]) -> _Fields:
    days = {_CIRCLED.index(c) if c in _CIRCLED else int(c) - 1 for c in re.findall("[①-⑦1-7]", m[4])}
    interval = "2" if m[1].startswith("隔") else m[2] or m[3]
    return {"FREQ": "WEEKLY", **_interval(interval), "BYDAY": ",".join(DAYS[d] for d in sorted(days))}


@_rule(r"每(?:1)?天|每日|天天|日日|每(?=早|晚|晨|夜|个?(?:早上|晚上|上午|下午|中午))个?")
def _zh_daily(m: re.Match[str]) -> _Fields:
    return {"FREQ": "DAILY"}


@_rule(r"每?隔(1)?(天|日|周|个?星期|个?礼拜|个?月|年)(?!的?[①-⑦\d])")
def _zh_alternate(m: re.Match[str]) -> _Fields:
    # 隔天 and 每隔一天 are every other day.
    return {"FREQ": _FREQUENCIES[chinese._UNITS[m[2].removeprefix("个")[0]]], "INTERVAL": "2"}


@_rule(r"每(?:隔|过)?(\d+|半)?个?(分钟|小时|钟头|天|周|星期|礼拜|月|季度|年)")
def _zh_every(m: re.Match[str]) -> _Fields:
    if m[2] == "季度":
        return {"FREQ": "MONTHLY", "INTERVAL": str(3 * int(m[1] or 1))}
    unit = chinese._UNITS[m[2][0]]
    if m[1] == "半":
        half: dict[Unit, _Fields] = {
            "hour": {"FREQ": "MINUTELY", "INTERVAL": "30"},
            "day": {"FREQ": "HOURLY", "INTERVAL": "12"},
            "year": {"FREQ": "MONTHLY", "INTERVAL": "6"},
        }
        return half.get(unit, {"FREQ": "DAILY", "INTERVAL": "15"})
    return {"FREQ": _FREQUENCIES[unit], **_interval(m[1])}


# Occurrences


def occurrences(
    rule: str, start: datetime, after: datetime, *, inclusive: bool = False
) -> Iterator[datetime]:
    """When a repeated event comes, in order.

    Args:
        rule: Its RRULE; UNTIL is wall-clock time.
        start: Its first time, in its own zone.
        after: From when on; only later ones are yielded.
        inclusive: Yield one that is exactly at `after` as well.
    """
    fields = dict(part.split("=", 1) for part in rule.split(";"))
    if fields["FREQ"] in ("HOURLY", "MINUTELY"):
        yield from _elapsed_time(fields, start, after, inclusive)
        return
    naive = rrulestr(rule, dtstart=start.replace(tzinfo=None))
    since = after.astimezone(start.tzinfo).replace(tzinfo=None)
    # An hour of margin: where the clock is set back, wall-clock order is not the order of time.
    for moment in naive.xafter(since - timedelta(hours=2), inc=True):
        found = elapsed(moment.replace(tzinfo=start.tzinfo))
        if found > after or (inclusive and found == after):
            yield found


def _elapsed_time(
    fields: dict[str, str], start: datetime, after: datetime, inclusive: bool
) -> Iterator[datetime]:
    step = int(fields.get("INTERVAL", 1)) * (3600 if fields["FREQ"] == "HOURLY" else 60)
    behind = (after - start).total_seconds()
    n = max(0, int(behind // step) - 1)
    count = int(fields["COUNT"]) if "COUNT" in fields else None
    until = datetime.strptime(fields["UNTIL"], "%Y%m%dT%H%M%S") if "UNTIL" in fields else None  # noqa: DTZ007
    while count is None or n < count:
        moment = elapsed(start, n * step)
        if until and moment.replace(tzinfo=None) > until:
            return
        if moment > after or (inclusive and moment == after):
            yield moment
        n += 1


def next_after(rule: str, start: datetime, after: datetime, *, inclusive: bool = False) -> datetime | None:
    """The next time, or None where it is over."""
    return next(occurrences(rule, start, after, inclusive=inclusive), None)


def latest_before(rule: str, start: datetime, since: datetime, until: datetime) -> datetime | None:
    """The last time that came in a stretch, or None."""
    found = None
    for moment in islice(occurrences(rule, start, since), 100_000):
        if moment > until:
            break
        found = moment
    return found


def said(rule: str) -> str:
    """A rule in a few plain words, for listing: "every Mon, Wed"."""
    fields = dict(part.split("=", 1) for part in rule.split(";"))
    every = int(fields.get("INTERVAL", 1))
    unit = {
        "MINUTELY": "minute",
        "HOURLY": "hour",
        "DAILY": "day",
        "WEEKLY": "week",
        "MONTHLY": "month",
        "YEARLY": "year",
    }[fields["FREQ"]]
    text = f"every {unit}" if every == 1 else f"every {every} {unit}s"
    days = fields.get("BYDAY", "")
    if days == WORKDAYS and every == 1 and "BYSETPOS" not in fields:
        text = "every weekday"
    elif days:
        named = ", ".join(_named_day(day) for day in days.split(","))
        text = f"every {named}" if every == 1 and unit == "week" else f"{text} on {named}"
    elif fields.get("BYMONTHDAY") == "-1":
        text += " on the last day"
    elif unit == "month" and "BYMONTHDAY" in fields:
        text += (
            f" on day {fields['BYMONTHDAY'].split(',')[-1] if 'BYSETPOS' in fields else fields['BYMONTHDAY']}"
        )
    if "COUNT" in fields:
        text += f", {fields['COUNT']} times"
    if "UNTIL" in fields:
        text += f" until {datetime.strptime(fields['UNTIL'], '%Y%m%dT%H%M%S').replace(tzinfo=UTC):%-d %b %Y}"
    return text


def _named_day(code: str) -> str:
    name = {"MO": "Mon", "TU": "Tue", "WE": "Wed", "TH": "Thu", "FR": "Fri", "SA": "Sat", "SU": "Sun"}[
        code[-2:]
    ]
    return f"{ {'': '', '1': '1st ', '2': '2nd ', '3': '3rd ', '4': '4th ', '5': '5th ', '-1': 'last '}[code[:-2]] }{name}"
