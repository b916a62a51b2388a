"""What a small model must not say, taken out sentence by sentence while it speaks.

A sentence is let through once it is whole and has passed; nothing that was let through is ever taken back,
so what was streamed is what was said. Taken out: lines in the name of the person, a wrong name for oneself,
"as an AI language model", claims to be human, sentences said before, 4-gram loops, and a last sentence that
never ended.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from llmasos.services.script import has_chinese
from llmasos.services.sentences import END

Verdict = Literal["say", "skip", "stop"]

_UNIT = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+(?:['’]\w+)?")
_MODEL_TALK = re.compile(
    r"\bas an? (?:artificial|AI\b|language model|virtual|digital)|\blanguage model\b"
    r"|\bsmol ?lm\b|\bhugging ?face\b"
    r"|\b(?:AI|virtual|digital) (?:chat)?(?:assistant|bot)\b|\bchatbot\b"
    r"|作为(?:一个|一名)?(?:人工智能|AI|语言模型)",
    re.IGNORECASE,
)
_CLAIMS_HUMAN = re.compile(
    r"\bI(?:'m| am) (?:indeed |really |just )?(?:an? )?(?:real |actual |living )?"
    r"(?:human|real person|person of flesh)"
    r"|我是(?:一个|个)?(?:真人|人类)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"\b(?:[Mm]y name(?: is|'s)|(?:I am|I'm) called|[Cc]all me)\s+([A-Z][\w'-]+)"
    r"|我(?:叫|的名字是)([\u3400-\u9fff]{1,4})"
)
_I_AM = re.compile(r"\b(?:I am|I'm)\s+([A-Z][a-z]+)(?=\s*(?:[,.!;]|and\b|$))")
_LETTER = re.compile(r"^\s*(?:Dear \w+,|Subject:|I hope this (?:message|email|letter) finds)", re.IGNORECASE)
_GREETINGS = (
    r"(?:hello|hi|hey|oh|dear|thanks|thank you|goodbye|bye"
    r"|good (?:morning|evening|night|day)|welcome|sorry|well)"
)
_OTHERS = ("user", "human", "person", "you", "用户")
_GRAM = 4
_GRAM_CHINESE = 8


@dataclass(frozen=True, slots=True)
class Manners:
    """What a speaker keeps to.

    Attributes:
        name: Who speaks; empty for the assistant, who may call itself anything.
        person: Who is spoken to.
        others: Who else is there; the speaker says no lines of theirs.
        said: Sentences not to be said again.
        sentences: Stop after so many; 0 for no limit.
        in_character: Also take out talk of being a model, and claims to be human.
    """

    name: str = ""
    person: str = ""
    others: Collection[str] = ()
    said: Collection[str] = ()
    sentences: int = 0
    in_character: bool = False


class Hygiene:
    """Takes pieces of text, gives what may be said.

    Args:
        manners: What to keep to.
        opened: The reply has begun already, so its first words are a continuation.
    """

    def __init__(self, manners: Manners, *, opened: bool = False) -> None:
        self._manners = manners
        self._held = ""
        self._said = ""
        self._seen = {_key(sentence) for sentence in manners.said if _key(sentence)}
        self._count = 0
        self._quoted = False
        self._opened = opened
        self.stopped = False
        others = [*_OTHERS, *([manners.person] if manners.person else []), *manners.others]
        self._others = re.compile(rf"(?:^|(?<=\s))(?:{'|'.join(map(re.escape, others))})\s*[:：]\s", re.IGNORECASE)
        own = re.escape(manners.name) if manners.name else "assistant"
        self._to_itself = re.compile(
            rf"^[\s(]*(?:{_GREETINGS}[ ,]+)?{own}[,!]|^[\s(]*{_GREETINGS}[ ,]+{own}\b", re.IGNORECASE
        )
        self._own = re.compile(rf"^[\s*\"“]*(?:{own}|assistant)[\s*]*(?:says)?\s*[:：][\s*]*", re.IGNORECASE)

    @property
    def said(self) -> str:
        """What was let through."""
        return self._said

    def feed(self, piece: str) -> str:
        """Take a piece; what may be said now, often nothing yet."""
        if self.stopped:
            return ""
        self._held += piece
        out = ""
        while not self.stopped and (end := END.search(self._held)):
            sentence, self._held = self._held[: end.end()], self._held[end.end() :]
            out += self._judged(sentence)
        if not self.stopped and _loops(self._said[-200:], self._held):
            self.stopped = True
        return out

    def end(self, *, finished: bool) -> str:
        """What may be said of the rest.

        Args:
            finished: The model ended by itself; otherwise it was cut off, and an unfinished sentence goes.
        """
        rest, self._held = self._held, ""
        if self.stopped or not rest.strip():
            return ""
        if not finished:
            if self._said:
                return ""
            rest = (
                rest[: len(rest) - len(rest.rsplit(" ", 1)[-1])].rstrip(" ,;:-") + "…" if " " in rest.strip() else rest
            )
        return self._judged(rest)

    def _judged(self, sentence: str) -> str:
        if not self._said and not self._opened:
            sentence = self._own.sub("", sentence.lstrip())
            # A whole reply in quotes: it was asked for what is said, and said it as a book would.
            if sentence.startswith(('"', "“")):
                sentence, self._quoted = sentence[1:], True
        if self._quoted:
            sentence = re.sub(r'["”](?=\s|$)', "", sentence)
        elif sentence.count('"') == 1:
            sentence = sentence.replace('"', "")
        label = self._others.search(sentence)
        if label:
            sentence, self.stopped = sentence[: label.start()].rstrip(" \"'*("), True
        if not sentence.strip():
            gap = sentence if self._said and not self.stopped else ""
            self._said += gap
            return gap
        verdict = self._verdict(sentence)
        if verdict != "say":
            self.stopped = self.stopped or verdict == "stop"
            return ""
        self._seen.add(_key(sentence))
        self._said += sentence
        self._count += 1
        if self._manners.sentences and self._count >= self._manners.sentences:
            self.stopped = True
        return sentence

    def _verdict(self, sentence: str) -> Verdict:
        key = _key(sentence)
        if (len(key.split()) >= 3 and key in self._seen) or _loops(self._said[-200:], sentence):
            return "stop"
        if not key:
            return "skip" if sentence.strip() and (self._said or len(sentence.strip()) > 3) else "say"
        if self._manners.name and (self._to_itself.match(sentence) or _LETTER.match(sentence)):
            return "skip"
        if self._manners.in_character and (_MODEL_TALK.search(sentence) or _CLAIMS_HUMAN.search(sentence)):
            return "skip"
        return "stop" if self._manners.name and self._misnamed(sentence) else "say"

    def _misnamed(self, sentence: str) -> bool:
        """Whether the speaker takes another name than its own."""
        own = self._manners.name.casefold()
        names = [m[1] or m[2] for m in _NAMED.finditer(sentence)] + [m[1] for m in _I_AM.finditer(sentence)]
        return any(not (name.casefold() in own or own in name.casefold()) for name in names)


def tidy(text: str) -> str:
    """A finished text without blanks at its ends and without more than one empty line in a row."""
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _key(sentence: str) -> str:
    return " ".join(_UNIT.findall(sentence.casefold()))


def _loops(before: str, text: str) -> bool:
    """Whether a run of words comes for the third time in a few sentences."""
    units = _UNIT.findall(f"{before} {text}".casefold())
    size = _GRAM_CHINESE if units and has_chinese(units[-1][0]) else _GRAM
    grams = Counter(tuple(units[i : i + size]) for i in range(len(units) - size + 1))
    return any(count >= 3 for count in grams.values())
