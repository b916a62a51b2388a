"""What a model made stays labelled: on files wherever they go, on cards, memories, findings, and in labels of results."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from talk_desk import Desk, open_desk

from llmasos.core.base.types import Call, Result
from llmasos.core.kernel import program
from llmasos.services.files import origin
from llmasos.services.files.place import Place

POEM = "The sea is wide."


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path, [POEM]) as desk:
        yield desk


async def run(desk: Desk, *calls: Call) -> list[Result]:
    results = await program.run(desk.kernel, desk.shell, desk.session, calls)
    assert all(result.ok for result in results), results
    return results


def using(syscall: str, argument: str = "content", **args: str) -> Call:
    """A call with the first result of its program."""
    return Call(syscall, {**args, argument: "$1"}, references=frozenset({argument}))


WRITE = Call("content.write", {"kind": "poem", "topic": "the sea"})


def label(desk: Desk, path: str) -> str:
    file = desk.session.workspace / path
    try:
        return os.getxattr(file, origin.ATTRIBUTE).decode()
    except OSError:
        return ""


async def saved(desk: Desk, path: str = "poem.txt") -> Result:
    return (await run(desk, WRITE, using("files.write", path=path)))[1]


# Files


async def test_a_models_text_in_a_file_is_labelled_and_its_words_are_as_they_were(desk: Desk) -> None:
    result = await saved(desk)
    assert result.value["note"] == "It is labelled as made by a model."
    assert label(desk, "poem.txt") == "model"
    assert (desk.session.workspace / "poem.txt").read_text() == POEM
    shown = await desk.do("files.read", path="poem.txt")
    assert shown.value["note"] == origin.NOTE
    assert shown.labels == {"file", "model"}
    assert "model" in (await desk.do("files.summarize", path="poem.txt")).labels


async def test_a_persons_text_has_no_label(desk: Desk) -> None:
    value = await desk.ok("files.write", path="a.txt", content="mine")
    assert value["note"] == "" and label(desk, "a.txt") == ""
    assert (await desk.do("files.read", path="a.txt")).labels == {"file"}


async def test_it_goes_where_the_file_goes(desk: Desk) -> None:
    await saved(desk)
    await desk.ok("files.copy", source="poem.txt", destination="copy.txt")
    await desk.ok("files.move", source="poem.txt", destination="moved.txt")
    assert label(desk, "copy.txt") == label(desk, "moved.txt") == "model"
    await desk.ok("files.delete", path="copy.txt")
    await desk.undo()
    assert label(desk, "copy.txt") == "model"


async def test_it_is_what_the_text_is(desk: Desk) -> None:
    """A person's new text takes it off, undo puts it back; what is added to a text makes it partly a model's."""
    await saved(desk)
    await desk.ok("files.write", path="poem.txt", content="mine")
    assert label(desk, "poem.txt") == ""
    await desk.undo()
    assert label(desk, "poem.txt") == "model" and (desk.session.workspace / "poem.txt").read_text() == POEM
    await desk.ok("files.append", path="poem.txt", content="and mine")
    assert label(desk, "poem.txt") == "model"
    await desk.ok("files.write", path="b.txt", content="mine")
    await run(desk, WRITE, using("files.append", path="b.txt"))
    assert label(desk, "b.txt") == "model"
    await desk.undo()
    assert label(desk, "b.txt") == ""


async def test_a_character_is_a_model_too(desk: Desk) -> None:
    await desk.ok("character.create", name="Alice", personality="calm")
    await run(
        desk,
        Call("character.chat", {"name": "Alice", "message": "How is the sea?"}),
        using("files.write", path="a.txt"),
    )
    assert label(desk, "a.txt") == "character"


async def test_where_no_label_can_be_kept_the_answer_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(os, "setxattr", refuse)
    assert (await saved(desk)).value["note"] == "This file system can't label it as made by a model."


def test_a_foreign_label_is_read_as_none(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    os.setxattr(tmp_path / "a.txt", origin.ATTRIBUTE, b"model,<script>," + b"x" * 500)
    place = Place(tmp_path, ("a.txt",))
    assert origin.read(place) == ("model",)
    assert origin.read(Place(tmp_path, ("nothing.txt",))) == ()


# Cards, memories, findings


async def test_a_card_that_a_model_wrote_says_so_wherever_it_is_exported(desk: Desk) -> None:
    await run(desk, WRITE, using("character.create", "personality", name="Alice"))
    shown = await desk.do("character.show", name="Alice")
    assert shown.value["fields"]["written by"] == "model" and "model" in shown.labels
    await desk.ok("character.export", name="Alice", path="alice.json")
    await desk.ok("character.export", name="Alice", path="alice.png")
    card = json.loads((desk.session.workspace / "alice.json").read_text())
    assert card["data"]["extensions"]["llmasos"]["written_by"] == "model"
    assert label(desk, "alice.json") == label(desk, "alice.png") == "model"
    await desk.ok("character.create", name="Alice", role="cook")
    assert (await desk.ok("character.show", name="Alice"))["fields"]["written by"] == "model", "a new version keeps it"


async def test_a_card_by_a_person_says_nothing(desk: Desk) -> None:
    await desk.ok("character.create", name="Bram", personality="calm")
    shown = await desk.do("character.show", name="Bram")
    assert "written by" not in shown.value["fields"] and not shown.labels
    await desk.ok("character.chat", name="Bram", message="Hello!")
    assert (await desk.do("character.show", name="Bram")).labels == {"character"}, "it shows what was said"


async def test_a_memory_keeps_whose_words_it_is(desk: Desk) -> None:
    await run(desk, WRITE, using("memory.remember", "text"))
    await desk.ok("memory.remember", text="the sea is cold in March")
    result = await desk.do("memory.recall", query="sea")
    assert {row["text"]: row.get("source", "") for row in result.value["items"]} == {
        POEM: "model",
        "the sea is cold in March": "",
    }
    assert result.labels == {"model"}
