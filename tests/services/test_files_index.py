"""The index: kept across programs, true to the disk, completed in the background, gone with its files."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from files_desk import Desk, open_desk
from test_files_find import Synonyms

from llmasos.services.files import index as indexing
from llmasos.services.files.catalogue import Catalogue
from llmasos.services.files.index import DOCUMENT, VECTOR, WORDS
from llmasos.services.files.place import Place
from llmasos.services.files.vocabulary import Vocabulary


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path, embedder=Synonyms()) as desk:
        desk.put("letters/mail.txt", "please close the account", age=100)
        desk.put("notes/pie.md", "bake an apple pie", age=100)
        yield desk


def kept(desk: Desk, kind: str) -> int:
    return sum(1 for _ in desk.kernel.store.scan(kind))


async def settled(desk: Desk, wanted: dict[str, int]) -> None:
    """Wait for the background until that much is kept; fails where it never is."""
    for _ in range(500):
        if all(kept(desk, kind) == count for kind, count in wanted.items()):
            return
        await asyncio.sleep(0.02)
    raise AssertionError({kind: kept(desk, kind) for kind in wanted})


async def test_what_was_read_is_kept_for_the_next_program(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await desk.refs("files.find", query="account") == ["letters/mail.txt"]
    assert (kept(desk, WORDS), kept(desk, VECTOR)) == (2, 2)
    desk.files._index._shelves.clear()  # a new program
    monkeypatch.setattr(indexing, "content", lambda *_: pytest.fail("read again"))
    assert await desk.refs("files.find", query="account") == ["letters/mail.txt"]
    assert await desk.refs("files.find", query="dessert") == ["notes/pie.md"]


async def test_it_follows_the_disk(desk: Desk) -> None:
    assert await desk.refs("files.find", query="account") == ["letters/mail.txt"]
    (desk.top / "letters/mail.txt").unlink()
    assert await desk.refs("files.find", query="account") == []
    desk.put("letters/new.txt", "an account")
    assert await desk.refs("files.find", query="account") == ["letters/new.txt"]
    (desk.top / "letters").rename(desk.top / "post")
    assert await desk.refs("files.find", query="account") == ["post/new.txt"]
    (desk.top / "post/new.txt").write_text("nothing of that any more")
    assert await desk.refs("files.find", query="account") == []


async def test_of_many_files_folders_are_compared_and_what_was_found(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "FEW", 0)
    for folder in ("letters", "notes", "."):
        os.utime(desk.top / folder, (1_000_000, 1_000_000))
    assert await desk.refs("files.find", query="account") == ["letters/mail.txt"]
    (desk.top / "letters/mail.txt").write_text("a letter about bees")  # its folder doesn't tell
    assert await desk.refs("files.find", query="account") == []
    assert await desk.refs("files.find", query="bees") == ["letters/mail.txt"]
    desk.put("letters/other.txt", "my account")
    assert await desk.refs("files.find", query="account") == ["letters/other.txt"]


async def test_the_background_reads_all_and_forgets_what_is_gone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "AGAIN", 0.05)
    desk.files.watch(desk.session)
    assert kept(desk, WORDS) == 0
    desk.files.start(desk.kernel.store)
    await settled(desk, {WORDS: 2, VECTOR: 2, DOCUMENT: 0})
    (desk.top / "letters/mail.txt").unlink()
    await settled(desk, {WORDS: 1, VECTOR: 1})
    await desk.files.close()


async def test_other_workspaces_are_left_alone(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "AGAIN", 0.05)
    await desk.refs("files.find", query="account")
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.txt").write_text("words of another place")
    desk.session.workspace = other
    desk.files.watch(desk.session)
    desk.files.start(desk.kernel.store)
    await settled(desk, {WORDS: 3})
    await desk.files.close()


def test_worn_catalogues_are_known(tmp_path: Path) -> None:
    from llmasos.services.files.walk import Entry

    catalogue = Catalogue(tmp_path)
    for number in range(1_500):
        catalogue._add(Entry(Place(tmp_path, (f"{number}.txt",)), False, 1, 0.0), 0)
    assert not catalogue.worn
    for number in range(1, 1_000):
        catalogue._remove(number)
    assert catalogue.worn


def test_words_by_their_beginning() -> None:
    words = Vocabulary()
    for number in range(1_000):
        words.add(number, [f"word{number:03d}", "all"])
    assert words.beginning("word01") == [f"word01{n}" for n in range(10)]
    words.add(1_000, ["word0155"])
    assert "word0155" in words.beginning("word015")
    assert len(words.holding("all")) == 1_000 and len(words.holding("none")) == 0
