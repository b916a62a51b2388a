"""Vectors of the sentences that were compared lately: the next question is often about the same files."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
KEPT = 4_096
"""Sentences; 1.5 KB each, in memory alone."""


class Embedder(Protocol):
    """What makes vectors."""

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Vectors:
        """Shape (texts, 384), each of length 1."""


class Recent:
    """An embedder that knows what it was asked lately.

    Args:
        embedder: What makes the vectors.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: OrderedDict[str, Vectors] = OrderedDict()

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Vectors:
        """Shape (texts, 384), each of length 1."""
        if kind == "query":
            return await self._embedder.embed(texts, kind)
        found = {text: self._known[text] for text in texts if text in self._known}
        fresh = [text for text in dict.fromkeys(texts) if text not in found]
        if fresh:
            found.update(zip(fresh, await self._embedder.embed(fresh, kind), strict=True))
        for text in texts:
            self._known[text] = found[text]
            self._known.move_to_end(text)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return np.stack([found[text] for text in texts])
