"""A sentence as the model sees it: one line, bounded; and the way back to what was really said."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_ABOUT_TEXT = re.compile(
    r"^[^:：\n]{0,80}\b(?:this|these|following|below|text|passage|sentence|paragraph|note|story|poem|summari[sz]e|translate)\b"
    r"[^:：\n]{0,40}[:：](?!\d)|^[^:：\n]{0,40}(?:下面|以下|这段|这句|这篇|这个|总结|翻译|概括)[^:：\n]{0,20}[:：](?!\d)",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?:how (?:do|does|did|can|could|would|should|come|many|much|long|often|to)\b|why (?!do ?n.t\b|not\b)"
    r"|what(?:'s| is| are| was| were| does| do| did| happens| would| if)\b|who(?:'s| is| was| are)\b"
    r"|为什么|为啥|怎么(?!样)|什么是)",
    re.IGNORECASE,
)
_JOINS = re.compile(r"\b(?:and|then|also|after that)\b|[;；]|然后|再|并|顺便|接着|同时|之后", re.IGNORECASE)
GAP = "[…]"
"""Stands for the middle of a long text; a value that holds it gets the middle back."""
HEAD, TAIL = 480, 240
"""Characters of a long text that the model reads at its start and end: enough to see what is wanted."""

_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """What was said, and the line the model reads.

    Attributes:
        said: The original.
        line: NFC, one line, control characters gone, a long middle replaced by GAP.
        gap: Where in the original the middle begins and ends that GAP stands for; None where nothing is left out.
        appended: Whether a text was piped in behind an empty line.
    """

    said: str
    line: str
    gap: tuple[int, int] | None = None
    appended: bool = False

    @property
    def only_asks(self) -> bool:
        """Whether it is a question about how, why or what, which changes nothing whatever it mentions."""
        return bool(_ASKS.match(self.line))

    @property
    def may_ask_for_more(self) -> bool:
        """Whether several things may be asked for.

        Where a sentence brings a text with it ("summarize this: ...", something piped in) what stands in the text is no
        order: more than one call only where the words before it join two.
        """
        match = _ABOUT_TEXT.match(self.line)
        head = self.said.partition("\n\n")[0] if self.appended else match[0] if match else None
        return head is None or bool(_JOINS.search(head))

    def original(self, value: str) -> str:
        """The words of the original that a value of the line was copied from, line breaks included."""
        if GAP in value and self.gap:
            start, end = self.gap
            before, _, after = value.partition(GAP)
            return _last_match(before, self.said[:start]) + self.said[start:end] + _from_start(after, self.said[end:])
        return _first_match(value, self.said)


def read(said: str) -> Sentence:
    """Make a sentence of what was typed or piped in."""
    line = _one_line(said)
    if len(line) <= HEAD + TAIL + len(GAP):
        return Sentence(said, line)
    # The cut is made in the original, at spaces where there are any, so that the middle can be put back unchanged.
    start = _cut(said, HEAD, forward=False)
    end = _cut(said, len(said) - TAIL, forward=True)
    return Sentence(said, f"{_one_line(said[:start])} {GAP} {_one_line(said[end:])}", (start, end))


def _one_line(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    text = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") else c for c in text)
    return _SPACE.sub(" ", text).strip()


def _cut(text: str, at: int, *, forward: bool) -> int:
    for step in range(40):
        position = at + step if forward else at - step
        if 0 < position < len(text) and text[position].isspace():
            return position
    return at


def _pattern(value: str) -> re.Pattern[str]:
    return re.compile(r"\s+".join(re.escape(word) for word in value.split()))


def _first_match(value: str, text: str) -> str:
    found = _pattern(value).search(text) if value.strip() else None
    return found[0] if found else value


def _from_start(value: str, text: str) -> str:
    # What follows the gap begins at the cut, white space included.
    found = re.compile(r"\s*" + _pattern(value).pattern).match(text) if value.strip() else None
    return found[0] if found else value


def _last_match(value: str, text: str) -> str:
    # What precedes the gap runs to the cut, so the last occurrence is the one that was copied.
    found = list(_pattern(value).finditer(text)) if value.strip() else []
    return text[found[-1].start() :] if found else value
