"""BM25 over an index in memory (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Match(NamedTuple):
    """How well a text fits a query.

    Attributes:
        score: BM25; comparable within one query only.
        coverage: Share of the query's weight that the text has, 0 to 1; comparable between queries.
    """

    score: float
    coverage: float


class BM25:
    """Texts by their terms.

    Args:
        k1: How soon a repeated term stops to count.
        b: How much long texts are marked down.
    """

    def __init__(self, k1: float = 1.2, b: float = 0.75) -> None:
        self._k1, self._b = k1, b
        self._postings: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._terms: dict[str, tuple[str, ...]] = {}
        self._lengths: dict[str, int] = {}
        self._total = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, id: str, terms: Iterable[str]) -> None:
        """Enter a text, in place of the one there was."""
        self.remove(id)
        counts = Counter(terms)
        for term, count in counts.items():
            self._postings[term][id] = count
        self._terms[id] = tuple(counts)
        self._lengths[id] = counts.total()
        self._total += counts.total()

    def remove(self, id: str) -> None:
        """Take a text out, if it is in."""
        length = self._lengths.pop(id, None)
        if length is None:
            return
        self._total -= length
        for term in self._terms.pop(id):
            del self._postings[term][id]
            if not self._postings[term]:
                del self._postings[term]

    def search(self, query: Sequence[str]) -> dict[str, Match]:
        """All texts with at least one of the query's terms."""
        wanted = sorted(set(query))  # sorted, so that sums come out the same in every process
        count = len(self._lengths)
        mean = self._total / count if count else 0.0
        holders = {term: len(self._postings.get(term, ())) for term in wanted}
        weights = {term: math.log(1 + (count - n + 0.5) / (n + 0.5)) for term, n in holders.items()}
        whole = sum(weights.values())
        scores: defaultdict[str, float] = defaultdict(float)
        covered: defaultdict[str, float] = defaultdict(float)
        for term in wanted:
            for id, times in self._postings.get(term, {}).items():
                norm = self._k1 * (1 - self._b + self._b * self._lengths[id] / mean)
                scores[id] += weights[term] * times * (self._k1 + 1) / (times + norm)
                covered[id] += weights[term]
        return {id: Match(score, min(1.0, covered[id] / whole)) for id, score in scores.items()}
