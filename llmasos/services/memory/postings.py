"""Which texts have which words: their numbers by term, as arrays, so that 100,000 texts take milliseconds.

A word counts by how rare it is, with the inverse document frequency of BM25 (Robertson and Zaragoza, "The Probabilistic
Relevance Framework", 2009).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]
_NOBODY: Numbers = np.zeros(0, np.uint32)


class Postings:
    """Texts are numbered from 0 as they come; who no longer counts is told with each question."""

    def __init__(self) -> None:
        self._kept: Numbers = _NOBODY
        """Numbers of the texts that were loaded, term after term."""
        self._where: dict[str, tuple[int, int]] = {}
        self._more: dict[str, list[int]] = {}

    def add(self, number: int, terms: Iterable[str]) -> None:
        """Enter a text under the next number."""
        for term in set(terms):
            self._more.setdefault(term, []).append(number)

    def holding(self, term: str) -> Numbers:
        """The texts that have a term, each once."""
        start, end = self._where.get(term, (0, 0))
        more = self._more.get(term)
        kept = self._kept[start:end]
        return np.concatenate([kept, np.asarray(more, np.uint32)]) if more else kept

    def vocabulary(self) -> Iterator[str]:
        """All terms, each once."""
        yield from {**self._where, **self._more}

    def coverage(self, query: Sequence[str], counting: Mask) -> npt.NDArray[np.float64]:
        """For each text the share of the query's weight that it has, 0 to 1; comparable between queries.

        Args:
            query: Its terms.
            counting: Which texts still count, by number.
        """
        count = int(np.count_nonzero(counting))
        covered = np.zeros(len(counting))
        whole = 0.0
        for term in sorted(set(query)):  # sorted, so that sums come out the same in every process
            holders = self.holding(term)
            holders = holders[counting[holders]]
            weight = math.log(1 + (count - len(holders) + 0.5) / (len(holders) + 0.5))
            covered[holders] += weight
            whole += weight
        return np.minimum(covered / whole, 1.0) if whole else covered

    def pack(self, renumbered: npt.NDArray[np.int64]) -> tuple[str, npt.NDArray[np.int64], Numbers]:
        """All terms, where the numbers of each end, and the numbers; for `load`.

        Args:
            renumbered: The new number of each text, below 0 where it is left out.
        """
        terms, ends, parts = [], [], []
        total = 0
        for term in self.vocabulary():
            numbers = renumbered[self.holding(term)]
            numbers = numbers[numbers >= 0]
            if len(numbers):
                total += len(numbers)
                terms.append(term)
                ends.append(total)
                parts.append(numbers.astype(np.uint32))
        return "\n".join(terms), np.asarray(ends, np.int64), np.concatenate(parts) if parts else _NOBODY

    def load(self, terms: str, ends: npt.NDArray[np.int64], numbers: Numbers) -> None:
        """Take up what `pack` gave, in place of what there was."""
        stops = ends.tolist()
        self._where = dict(zip(terms.split("\n") if terms else [], zip([0, *stops], stops, strict=False), strict=True))
        self._kept, self._more = numbers, {}
