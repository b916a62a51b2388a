"""Finding: by names, words inside, meaning and time, and one good match being one."""

import re
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from files_desk import Desk, open_desk

from llmasos.core.base.errors import EngineError
from llmasos.services.files import catalogue, search
from llmasos.services.files import index as indexing
from llmasos.services.files.query import parse

TREE = {
    "taxes/tax 2023.pdf": b"%PDF",
    "taxes/tax 2022.xlsx": b"PK\x03\x04",
    "taxes/ideas about tax.md": b"how to save tax",
    "letters/landlord.txt": b"Dear Ms Gray, the deposit for the flat at Mill Road was never returned.",
    "letters/bank.txt": b"Dear Sir, please close the account.",
    "recipes/apple pie.md": b"Peel six apples, mix flour and butter, bake.",
    "recipes/bread.md": b"Flour, water, salt, patience.",
    "garden.md": b"Beans by the wall. The deposit of leaves rots well.",
    "报销/出差报销单.txt": "机票、酒店、打车，一共三千元。".encode(),
    "报销/发票.txt": "餐饮发票".encode("gb18030"),
    "照片/爬山.jpg": b"\xff\xd8\xff",
    "Holiday Photos/rome.jpg": b"\xff\xd8\xff",
    ".hidden/tax secret.pdf": b"%PDF",
    "code/.git/tax.pdf": b"%PDF",
    "code/node_modules/tax.pdf": b"%PDF",
}


class Synonyms:
    """An embedder that knows a few words of the same meaning, and is near to everything a little."""

    MEANINGS = (
        ("dessert", "pie", "bake", "甜点", "food", "食物"),
        ("travel", "机票", "trip", "旅行"),
        ("money", "account", "bank", "钱"),
    )

    def __init__(self) -> None:
        self.texts = 0

    async def embed(self, texts: list[str], kind: Literal["query", "passage"]) -> Any:
        self.texts += len(texts)
        rows = np.full((len(texts), 384), 0.02, dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[len(self.MEANINGS) + zlib.crc32(text.encode()) % 380] += 0.1
            for index, words in enumerate(self.MEANINGS):
                row[index] += 0.4 * sum(w in text.lower() for w in words)
        return rows


class Broken:
    async def embed(self, texts: list[str], kind: str) -> Any:
        raise EngineError("The embedder died.", "It is started again with the next search.")


def last_year(text: str) -> tuple[datetime, datetime] | None:
    now = datetime.now(UTC)
    return {
        "last week": (now - timedelta(days=7), now),
        "去年": (now - timedelta(days=500), now - timedelta(days=200)),
    }.get(text)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path, span=last_year) as desk:
        for path, content in TREE.items():
            desk.put(path, content, age=86_400 * 30)
        yield desk


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("tax pdf", ["taxes/tax 2023.pdf"]),
        ("the tax spreadsheet", ["taxes/tax 2022.xlsx"]),
        ("tax 2023", ["taxes/tax 2023.pdf"]),
        ("tax 2023.pdf", ["taxes/tax 2023.pdf"]),
        ("landlord", ["letters/landlord.txt"]),
        ("my letter to the landlord", ["letters/landlord.txt"]),
        ("deposit for the flat", ["letters/landlord.txt"]),
        ("Mill Road", ["letters/landlord.txt"]),
        ("apple pies", ["recipes/apple pie.md"]),
        ("Holiday Photos", ["Holiday Photos"]),
        ("appel pie", ["recipes/apple pie.md"]),
        ("报销单", ["报销/出差报销单.txt"]),
        ("关于酒店的文件", ["报销/出差报销单.txt"]),
        ("餐饮", ["报销/发票.txt"]),
        ("爬山的照片", ["照片/爬山.jpg"]),
        ("unicorn breeding", []),
        ("tax secret", ["taxes/tax 2023.pdf", "taxes/tax 2022.xlsx", "taxes/ideas about tax.md"]),
    ],
)
async def test_one_good_match_is_one(desk: Desk, query: str, found: list[str]) -> None:
    refs = await desk.refs("files.find", query=query)
    assert refs == found if len(found) < 3 else set(refs) <= set(found)


async def test_several_good_matches_are_several(desk: Desk) -> None:
    assert set(await desk.refs("files.find", query="tax")) >= {
        "taxes/tax 2023.pdf",
        "taxes/tax 2022.xlsx",
        "taxes/ideas about tax.md",
    }
    assert set(await desk.refs("files.find", query="photos")) == {
        "照片/爬山.jpg",
        "Holiday Photos/rome.jpg",
        "Holiday Photos",
    }
    assert await desk.refs("files.find", query="pdf") == ["taxes/tax 2023.pdf"]


async def test_below_a_folder(desk: Desk) -> None:
    assert await desk.refs("files.find", query="deposit", path="the letters folder") == ["letters/landlord.txt"]
    assert await desk.refs("files.find", query="tax", path="recipes") == []
    assert await desk.error("files.find", query="tax", path="garden.md") == "ENOENT"


async def test_nothing_found_is_said(desk: Desk) -> None:
    value = await desk.ok("files.find", query="unicorn", path="letters", when="last week")
    assert value["empty"] == "Nothing was found for 'unicorn' in letters from last week."
    assert await desk.error("files.find", query="  ") == "EINVAL"
    assert await desk.refs("files.find", query="?!") == []


async def test_when(desk: Desk) -> None:
    desk.put("taxes/tax draft.md", "new")
    desk.put("taxes/tax old.md", "old", age=86_400 * 300)
    assert await desk.refs("files.find", query="tax", when="last week") == ["taxes/tax draft.md"]
    assert await desk.refs("files.find", query="tax", when="去年") == ["taxes/tax old.md"]
    assert await desk.error("files.find", query="tax", when="one blue moon") == "EINVAL"


async def test_when_without_a_clock_reader(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        assert await desk.error("files.find", query="tax", when="last week") == "ENOTSUP"


async def test_by_meaning(tmp_path: Path) -> None:
    embedder = Synonyms()
    with open_desk(tmp_path, embedder=embedder) as desk:
        for path, content in TREE.items():
            desk.put(path, content)
        assert await desk.refs("files.find", query="dessert") == ["recipes/apple pie.md"]
        assert await desk.refs("files.find", query="甜点") == ["recipes/apple pie.md"]
        assert await desk.refs("files.find", query="travel") == ["报销/出差报销单.txt"]
        assert await desk.refs("files.find", query="quantum") == []
        embedded = embedder.texts
        assert await desk.refs("files.find", query="dessert") == ["recipes/apple pie.md"]
        assert embedder.texts == embedded + 1  # the query; the texts are kept
        desk.files._index._shelves.clear()  # a new program
        assert await desk.refs("files.find", query="dessert") == ["recipes/apple pie.md"]
        assert embedder.texts == embedded + 2
        (desk.top / "recipes/bread.md").write_text("a travel diary by the baker, changed and longer")
        assert set(await desk.refs("files.find", query="trip abroad")) == {
            "recipes/bread.md",
            "报销/出差报销单.txt",
        }
        held = b"".join(p.read_bytes() for p in desk.home.rglob("*") if p.is_file())
        assert b"apple pie" not in held


async def test_a_broken_embedder_leaves_words(tmp_path: Path) -> None:
    with open_desk(tmp_path, embedder=Broken()) as desk:
        desk.put("a.txt", "the deposit and other things")
        value = await desk.ok("files.find", query="deposit")
        assert [row["ref"] for row in value["items"]] == ["a.txt"]
        assert "by words only" in value["note"]


async def test_bounds_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "LIMIT", 3)
    with open_desk(tmp_path) as desk:
        for path, content in TREE.items():
            desk.put(path, content)
        assert "3 files and folders were" in (await desk.ok("files.find", query="tax"))["note"]
        monkeypatch.undo()
        monkeypatch.setattr(indexing, "READING", 0.0)
        assert re.search(
            r"texts of \d+ files aren't read yet", (await desk.ok("files.find", query="Mill Road"))["note"]
        )


async def test_in_a_hidden_folder_that_is_named(desk: Desk) -> None:
    assert await desk.refs("files.find", query="tax", path=".hidden") == [".hidden/tax secret.pdf"]


async def test_at_most_ten(desk: Desk) -> None:
    for number in range(30):
        desk.put(f"many/frog {number}.txt", "x")
    assert len(await desk.refs("files.find", query="frog")) == search.SHOWN


async def test_many_files_in_time(desk: Desk) -> None:
    for folder in range(50):
        (desk.top / f"big/{folder}").mkdir(parents=True)
        for number in range(100):
            (desk.top / f"big/{folder}/file {number}.txt").touch()
    desk.put("big/7/the needle.txt", "x")
    started = time.perf_counter()
    assert await desk.refs("files.find", query="needle") == ["big/7/the needle.txt"]
    assert time.perf_counter() - started < 3


def test_queries() -> None:
    assert parse("the tax pdf").terms == ("tax",) and parse("the tax pdf").extensions == {"pdf"}
    assert parse("files about me").terms == ("files", "about", "me")
    assert parse("关于报销的文件").terms == ("报销",)
    assert parse("爬山的照片").terms == ("爬山",) and "jpg" in parse("爬山的照片").extensions
