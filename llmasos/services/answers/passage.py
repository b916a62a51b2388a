"""Texts cut into sentences that know where they stand."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmasos.core.base.values import Source
from llmasos.services.language import extract

MOST = 1_500
"""Sentences of one text."""
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.+?)\s*#*$")
_UNDERLINE = re.compile(r"^\s*(?:={3,}|-{3,}|~{3,})\s*$")
_ENDED = re.compile(r"[.!?。！？;；:：,，]\s*$")
_ITEM = re.compile(r"^\s*(?:[-*+•>]\s|\d{1,3}[.)]\s|\|)")
_ENTRY = re.compile(r"^\s*[^\s:：][^:：]{0,40}[:：]\s*\S")
"""`Wi-Fi: ...`: such lines stand for themselves, also where no blank line is between them."""
_TABLE = re.compile(r"\|?\s*[-:| ]+\|?\s*$")


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence that can answer.

    Attributes:
        text: What it says, as it stands there.
        where: Where that is, as a person looks it up: "letters/landlord.txt, line 3".
        ref: How a later call names that place.
        source: Whose words these are.
        context: What stands above it: the name of the file, its headings.
        before: The sentence before it.
        labels: Whose words these are besides.
    """

    text: str
    where: str
    ref: str
    source: Source
    context: str = ""
    before: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of one text.

    Attributes:
        text: What it says.
        line: Where it begins, counted from 1.
        heading: What stands above it: the text's first heading and the last one.
    """

    text: str
    line: int
    heading: str


def sentences(words: str) -> Iterator[Sentence]:
    """The sentences of a text; an item of a list, a row of a table and a line "name: value" is one each."""
    title = heading = ""
    block: list[tuple[int, str]] = []
    lines = words.splitlines()
    for number, line in enumerate(lines, 1):
        titled = _HEADING.match(line)
        below = lines[number] if number < len(lines) else ""
        lone = not block and line.strip() and len(line) < 90
        first = not title and not below.strip() and number < len(lines) and not _ENDED.search(line)
        if titled or (lone and (_UNDERLINE.match(below) or (first and not _ITEM.match(line)))):
            yield from _split(block, heading)
            block, heading = [], titled[1] if titled else line.strip()
            title = title or heading
            heading = heading if heading == title else f"{title}: {heading}"
        elif not line.strip() or _UNDERLINE.match(line) or _TABLE.match(line):
            yield from _split(block, heading)
            block = []
        else:
            if _ITEM.match(line) or _ENTRY.match(line):
                yield from _split(block, heading)
                block = []
            block.append((number, line))
    yield from _split(block, heading)


def rows(words: str) -> Iterator[Sentence]:
    """The rows of a table in CSV, each with the names of its columns."""
    try:
        dialect = csv.Sniffer().sniff(words[:4_096], delimiters=",;\t")
        table = list(csv.reader(words.splitlines(), dialect))
    except csv.Error:
        yield from sentences(words)
        return
    names = table[0] if table else []
    for number, row in enumerate(table[1:], 2):
        if any(row):
            said = (
                f"{name.strip()}: {value.strip()}" for name, value in zip(names, row, strict=False) if value.strip()
            )
            yield Sentence(", ".join(said), number, "")


def _split(block: Sequence[tuple[int, str]], heading: str) -> Iterator[Sentence]:
    """The sentences of neighbouring lines."""
    if not block:
        return
    text = "\n".join(line for _, line in block)
    at = 0
    for sentence in extract.sentences(text):
        # Markup is taken off and lines are joined, so that its first word is what is found again.
        first = re.match(r"\W*(\w+)", sentence)
        found = text.find(first[1], at) if first else -1
        at = found if found >= 0 else at
        yield Sentence(sentence, block[min(text.count("\n", 0, at), len(block) - 1)][0], heading)
        at = min(len(text), at + max(1, len(first[1]) if first else 1))
