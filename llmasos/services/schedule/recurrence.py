"""When a repeated event comes: the times of an RRULE.

Rules run on the wall clock of the event's zone, so that "daily at 8" stays at 8 when daylight saving begins
or ends; only hours and minutes run on elapsed time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]  # ships no types

from llmasos.services.schedule.parts import elapsed
from llmasos.services.schedule.rrule import DAYS, WORKDAYS


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
    naive = rrulestr(rule, dtstart=start.replace(tzinfo=None))
    since = after.astimezone(start.tzinfo).replace(tzinfo=None)
    # An hour of margin: where the clock is set back, wall-clock order is not the order of time.
    for moment in naive.xafter(since - timedelta(hours=2), inc=True):
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
    if "COUNT" in fields:
        text += f", {fields['COUNT']} times"
    if "UNTIL" in fields:
        text += f" until {datetime.strptime(fields['UNTIL'], '%Y%m%dT%H%M%S').replace(tzinfo=UTC):%-d %b %Y}"
    return text


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NTH = {"": "", "1": "1st ", "2": "2nd ", "3": "3rd ", "4": "4th ", "5": "5th ", "-1": "last "}


def _named_day(code: str) -> str:
    return _NTH[code[:-2]] + WEEKDAYS[DAYS.index(code[-2:])]
