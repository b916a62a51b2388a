"""Lorebooks that are files of their own: World Info, V3's form, and a card's book by itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from talk_desk import Desk, open_desk

from llmasos.core.base.errors import SyscallError
from llmasos.services.characters import lorebook, worldinfo

WORLD_INFO = {
    "name": "Harbour", "originalData": {"entries": []},
    "entries": {
        "0": {"uid": 0, "key": ["tide", "ebb"], "keysecondary": ["harbour"], "selective": True, "selectiveLogic": 3,
              "comment": "tides", "content": "The tide comes at six.", "constant": False, "order": 20, "position": 1,
              "disable": False, "probability": 100, "useProbability": True, "scanDepth": None, "caseSensitive": None,
              "matchWholeWords": None, "sticky": 2, "cooldown": 0, "delay": None, "excludeRecursion": True,
              "preventRecursion": False, "characterFilter": {"names": ["Bo"]}, "depth": 4, "role": None},
        "3": {"uid": 3, "key": [], "content": "It always rains.", "constant": True, "order": 5, "position": 0,
              "disable": False},
        "7": {"uid": 7, "key": ["ghost"], "content": "Nobody speaks of it.", "disable": True, "order": 1, "position": 1},
        "9": {"uid": 9, "key": ["Quay"], "content": "Of stone.", "caseSensitive": True, "matchWholeWords": False,
              "scanDepth": 1, "position": 4},
    },
}  # fmt: skip
V3 = {
    "spec": "lorebook_v3", "x_beside": 1,
    "data": {"name": "Harbour", "scan_depth": 7, "token_budget": 100, "recursive_scanning": True, "extensions": {},
             "entries": [{"keys": ["tide"], "content": "@@scan_depth 2\nAt six.", "enabled": True, "insertion_order": 1,
                          "use_regex": False, "extensions": {"x": 1}}]},
}  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        yield desk


def put(desk: Desk, name: str, value: Any) -> str:
    (desk.session.workspace / name).write_text(json.dumps(value))
    return name


def book_of(desk: Desk, name: str) -> lorebook.Book:
    character = desk.characters.cast.find("ada", name)
    assert character is not None
    return character.card.book


def test_world_info_says_the_same_as_a_card() -> None:
    assert worldinfo.is_book(WORLD_INFO)
    written = worldinfo.read(WORLD_INFO)
    book = lorebook.read(written)
    assert [entry.content for entry in book.entries] == ["The tide comes at six.", "It always rains.", "Of stone."]
    tide, rain, quay = book.entries
    assert (tide.id, tide.keys, tide.secondary, tide.logic, tide.selective) == (
        "0", ("tide", "ebb"), ("harbour",), "all", True,
    )  # fmt: skip
    assert (tide.sticky, tide.triggered_by_others, tide.triggers_others, tide.order) == (2, False, True, 20)
    assert (rain.constant, rain.before, tide.before) == (True, True, False)
    assert (quay.case, quay.whole, quay.scan_depth) == (True, False, 1)
    assert book.told(["the ebb at the harbour"], 1, {}).texts == ["The tide comes at six."]
    assert book.told(["the ebb"], 1, {}).texts == []
    first = written["entries"][0]
    assert first["extensions"]["characterFilter"] == {"names": ["Bo"]}, "what isn't read goes along"
    assert (first["extensions"]["depth"], first["comment"], written["name"]) == (4, "tides", "Harbour")
    assert "originalData" not in written


def test_the_form_of_v3_and_a_book_by_itself() -> None:
    assert worldinfo.is_book(V3) and worldinfo.is_book(V3["data"])
    for raw in (V3, V3["data"]):
        assert isinstance(raw, dict)
        book = lorebook.read(worldinfo.read(raw))
        assert (book.scan_depth, book.budget, book.recursive) == (7, 400, True)
        assert (book.entries[0].content, book.entries[0].scan_depth) == ("At six.", 2)


@pytest.mark.parametrize(
    "raw", [{}, [], {"data": {"name": "Mira"}}, {"name": "Mira"}, {"data": {"name": "M"}, "entries": []}, "entries"]
)
def test_what_is_a_card_or_nothing_is_no_book(raw: Any) -> None:
    assert not worldinfo.is_book(raw)


async def test_a_character_learns_it_and_undo_takes_it_away(desk: Desk) -> None:
    await desk.ok("character.create", name="Bo", lore='[{"keys": ["boat"], "content": "She is called Albatross."}]')
    value = await desk.ok("character.import", path=put(desk, "harbour.json", WORLD_INFO), name="bo")
    assert value["message"] == "Bo has 4 entries of harbour.json in the lorebook (version 2)."
    book = book_of(desk, "Bo")
    assert [entry.content for entry in book.entries] == [
        "She is called Albatross.", "The tide comes at six.", "It always rains.", "Of stone.",
    ]  # fmt: skip
    assert len({entry.id for entry in book.entries}) == 4
    again = await desk.ok("character.import", path="harbour.json", name="Bo")
    assert again["message"] == "Bo knows all of harbour.json already."
    assert await desk.undo() == "Bo is as before."
    assert [entry.content for entry in book_of(desk, "Bo").entries] == ["She is called Albatross."]


async def test_it_reaches_the_model_where_a_word_of_it_falls(desk: Desk) -> None:
    await desk.ok("character.create", name="Bo")
    await desk.ok("character.import", path=put(desk, "harbour.json", V3))
    await desk.ok("character.chat", name="Bo", message="When does the tide come in?")
    assert "At six." in desk.engine.requests[-1]


async def test_settings_of_the_book_that_is_there_stay(desk: Desk) -> None:
    await desk.ok("character.create", name="Bo", lore='["The sea is cold."]')
    await desk.ok("character.import", path=put(desk, "v3.json", {**V3["data"], "entries": [  # type: ignore[dict-item]
        {"keys": ["tide"], "content": "At six.", "enabled": True}]}))  # fmt: skip
    book = book_of(desk, "Bo")
    assert (book.scan_depth, book.recursive) == (lorebook.SCAN_DEPTH, False)
    assert [entry.scan_depth for entry in book.entries] == [None, 7], "how deep the other one looked goes along"


async def test_whose_it_is_to_be_is_asked(desk: Desk) -> None:
    path = put(desk, "harbour.json", WORLD_INFO)
    assert await desk.error("character.import", path=path) == "ENOENT"
    for name in ("Bo", "Mira"):
        await desk.ok("character.create", name=name)
    assert await desk.error("character.import", path=path) == "EAMBIG"
    desk.person.answers.append("Mira")
    assert "Mira has 4 entries" in (await desk.ok("character.import", path=path))["message"]
    assert desk.person.options[-1] == ["Bo", "Mira"]
    assert book_of(desk, "Bo").entries == ()


async def test_a_card_for_another_name_is_refused(desk: Desk) -> None:
    await desk.ok("character.create", name="Bo")
    path = put(desk, "mira.json", {"data": {"name": "Mira"}})
    assert await desk.error("character.import", path=path, name="Bo") == "EINVAL"
    await desk.ok("character.import", path=path, name="mira")


async def test_patterns_that_run_away_are_told(desk: Desk) -> None:
    await desk.ok("character.create", name="Bo")
    entry = {"key": ["/(a+)+$/"], "content": "Never."}
    value = await desk.ok("character.import", path=put(desk, "bad.json", {"entries": {"0": entry}}))
    assert "could run for ever" in value["note"]


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ({"entries": {}}, "EINVAL"),
        ({"entries": []}, "EINVAL"),
        ({"entries": ["x", None, 5, {"key": ["a"]}, {"content": 7}]}, "EINVAL"),
        ({"spec": "lorebook_v3", "data": {}}, "EINVAL"),
        ({"entries": [{"content": "x"}] * 2_001}, "E2BIG"),
    ],
)
def test_books_that_are_none(raw: Any, wanted: str) -> None:
    with pytest.raises(SyscallError) as caught:
        worldinfo.read(raw)
    assert caught.value.code == wanted


def test_odd_entries_do_no_harm() -> None:
    odd = {"key": "tide", "content": "A", "order": "x", "sticky": -4, "probability": "often", "disable": None,
           "extensions": [], "uid": {"a": 1}, "position": {}, "scanDepth": 1e300}  # fmt: skip
    book = lorebook.read(worldinfo.read({"entries": {"a": odd, "b": {"keys": {"x": 1}, "content": "B"}}}))
    assert [(entry.content, entry.keys) for entry in book.entries] == [("A", ()), ("B", ())]


def test_too_many_together() -> None:
    own = {"entries": [{"keys": [], "content": str(n)} for n in range(1_500)]}
    book = worldinfo.read({"entries": [{"content": f"b{n}"} for n in range(600)]})
    with pytest.raises(SyscallError) as caught:
        worldinfo.joined(own, book)
    assert caught.value.code == "E2BIG"
    assert worldinfo.joined({"entries": "x"}, book)[1] == 600
