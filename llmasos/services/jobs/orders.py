"""Which lines order a background job: "in the background ...", "... &", "every weekday at 8 ...", 每天早上八点.

Only what frames the order is read here, by rules; what is to be done is left to the interpreter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.types import Program
from llmasos.services.schedule import repeats
from llmasos.services.schedule.planning import planned

REPEATING = frozenset({"files", "content", "device", "search", "calculator", "app", "character"})
"""Rooms whose calls make a repeated order a job; a repeated "team meeting" is an event, "buy milk" a to-do."""
LONGEST = 12
"""Words, or Chinese characters, of a time phrase."""

_BACKGROUND = (
    re.compile(r"(?:please )?(?:run |do )?in the background[,:]? +(?:please )?(?P<rest>.+)", re.IGNORECASE),
    re.compile(r"(?P<rest>.+?),? +in the background(?:,? please)?[.!]?", re.IGNORECASE),
    re.compile(r"(?P<rest>.+?)\s+&"),
    re.compile(r"(?:请)?(?:在)?后台(?:运行|执行|帮我|替我)?[,，:：]? *(?P<rest>.+)"),
    re.compile(r"(?P<rest>.+?)[,，]? *(?:请)?(?:放(?:在|到)|在)后台(?:运行|执行|做|跑)?(?:吧|就行)?[。!！]?"),
)
_REPEATED = re.compile(r"(?:every|each|daily|weekly|monthly|hourly|on weekdays)\b|每", re.IGNORECASE)
_PIECE = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+")
_DANGLING = frozenset(["in", "on", "at", "by", "and", "then", "to", "the", "a", "of", "for", "from", "with", "please"])


@dataclass(frozen=True, slots=True)
class Order:
    """What a line orders.

    Attributes:
        rest: What is to be done.
        when: When again and again; empty for at once.
    """

    rest: str
    when: str = ""

    def fits(self, program: Program) -> bool:
        """Whether a program is one that such an order can mean."""
        if not program:
            return False
        return not self.when or all(call.syscall.partition(".")[0] in REPEATING for call in program)


def order_in(line: str, now: datetime) -> Order | None:
    """The order in a line; None where it is an ordinary request."""
    line = line.strip()
    for pattern in _BACKGROUND:
        found = pattern.fullmatch(line)
        if found:
            return Order(found["rest"].strip())
    if _REPEATED.match(line):
        return _split(line, now, first=True)
    if _REPEATED.search(line):
        return _split(line, now, first=False)
    return None


def _split(line: str, now: datetime, *, first: bool) -> Order | None:
    """The longest time phrase at the beginning, or at the end, and what is left."""
    places = [match.span() for match in _PIECE.finditer(line)]
    for count in range(min(LONGEST, len(places) - 1), 0, -1):
        if first:
            phrase, rest = line[: places[count - 1][1]], line[places[count - 1][1] :]
        else:
            phrase, rest = line[places[-count][0] :], line[: places[-count][0]]
            if not _REPEATED.match(phrase):
                continue
        phrase, rest = phrase.strip(" ,，:：.。!！"), rest.strip(" ,，:：")
        if rest and _repeats(phrase, now):
            return Order(rest, phrase)
    return None


def _repeats(phrase: str, now: datetime) -> bool:
    """Whether a phrase says a repetition, wholly."""
    if phrase.rsplit(maxsplit=1)[-1].casefold() in _DANGLING:
        return False
    try:
        return repeats.find(phrase, now) is not None and bool(planned("", phrase, None, now)[1])
    except SyscallError:
        return False
