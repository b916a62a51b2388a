"""What persons are to be told waits for them, also in the next kernel, and open questions are among it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.base.types import Call
from llmasos.core.kernel.journal import as_said, program_id
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.mailbox import MOST, Mailboxes
from llmasos.core.kernel.question import KIND as QUESTION
from llmasos.core.kernel.question import OpenQuestions
from llmasos.core.kernel.session import Consent, Nobody, Session
from llmasos.core.kernel.store import Store

ASKED = Consent(Call("device.turn_on", {"name": "the lamp"}), {"name": "lamp"}, "external", "ask", "user:ada")


HELD: list[object] = []


@pytest.fixture
def boxes(store: Store, clock: MockClock) -> Iterator[Mailboxes]:
    yield Mailboxes(store, clock)
    HELD.clear()


def waiting(boxes: Mailboxes, person: str = "ada") -> list[str]:
    return [message.words for message in boxes.waiting(person)]


def test_each_person_hears_of_their_own_once(boxes: Mailboxes, store: Store, clock: MockClock) -> None:
    boxes.post("ada", "one")
    boxes.post("bob", "for Bob")
    boxes.post("ada", "two")
    told: list[str] = []
    Mailboxes(store, clock).deliver("ada", told.append)
    assert told == ["one", "two"]
    assert waiting(boxes) == []
    assert waiting(boxes, "bob") == ["for Bob"]


def test_one_that_could_not_be_told_waits_on(boxes: Mailboxes) -> None:
    boxes.post("ada", "one")
    boxes.post("ada", "two")

    def breaks(words: str) -> None:
        if words == "two":
            raise ConnectionError

    with pytest.raises(ConnectionError):
        boxes.deliver("ada", breaks)
    assert waiting(boxes) == ["two"]


def test_the_oldest_go(boxes: Mailboxes) -> None:
    boxes.post("bob", "stays")
    for number in range(MOST + 3):
        boxes.post("ada", str(number))
    assert waiting(boxes) == [str(number) for number in range(3, MOST + 3)]
    assert waiting(boxes, "bob") == ["stays"]


def test_what_it_tells_of_and_the_message_are_one_transaction(boxes: Mailboxes, store: Store) -> None:
    with contextlib.suppress(ZeroDivisionError), store.transaction():
        boxes.post("ada", "it is done")
        raise ZeroDivisionError
    assert waiting(boxes) == []


def test_what_is_erased_for_good_waits_nowhere(boxes: Mailboxes) -> None:
    boxes.post("ada", "Job 1 is done: the code is 4711")
    boxes.post("bob", "another's")
    boxes.forget("ada")
    assert (waiting(boxes), waiting(boxes, "bob")) == ([], ["another's"])


def session(program: str) -> Session:
    return Session("ada", Path("/"), Nobody(), program=program)


def left_open(
    store: Store,
    clock: MockClock,
    boxes: Mailboxes,
    program: str,
    *,
    said: str = "turn on the lamp",
    asked: Consent = ASKED,
) -> None:
    """As a kernel leaves it that is killed while a question stands."""
    standing = OpenQuestions(store, clock, boxes).standing(session(program), said, asked)
    standing.__enter__()
    HELD.append(standing)  # what is collected would end it


def test_a_question_that_was_answered_is_not_told(store: Store, clock: MockClock, boxes: Mailboxes) -> None:
    questions = OpenQuestions(store, clock, boxes)
    with questions.standing(session("gone"), "turn on the lamp", ASKED):
        assert store.count(QUESTION) == 1
    with contextlib.suppress(asyncio.CancelledError), questions.standing(session("gone"), "again", ASKED):
        raise asyncio.CancelledError
    OpenQuestions(store, clock, boxes)
    assert waiting(boxes) == []


@pytest.mark.parametrize("program", ["", "999999999:1"])
def test_one_that_stood_open_is_told_and_is_no_consent(
    store: Store, clock: MockClock, boxes: Mailboxes, program: str
) -> None:
    left_open(store, clock, boxes, program)
    for _ in range(2):
        OpenQuestions(store, clock, boxes)
    assert len(waiting(boxes)) == 1, "once"
    assert "device.turn_on name='the lamp'" in waiting(boxes)[0]
    assert "'turn on the lamp'" in waiting(boxes)[0]
    assert "not done" in waiting(boxes)[0]
    assert store.count(QUESTION) == store.count("consent") == 0


def test_a_program_that_is_still_there_puts_it_again_itself(store: Store, clock: MockClock, boxes: Mailboxes) -> None:
    left_open(store, clock, boxes, program_id(os.getpid()))
    OpenQuestions(store, clock, boxes)
    assert (waiting(boxes), store.count(QUESTION)) == ([], 0)


def test_what_is_erased_for_good_stands_in_no_question(store: Store, clock: MockClock, boxes: Mailboxes) -> None:
    left_open(store, clock, boxes, "")
    questions = OpenQuestions(store, clock, Mailboxes(store, clock))
    boxes.forget("ada")
    with questions.standing(session(""), "turn on the lamp", ASKED):
        questions.erase(lambda entry: "nothing" in entry.request)
        assert store.count(QUESTION) == 1
        questions.erase(lambda entry: "the lamp" in str(entry.call))
        assert store.count(QUESTION) == 0
    assert as_said("ada", "a line").call == {}


def test_a_frozen_store_is_not_written_to(store: Store, clock: MockClock, boxes: Mailboxes) -> None:
    store.freeze("it was changed")
    questions = OpenQuestions(store, clock, boxes)
    with questions.standing(session(""), "turn on the lamp", ASKED):
        assert store.count(QUESTION) == 0


def test_nothing_of_it_can_be_read(home: Path, clock: MockClock, canaries: Callable[[Path], list[str]]) -> None:
    word = "Canary7391"
    asked = Consent(Call("device.turn_on", {"name": word}), {}, "external", "ask", "user:ada")
    with Store.open(home, Keyring.open(home)) as store:
        boxes = Mailboxes(store, clock)
        boxes.post("ada", word)
        left_open(store, clock, boxes, word, said=word, asked=asked)
        assert canaries(home) == []
        HELD.clear()
    assert canaries(home) == []
