"""When a repeated event comes: the times of an RRULE.

Rules run on the wall clock of the event's zone, so that "daily at 8" stays at 8 when daylight saving begins
or ends; only hours and minutes run on elapsed time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from llmasos.services.schedule import expansion
from llmasos.services.schedule.parts import elapsed
from llmasos.services.schedule.rrule import DAYS, WORKDAYS

HORIZON = timedelta(days=366 * 9)
"""How far ahead the next time is looked for: a 29 February comes every eight years at the latest. A rule that has none
would be looked through to the year 9999."""


def occurrences(rule: str, start: datetime, after: datetime, *, inclusive: bool = False) -> Iterator[datetime]:
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
    # An hour of margin: where the clock is set back, wall-clock order is not the order of time.
    since = after.astimezone(start.tzinfo).replace(tzinfo=None) - timedelta(hours=2)
    naive = start.replace(tzinfo=None)
    last = min(max(since, naive), datetime.max - HORIZON) + HORIZON
    if "UNTIL" in fields:
        last = min(last, datetime.strptime(fields["UNTIL"], "%Y%m%dT%H%M%S"))
    if last < since:
        return
    for moment in expansion.times(rule, naive, since, last):
        found = elapsed(moment.replace(tzinfo=start.tzinfo))
        if found > after or (inclusive and found == after):
            yield found


def _elapsed_time(fields: dict[str, str], start: datetime, after: datetime, inclusive: bool) -> Iterator[datetime]:
    step = int(fields.get("INTERVAL", 1)) * (3600 if fields["FREQ"] == "HOURLY" else 60)
    behind = (after - start).total_seconds()
    n = max(0, int(behind // step) - 1)
    count = int(fields["COUNT"]) if "COUNT" in fields else None
    until = datetime.strptime(fields["UNTIL"], "%Y%m%dT%H%M%S") if "UNTIL" in fields else None
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
        text += f" on day {fields['BYMONTHDAY'].split(',')[-1] if 'BYSETPOS' in fields else fields['BYMONTHDAY']}"
    if "BYMONTH" in fields:
        text += f" in {', '.join(_MONTHS[int(month) - 1] for month in fields['BYMONTH'].split(','))}"
    if "COUNT" in fields:
        text += f", {fields['COUNT']} times"
    if "UNTIL" in fields:
        last = datetime.strptime(fields["UNTIL"], "%Y%m%dT%H%M%S")
        text += f" until {last.day} {_MONTHS[last.month - 1]} {last.year}"
    return text


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _named_day(code: str) -> str:
    return _nth(code[:-2]) + WEEKDAYS[DAYS.index(code[-2:])]


def _nth(number: str) -> str:
    """The place of a day in its month: 1 is "1st ", -1 "last ", -2 "2nd last "."""
    if not number:
        return ""
    place = abs(int(number))
    ending = "th" if 10 < place % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    if int(number) > 0:
        return f"{place}{ending} "
    return "last " if place == 1 else f"{place}{ending} last "
