"""Vectors from letters and words alone: finds what is spelled alike, knows nothing of meaning."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

DIMENSIONS = 384
_WORD = re.compile(r"\w+")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Chinese and Japanese characters, which stand for words of their own."""


class LexicalEmbedder:
    """Hashes words and character n-grams into 384 signed counts ("hashing trick", Weinberger et al. 2009)."""

    name = "lexical-1"

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> npt.NDArray[np.float32]:
        """Shape (number of texts, 384), each of length 1; the kind makes no difference."""
        vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for feature, weight in _features(text.casefold()):
                code = zlib.crc32(feature.encode("utf-8", "replace"))
                vector[code % DIMENSIONS] += weight if code & 0x8000_0000 else -weight
            length = float(np.linalg.norm(vector))
            if length == 0.0:
                vector[0] = length = 1.0  # a text without letters is like every other such text
            vector /= length
        return vectors

    async def close(self) -> None:
        """Nothing to stop."""


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in _WORD.findall(text):
        if _UNSPACED.search(word):
            yield from ((word[at], 1.0) for at in range(len(word)))
            yield from ((word[at : at + 2], 1.0) for at in range(len(word) - 1))
            continue
        yield word, 1.0
        padded = f"<{word}>"
        yield from ((padded[at : at + 3], 0.4) for at in range(len(padded) - 2))
