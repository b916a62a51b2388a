"""From the words of a call to an event's time: once or repeating, planned anew or moved."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from llmasos.core.base.errors import SyscallError
from llmasos.services.schedule import recurrence, repeats, rrule, words
from llmasos.services.schedule.event import Event, shown
from llmasos.services.schedule.parts import elapsed
from llmasos.services.schedule.reading import EXAMPLES
from llmasos.services.schedule.repeats import Repeat
from llmasos.services.schedule.words import When

GRACE = timedelta(minutes=1)
"""A time that went by while the person spoke is still taken."""
TITLE_LIMIT = 500
"""Characters."""


def checked_title(title: str) -> str:
    """A title without the space around it.

    Raises:
        SyscallError: EINVAL, it's empty; E2BIG.
    """
    title = title.strip()
    if not title:
        raise SyscallError("EINVAL", "It has no title.", "Say what it is.")
    if len(title) > TITLE_LIMIT:
        raise SyscallError("E2BIG", f"The title has {len(title)} characters; {TITLE_LIMIT} is the limit.")
    return title


def planned(title: str, when: str, repeat: str | None, now: datetime) -> tuple[When, str]:
    """The (first) time of an event, and its RRULE or "".

    Raises:
        SyscallError: EINVAL, the words can't be read, or the time is over.
    """
    in_when = repeats.find(when, now)
    repetition = repeats.repeat(repeat, now) if repeat else in_when
    if repetition is None:
        return upcoming(words.when(when, now, about=title), when, now), ""
    texts = [in_when.rest if in_when else when]
    if repeat:
        # "each morning" with "at seven": both say the time, and only together do they say it right.
        texts.insert(0, " ".join(text for text in (repetition.rest, texts[0]) if text))
        if in_when is not None:  # "every Tuesday at 7" with "every Tuesday": what says more is the rule
            repetition = max(repetition, in_when, key=lambda r: len(r.fields))
    start = When(now.replace(hour=0, minute=0, second=0, microsecond=0), timed=False, said_day=False)
    return _first(_start(texts, start, title, now), repetition, now)


def _start(texts: list[str], today: When, title: str, now: datetime) -> When:
    """From when on; today where nothing says it."""
    said = [text for text in dict.fromkeys(texts) if text]
    for text in said[:-1]:
        try:
            return words.when(text, now, about=title, repeated=True)
        except SyscallError:
            continue
    return words.when(said[-1], now, about=title, repeated=True) if said else today


def _first(start: When, repetition: Repeat, now: datetime) -> tuple[When, str]:
    """The first time of a repetition."""
    elapsing = repetition.fields["FREQ"] in ("HOURLY", "MINUTELY")
    if elapsing and not start.timed:  # "every 20 minutes", from now on
        unit = 3600 if repetition.fields["FREQ"] == "HOURLY" else 60
        step = unit * int(repetition.fields.get("INTERVAL", 1))
        start = replace(start, start=elapsed(now.replace(second=0, microsecond=0), step), timed=True)
    repetition = repetition.anchored(start.start)
    plain = repetition
    if not elapsing:
        # Without its interval, or "every other Friday" would begin with the week of a Friday that is over.
        fields = {k: v for k, v in repetition.fields.items() if k not in ("INTERVAL", "COUNT")}
        plain = Repeat(fields)
    earliest = max(start.start, now) if start.timed else start.start
    first = recurrence.next_after(plain.rule, start.start, earliest, inclusive=True)
    if first is None:
        raise SyscallError("EINVAL", f"{recurrence.said(repetition.rule)!r} never comes.", rrule.EXAMPLES)
    length = start.end - start.start if start.end and start.timed else None
    return replace(start, start=first, end=elapsed(first + length) if length else None), repetition.rule


def moved(event: Event, when: str, now: datetime) -> tuple[Event, str]:
    """An event at a new time, and a note.

    Of one that repeats, the next occurrence moves and becomes an event of its own, unless `when` says a
    repetition.

    Raises:
        SyscallError: EINVAL, the words can't be read, or the time is over.
    """
    current = event.next(now) or event.first
    length = event.length
    if event.rule and repeats.find(when, now):
        found, rule = planned(event.title, when, None, now)
        if not found.timed and event.timed:
            found = replace(found, start=_at_time_of(found.start, event.first), timed=True)
        end = found.end or (elapsed(found.start + length) if length else None)
        return replace(event, rule=rule, skipped=[]).at(found.start, end, found.timed), found.note
    found = _new_time(event, current, when, now)
    end = found.end
    if end is None and length is not None and found.timed == event.timed:
        end = elapsed(found.start + length)
    if not event.rule:
        return event.at(found.start, end, found.timed), found.note
    alone = Event.new(
        event.title, found.start, end, found.timed, rule="", said=when, now=now, by=event.by, words=event.words
    )
    return alone, found.note


def _new_time(event: Event, current: datetime, when: str, now: datetime) -> When:
    distance = words.shift(when, now)
    if distance is not None:
        start = elapsed(current + distance)
        if start <= now - GRACE:  # "snooze" what has rung already counts from now
            start = elapsed(now.replace(second=0, microsecond=0) + distance)
        timed = event.timed or bool(distance.seconds)
        return upcoming(When(start, timed=timed), when, now)
    found = words.when(when, now, about=event.title)
    if found.timed and not found.said_day and current > now:
        # "to 16:30" means on its own day.
        there = words.when(when, current.replace(hour=0, minute=0), about=event.title)
        if there.start > now:
            found = there
    elif not found.timed and event.timed and found.end is None:
        found = replace(found, start=_at_time_of(found.start, current), timed=True)
    return upcoming(found, when, now)


def upcoming(found: When, said: str, now: datetime) -> When:
    """A time that is to come, or of a stretch under way what is left of it.

    Raises:
        SyscallError: EINVAL, it is over.
    """
    # "within three days" and an all-day today began already, and aren't over.
    over = found.start <= now - GRACE if found.timed and found.bound != "by" else found.deadline <= now
    if over:
        raise SyscallError(
            "EINVAL",
            f"{said!r} is {shown(found.start, None, found.timed)}, which is over.",
            "Say a time that is to come.",
        )
    if found.start >= words.LATEST:
        raise SyscallError("EINVAL", f"{said!r} is too far away.", EXAMPLES)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if not found.timed and found.end is not None and found.start < today:
        return replace(found, start=today)
    return found


def _at_time_of(day: datetime, time: datetime) -> datetime:
    return elapsed(day.replace(hour=time.hour, minute=time.minute, second=0, microsecond=0))
