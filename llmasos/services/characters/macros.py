"""Macros of cards and lorebooks: `{{char}}`, `{{user}}`, `{{random:a,b}}`, `{{roll:2d6}}`, `{{time}}` and their kin.

What is drawn depends on a seed and on where it stands, so that the same moment gives the same text again, also in
another process. Values are put in as they are: braces in a person's name mean nothing. A macro that we don't know stays
as it is written (Character Card Specification V3, "curly braced syntaxes"; SillyTavern's names for date and time).
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import datetime

_MACRO = re.compile(r"\{\{([^{}]{1,2000})\}\}|<(BOT|USER|CHAR)>", re.IGNORECASE)
_COMMENT = re.compile(r"\{\{(?://|comment:|hidden_key:).*?\}\}", re.DOTALL | re.IGNORECASE)
_DICE = re.compile(r"(\d{0,3})d(\d{1,6})(?:([+-])(\d{1,6}))?|(\d{1,6})", re.IGNORECASE)
_TIMES = {
    "time": "%H:%M",
    "isotime": "%H:%M",
    "date": "%d %B %Y",
    "isodate": "%Y-%m-%d",
    "weekday": "%A",
}
MOST_DICE = 100


@dataclass(frozen=True, slots=True)
class Moment:
    """What the macros of a text depend on beside who is there.

    Attributes:
        seed: Of what is drawn.
        now: The time; None leaves the macros of time as they are written.
    """

    seed: str = ""
    now: datetime | None = None


TIMELESS = Moment()


def fill(text: str, *, char: str, user: str, moment: Moment = TIMELESS) -> str:
    """A text with its macros filled in and comments taken out.

    Args:
        text: With macros.
        char: What the character calls itself.
        user: The person.
        moment: Decides what is drawn, and what time it is.
    """
    if "{{" not in text and "<" not in text:
        return text
    text = _COMMENT.sub("", text)
    places = iter(range(len(text)))

    def value(match: re.Match[str]) -> str:
        name, _, rest = (match[1] or match[2]).partition(":")
        name = name.strip().casefold()
        if name in ("char", "bot"):
            return char
        if name == "user":
            return user
        if name == "newline":
            return "\n"
        if name in ("random", "pick"):
            options = _options(rest)
            return _draw(moment, text, next(places)).choice(options) if options else ""
        if name == "roll":
            return _rolled(rest.strip(" :"), _draw(moment, text, next(places))) or match[0]
        if name == "reverse":
            return rest[::-1]
        if name in _TIMES and moment.now is not None and not rest:
            return moment.now.strftime(_TIMES[name])
        return match[0]

    return _MACRO.sub(value, text)


def _options(rest: str) -> list[str]:
    """`a,b,c` or `:a::b::c`; a comma behind a backslash is one."""
    if rest.startswith(":"):
        return rest[1:].split("::")
    return [part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", rest)] if rest else []


def _rolled(dice: str, draw: random.Random) -> str:
    """`d20`, `20`, `2d6+1`; empty where it is no dice."""
    match = _DICE.fullmatch(dice)
    if not match:
        return ""
    count, sides = (1, int(match[5])) if match[5] else (int(match[1] or 1), int(match[2]))
    if not 1 <= count <= MOST_DICE or sides < 1:
        return ""
    total = sum(draw.randint(1, sides) for _ in range(count))
    if match[3]:
        total += int(match[4]) if match[3] == "+" else -int(match[4])
    return str(total)


def _draw(moment: Moment, text: str, place: int) -> random.Random:
    return random.Random(f"{moment.seed}\n{place}\n{text}")  # noqa: S311  no secret depends on it
