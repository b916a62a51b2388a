"""When two values count as the same: SYSCALLS.md, "How values are cut from a sentence"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from training.example import Call

_ARTICLE = re.compile(r"^(?:the|a|an|my)\s+")
_PARTICLES = re.compile(r"(?:吧|了|一下|呢|啊)+$")
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_EDGE = re.compile(r"^[\W_]+|[\W_]+$")


def plain(value: Any) -> str:
    """Without case, surrounding quotes and punctuation, articles; Chinese also without spaces, particles.

    Numbers count by value (5 is 5.0), lists and objects by their parts.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(plain, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {plain(part)}" for key, part in sorted(value.items())) + "}"
    text = " ".join(unicodedata.normalize("NFKC", str(value)).casefold().split())
    if re.fullmatch(r"\$\d", text):
        return text
    # A value of signs only (a path such as "..") stays as it is.
    text = _EDGE.sub("", text) or text
    text = _ARTICLE.sub("", text)
    if _CHINESE.search(text):
        text = _PARTICLES.sub("", text.replace(" ", "")) or text
    return text


def same(left: Sequence[Call], right: Sequence[Call]) -> bool:
    """Whether two programs are the same, calls in order, arguments in any."""

    def form(calls: Sequence[Call]) -> list[tuple[str, dict[str, str]]]:
        return [(name, {key: plain(value) for key, value in args.items()}) for name, args in calls]

    return form(left) == form(right)
