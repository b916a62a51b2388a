"""The sentences: harmless ones that look bad, bad ones, doubtful ones, and lines of persons in a crisis and of others."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from llmasos.services.safety import lists
from llmasos.services.safety.finding import GRAVE

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
HALVES = ("looked_at", "set_aside")
"""Every first sentence was looked at while the rules were written, every second one wasn't."""
_CRISIS = ("I want to kill myself.",)


@dataclass(frozen=True, slots=True)
class Case:
    """One sentence.

    Attributes:
        text: It.
        kind: What it is about; of a crisis `yes`, `after` (only after another) or `no`.
        half: One of `HALVES`.
        level: From which level on it must be held back; empty where never.
        before: What the person said before.
    """

    text: str
    kind: str
    half: str
    level: str = ""
    before: tuple[str, ...] = ()


@cache
def harmless() -> tuple[Case, ...]:
    """Sentences that look bad and aren't."""
    return tuple(Case(text, kind, _half(place)) for place, (kind, text) in enumerate(_lines("harmless")))


@cache
def bad() -> tuple[Case, ...]:
    """Sentences that must be held back; words that needn't stand in this repository come from the kept lists."""
    words = itertools.cycle(sorted(w for w in lists.english().sure(GRAVE) if w.isalpha() and w[-1] != "s")[3::17])
    chinese = itertools.cycle(sorted(w for w in lists.chinese().sure(GRAVE) if not w.isascii())[3::17])
    found = []
    for place, (level, kind, text) in enumerate(_lines("bad")):
        for name, some in (("{word}", words), ("{zh}", chinese)):
            text = text.replace(name, next(some)) if name in text else text
        found.append(Case(text, kind, _half(place), level))
    return tuple(found)


@cache
def doubtful() -> tuple[Case, ...]:
    """Sentences of which the words alone don't say how they are meant; `kind` is what to do, `hold` or `say`."""
    return tuple(Case(text, kind, _half(place)) for place, (kind, text) in enumerate(_lines("doubtful")))


@cache
def crises() -> tuple[Case, ...]:
    """What persons say."""
    lines = _lines("crisis")
    return tuple(Case(text, kind, "", before=_CRISIS if kind == "after" else ()) for kind, text in lines)


@cache
def ordinary() -> tuple[str, ...]:
    """What the interpreter is trained on: everyday requests, of which none was written with this in mind."""
    files = sorted((CHECKOUT / "training" / "data").glob("*.jsonl"))
    said = (json.loads(line).get("utterance") for file in files for line in file.read_text("utf-8").splitlines())
    return tuple(dict.fromkeys(line for line in said if isinstance(line, str)))


def _half(place: int) -> str:
    return HALVES[place % 2]


def _lines(name: str) -> list[list[str]]:
    text = (HERE / f"{name}.txt").read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
