"""What made a reply is what its mark says: the model, a rule, or neither; in results, memories, files and exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from talk_desk import Desk, open_desk

from llmasos.core.base.types import Call
from llmasos.core.kernel import program as programs
from llmasos.services.characters.making import ByRule, Making
from llmasos.services.export import export
from llmasos.services.files import origin
from llmasos.services.files.place import Place
from llmasos.services.safety.notice import Notice
from llmasos.shell import views
from llmasos.shell.plain import remark

TOLD = "My brother lives in Oslo."


async def chat(desk: Desk, message: str) -> dict[str, Any]:
    value: dict[str, Any] = await desk.ok("character.chat", name="Alice", message=message)
    return value


def heard(desk: Desk) -> list[dict[str, Any]]:
    files = dict(export(desk.kernel.store.all(), desk.clock.now()))
    return [event for event in json.loads(files["characters/Alice-heard.json"]) if event["speaker"] != "ada"]


@pytest.mark.parametrize(
    ("pieces", "maker", "source"),
    [
        ([], "system", "system"),
        (["I ", "do."], "model", "character"),
        ([ByRule("You told me.")], "rule", "rule"),
        ([Notice("[held back: an insult]", "held")], "system", "system"),
        (["Yes. ", Notice("[held back: an insult]", "held")], "model", "character"),
        ([ByRule("I'm not human."), "Hm."], "model", "character"),
        (["Hm.", ByRule("I'm not human.")], "model", "character"),
        ([" ", ByRule("I'm not human.")], "rule", "rule"),
    ],
)
def test_the_model_made_it_where_it_made_any_of_it(pieces: list[str], maker: str, source: str) -> None:
    making = Making()
    for piece in pieces:
        making.add(piece)
    assert (making.maker, making.source) == (maker, source)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Are you human?", "I'm not human. I'm Alice, a character played by an AI."),
        ("你是真人吗？", "我不是真人。我是Alice，一个由人工智能扮演的角色。"),
        ("Where does my brother live?", f'You told me: "{TOLD}"'),
        ("What is my cat called?", "I don't know. I don't remember that you told me."),
        ("What is your name?", "I'm Alice."),
        ("What is my name?", "You are ada."),
    ],
)
async def test_a_rule_made_it(tmp_path: Path, question: str, answer: str) -> None:
    with open_desk(tmp_path, name="smollm2") as desk:
        await desk.ok("character.create", name="Alice")
        await desk.ok("character.remember", name="Alice", text=TOLD)
        result = await desk.do("character.chat", name="Alice", message=question)
        assert (result.value["text"], result.value["source"]) == (answer, "rule")
        assert not result.labels, "nothing of it is the model's"
        assert "model" not in remark(result) and views.SOURCES["rule"] in remark(result)
        assert [event["made_by"] for event in heard(desk)] == ["rule"]
        assert not (await desk.do("character.show", name="Alice")).labels
        assert desk.engine.requests == []


async def test_the_model_made_it(tmp_path: Path) -> None:
    with open_desk(tmp_path, name="smollm2") as desk:
        await desk.ok("character.create", name="Alice")
        await chat(desk, "Are you human?")
        value = await chat(desk, "How was your day?")
        assert (value["text"], value["source"]) == ("Fine.", "character")
        assert [event["made_by"] for event in heard(desk)] == ["rule", "model"]
        assert (await desk.do("character.show", name="Alice")).labels == {"character"}


async def test_what_it_promised_are_the_models_words(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["I promise to wait for you."], name="smollm2") as desk:
        await desk.ok("character.create", name="Alice")
        await chat(desk, "Will you wait?")
        value = await chat(desk, "What did you promise me?")
        assert (value["text"], value["source"]) == ('I told you: "I promise to wait for you."', "character")


async def test_words_of_others_that_a_rule_repeats_stay_theirs(tmp_path: Path) -> None:
    with open_desk(tmp_path, name="smollm2") as desk:
        await desk.ok("character.create", name="Alice")
        (desk.session.workspace / "note.txt").write_text(TOLD)
        told = (
            Call("files.read", {"path": "note.txt"}),
            Call("character.remember", {"name": "Alice", "text": "$1"}, frozenset({"text"})),
        )
        for result in await programs.run(desk.kernel, desk.shell, desk.session, told, request="x"):
            assert result.ok, result
        result = await desk.do("character.chat", name="Alice", message="Where does my brother live?")
        assert result.value["source"] == "rule" and TOLD in result.value["text"]
        assert result.labels == {"file"}
        assert heard(desk)[-1]["sources"] == ["file"]


async def test_a_file_of_it_is_labelled_as_what_it_is(tmp_path: Path) -> None:
    with open_desk(tmp_path, name="smollm2") as desk:
        await desk.ok("character.create", name="Alice")
        for message, label in (("Are you human?", ()), ("How was your day?", ("character",))):
            say = Call("character.chat", {"name": "Alice", "message": message})
            write = Call("files.write", {"path": f"{len(label)}.txt", "content": "$1"}, frozenset({"content"}))
            await programs.run(desk.kernel, desk.shell, desk.session, (say, write), request="x")
            assert origin.read(Place(desk.session.workspace, (f"{len(label)}.txt",))) == label


async def test_in_a_room_too(tmp_path: Path) -> None:
    with open_desk(tmp_path, name="smollm2") as desk:
        await desk.ok("character.create", name="Alice")
        await desk.ok("room.invite", who="Alice")
        said = await desk.do("room.say", message="Are you human?")
        assert said.value["source"] == "rule" and not said.labels
        assert not (await desk.do("room.show")).labels
        assert (await desk.ok("room.say", message="How was your day?"))["source"] == "character"
        assert (await desk.do("room.show")).labels == {"character"}
        assert [event["made_by"] for event in heard(desk)] == ["rule", "model"]


async def test_what_was_kept_before_that_was_known_counts_as_the_models(tmp_path: Path) -> None:
    with open_desk(tmp_path, name="smollm2") as desk:
        await desk.ok("character.create", name="Alice")
        (alice,) = desk.characters.cast.of("ada")
        log = desk.characters.cast.log(alice)
        await log.append(at="2026-03-01", speaker=alice.id, text="Hello!", witnesses=(alice.id, "ada"))
        assert (await desk.do("character.show", name="Alice")).labels == {"character"}
