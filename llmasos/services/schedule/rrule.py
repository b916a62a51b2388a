"""The parts of an RRULE (RFC 5545) that words about repeating stand for."""

from __future__ import annotations

import re
from collections.abc import Callable

from llmasos.core.base.errors import SyscallError
from llmasos.services.schedule.parts import Unit

EXAMPLES = "Say it like 'every Monday', 'every weekday at 8', 'monthly on the 3rd', '每周一' or '每月3号'."
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
WORKDAYS = "MO,TU,WE,TH,FR"
FREQUENCIES: dict[Unit, str] = {
    "minute": "MINUTELY",
    "hour": "HOURLY",
    "day": "DAILY",
    "week": "WEEKLY",
    "month": "MONTHLY",
    "year": "YEARLY",
}

Fields = dict[str, str]
"""Parts of an RRULE; under "" what stays in the phrase, such as the "morning" of "every morning"."""
RepeatAction = Callable[[re.Match[str]], Fields | None]
"""What a match means; None: it's no repetition after all."""
RepeatRule = tuple[re.Pattern[str], RepeatAction]


def entering(rules: list[RepeatRule]) -> Callable[[str], Callable[[RepeatAction], RepeatAction]]:
    """A decorator that enters actions into a list of rules, with the pattern that calls them."""

    def rule(pattern: str) -> Callable[[RepeatAction], RepeatAction]:
        def enter(action: RepeatAction) -> RepeatAction:
            rules.append((re.compile(pattern), action))
            return action

        return enter

    return rule


def interval(number: str | None) -> Fields:
    """The INTERVAL of "every other", "every 3rd", "every 2 "; none for every one."""
    if not number:
        return {}
    interval = 2 if number.startswith("other") else int(re.sub(r"\D", "", number))
    if interval < 1:
        raise SyscallError("EINVAL", "A repetition needs a distance above zero.", EXAMPLES)
    return {"INTERVAL": str(interval)} if interval > 1 else {}


def month_day(day: int) -> Fields:
    """A day of the month that short months have as well: their last one stands in."""
    if day > 31 or day < 1:
        raise SyscallError("EINVAL", f"No month has a day {day}.", EXAMPLES)
    if day == 31:
        return {"BYMONTHDAY": "-1"}
    if day > 28:
        return {"BYMONTHDAY": ",".join(str(d) for d in range(28, day + 1)), "BYSETPOS": "-1"}
    return {"BYMONTHDAY": str(day)}


def month_days(days: list[int]) -> Fields:
    """One or several days of the month."""
    if len(days) == 1:
        return month_day(days[0])
    if any(not 1 <= d <= 31 for d in days):
        raise SyscallError("EINVAL", "A month has days 1 to 31.", EXAMPLES)
    return {"BYMONTHDAY": ",".join(str(d) for d in sorted(days))}
