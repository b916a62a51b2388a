"""Vectors of what was embedded lately: a question goes to several places, and the next one is about the same texts."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
KEPT = 4_096
"""Texts; 1.5 KB each, in memory alone."""


class Embedder(Protocol):
    """What makes vectors."""

    name: str

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Vectors:
        """Shape (texts, 384), each of length 1."""

    async def close(self) -> None:
        """Stop what was started."""


class RecentEmbedder:
    """An embedder that knows what it was asked lately.

    Args:
        embedder: What makes the vectors.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.name = embedder.name
        self._embedder = embedder
        self._known: OrderedDict[bytes, Vectors] = OrderedDict()

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Vectors:
        """Shape (texts, 384), each of length 1.

        Raises:
            EngineError: As the embedder's.
        """
        keys = {text: _key(text, kind) for text in texts}
        found = {text: self._known[key] for text, key in keys.items() if key in self._known}
        fresh = [text for text in keys if text not in found]
        if not texts:
            return await self._embedder.embed([], kind)
        if fresh:
            found.update(zip(fresh, await self._embedder.embed(fresh, kind), strict=True))
        for text, key in keys.items():
            self._known[key] = found[text]
            self._known.move_to_end(key)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return np.stack([found[text] for text in texts])

    def forget(self) -> None:
        """Know nothing any more: something was erased for good."""
        self._known.clear()

    async def close(self) -> None:
        """Stop what was started; what is known is forgotten."""
        self.forget()
        await self._embedder.close()


def _key(text: str, kind: str) -> bytes:
    """The same for the same text; what was said can't be read from it."""
    return hashlib.blake2b(f"{kind}\n{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
