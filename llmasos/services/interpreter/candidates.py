"""Which of many definitions a sentence may be about: by shared words, rarer words counting more."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from llmasos.services.interpreter.definitions import schema_of

_WORD = re.compile(r"[^\W_]+")
_HAN = re.compile(r"[\u3400-\u9fff]")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def nearest(line: str, tools: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    """Up to `count` tools in their own order, those that share the most telling words with the sentence."""
    if len(tools) <= count:
        return list(tools)
    documents = [Counter(_words(_document(tool))) for tool in tools]
    frequency = Counter(word for document in documents for word in document)
    asked = set(_words(line))
    scores = [
        sum(
            math.log(1 + len(tools) / frequency[word]) * (1 + math.log(document[word]))
            for word in asked
            if word in document
        )
        for document in documents
    ]
    best = sorted(range(len(tools)), key=lambda number: (-scores[number], number))[:count]
    return [tools[number] for number in sorted(best)]


def _document(tool: Mapping[str, Any]) -> str:
    name = _CAMEL.sub(" ", str(tool["name"]))
    properties = schema_of(tool).get("properties") or {}
    arguments = (f"{key} {_described(value)}" for key, value in properties.items())
    examples = " ".join(map(str, tool.get("examples") or ()))
    return " ".join([name, name, _described(tool), *arguments, examples])


def _described(thing: Any) -> str:
    if not isinstance(thing, Mapping):
        return ""
    enum = thing.get("enum")
    return f"{thing.get('description') or ''} {' '.join(map(str, enum)) if isinstance(enum, list) else ''}"


def _words(text: str) -> list[str]:
    """Lower-case words with a plural or verb ending cut off; Chinese as pairs of characters."""
    words = []
    for word in _WORD.findall(text.casefold()):
        han = _HAN.findall(word)
        words += [a + b for a, b in pairwise(han)] or han
        if not han:
            words.append(re.sub(r"(ing|ed|es|s)$", "", word) if len(word) > 4 else word)
    return words
