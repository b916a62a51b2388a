"""Whom a character knows, how well, and what was promised: counted from what it witnessed, so never out of step.

No model judges it. How close two are grows with the lines they have exchanged and the days on which they did, and with
kind words against unkind ones (levels after Knapp's stages of coming together: met, known, friends, close).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from llmasos.services.characters.events import Event
from llmasos.services.sentences import whole

LEVELS = ("a stranger", "somebody it has met", "an acquaintance", "a friend", "a close friend")
_AT = (1, 10, 40, 160)
"""Points from which the next level holds."""
_A_DAY = 6
"""Points for each further day on which they talked."""
_KIND = re.compile(
    r"\b(?:thank(?:s| you)|please|love|glad|happy|friend|dear|miss(?:ed)? you|great|wonderful|kind|sweet"
    r"|proud of you|hug|good (?:morning|night)|well done|sorry)\b|谢谢|喜欢你|爱你|想你|亲爱的|晚安|早上好|真好|抱歉",
    re.IGNORECASE,
)
_UNKIND = re.compile(
    r"\b(?:hate|stupid|idiot|shut up|boring|useless|ugly|go away|liar|awful|dumb|annoying|leave me alone)\b"
    r"|讨厌|笨蛋|闭嘴|滚|没用|骗子|烦死",
    re.IGNORECASE,
)
_PROMISE = re.compile(
    r"\b(?:i(?:'ll| will)? (?:promise|swear)|i give you my word|you have my word|(?:you can )?count on me)\b"
    r"|\b(?:i'll|i will|i am going to|i'm going to)\b.*\b(?:tomorrow|tonight|soon|later|next"
    r"|this (?:evening|weekend|week|month)|on (?:mon|tues|wednes|thurs|fri|satur|sun)day|every|by|when)\b"
    r"|我(?:保证|发誓|答应|一定)|我会.*(?:明天|今晚|下次|以后|周|星期)|(?:明天|今晚|下次|周.|星期.)我(?:会|就)",
    re.IGNORECASE,
)
_HEDGED = re.compile(
    r"\b(?:if|maybe|perhaps|might|don't|won't|can't|never)\b.*\bi(?:'ll| will)\b|[?？]\s*$", re.IGNORECASE
)
KEPT = 5
"""Promises that are remembered, each way: the latest ones."""


@dataclass(slots=True)
class Relation:
    """What one character has with somebody.

    Attributes:
        who: A person's name, or a character's id.
        since: When they first talked, ISO 8601.
        last: When last.
        lines: Lines that were heard of them.
        days: On how many days.
        kind: Lines with kind words, less those with unkind ones.
        promised: What they promised, oldest first.
        owed: What the character promised while they were there.
    """

    who: str
    since: str = ""
    last: str = ""
    lines: int = 0
    days: int = 0
    kind: int = 0
    promised: list[str] = field(default_factory=list)
    owed: list[str] = field(default_factory=list)

    @property
    def closeness(self) -> int:
        """0 a stranger, to 4 a close friend."""
        points = self.lines + _A_DAY * max(0, self.days - 1) + 2 * max(0, self.kind)
        level = sum(points >= at for at in _AT)
        return min(level, 2) if self.kind < 0 else level

    @property
    def level(self) -> str:
        """How close they are, in words."""
        return LEVELS[self.closeness]


def relations(own: str, events: Iterable[Event]) -> dict[str, Relation]:
    """Whom a character knows, by who they are.

    Args:
        own: The character's id.
        events: What it witnessed, oldest first; of a company, what all of them witnessed.
    """
    found: dict[str, Relation] = {}
    for event in events:
        if event.speaker == own:
            for sentence in promises(event.text):
                for witness in sorted(event.witnesses - {own}):
                    _keep(found.setdefault(witness, Relation(witness)).owed, sentence)
            continue
        known = found.setdefault(event.speaker, Relation(event.speaker))
        known.days += known.last[:10] != event.at[:10]
        known.since = known.since or event.at
        known.last = event.at
        known.lines += 1
        known.kind += bool(_KIND.search(event.text)) - bool(_UNKIND.search(event.text))
        for sentence in promises(event.text):
            _keep(known.promised, sentence)
    return found


def promises(text: str) -> list[str]:
    """The sentences of a line in which its speaker promises something."""
    return [s.strip() for s in whole(text) if _PROMISE.search(s) and not _HEDGED.search(s)]


def asks_of_promises(line: str) -> bool:
    """Whether a line is about what was promised."""
    return bool(
        re.search(r"\b(?:promise[ds]?|you(?:'d| would| were going to)|your word|swore)\b|答应|保证|说好", line, re.I)
    )


def _keep(kept: list[str], sentence: str) -> None:
    if sentence in kept:
        kept.remove(sentence)
    kept.append(sentence)
    del kept[:-KEPT]


def told(relation: Relation, name: str) -> str:
    """A relation in one line, for a person."""
    said: Sequence[str] = [
        f"{relation.level}, {relation.lines} {'line' if relation.lines == 1 else 'lines'} since {relation.since[:10]}",
        *(f"promised: “{promise}”" for promise in relation.promised[-2:]),
        *(f"was promised: “{promise}”" for promise in relation.owed[-2:]),
    ]
    return f"{name}: {'; '.join(said)}"
