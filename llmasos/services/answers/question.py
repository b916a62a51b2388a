"""What a question asks for: its words that count, and the kind of answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from llmasos.services.memory.words import terms

Kind = Literal["time", "money", "number", "person", "reason", ""]
_BEGINS = re.compile(
    r"(?:(?:and|so|but|please|hey|ok|okay|tell me|do you know|can you tell me|i wonder)[\s,]+)*"
    r"(?:who|whom|whose|what|when|where|which|why|how|is|are|was|were|do|does|did|has|have|had|can|could|will|would|should"
    r"|what's|who's|where's|when's|how's)\b",
    re.IGNORECASE,
)
_CHINESE = re.compile(r"吗|呢|什么|怎么|哪|谁|几|多少|多大|多久|是否|有没有|为什么|何时")
_TIME = re.compile(
    r"\b(?:when|what (?:time|day|date|year|month)|which (?:day|date|year|month)|until when|since when)\b"
    r"|什么时候|几点|哪天|哪一天|何时|几号|星期几|哪年",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"\bhow much (?:is|are|was|were|does|do|did|will)\b|\b(?:price|costs?|rent|fee|deposit) of\b|\bwhat .*\bcosts?\b"
    r"|多少钱|什么价",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\bhow (?:much|many|long|old|far|big|large|high|tall|deep|heavy|often|wide|fast|hot|warm)\b"
    r"|\b(?:phone|telephone|account|serial|policy|room|seat|flight|licence|license|plate|pin|zip) (?:number|code)\b"
    r"|\bwhat (?:is the |are the |was the )?(?:price|cost|number|amount|percentage|size|weight|temperature|rent)\b"
    r"|多少|几个|几次|几岁|多大|多长|多久|多高|多重|号码|电话",
    re.IGNORECASE,
)
_REASON = re.compile(r"^\W*why\b|\bwhat for\b|为什么|为何", re.IGNORECASE)
_PERSON = re.compile(r"\b(?:who|whom|whose|who's)\b|谁", re.IGNORECASE)
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DAYS = "mon|tue|wed|thu|fri|sat|sun"
_IS_TIME = re.compile(
    rf"\d|\b(?:{_MONTHS})[a-z]*\b|\b(?:{_DAYS})[a-z]*\b"
    r"|\b(?:today|tomorrow|yesterday|tonight|noon|midnight|morning|evening|afternoon|night|daily|weekly|monthly|yearly"
    r"|spring|summer|autumn|fall|winter|weekend|christmas|easter)s?\b"
    r"|[一二三四五六七八九十]+[年月日号点]|星期|周[一二三四五六日末]|今天|明天|昨天|每天|早上|晚上|上午|下午",
    re.IGNORECASE,
)
_IS_MONEY = re.compile(
    r"[€$£¥%]|\d\s?(?:eur|usd|gbp|chf)\b|\b(?:euros?|dollars?|pounds?|cents?|francs?|yuan|kronor|million|free)\b|[元块]",
    re.IGNORECASE,
)
_IS_REASON = re.compile(
    r"\b(?:because|since|so that|in order to|due to|reasons?|why|as|caused?|therefore|for)\b|因为|由于|为了|所以",
    re.IGNORECASE,
)
_IS_NUMBER = re.compile(
    r"\d|\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|sixty"
    r"|hundred|thousand|million|dozen|half|once|twice|double|every|daily|weekly|monthly|yearly)\b"
    r"|[一二三四五六七八九十百千万两半]",
    re.IGNORECASE,
)
_IS_PERSON = re.compile(
    r"(?<![.!?]\s)(?<!^)\b[A-Z][a-z]+|\b(?:he|she|they|I|we|my|your|his|her|mother|father|sister|brother|aunt|uncle)\b"
    r"|^[A-Z][a-z]+(?: [A-Z]|\s(?:is|was|has|will|brings?|takes?|pays?|keeps?|wrote|made|won)\b)|[\u3400-\u9fff]"
)
_KINDS: dict[Kind, tuple[re.Pattern[str], re.Pattern[str]]] = {
    "reason": (_REASON, _IS_REASON),
    "time": (_TIME, _IS_TIME),
    "money": (_MONEY, _IS_MONEY),
    "number": (_NUMBER, _IS_NUMBER),
    "person": (_PERSON, _IS_PERSON),
}
"""What asks for a kind of answer, and what such an answer has; the first one counts."""
_OWN = re.compile(
    r"\b(?:what|when|where|who|whose|which|how (?:much|many|long|old|often|far|big))\b.*"
    r"\b(?:my|mine|(?:did|had|have|was|were|am) I|I (?:said|told|wrote|promised|saved|noted|planned|put))\b"
    r"|我的|我(?:们)?(?:说过|写过|记过)",
    re.IGNORECASE | re.DOTALL,
)
_ADVICE = re.compile(r"\b(?:should|could|can|would|might|may|must)\b|应该|怎么办|可以", re.IGNORECASE)
_FILLERS = frozenset(
    """much many long often kind sort time day date number name tell say says said call called mean anyone someone
    somebody anybody there any what who where when which how it that he
    she they let get got go going use used make made please exactly actually currently""".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question, read.

    Attributes:
        said: As it was said.
        terms: Its content words, stemmed, each once.
        kind: What must be in an answer; empty for anything.
    """

    said: str
    terms: tuple[str, ...]
    kind: Kind


def read(said: str) -> Question:
    """Read a question."""
    kinds: list[Kind] = [kind for kind, (asks, _) in _KINDS.items() if asks.search(said)]
    found = terms(said, query=True)
    telling = [term for term in found if term not in _FILLERS]
    return Question(said, tuple(dict.fromkeys(telling or found)), kinds[0] if kinds else "")


def is_one(said: str) -> bool:
    """Whether something is asked at all."""
    said = said.strip()
    return said.endswith(("?", "？")) or bool(_BEGINS.match(said)) or bool(_CHINESE.search(said))


def about_own_things(said: str) -> bool:
    """Whether only the person's own things can answer a question, so that a model would have to make it up."""
    return is_one(said) and bool(_OWN.search(said)) and not _ADVICE.search(said)


def fits(kind: Kind, text: str) -> float:
    """Whether a sentence has what a kind of question asks for: 1 it does, -1 it doesn't, 0 nothing is asked for."""
    if not kind:
        return 0.0
    return 1.0 if _KINDS[kind][1].search(text) else -1.0
