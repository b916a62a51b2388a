"""Sentences all the way on the real model: understood, done, taken back; and what a script reads runs the same way."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmasos.compose import Machine
from llmasos.core.base.errors import NotUnderstood
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
