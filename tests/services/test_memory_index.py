"""The index of memories: the same from a snapshot as built anew, and a snapshot of another time isn't used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from talk_desk import Desk, open_desk

from llmasos.services.memory import service
from llmasos.services.memory.retrieval import CALIBRATED, WIDTH, Index, Item, pack


class Directions:
    """An embedder by a table: what is about the same thing points into the same direction."""

    name = CALIBRATED

    async def embed(self, texts: Sequence[str], kind: str) -> Any:
        return np.stack([direction(text.split()[-1]) for text in texts])


def direction(word: str) -> Any:
    vector = np.random.default_rng(sum(map(ord, word))).standard_normal(WIDTH).astype(np.float32)
    return vector / np.linalg.norm(vector)


WORDS = "dog cat key pot car tree 三楼 lake stone wind".split()  # noqa: SIM905


def texts(count: int) -> Iterator[Item]:
    for number in range(count):
        word = WORDS[number % len(WORDS)]
        vector = pack(direction(word)) if number % 3 else ""
        yield Item(f"id{number}", f"note {number} about a {word}\n\udcff", number + 1, "2026", vector, 0.5, "ada")


def full(count: int = 50) -> Index:
    index = Index(Directions())
    for item in texts(count):
        index.add(item)
    return index


async def answers(index: Index) -> list[Any]:
    found = []
    for query in ("dog", "note 7", "a 三楼", "something like lake", "nothing of it"):
        found.append(await index.search(query, 10))
        found.append(await index.search(query, 3, by_meaning=False))
        found.append(await index.search(query, 5, where=lambda item: item.order % 2 == 0))
    return [[(hit.item.id, hit.item.text, hit.score, hit.relevance, hit.complete) for hit in hits] for hits in found]


def loaded(index: Index) -> Index:
    again = Index(Directions())
    assert again.load(memoryview(index.pack()))
    return again


async def test_an_index_that_was_loaded_answers_as_before() -> None:
    index = full()
    index.remove("id7")
    index.add(Item("id9", "another dog", 100, "2026", pack(direction("dog"))))
    again = loaded(index)
    expected = await answers(index)
    assert await answers(again) == expected
    assert [len(hits) for hits in expected][:3] == [6, 3, 1]
    assert (len(again), again.newest, "id7" in again, "id9" in again) == (49, 100, False, True)
    assert [item.id for item in again.items()] == [item.id for item in index.items()]
    # It goes on as if it had been built.
    for one in (index, again):
        one.add(Item("new", "a new dog", 101))
        one.remove("id0")
        one.add(Item("id1", "now about a dog", 102, "", pack(direction("dog")), 0.7))
    assert await answers(again) == await answers(index)
    assert await answers(loaded(again)) == await answers(index)


async def test_an_empty_index_is_loaded() -> None:
    empty = loaded(Index())
    assert len(empty) == 0
    assert await empty.search("dog") == []
    empty.add(Item("a", "dog", 1))
    assert [hit.item.id for hit in await empty.search("dog")] == ["a"]
    without_vectors = Index()
    without_vectors.add(Item("a", "dog", 1))
    assert [hit.item.id for hit in await loaded(without_vectors).search("dog")] == ["a"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few memories are worth a snapshot."""
    monkeypatch.setattr(service, "WORTH_KEEPING", 2)


def snapshots(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("index/*") if path.is_file())


async def remembered(folder: Path, *facts: str) -> None:
    with open_desk(folder) as desk:
        for fact in facts:
            await desk.ok("memory.remember", text=fact)
        desk.memory.close()


async def found(desk: Desk, query: str) -> list[str]:
    return [row["ref"] for row in (await desk.ok("memory.recall", query=query))["items"]]


async def test_a_start_takes_the_snapshot_of_the_last_end(
    tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await remembered(tmp_path, "my dog is called Rex", "the key is under the pot")
    (path,) = snapshots(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"Rex" not in path.read_bytes()
    with open_desk(tmp_path) as desk, monkeypatch.context() as patch:
        patch.setattr(Index, "add", None)  # nothing is built
        assert await found(desk, "dog") == ["my dog is called Rex"]


@pytest.mark.parametrize("damage", ["older", "changed", "cut off", "gone"])
async def test_a_snapshot_of_another_time_or_damaged_is_not_used(tmp_path: Path, small: None, damage: str) -> None:
    await remembered(tmp_path, "my dog is called Rex", "the key is under the pot")
    (path,) = snapshots(tmp_path)
    old = path.read_bytes()
    await remembered(tmp_path, "the lake is frozen")
    now = path.read_bytes()
    assert old != now
    path.write_bytes({"older": old, "changed": now[:-1] + b"x", "cut off": now[:20], "gone": b""}[damage])
    with open_desk(tmp_path) as desk:
        assert await found(desk, "lake") == ["the lake is frozen"]
        assert await found(desk, "dog") == ["my dog is called Rex"]


async def test_what_is_forgotten_is_in_no_snapshot(tmp_path: Path, small: None) -> None:
    await remembered(tmp_path, "my dog is called Rex", "the key is under the pot", "the lake is frozen")
    with open_desk(tmp_path) as desk:
        await desk.ok("memory.forget", query="dog")
        assert snapshots(tmp_path) == []
        desk.memory.close()
        assert len(snapshots(tmp_path)) == 1
    with open_desk(tmp_path) as desk:
        assert await found(desk, "dog") == []
        assert await found(desk, "key") == ["the key is under the pot"]


async def test_a_change_without_an_orderly_end_makes_it_stale(tmp_path: Path, small: None) -> None:
    await remembered(tmp_path, "my dog is called Rex", "the key is under the pot")
    with open_desk(tmp_path) as desk:
        await desk.ok("memory.remember", text="the lake is frozen")
        await desk.undo()
        await desk.ok("memory.remember", text="the wind is cold")
    assert len(snapshots(tmp_path)) == 1
    with open_desk(tmp_path) as desk:
        assert await found(desk, "lake") == []
        assert await found(desk, "wind") == ["the wind is cold"]
