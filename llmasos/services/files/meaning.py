"""Search by meaning: vectors of names and first paragraphs, kept sealed in the store.

The cosines of a small embedder lie close together, and some texts are near to everything ("hubs": Radovanović
et al., JMLR 2010). So a text's mean likeness to ten everyday questions is taken off first, and then the
median over all texts: what is left is how much nearer this text is to this query than texts are to queries in
general. With that the best match stands out across languages too, and a query that nothing fits finds
nothing.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from llmasos.core.kernel.store import Store
from llmasos.services.files.find import content
from llmasos.services.files.said import stem
from llmasos.services.files.task import in_thread
from llmasos.services.files.walk import Entry

Vectors = npt.NDArray[np.float32]

NEAR = 0.045
"""From here on a text is about the query; found by trying 25 queries in two languages."""

KIND = "files.vector"
FRESH = 200
"""Texts that one search embeds at most; the others keep for the next ones."""

_STEP = 16
_CHARACTERS = 400
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
        self._known: dict[str, tuple[float, int, Vectors]] | None = None

    async def likeness(
        self, store: Store, query: str, chinese: bool, entries: Sequence[Entry]
    ) -> tuple[list[float], int]:
        """How near each entry is to the query, 0 to 1, and how many could not be looked at yet."""
        files = [e for e in entries if not e.folder]
        vectors = await self._vectors(store, files)
        found = {id(e): v for e, v in zip(files, vectors, strict=True) if v is not None}
        values = [0.0] * len(entries)
        if not found:
            return values, len(files)
        everyday = await self._ask("zh" if chinese else "en")
        background = await self._background()
        asked = _unit(await self._embedder.embed([query], "query"))[0]
        pool = np.vstack([np.stack(list(found.values())), background])
        plain = pool @ asked - (pool @ everyday.T).mean(axis=1)
        plain -= np.median(plain)
        near = dict(zip(found, plain.tolist(), strict=False))
        for index, entry in enumerate(entries):
            distance = near.get(id(entry), 0.0)
            if distance >= NEAR:
                values[index] = min(1.0, (distance - NEAR) / 0.06 + 0.25)
        return values, len(files) - len(found)

    async def _vectors(self, store: Store, files: Sequence[Entry]) -> list[Vectors | None]:
        known = await self._load(store)
        vectors: list[Vectors | None] = []
        fresh: list[tuple[int, Entry]] = []
        for index, entry in enumerate(files):
            kept = known.get(_id(entry))
            current = kept is not None and kept[:2] == (entry.modified, entry.size)
            vectors.append(kept[2] if kept and current else None)
            if not current:
                fresh.append((index, entry))
        fresh.sort(key=lambda pair: -pair[1].modified)
        for start in range(0, min(len(fresh), FRESH), _STEP):
            some = fresh[start : min(start + _STEP, FRESH)]
            texts = await in_thread(lambda stop, some=some: [_passage(e) for _, e in some])  # type: ignore[misc]
            made = _unit(await self._embedder.embed(texts, "passage"))
            for (index, entry), vector in zip(some, made, strict=True):
                vectors[index] = vector
                known[_id(entry)] = (entry.modified, entry.size, vector)
            await in_thread(lambda stop, some=some, made=made: _keep(store, some, made))  # type: ignore[misc]
        return vectors

    async def _load(self, store: Store) -> dict[str, tuple[float, int, Vectors]]:
        if self._known is None:
            self._known = await in_thread(lambda stop: _kept(store, stop))
        return self._known

    async def _ask(self, language: str) -> Vectors:
        if language not in self._everyday:
            self._everyday[language] = _unit(await self._embedder.embed(_EVERYDAY[language], "query"))
        return self._everyday[language]

    async def _background(self) -> Vectors:
        """Passages about nothing in particular, so that the median means something with three files too."""
        if "" not in self._everyday:
            texts = [t for some in _EVERYDAY.values() for t in some]
            self._everyday[""] = _unit(await self._embedder.embed(texts, "passage"))
        return self._everyday[""]


def _id(entry: Entry) -> str:
    return hashlib.sha256(str(entry.place.path).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _passage(entry: Entry) -> str:
    """The name and the first paragraph."""
    words = content(entry.place, 4 * _CHARACTERS) or ""
    paragraph = next((p.strip() for p in words.split("\n\n") if p.strip()), "")
    return f"{stem(entry.place.name)}\n{paragraph[:_CHARACTERS]}".strip()


def _keep(store: Store, some: Sequence[tuple[int, Entry]], made: Vectors) -> None:
    if store.frozen:  # then they are made anew the next time
        return
    with store.transaction():
        for (_, entry), vector in zip(some, made, strict=True):
            packed = base64.b64encode(vector.astype(np.float16).tobytes()).decode()
            store.put(KIND, _id(entry), [entry.modified, entry.size, packed])


def _kept(store: Store, stop: threading.Event) -> dict[str, tuple[float, int, Vectors]]:
    found: dict[str, tuple[float, int, Vectors]] = {}
    for record in store.scan(KIND):
        if stop.is_set():
            break
        modified, size, packed = record.value
        vector = np.frombuffer(base64.b64decode(packed), dtype=np.float16).astype(np.float32)
        found[record.id] = (modified, size, vector)
    return found


def _unit(vectors: Vectors) -> Vectors:
    wide = np.asarray(vectors, dtype=np.float32)
    unit: Vectors = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-9)
    return unit
