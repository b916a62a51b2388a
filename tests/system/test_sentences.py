"""Sentences all the way on the real model: understood, done, taken back; and what a script reads runs the same way."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from llmasos.compose import Machine
from llmasos.core.base.errors import NeedsAnswer, NotUnderstood
from llmasos.core.kernel.session import Nobody
from tests.seat import Seat


def test_a_sentence_becomes_a_folder_and_goes_again(real_seat: Seat) -> None:
    outcome = real_seat.say("make a folder called drafts")
    assert outcome.way == "model" and outcome.ok
    assert (real_seat.workspace / "drafts").is_dir()
    assert real_seat.say("undo that").ok
    assert not (real_seat.workspace / "drafts").exists()


@pytest.mark.parametrize("sentence", ["remind me to call Bob tomorrow at 9", "明天早上九点提醒我给妈妈打电话"])
def test_a_reminder_in_two_languages(real_seat: Seat, sentence: str) -> None:
    outcome = real_seat.say(sentence)
    assert [call.syscall for call in outcome.reading.program] == ["schedule.add"]
    assert outcome.ok
    assert real_seat.refs("schedule.list") == [outcome.reading.program[0].args["title"]]
    assert real_seat.say("undo").ok and real_seat.refs("schedule.list") == []


def test_words_of_the_model_are_marked(real_seat: Seat) -> None:
    value = real_seat.ok("assistant.answer", question="what is the sea")
    assert value["source"] == "model" and len(value["text"]) > 10


async def test_what_nobody_understands_does_nothing(machine: Machine, workspace: Path) -> None:
    process, session = machine.session(workspace, Nobody(yes=True))
    with pytest.raises(NotUnderstood):
        await machine.requests.handle(process, session, "")
    assert machine.kernel.journal.entries() == []


def test_it_and_the_second_one(real_seat: Seat) -> None:
    for name in ("ant.txt", "bee.txt", "cow.txt"):
        (real_seat.workspace / name).write_text(name)
    assert real_seat.say("what files are here").ok
    read = real_seat.say("read the second one")
    assert [call.args for call in read.reading.program] == [{"path": "bee.txt"}]
    assert real_seat.say("delete it").ok
    assert not (real_seat.workspace / "bee.txt").exists()
    assert real_seat.say("undo that").ok
    assert (real_seat.workspace / "bee.txt").exists()


def test_and_tomorrow(real_seat: Seat) -> None:
    assert real_seat.say("what is planned for today").reading.program[0].args == {"when": "today"}
    follow_up = real_seat.say("and tomorrow?").reading.program
    assert [(call.syscall, call.args) for call in follow_up] == [("schedule.list", {"when": "tomorrow"})]


def test_a_correction_is_learned_on_the_real_model(real_seat: Seat) -> None:
    for name in ("a.txt", "b.txt"):
        (real_seat.workspace / name).write_text("x")
    with contextlib.suppress(NotUnderstood, NeedsAnswer):
        real_seat.say("zorple a.txt")  # a word that nobody knows, whatever is made of it
    (real_seat.workspace / "a.txt").write_text("x")
    assert real_seat.say("no, I meant delete a.txt").kept == "zorple a.txt"
    outcome = real_seat.say("zorple b.txt")
    assert outcome.way == "kept" and not (real_seat.workspace / "b.txt").exists()


def test_a_function_that_is_defined_now(real_seat: Seat) -> None:
    tools = [
        {
            "name": "ferry.book",
            "description": "Book places on a ferry.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "line": {"type": "string", "description": "From where to where"},
                    "passengers": {"type": "integer"},
                    "car": {"type": "boolean", "description": "true if a car comes along"},
                },
                "required": ["line", "passengers"],
            },
        },
        {"name": "ferry.cancel", "description": "Cancel the booking.", "inputSchema": {"type": "object"}},
    ]
    interpret = real_seat.machine.interpreter.interpret
    reading = real_seat.wait(interpret("book the ferry Naples-Capri for three people", tools=tools, only_tools=True))
    (call,) = reading.program
    assert call.syscall == "ferry.book"
    assert call.args["passengers"] == 3 and call.args["line"] == "Naples-Capri"
    reading = real_seat.wait(interpret("who painted the Mona Lisa", tools=tools, only_tools=True))
    assert reading.program == ()
