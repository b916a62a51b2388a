"""A text built part by part, so that even a model of 135M gives the asked form: the labels are ours, the lines its own.

The model reads what is there so far and goes on from our words; a line that is empty, was said before, or broke off is
asked for again with another seed. Nothing that was shown is taken back.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from llmasos.services.language.forms import Part
from llmasos.services.script import has_chinese

ATTEMPTS = 4
MANY = 5
"""Words; shorter things may well be gone to, looked for, and taken."""
_LEAD = re.compile(
    r"^\s*(?:(?:\d+[.)]|[-*•#,;]+)\s*|(?:the )?(?:first |second |third |fourth |fifth |next |last |final )?"
    r"(?:step|goal|reward|line|task)\s*\d*\s*[:：]\s*)+",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\([^)]*(?:\)|$)\s*")
"""What an actor does, not what is said."""
_END = (".", "!", "?", "…", "。", "！", "？", ":", "”", '"')
_WORD = re.compile(r"\w")

Say = Callable[[str, Part, int], Awaitable[str]]
"""What the model says after a text, for a part, at an attempt; the text isn't in it."""
Show = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Piece:
    """One part as it was written."""

    name: str
    text: str


async def build(slots: Iterable[tuple[str, str, Part]], say: Say, show: Show) -> tuple[str, list[Piece]]:
    """A text in its form, and its parts; one that the model finds no new words for is left out.

    Args:
        slots: Our label before each part, with `{n}` for its number, our first words of it, and what it is.
        say: Asks the model.
        show: Shows what is settled.
    """
    text, pieces, seen = "", list[Piece](), set[str]()
    number = 1
    for before, lead, part in slots:
        label = (before if text else before.lstrip("\n")).replace("{n}", str(number))
        line = ""
        for attempt in range(ATTEMPTS):
            said = await say(text + label + lead, part, attempt)
            line = _clean(said, lead, part)
            broke_off = said.rstrip().endswith("…")
            if line and seen.isdisjoint(_keys(line, lead)) and not broke_off:
                break
        if not line or not seen.isdisjoint(_keys(line, lead)):
            continue
        seen |= _keys(line, lead)
        number += "{n}" in before  # one that was left out has none
        pieces.append(Piece(part.name, line))
        await show(label + line)
        text += label + line
    return text, pieces


def _clean(said: str, lead: str, part: Part) -> str:
    """One line without the marks that models put before their lines, ended by a full stop; empty without words."""
    line = _ASIDE.sub("", said) if part.speaks else said
    line = " ".join(_LEAD.sub("", line.strip()).split()).strip(' "“*_|')
    if not _WORD.search(line):
        return ""
    if part.name == "verse":
        return line.rstrip("…").rstrip(" ,;|") if line.endswith("…") else line
    if lead and not line.casefold().startswith(lead.casefold()):
        line = f"{lead} {line}" if lead.isascii() else lead + line
    elif line[0].islower():
        line = line[0].upper() + line[1:]
    if line.endswith(_END):
        return line
    return f"{line}{'。' if has_chinese(line[-1]) else '.'}"


def _keys(line: str, lead: str) -> set[str]:
    """What makes a line the same as another: all its words, and those behind our first ones where they are many."""
    whole = " ".join(re.findall(r"\w+", line.casefold()))
    own = whole.removeprefix(" ".join(re.findall(r"\w+", lead.casefold()))).strip()
    return {whole, own} if len(own.split()) >= MANY else {whole}
