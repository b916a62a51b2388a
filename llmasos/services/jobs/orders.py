"""Which lines order a background job: "in the background ...", "... &", "every weekday at 8 ...", 每天早上八点.

Only what frames an order is read here, by rules, and strictly: a repetition needs a time of day, and what could be a
question, a text, a name or a "don't" is left to the interpreter. What is to be done is its business in any case.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.types import Program
from llmasos.services.schedule import repeats
from llmasos.services.schedule.planning import planned

ROOMS = frozenset({"files", "content", "device", "search", "calculator", "app", "character"})
"""Rooms whose calls can be a job's; a repeated "team meeting" is an event, "buy milk" a to-do."""
LONGEST = 14
"""Words, or Chinese characters, of a time phrase."""

_COURTESY = re.compile(
    r"(?:please|can you|could you|would you)[, ]+|(?:请你?|麻烦你?|你能不?能?|可以)?(?:帮我|替我)?(?=在?后台|每)",
    re.IGNORECASE,
)
_TAIL = re.compile(r"[ ,，]*(?:please|thanks?|thank you|吧|谢谢)?[.!?。！？ ]*$|吗[?？]?$", re.IGNORECASE)
_BACKGROUND = (
    re.compile(r"(?:run |do )?in the background(?! of\b)[,:]? +(?P<rest>.+)", re.IGNORECASE),
    re.compile(r"(?P<rest>.+?),? +in the background", re.IGNORECASE),
    re.compile(r"(?:在后台|后台(?:运行|执行))(?:帮我|替我|运行|执行)?[,，:：]? *(?!的)(?P<rest>.+)"),
    re.compile(r"(?P<rest>.+?)[,，]? *(?:放到|放在|在)后台(?:去)?(?:运行|执行|做|跑)"),
)
_REPEATED = re.compile(r"\b(?:every|each|daily|weekly|monthly|on weekdays)\b|每", re.IGNORECASE)
_ASKS = re.compile(
    r"(?:what|which|who|whose|where|when|why|how|is|are|was|do|does|did|show me what|tell me what)\b"
    r"|.*(?:什么|哪|怎么|多少|谁|吗$)",
    re.IGNORECASE,
)
_NOT = re.compile(r"(?:don't|do not|dont|stop|never|no|nope|sorry|cancel|remind)\b|别|不|取消|停止|提醒", re.IGNORECASE)
_BEGINS_ODDLY = re.compile(
    r"(?:at|by|except|but|until|till|for|from|after|before|and|or|to)\b|[的号点分和与在]|[零一二三四五六七八九十两\d]+点",
    re.IGNORECASE,
)
_ENDS_ODDLY = re.compile(
    r"(?:\b(?:in|on|at|by|and|then|to|the|a|of|for|from|with|called|named)|[在后和号第]|:)$", re.IGNORECASE
)
_PIECE = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+")
_TWO_TIMES = re.compile(r"\band (?:at )?\d|点(?:半|\S{1,3}分)?[和与].{0,4}点", re.IGNORECASE)
_QUOTE = re.compile(r"[\"“”「」『』]")


@dataclass(frozen=True, slots=True)
class Order:
    """What a line orders.

    Attributes:
        rest: What is to be done.
        when: When again and again; empty for at once.
        plain: Whether it is ordered by "&", which can stand behind anything.
    """

    rest: str
    when: str = ""
    plain: bool = False

    def fits(self, program: Program, is_text: Callable[[str, str], bool]) -> bool:
        """Whether a program is one that such an order can mean.

        Args:
            program: What the rest was read as.
            is_text: Whether an argument of a syscall is free text. The frame may belong in it: a story "about a house
                with a castle in the background".
        """
        if self.plain or not program:
            return bool(program)
        end = self.rest.casefold().rstrip(" .。!！")
        return all(
            call.syscall.partition(".")[0] in ROOMS
            and not any(
                isinstance(value, str)
                and is_text(call.syscall, name)
                and end.endswith(value.casefold().rstrip(" .。!！"))
                for name, value in call.args.items()
            )
            for call in program
        )


def plain_order(line: str) -> Order | None:
    """The order of a line that ends in "&", as in a shell."""
    rest = line.strip()
    return Order(rest[:-1].strip(), plain=True) if rest.endswith(" &") and rest[:-1].strip() else None


def order_in(line: str, now: datetime) -> Order | None:
    """The order that a sentence frames; None where it is an ordinary request."""
    said = _COURTESY.sub("", _TAIL.sub("", line.strip()), count=1) if line.strip() else ""
    if not said or _ASKS.match(said) or _NOT.match(said):
        return None
    for pattern in _BACKGROUND:
        found = pattern.fullmatch(said)
        if found:
            rest = found["rest"].strip()
            if _QUOTE.search(rest) or _ASKS.match(rest):
                return None
            return _repeated(rest, now) or Order(rest)
    return _repeated(said, now)


def _repeated(said: str, now: datetime) -> Order | None:
    """The longest time phrase at the beginning, or at the end, and what is left."""
    if not _REPEATED.search(said) or _TWO_TIMES.search(said):
        return None
    places = [match.span() for match in _PIECE.finditer(said)]
    for count in range(min(LONGEST, len(places) - 1), 0, -1):
        for phrase, rest in (
            (said[: places[count - 1][1]], said[places[count - 1][1] :]),
            (said[places[-count][0] :], said[: places[-count][0]]),
        ):
            phrase, rest = phrase.strip(" ,，:：."), rest.strip(" ,，").removeprefix("在后台")
            if _frames(phrase, rest) and _comes_at_a_time(phrase, now):
                return Order(rest.strip(" :："), phrase)
    return None


def _frames(phrase: str, rest: str) -> bool:
    """Whether a phrase stands around the rest, not in it."""
    return bool(
        rest
        and _REPEATED.search(phrase)
        and not _QUOTE.search(phrase + rest)
        and not _ENDS_ODDLY.search(phrase)
        and not _ENDS_ODDLY.search(rest)
        and not _BEGINS_ODDLY.match(rest)
        and not _NOT.match(rest)
        and not _REPEATED.search(rest)
        and not re.search(r":\s", rest)
    )


def _comes_at_a_time(phrase: str, now: datetime) -> bool:
    """Whether a phrase says, wholly, a repetition at a time of day."""
    try:
        if repeats.find(phrase, now) is None:
            return False
        found, rule = planned("", phrase, None, now)
    except (SyscallError, OverflowError, ValueError):
        return False
    return bool(rule) and found.timed
