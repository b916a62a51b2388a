"""Names of things there are, offered to the model where the person may have meant one in other letters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher

OFFERED = 6
LIKELY = 0.8
"""Likeness of letters from which a stretch of the sentence may be a name misspelt."""
_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_]+")


def meant(line: str, names: Iterable[str]) -> list[str]:
    """Up to `OFFERED` names that aren't in the sentence letter by letter, but nearly: misspelt, or in another order.

    Args:
        line: The sentence.
        names: What there is: devices, files, characters, apps.
    """
    folded = line.casefold()
    said = _WORD.findall(folded)
    found = [(score, name) for name in dict.fromkeys(names) if (score := _likeness(name, folded, said)) >= LIKELY]
    return [name for _, name in sorted(found, key=lambda pair: -pair[0])[:OFFERED]]


def _likeness(name: str, line: str, said: list[str]) -> float:
    named = _WORD.findall(name.casefold())
    if not named or name.casefold() in line or len(name) < 4:
        return 0.0
    if len(named) > 1 and set(named) <= set(said):
        return 1.0
    joined = "".join(named)
    return max((_ratio(joined, stretch) for stretch in _stretches(said, len(named))), default=0.0)


def _ratio(name: str, stretch: str) -> float:
    if abs(len(name) - len(stretch)) > max(len(name), len(stretch)) * (1 - LIKELY) * 2:
        return 0.0
    return SequenceMatcher(None, name, stretch, autojunk=False).ratio()


def _stretches(said: list[str], count: int) -> Iterator[str]:
    """The words of the sentence joined, as many at a time as the name has, or one more or less."""
    for size in {max(1, count - 1), count, count + 1}:
        for start in range(len(said) - size + 1):
            yield "".join(said[start : start + size])
