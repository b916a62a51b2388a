"""Words for repeating to a rule: "every weekday at 8", 每月3号 -> an RRULE of RFC 5545."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from llmasos.core.base.errors import SyscallError
from llmasos.services.schedule import chinese, chinese_repeats, english, english_repeats, words
from llmasos.services.schedule.parts import Unit, add
from llmasos.services.schedule.reading import cut, normalised
from llmasos.services.schedule.rrule import EXAMPLES, month_day


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
            fields |= month_day(start.day)
        elif fields["FREQ"] == "YEARLY" and not by_day and (start.month, start.day) == (2, 29):
            fields |= {"BYMONTH": "2", **month_day(29)}
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
    phrase = chinese.normalised(normalised(text))
    phrase, limits = _limits(phrase, now)
    for pattern, act in (*english_repeats.RULES, *chinese_repeats.RULES):
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
        return cut(phrase, m), {"COUNT": m[1] or m[2]}
    m = re.search(rf"\bfor (?:the next )?({english.DURATION})", phrase)
    if m:
        return cut(phrase, m), {"UNTIL": _until(now, english.durations(m[1]))}
    m = re.search(rf"(?:持续|连续|坚持)({chinese.DURATION})", phrase)
    if m:
        return cut(phrase, m), {"UNTIL": _until(now, chinese.durations(m[1]))}
    m = re.search(r"\b(?:until|till) (.+)$|(?:直到|一直到|1直到)(.+?)(?:为止)?$", phrase)
    if m:
        _, end = words.span(m[1] or m[2], now)
        return cut(phrase, m), {"UNTIL": f"{end - timedelta(seconds=1):%Y%m%dT%H%M%S}"}
    return phrase, {}


def _until(now: datetime, amounts: list[tuple[float, Unit]]) -> str:
    end = now
    for amount, unit in amounts:
        end = add(end, amount, unit)
    return f"{end - timedelta(seconds=1):%Y%m%dT%H%M%S}"
