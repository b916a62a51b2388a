"""Search by words: in names first, inside text files where the names leave a doubt.

Each word of the query counts once, where it fits a file best: in its name, in the names of the folders it is
in, or in its text. A rare word counts more than one that many files have (inverse document frequency, Spärck
Jones 1972).
"""

from __future__ import annotations

import difflib
import math
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from llmasos.core.base.errors import SyscallError
from llmasos.services.files.place import Place
from llmasos.services.files.query import Query, in_chinese, in_word, is_chinese, tokens
from llmasos.services.files.said import loose, stem
from llmasos.services.files.text import SHOWN, decode
from llmasos.services.files.walk import Entry

SECONDS = 3.0
"""How long texts are read for."""

LARGEST = 4 << 20
"""Bytes; larger files are books or data, whose first words say little."""

_IN_FOLDER = 0.6
_IN_TEXT = 0.7
_WRONG_KIND = 0.35
_BINARY_WORDS = """
pdf png jpg jpeg gif webp heic bmp tif tiff zip gz bz2 xz 7z tar rar mp3 mp4 mov mkv avi webm flac ogg
wav m4a docx xlsx pptx odt ods odp epub exe dll so a o bin iso gguf onnx pt db sqlite pyc woff woff2 ttf
otf class jar
"""
_BINARY = frozenset(_BINARY_WORDS.split())


@dataclass(slots=True)
class Hit:
    """What is known of one file or folder while it is searched for.

    Attributes:
        entry: The file.
        named: How well each term is in its name or its folders' names.
        written: How well each term is in its text.
        precision: Share of its name's words that the query has.
        literal: The score by names where words for a kind of file count as words: "Holiday Photos".
        score: 0 to about 1, by words alone.
        meaning: 0 to 1.
    """

    entry: Entry
    named: list[float]
    written: list[float] = field(default_factory=list)
    precision: float = 0.0
    literal: float = 0.0
    score: float = 0.0
    meaning: float = 0.0


def by_name(query: Query, entries: Sequence[Entry], start: Place) -> list[Hit]:
    """All entries with how their names fit, those below `start` by the names from there."""
    depth = len(start.parts)
    said = loose(query.said)
    nothing = (0.0,) * len(query.terms)

    @cache
    def fit(word: str) -> tuple[float, ...]:
        return tuple(in_chinese(t, word) if is_chinese(t) else in_word(t, word) for t in query.terms)

    @cache
    def in_folders(parts: tuple[str, ...]) -> tuple[float, ...]:
        if not parts:
            return nothing
        return _best(in_folders(parts[:-1]), *(fit(w) for w in tokens(parts[-1])))

    hits = []
    for entry in entries:
        name = loose(entry.place.parts[-1])
        words = tokens(name)
        own = _best(nothing, *(fit(w) for w in words))
        above = in_folders(entry.place.parts[depth:-1])
        hit = Hit(entry, [max(a, _IN_FOLDER * b) for a, b in zip(own, above, strict=True)])
        if any(own):
            bare = tokens(stem(entry.place.parts[-1])) or words
            hit.precision = sum(any(fit(w)) for w in bare) / len(bare)
            if said in (name, " ".join(bare)):
                hit.precision = 1.5 if len(bare) == 1 else 3.5  # said exactly; several words hardly by chance
        hits.append(hit)
    return hits


def _best(*rows: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(map(max, zip(*rows, strict=True)))


def by_text(query: Query, hits: Sequence[Hit], stop: threading.Event, seconds: float = SECONDS) -> tuple[int, int]:
    """Look into the text files, those of likely names and the newest first.

    Returns:
        How many were read, and how many there are to read.
    """
    readable = [
        h for h in hits if not h.entry.folder and 0 < h.entry.size <= LARGEST and _extension(h.entry) not in _BINARY
    ]
    readable.sort(key=lambda h: (-sum(h.named), -h.entry.modified))
    patterns = [None if is_chinese(t) else re.compile(rf"\b{re.escape(t)}", re.IGNORECASE) for t in query.terms]
    until = time.monotonic() + seconds
    for number, hit in enumerate(readable):
        if stop.is_set():
            raise SyscallError("ECANCELED", "The search was stopped.")
        if time.monotonic() > until:
            return number, len(readable)
        text = content(hit.entry.place)
        if text is None:
            continue
        hit.written = [
            _IN_TEXT * (in_chinese(term, text) if pattern is None else float(pattern.search(text) is not None))
            for term, pattern in zip(query.terms, patterns, strict=True)
        ]
    return len(readable), len(readable)


def content(place: Place, most: int = SHOWN) -> str | None:
    """The beginning of a text file; None where it is none or can't be read."""
    try:
        with place.reader() as file:
            data = file.read(most)
    except (OSError, SyscallError):
        return None
    text = decode(data, cut=len(data) == most)
    return text.words if text else None


def score(query: Query, hits: Sequence[Hit]) -> None:
    """Merge what is known of each into one number."""
    best = [[max(n, w) for n, w in zip(h.named, h.written or h.named, strict=True)] for h in hits]
    rarity = []
    for index in range(len(query.terms)):
        having = sum(1 for row in best if row[index] > 0)
        rarity.append(0.3 + math.log((len(hits) + 1) / (having + 0.5)))
    total = sum(rarity)
    for hit, row in zip(hits, best, strict=True):
        recall = sum(r * v for r, v in zip(rarity, row, strict=True)) / total if total else 1.0
        right = not query.extensions or _extension(hit.entry) in query.extensions
        by_words = recall * (0.85 + 0.15 * hit.precision) * (1.0 if right else _WRONG_KIND)
        hit.score = max(by_words, hit.literal)


def corrected(query: Query, entries: Sequence[Entry]) -> Query:
    """The query with words that no name has replaced by ones that look alike; itself where there are none."""
    known = sorted({w for e in entries for w in tokens(e.place.parts[-1]) if not is_chinese(w)})[:20_000]
    terms = []
    for term in query.terms:
        near = [] if is_chinese(term) or len(term) < 4 else difflib.get_close_matches(term, known, n=1, cutoff=0.8)
        terms.append(near[0] if near else term)
    return Query(query.said, tuple(dict.fromkeys(terms)), query.extensions, query.kind_words)


def _extension(entry: Entry) -> str:
    name = entry.place.parts[-1]
    return name.rpartition(".")[2].lower() if "." in name and not entry.folder else ""
