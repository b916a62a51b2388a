"""Which files have which words: numbers by word, in arrays, and the words themselves by how they begin.

As memory's postings, but of words whose beginnings count, and without weights.
"""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint32]
_NOBODY: Numbers = np.zeros(0, np.uint32)
_FEW = 256
"""Words that wait before they are sorted in among the others."""


class Vocabulary:
    """Words of things that are numbered as they come; who no longer counts is for the asker to know."""

    def __init__(self) -> None:
        self._where: dict[str, array[int]] = {}
        self._sorted: list[str] = []
        self._recent: list[str] = []

    def __contains__(self, word: str) -> bool:
        return word in self._where

    def add(self, number: int, words: Iterable[str]) -> None:
        """Enter a thing under its number."""
        for word in set(words):
            numbers = self._where.get(word)
            if numbers is None:
                numbers = self._where[word] = array("I")
                self._recent.append(word)
            numbers.append(number)

    def holding(self, word: str) -> Numbers:
        """The things that have a word, each once."""
        numbers = self._where.get(word)
        return np.array(numbers, np.uint32) if numbers else _NOBODY

    def beginning(self, start: str) -> list[str]:
        """The words that begin so."""
        if len(self._recent) > _FEW:
            self._sorted = sorted(self._sorted + sorted(self._recent))
            self._recent = []
        first = bisect.bisect_left(self._sorted, start)
        found = [word for word in self._recent if word.startswith(start)]
        while first < len(self._sorted) and self._sorted[first].startswith(start):
            found.append(self._sorted[first])
            first += 1
        return found
