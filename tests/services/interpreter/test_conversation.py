"""Requests that lean on what was said before, readings that the person explains; a script stands for the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmasos.compose import Machine
from llmasos.core.base.errors import NeedsAnswer, NotUnderstood
from llmasos.core.base.types import Call, Program
from llmasos.core.kernel.session import Nobody
from llmasos.services.interpreter.interpreter import Context
from llmasos.services.interpreter.kept import KeptReadings
from llmasos.services.interpreter.reading import Reading
from llmasos.services.requests import Requests

Read = Mapping[str, Program | Reading]


class Reader:
    """Reads sentences from a list, and keeps in what context it was asked."""

    def __init__(self, readings: Read) -> None:
        self.readings = readings
        self.asked: list[tuple[str, Context]] = []

    async def interpret(self, said: str, *, context: Context, **_: Any) -> Reading:
        self.asked.append((said, context))
        reading = self.readings[said]
        return reading if isinstance(reading, Reading) else Reading(reading, 0.9)


class Person(Nobody):
    """Answers questions from a list."""

    def __init__(self, *answers: int | str | None) -> None:
        super().__init__(yes=True)
        self.answers = list(answers)
        self.questions: list[list[str]] = []

    async def choose(self, question: str, options: Any) -> int | None:
        answer = await self.explain(question, options)
        return answer if isinstance(answer, int) else None

    async def explain(self, question: str, options: Any) -> int | str | None:
        self.questions.append(list(options))
        return self.answers.pop(0) if self.answers else None


class Talk:
    """A session whose sentences are read from a list."""

    def __init__(self, machine: Machine, workspace: Path, readings: Read, *answers: int | str | None) -> None:
        self.reader = Reader(readings)
        self.person = Person(*answers)
        self.requests = Requests(machine.kernel, self.reader, kept=machine.kept)  # type: ignore[arg-type]
        self.process, self.session = machine.session(workspace, self.person)

    async def say(self, line: str) -> Any:
        return await self.requests.handle(self.process, self.session, line)


def call(syscall: str, **args: Any) -> Program:
    return (Call(syscall, args),)


@pytest.fixture
def notes(workspace: Path) -> Path:
    for name in ("a.txt", "b.txt", "c.txt"):
        (workspace / name).write_text(f"text of {name}")
    return workspace


async def test_it_is_what_was_shown(machine: Machine, notes: Path) -> None:
    talk = Talk(machine, notes, {"show b": call("files.read", path="b.txt"), "bin it": call("files.delete", path="it")})
    await talk.say("show b")
    outcome = await talk.say("bin it")
    assert outcome.reading.program == call("files.delete", path="b.txt")
    assert sorted(p.name for p in notes.iterdir()) == ["a.txt", "c.txt"]


async def test_the_second_one_and_the_rest(machine: Machine, notes: Path) -> None:
    talk = Talk(
        machine,
        notes,
        {
            "what is here": call("files.list"),
            "read the second one": call("files.read", path="the second one"),
            "delete the last two": call("files.delete", path="the last two"),
        },
    )
    await talk.say("what is here")
    assert (await talk.say("read the second one")).results[0].call.args == {"path": "b.txt"}
    await talk.say("what is here")
    outcome = await talk.say("delete the last two")
    assert [r.call.args["path"] for r in outcome.results] == ["b.txt", "c.txt"]
    assert [p.name for p in notes.iterdir()] == ["a.txt"]


async def test_it_after_a_list_asks_which(machine: Machine, notes: Path) -> None:
    readings = {"what is here": call("files.list"), "bin it": call("files.delete", path="it")}
    talk = Talk(machine, notes, readings, 2)
    await talk.say("what is here")
    await talk.say("bin it")
    assert talk.person.questions == [["a.txt", "b.txt", "c.txt"]]
    assert sorted(p.name for p in notes.iterdir()) == ["a.txt", "b.txt"]
    nobody = Talk(machine, notes, readings)
    await nobody.say("what is here")
    with pytest.raises(NeedsAnswer, match="2 things"):
        await nobody.say("bin it")
    assert len(list(notes.iterdir())) == 2


async def test_things_of_another_kind_arent_meant(machine: Machine, notes: Path) -> None:
    talk = Talk(
        machine,
        notes,
        {
            "show a": call("files.read", path="a.txt"),
            "buy milk": call("tasks.add", title="buy milk"),
            "tick it off": call("tasks.complete", title="it"),
        },
    )
    await talk.say("buy milk")
    await talk.say("show a")
    outcome = await talk.say("tick it off")
    assert outcome.ok and outcome.reading.program == call("tasks.complete", title="buy milk")


async def test_only_what_leans_is_read_with_what_was_before(machine: Machine, notes: Path) -> None:
    today, tomorrow = call("schedule.list", when="today"), call("schedule.list", when="tomorrow")
    talk = Talk(
        machine,
        notes,
        {"what is on today": today, "and tomorrow?": tomorrow, "remind me to water the palm tonight at nine": today},
    )
    for line in talk.reader.readings:
        await talk.say(line)
    before = {said: context.before for said, context in talk.reader.asked}
    assert before["what is on today"] is None
    assert before["and tomorrow?"] == ("what is on today", today)
    assert before["remind me to water the palm tonight at nine"] is None


async def test_a_picked_reading_is_used_at_once_and_again(machine: Machine, notes: Path) -> None:
    unsure = Reading(call("files.list"), 0.3, alternative=call("files.delete", path="a.txt"))
    talk = Talk(machine, notes, {"shoo away a.txt": unsure}, 1)
    outcome = await talk.say("shoo away a.txt")
    assert outcome.results[0].call.syscall == "files.delete"
    again = await talk.say("Shoo away b.txt!")
    assert again.way == "kept" and again.reading.program == call("files.delete", path="b.txt")
    assert len(talk.reader.asked) == 1
    assert sorted(p.name for p in notes.iterdir()) == ["c.txt"]


async def test_other_words_explain_a_sentence(machine: Machine, notes: Path) -> None:
    unsure = Reading(call("files.read", path="a.txt"), 0.3, alternative=call("files.list"))
    meant = call("files.delete", path="a.txt")
    talk = Talk(machine, notes, {"sweep a.txt": unsure, "delete a.txt": meant}, "delete a.txt")
    assert (await talk.say("sweep a.txt")).reading.program == meant
    assert (await talk.say("sweep c.txt")).way == "kept"
    assert [p.name for p in notes.iterdir()] == ["b.txt"]


async def test_i_meant_teaches_the_sentence_before(machine: Machine, notes: Path) -> None:
    talk = Talk(
        machine,
        notes,
        {"sweep a.txt": call("files.read", path="a.txt"), "delete a.txt": call("files.delete", path="a.txt")},
    )
    await talk.say("sweep a.txt")
    await talk.say("no, I meant delete a.txt")
    assert not (notes / "a.txt").exists()
    assert (await talk.say("sweep b.txt")).reading.program == call("files.delete", path="b.txt")


async def test_what_says_something_new_isnt_kept(machine: Machine, notes: Path) -> None:
    talk = Talk(machine, notes, {"sweep": call("files.list"), "delete c.txt": call("files.delete", path="c.txt")})
    await talk.say("sweep")
    await talk.say("no, I meant delete c.txt")
    assert machine.kept.of(machine.person) == []


async def test_neither_and_nobody_keep_nothing(machine: Machine, notes: Path) -> None:
    unsure = Reading(call("files.delete", path="a.txt"), 0.3, alternative=call("files.list"))
    for answer in (2, None):
        talk = Talk(machine, notes, {"sweep a.txt": unsure}, answer)
        with pytest.raises(Exception, match=r"know what to do|two things"):
            await talk.say("sweep a.txt")
    assert machine.kept.of(machine.person) == []
    assert (notes / "a.txt").exists()


async def test_nearly_said_names_are_offered(machine: Machine, notes: Path) -> None:
    (notes / "quarterly report.txt").write_text("x")
    reader = Reader({"read quaterly report": call("files.list")})
    requests = Requests(machine.kernel, reader, names=(machine.files.names,))  # type: ignore[arg-type]
    process, session = machine.session(notes, Person())
    await requests.handle(process, session, "read quaterly report")
    assert reader.asked[0][1].names == ["quarterly report.txt"]


async def test_a_frame_of_everyday_words_is_only_an_example(machine: Machine, notes: Path) -> None:
    unsure = Reading(call("app.open", name="guide"), 0.3, alternative=call("files.read", path="guide"))
    talk = Talk(machine, notes, {"open guide": unsure, "open jazz": call("files.list")}, 0)
    await talk.say("open guide")
    outcome = await talk.say("open jazz")
    assert outcome.way == "model"
    assert (await talk.say("open guide")).way == "kept"


async def test_a_failed_sentence_is_what_gets_corrected(machine: Machine, notes: Path) -> None:
    talk = Talk(
        machine,
        notes,
        {"what is here": call("files.list"), "wibble": Reading((), 0.1), "show my tasks": call("tasks.list"),
         "what time is it": call("system.time")},
    )  # fmt: skip
    await talk.say("what is here")
    with pytest.raises(NotUnderstood):
        await talk.say("wibble")
    assert (await talk.say("no, I meant show my tasks")).kept == "wibble"
    assert (await talk.say("no, I meant what time is it")).kept == "wibble"  # the same sentence, corrected again
    assert [(k.said, k.program[0].syscall) for k in machine.kept.of(machine.person)] == [("wibble", "system.time")]


async def test_an_explanation_that_is_unsure_too_does_nothing(machine: Machine, notes: Path) -> None:
    unsure = Reading(call("files.delete", path="a.txt"), 0.3, alternative=call("files.read", path="a.txt"))
    talk = Talk(machine, notes, {"sweep a.txt": unsure, "tidy a.txt": unsure}, "tidy a.txt")
    with pytest.raises(NeedsAnswer, match="two things too"):
        await talk.say("sweep a.txt")
    assert (notes / "a.txt").exists() and machine.kept.of(machine.person) == []


async def test_a_refused_reading_isnt_kept(machine: Machine, notes: Path) -> None:
    unsure = Reading(call("files.delete", path="nowhere.txt"), 0.3, alternative=call("files.list"))
    talk = Talk(machine, notes, {"sweep nowhere.txt": unsure}, 0)
    assert not (await talk.say("sweep nowhere.txt")).ok
    assert machine.kept.of(machine.person) == []


async def test_in_another_folder_the_second_one_is_nothing(machine: Machine, notes: Path) -> None:
    (notes / "two").mkdir()
    (notes / "two" / "b.txt").write_text("another")
    talk = Talk(
        machine,
        notes,
        {"what is here": call("files.list"), "delete the second one": call("files.delete", path="the second one")},
    )
    await talk.say("what is here")
    await talk.say("cd two")
    assert not (await talk.say("delete the second one")).ok
    assert (notes / "b.txt").exists() and (notes / "two" / "b.txt").exists()


async def test_a_new_thing_isnt_pointed_at(machine: Machine, notes: Path) -> None:
    talk = Talk(
        machine,
        notes,
        {"buy milk": call("tasks.add", title="buy milk"), "add the meeting": call("tasks.add", title="the meeting")},
    )
    await talk.say("buy milk")
    assert (await talk.say("add the meeting")).reading.program == call("tasks.add", title="the meeting")


async def test_what_is_removed_elsewhere_is_gone_here(machine: Machine, notes: Path) -> None:
    unsure = Reading(call("files.list"), 0.3, alternative=call("tasks.list"))
    talk = Talk(machine, notes, {"wibble": unsure}, 0)
    await talk.say("wibble")
    other = KeptReadings(machine.kernel.store, machine.kernel.clock)
    assert other.remove(machine.person, other.of(machine.person)[0].id)
    assert machine.kept.recall(machine.person, "wibble") is None


async def test_more_than_can_be_done_at_once_is_said(machine: Machine, workspace: Path) -> None:
    for number in range(25):
        (workspace / f"{number:02}.txt").write_text("x")
    talk = Talk(
        machine,
        workspace,
        {"what is here": call("files.list"), "bin all of them": call("files.delete", path="all of them")},
    )
    await talk.say("what is here")
    with pytest.raises(NotUnderstood, match="25 things; at most 20"):
        await talk.say("bin all of them")
    assert len(list(workspace.iterdir())) == 25
