"""What is said in place of what was held back. Never the model's words: those are kept apart, or gone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from llmasos.services.safety.finding import SEVERE, Finding, Reason
from llmasos.services.script import has_chinese

Kind = Literal["held", "crisis"]

SHOWS = "safety.show"
"""The syscall that shows what was held back."""
_SAID: dict[Reason, tuple[str, str]] = {
    "swearing": ("swearing", "粗话"),
    "insult": ("an insult", "辱骂"),
    "offensive": ("an offensive word", "冒犯性词语"),
    "sexual": ("sexual", "涉及性"),
    "minors": ("sexual, about a child", "对儿童的性描写"),
    "cruelty": ("cruelty", "残忍描写"),
    "threat": ("a threat", "威胁"),
    "hate": ("hatred of people", "仇恨言论"),
    "self-harm": ("about self-harm", "涉及自我伤害"),
    "danger": ("dangerous to do", "危险做法"),
    "drugs": ("drugs", "涉及毒品或酗酒"),
    "secrets": ("asks for secrets", "索要隐私或要求保密"),
    "notice": ("imitates a notice", "冒充系统提示"),
}
_ENDS = ("; it ends here", "，到此为止")
_MARK = re.compile(r"\[held back: [^\[\]]{1,60}\]|〔此句被拦下：[^〔〕]{1,40}〕")


class Notice(str):
    """A piece of a reply that is the system's own and not the model's.

    Args:
        words: What is said.
        kind: In place of something held back, or to somebody in a crisis.
        reason: Why, in a few words; empty in a crisis.
        number: Under which what was held back is kept; 0 where it isn't.
    """

    kind: Kind
    reason: str
    number: int

    def __new__(cls, words: str, kind: Kind, reason: str = "", number: int = 0) -> Notice:
        """Words that know what they stand for."""
        notice = super().__new__(cls, words)
        notice.kind, notice.reason, notice.number = kind, reason, number
        return notice


def in_place_of(sentence: str, finding: Finding, number: int = 0) -> Notice:
    """The notice in place of a sentence, in its language, with the blanks that stood around it."""
    chinese = has_chinese(sentence)
    reason = why(finding.reason, chinese=chinese)
    said = reason + (_ENDS[chinese] if finding.grade >= SEVERE else "")
    mark = f"〔此句被拦下：{said}〕" if chinese else f"[held back: {said}]"
    body = sentence.strip()
    before, _, after = sentence.partition(body)
    return Notice(f"{before}{mark}{after}", "held", reason, number)


def why(reason: Reason, *, chinese: bool = False) -> str:
    """A reason in a few words."""
    return _SAID[reason][chinese]


def without(text: str) -> str:
    """A reply without the notices in it: for prompts, so that a model neither reads nor learns them."""
    return re.sub(r"[ \t]{2,}", " ", _MARK.sub("", text)).strip() if _MARK.search(text) else text


def told(notices: Sequence[Notice], *, may_see: bool) -> str:
    """What a person should know beside a reply: how much was held back, why, and how to see it; often empty.

    Args:
        notices: Those in the reply.
        may_see: Whether their policy lets them see it.
    """
    held = [notice for notice in notices if notice.kind == "held"]
    if not held:
        return ""
    reasons = ", ".join(dict.fromkeys(notice.reason for notice in held))
    numbers = [notice.number for notice in held if notice.number]
    count = "A sentence was" if len(held) == 1 else f"{len(held)} sentences were"
    see = f" '{SHOWS} {numbers[0]}' shows {'it' if len(held) == 1 else 'the first'}." if may_see and numbers else ""
    return f"{count} held back ({reasons}).{see}"
