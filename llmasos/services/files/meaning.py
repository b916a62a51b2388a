"""Search by meaning: vectors of names and first paragraphs.

The cosines of a small embedder lie close together, and some texts are near to everything ("hubs": Radovanović
et al., JMLR 2010). So a text's mean likeness to ten everyday questions is taken off first, and then the
median over all texts: what is left is how much nearer this text is to this query than texts are to queries in
general. With that the best match stands out across languages too, and a query that nothing fits finds
nothing.
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from llmasos.services.files.catalogue import Catalogue, Mask
from llmasos.services.files.task import in_thread

Vectors = npt.NDArray[np.float32]

NEAR = 0.045
"""From here on a text is about the query; found by trying 25 queries in two languages."""

_ENGLISH = """a letter to a friend; numbers and money; cooking and food; how a machine works; a list of tasks;
travel and places; a meeting at work; health and sport; music and films; school and learning"""
_CHINESE = """写给朋友的信;数字和钱;做饭和食物;机器怎么工作;任务清单;
旅行和地方;工作会议;健康和运动;音乐和电影;学校和学习"""
_EVERYDAY = {
    language: [text.strip() for text in texts.split(";")] for language, texts in (("en", _ENGLISH), ("zh", _CHINESE))
}


class Embedder(Protocol):
    """What turns texts into vectors."""

    async def embed(self, texts: list[str], kind: Literal["query", "passage"]) -> Vectors:
        """Vectors of shape (texts, 384)."""


class Meaning:
    """The likeness of files to a query.

    Args:
        embedder: What makes the vectors.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._everyday: dict[str, Vectors] = {}

    async def passages(self, texts: list[str]) -> Vectors:
        """Vectors of length 1 of texts that can be found."""
        return unit(await self._embedder.embed(texts, "passage"))

    async def likeness(self, query: str, chinese: bool, catalogue: Catalogue, among: Mask) -> npt.NDArray[np.float64]:
        """How near each thing of a catalogue is to the query, 0 to 1."""
        everyday = await self._ask("zh" if chinese else "en")
        background = await self._background()
        asked = unit(await self._embedder.embed([query], "query"))[0]
        direction = asked - everyday.mean(axis=0)
        return await in_thread(lambda _: _near(direction, background @ direction, catalogue, among))

    async def _ask(self, language: str) -> Vectors:
        if language not in self._everyday:
            self._everyday[language] = unit(await self._embedder.embed(_EVERYDAY[language], "query"))
        return self._everyday[language]

    async def _background(self) -> Vectors:
        """Passages about nothing in particular, so that the median means something with three files too."""
        if "" not in self._everyday:
            texts = [t for some in _EVERYDAY.values() for t in some]
            self._everyday[""] = await self.passages(texts)
        return self._everyday[""]


def _near(direction: Vectors, background: Vectors, catalogue: Catalogue, among: Mask) -> npt.NDArray[np.float64]:
    with catalogue.lock:
        plain, numbers = catalogue.likeness(direction)
        values = np.zeros(len(among))
    known = numbers < len(among)  # others came meanwhile
    plain, numbers = plain[known], numbers[known]
    chosen = among[numbers]
    plain, numbers = plain[chosen], numbers[chosen]
    if len(numbers):
        distance = plain - np.median(np.concatenate([plain, background]))
        values[numbers] = np.where(distance >= NEAR, np.minimum(1.0, (distance - NEAR) / 0.06 + 0.25), 0.0)
    return values


def unit(vectors: Vectors) -> Vectors:
    """Vectors of length 1."""
    wide = np.asarray(vectors, dtype=np.float32)
    made: Vectors = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-9)
    return made
