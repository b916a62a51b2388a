"""Search by words: in names, and in texts where the names leave a doubt.

Each word of the query counts once, where it fits a file best: in its name, in the names of the folders it is in, or in
its text. A rare word counts more than one that many files have (inverse document frequency, Spärck Jones 1972).

All is computed for all things of a catalogue at once.
"""

from __future__ import annotations

import math
import string
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmasos.core.base.errors import SyscallError
from llmasos.services.files.catalogue import READ, Catalogue, Mask
from llmasos.services.files.place import Place
from llmasos.services.files.query import Query, in_chinese, in_word, is_chinese, singular, tokens
from llmasos.services.files.said import loose
from llmasos.services.files.text import SHOWN, decode
from llmasos.services.memory.words import terms

Scores = npt.NDArray[np.float64]
_IN_FOLDER = 0.6
_IN_TEXT = 0.7
_WRONG_KIND = 0.35


@dataclass(slots=True)
class Hits:
    """What is known of all things while one is searched for; arrays by number, rows of terms first.

    Attributes:
        among: Which are searched.
        named: How well each term is in its name or its folders' names.
        precision: Share of its name's words that the query has.
        literal: The score by names where words for a kind of file count as words: "Holiday Photos".
        score: 0 to about 1, by words alone.
        meaning: 0 to 1.
    """

    among: Mask
    named: Scores
    precision: Scores
    literal: Scores
    score: Scores
    meaning: Scores


def by_name(query: Query, catalogue: Catalogue, start: Place, among: Mask) -> Hits:
    """How the names of all things fit, those below `start` by the names from there."""
    named, precision = _named(query, catalogue, start)
    nothing = np.zeros(len(catalogue))
    hits = Hits(among, named, precision, nothing, nothing, nothing)
    if query.kind_words:
        literal = query.literal()
        others = Hits(among, *_named(literal, catalogue, start), nothing, nothing, nothing)
        score(literal, others, catalogue)
        hits.literal = others.score
    score(query, hits, catalogue)
    return hits


def score(query: Query, hits: Hits, catalogue: Catalogue, written: Scores | None = None) -> None:
    """Merge what is known of each into one number.

    Args:
        query: What is looked for.
        hits: What is known; its `score` is computed.
        catalogue: Of what.
        written: How well each term is in each text; None where texts don't count.
    """
    best = hits.named if written is None else np.maximum(hits.named, written)
    total = int(np.count_nonzero(hits.among))
    having = np.count_nonzero((best > 0) & hits.among, axis=1)
    rarity = np.array([0.3 + math.log((total + 1) / (count + 0.5)) for count in having])
    recall = rarity @ best / rarity.sum() if len(rarity) else np.ones(len(catalogue))
    by_words = recall * (0.85 + 0.15 * hits.precision)
    if query.extensions:
        by_words = np.where(catalogue.of_kinds(query.extensions), by_words, _WRONG_KIND * by_words)
    hits.score = np.where(hits.among, np.maximum(by_words, hits.literal), 0.0)


def by_text(query: Query, catalogue: Catalogue) -> Scores:
    """How well each term is in each text that was read; as good as its name in those that weren't."""
    rows = []
    for term in query.terms:
        row = np.zeros(len(catalogue))
        pieces = terms(term, query=True)
        for piece in pieces:
            row[catalogue.texts.holding(piece)] += 1 / len(pieces)
        rows.append(_IN_TEXT * np.where(row > 0.999, 1.0, 0.8 * row))
    found = np.array(rows).reshape(len(query.terms), len(catalogue))
    return np.where(catalogue.texts_read.view == READ, found, 0.0)


def content(place: Place, most: int = SHOWN) -> str | None:
    """The beginning of a text file; None where it is none or can't be read."""
    try:
        with place.reader() as file:
            data = file.read(most)
    except (OSError, SyscallError):
        return None
    text = decode(data, cut=len(data) == most)
    return text.words if text else None


def corrected(query: Query, catalogue: Catalogue) -> Query:
    """The query with words that no name has replaced by one that differs in a letter; itself where there is none."""
    found = [_respelt(term, catalogue) for term in query.terms]
    return Query(query.said, tuple(dict.fromkeys(found)), query.extensions, query.kind_words)


def _named(query: Query, catalogue: Catalogue, start: Place) -> tuple[Scores, Scores]:
    """How well each term is in each name, and how much of each name the query has."""
    count = len(catalogue)
    named = np.zeros((len(query.terms), count))
    matched = np.zeros(count)
    fitting: set[str] = set()
    outside = ~catalogue.inside(start) if start.parts else None
    for own, term in zip(named, query.terms, strict=True):
        fits = _fits(term, catalogue)
        for word, value in sorted(fits.items(), key=lambda pair: pair[1]):
            own[catalogue.names.holding(word)] = value  # the best comes last
        fitting.update(fits)
    for word in fitting:
        matched[catalogue.stems.holding(word)] += 1
    precision = np.where(named.any(axis=0), matched / np.maximum(catalogue.sizes.view, 1), 0.0)
    said = loose(query.said)
    exact = catalogue.whole.holding(said)
    # Said exactly; several words hardly by chance.
    precision[exact] = np.where(catalogue.sizes.view[exact] > 1, 3.5, 1.5)
    for own in named:
        inherited = np.where(catalogue.folders, own, 0.0)
        if outside is not None:
            inherited[outside] = 0.0
        if inherited.any():
            above = catalogue.spread(inherited)[np.maximum(catalogue.parents, 0)]
            np.maximum(own, _IN_FOLDER * above, out=own)
    return named, precision


def _fits(term: str, catalogue: Catalogue) -> dict[str, float]:
    """The words of names that a term fits, and how well."""
    names = catalogue.names
    if is_chinese(term):
        pairs = [term[i : i + 2] for i in range(len(term) - 1)] or [term]
        numbers = {int(n) for pair in pairs for n in catalogue.characters.holding(pair)}
        alive = catalogue.alive
        words = {w for n in numbers if alive[n] for w in tokens(catalogue.entry(n).place.parts[-1]) if is_chinese(w)}
        return {word: value for word in words if (value := in_chinese(term, word)) > 0}
    words = set(names.beginning(term)) if len(term) >= 3 else {term}
    words |= {term[:end] for end in range(4, len(term))}
    one = singular(term)
    words |= {one, f"{one}s", f"{one}es", f"{one[:-1]}ies"}
    return {word: value for word in words if word in names and (value := in_word(term, word)) > 0}


def _respelt(term: str, catalogue: Catalogue) -> str:
    """A word of names one letter away from a misspelt one (Damerau 1964), the commonest; else itself."""
    if is_chinese(term) or len(term) < 4:
        return term
    halves = [(term[:at], term[at:]) for at in range(len(term) + 1)]
    near = {a + b[1:] for a, b in halves if b} | {a + b[1] + b[0] + b[2:] for a, b in halves if len(b) > 1}
    for letter in string.ascii_lowercase:
        near |= {a + letter + b for a, b in halves} | {a + letter + b[1:] for a, b in halves if b}
    known = [word for word in near if word in catalogue.names and not is_chinese(word)]
    return max(known, key=lambda word: (len(catalogue.names.holding(word)), word), default=term)
