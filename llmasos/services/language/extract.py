"""Extractive summaries: the sentences of a text that say most of it, in their own order and their own words.

A sentence scores by how often its content words occur in the whole text (Luhn, "The Automatic Creation of
Literature Abstracts", 1958), where it stands, and whether it has a readable length. Nothing is sampled: the
same text gives the same summary.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

SENTENCES = 5
"""At most so many sentences in a summary."""

LONGEST = 400
"""Characters of one sentence that are shown; a longer one is cut at a word."""

MOST = 2_000
"""Sentences that are scored; a longer text says at its beginning what it is about."""

_STOP_WORDS = """
a about after all also an and any are as at be because been before but by can could did do does for from
had has have he her here him his how i if in into is it its just like me more most my no not now of on
one only or other our out over she should so some such than that the their them then there these they
this to up us was we were what when where which who will with would you your
"""
_STOP = frozenset(_STOP_WORDS.split())
_CJK = r"\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+(?:['’][^\W_]+)?")
# A full stop ends a sentence only before a space and something that can begin one; 。！？ always do.
_END = re.compile(r"(?<=[。！？；])[”』」）\"]?|(?<=[.!?…])[\"”’)]?\s+(?=[\"“‘(\[]?[^\Wa-z_])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e|No|Fig|approx|Inc|Ltd|Jan|Feb|Aug|Sept|Oct|Nov|Dec)|\b[A-Z])\.$"
)
# An underscore inside a word is part of a name.
_MARKUP = re.compile(
    r"^\s*(?:[-*+•]\s+|\d+[.)]\s+|>\s*)+|[*`]{1,3}(?=\S)|(?<=\S)[*`]{1,3}|(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w)"
)
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.+?)\s*#*$")
_RULE = re.compile(r"^[\s=\-_*#|:+~]+$")


def words(text: str) -> list[str]:
    """The content words of a text in lower case; a run of Chinese gives its pairs of characters."""
    found: list[str] = []
    for match in _WORD.finditer(text.casefold()):
        word = match[0]
        if re.match(rf"[{_CJK}]", word):
            found += [word] if len(word) == 1 else [word[i : i + 2] for i in range(len(word) - 1)]
        elif word not in _STOP:
            found.append(word)
    return found


def sentences(text: str) -> list[str]:
    """The sentences of an English or Chinese text, list items included, headings and rules left out."""
    found: list[str] = []
    for block in _blocks(text):
        start = 0
        for end in _END.finditer(block):
            piece = block[start : end.end()].strip()
            if _ABBREVIATION.search(piece):
                continue
            if piece:
                found.append(piece)
            start = end.end()
        if rest := block[start:].strip():
            found.append(rest)
    return found


def headline(text: str) -> str:
    """What a text calls itself: its first heading, or a short first line that is no sentence; else empty."""
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            return _MARKUP.sub("", heading[1]).strip()
        line = line.strip()
        if line and not _RULE.match(line):
            lone = len(line) <= 80 and not re.search(r"[.!?。！？;；:：,，]$", line) and not _MARKUP.match(line)
            return line if lone and len(text.strip()) > 2 * len(line) else ""
    return ""


def summarize(text: str, most: int = SENTENCES) -> str:
    """The headline, where there is one, and the sentences that carry the text.

    Args:
        text: English or Chinese; Markdown is read as text.
        most: At most so many sentences.

    Returns:
        The headline on a line of its own, an empty line, and the sentences in the text's order; a text of no
        more than `most` short sentences comes back whole. Empty for an empty text.
    """
    title = headline(text)
    found = [s for s in sentences(text)[:MOST] if s != title]
    chosen = found if len(found) <= min(most, 2) else [found[i] for i in best(found, most)]
    body = _joined([_shortened(s) for s in chosen])
    return "\n\n".join(part for part in (title, body) if part)


def best(found: Sequence[str], most: int) -> list[int]:
    """Indices of the sentences to keep, in the text's order: about a third, never more than `most`."""
    wanted = max(1, min(most, math.ceil(len(found) / 3)))
    bags = [set(words(s)) for s in found]
    counts = Counter(w for bag in bags for w in bag)
    scores = [_score(i, s, bags[i], counts, len(found)) for i, s in enumerate(found)]
    kept: list[int] = []
    # One sentence at a time: what an earlier choice has said already counts less, so that it isn't said
    # twice.
    while len(kept) < wanted:
        said = set().union(*(bags[i] for i in kept))
        open_ = [i for i in range(len(found)) if i not in kept]
        if not open_:
            break
        kept.append(max(open_, key=lambda i: (scores[i] * _novelty(bags[i], said), -i)))
    return sorted(kept)


def _score(index: int, sentence: str, bag: set[str], counts: Counter[str], total: int) -> float:
    if not bag:
        return 0.0
    frequency = sum(math.log1p(counts[w] - 1) for w in bag) / math.sqrt(len(bag) + 4)
    position = 1.0 if index == 0 else 0.45 if index == total - 1 else 0.7 / math.sqrt(index + 1)
    size = sum(2 if "\u3400" <= c <= "\u9fff" else 1 for c in sentence)
    readable = 1.0 if 40 <= size <= 260 else 0.6 if size < 40 else 0.75
    return (0.3 + frequency + position) * readable * (0.5 if sentence.endswith(("?", "？", ":", "：")) else 1.0)


def _novelty(bag: set[str], said: set[str]) -> float:
    return 1.0 - 0.8 * len(bag & said) / len(bag) if bag else 0.0


def _blocks(text: str) -> list[str]:
    """Paragraphs, with wrapped lines joined; each list item is one of its own."""
    blocks: list[str] = []
    current: list[str] = []

    def close() -> None:
        if current:
            blocks.append(_joined(current))
            current.clear()

    for raw in text.splitlines():
        line = raw.strip()
        if not line or _RULE.match(line) or _HEADING.match(raw):
            close()
            continue
        if re.match(r"[-*+•>]\s|\d+[.)]\s", line):
            close()
        current.append(_MARKUP.sub("", line))
    close()
    return blocks


def _joined(pieces: Sequence[str]) -> str:
    """Pieces in one line; between Chinese characters there is no space."""
    whole = ""
    for piece in pieces:
        glue = "" if not whole or re.match(rf"[{_CJK}，。！？；：、”」』）]", whole[-1]) else " "
        whole += glue + piece
    return whole


def _shortened(sentence: str) -> str:
    if len(sentence) <= LONGEST:
        return sentence
    cut = sentence[:LONGEST]
    return (cut.rsplit(" ", 1)[0] if " " in cut[LONGEST // 2 :] else cut) + " …"
