"""Where values come from, and that what others wrote chooses no target unasked; one question for one request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.base.paths import shipped
from llmasos.core.base.types import Call, Program, Result
from llmasos.core.base.values import done, items, text
from llmasos.core.kernel import program as programs
from llmasos.core.kernel.journal import Journal
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.labels import PIPED
from llmasos.core.kernel.policy import Policy
from llmasos.core.kernel.process import ProcessTable
from llmasos.core.kernel.session import Consent, Nobody, Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Kind, Syscall, SyscallTable, syscall
from llmasos.core.kernel.trap import Caller, Kernel, Trapped


class Desk:
    """Syscalls of every effect, and some that return what others wrote."""

    def __init__(self) -> None:
        self.done: list[str] = []

    @syscall("desk.find", effect="read")
    async def find(self, caller: Caller) -> dict[str, Any]:
        """The person's own things."""
        return items("paper", [{"ref": "letter"}], ["ref"])

    @syscall("desk.read", effect="read")
    async def read(self, caller: Caller, name: Annotated[str, Kind("path")]) -> dict[str, Any]:
        """What a file says."""
        return text("burn everything", source="file", ref=name)

    @syscall("desk.rewrite", effect="read")
    async def rewrite(self, caller: Caller, words: str) -> dict[str, Any]:
        """In other words."""
        return text(words.upper(), source="model")

    @syscall("desk.write", effect="write")
    async def write(self, caller: Caller, name: Annotated[str, Kind("path")], words: str = "") -> dict[str, Any]:
        """Write."""
        self.done.append(f"write {name} {words}".strip())
        return done("Written.")

    @syscall("desk.shred", effect="destroy")
    async def shred(self, caller: Caller, name: Annotated[str, Kind("path")]) -> dict[str, Any]:
        """Shred."""
        self.done.append(f"shred {name}")
        return done("Shredded.")

    @syscall("desk.hand", effect="external")
    async def hand(self, caller: Caller, to: Annotated[str, Kind("person")], words: str) -> dict[str, Any]:
        """Give to somebody."""
        self.done.append(f"hand {to} {words}")
        return done("Given.")

    @syscall("desk.post", effect="external")
    async def post(self, caller: Caller, to: str, words: str) -> dict[str, Any]:
        """Send."""
        self.done.append(f"post {to} {words}")
        return done("Posted.")


class Person(Nobody):
    """Answers from a list."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Any] = []
        self.asked: list[Consent] = []

    async def consent(self, question: Consent) -> Any:
        self.asked.append(question)
        return self.answers.pop(0) if self.answers else None


class Room:
    """A kernel under the policy that ships."""

    def __init__(self, home: Path) -> None:
        clock = MockClock(datetime(2026, 11, 22, 9, tzinfo=UTC))
        self.store = Store.open(home, Keyring.open(home))
        self.desk = Desk()
        table = SyscallTable()
        table.add_service(self.desk)

        async def weather(caller: Any, /) -> dict[str, Any]:
            return items("place", [{"ref": "secrets"}], ["ref"])

        table.add(
            Syscall(
                name="weather.places", effect="read", run=weather, summary="Places.", arguments=(), plugin="weather"
            )
        )
        processes = ProcessTable(clock, "ada")
        policy = Policy.load(shipped("policies") / "default.toml")
        self.kernel = Kernel(table, processes, policy, Journal(self.store, clock), self.store, clock)
        self.process = processes.spawn(processes.init, name="ada", program="shell", subject="user:ada")
        self.person = Person()
        self.session = Session("ada", home, self.person)
        self.trapped: list[Trapped] = []
        self.kernel.hooks.append(self.trapped.append)

    async def run(self, *calls: Call, answers: Any = (), labels: Any = ()) -> list[Result]:
        self.person.answers = list(answers)
        program: Program = calls
        return await programs.run(self.kernel, self.process, self.session, program, labels=frozenset(labels))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path / "home")
    yield made
    made.store.close()


def refers(name: str, argument: str, number: int = 1, /, **more: Any) -> Call:
    return Call(name, {argument: f"${number}", **more}, frozenset({argument}))


async def test_ones_own_things_have_no_labels(room: Room) -> None:
    results = await room.run(Call("desk.find"), refers("desk.shred", "name"))
    assert room.desk.done == ["shred letter"]
    assert [r.labels for r in results] == [frozenset(), frozenset()]
    assert room.person.asked == []


async def test_a_plugin_does_not_choose_what_is_destroyed_or_written_to(room: Room) -> None:
    for name in ("desk.shred", "desk.write"):
        results = await room.run(Call("weather.places"), refers(name, "name"), answers=["no"])
        assert results[-1].error == "EACCES"
        assert room.person.asked[-1].labels == ("plugin:weather",)
    assert room.desk.done == []
    await room.run(Call("weather.places"), refers("desk.write", "name"), answers=["once"])
    assert room.desk.done == ["write secrets"]


async def test_words_are_not_the_thing_they_are_about(room: Room) -> None:
    """What a file says is the file's; which file it is, the person said."""
    results = await room.run(Call("desk.read", {"name": "a.txt"}), refers("desk.shred", "name"))
    assert results[0].labels == {"file"}
    assert room.desk.done == ["shred a.txt"]
    assert room.person.asked == []


async def test_labels_go_on_through_what_is_made_of_a_value(room: Room) -> None:
    results = await room.run(
        Call("desk.read", {"name": "a.txt"}),
        refers("desk.rewrite", "words"),
        refers("desk.write", "words", 2, name="b"),
    )
    assert results[1].labels == {"file", "model"}
    assert room.desk.done == ["write b BURN EVERYTHING"]  # into a file of the person's choice: it can be taken back
    assert room.person.asked == []


async def test_what_leaves_is_asked_about_with_where_it_comes_from(room: Room) -> None:
    await room.run(Call("desk.read", {"name": "a.txt"}), refers("desk.post", "words", to="bob"), answers=["once"])
    assert room.person.asked[0].labels == ("file",)
    assert room.person.asked[0].rule == "others-words"
    assert room.trapped[-1].labels == {"file"}


async def test_where_something_goes_and_what_it_takes_along_are_told_apart(room: Room) -> None:
    await room.run(Call("desk.read", {"name": "a.txt"}), refers("desk.hand", "words", to="bob"), answers=["once"])
    assert room.person.asked[-1].labels == ("sends:file",)
    await room.run(Call("weather.places"), refers("desk.hand", "to", words="hi"), answers=["once"])
    assert room.person.asked[-1].labels == ("plugin:weather",)
    assert room.desk.done == ["hand bob burn everything", "hand secrets hi"]


async def test_beside_a_piped_text_nothing_is_destroyed_unasked(room: Room) -> None:
    results = await room.run(Call("desk.shred", {"name": "a"}), answers=["no"], labels={PIPED})
    assert results[0].error == "EACCES"
    assert room.person.asked[0].labels == (PIPED,)
    await room.run(Call("desk.write", {"name": "a"}), labels={PIPED})
    assert room.desk.done == ["write a"]


POSTS = (Call("desk.post", {"to": "bob", "words": "hi"}), Call("desk.post", {"to": "eve", "words": "ho"}))


async def test_one_question_for_all_that_a_request_needs_consent_for(room: Room) -> None:
    await room.run(POSTS[0], Call("desk.write", {"name": "log"}), POSTS[1], answers=["once"])
    (asked,) = room.person.asked
    assert [one.call.args["to"] for one in (asked, *asked.others)] == ["bob", "eve"]
    assert asked.pattern == ""  # nothing lasting is given for several things at once
    assert room.desk.done == ["post bob hi", "write log", "post eve ho"]


async def test_a_no_to_all_of_it_does_nothing_at_all(room: Room) -> None:
    results = await room.run(Call("desk.write", {"name": "log"}), *POSTS, answers=["no"])
    assert [r.error for r in results] == ["EACCES"]
    assert room.desk.done == []


async def test_nobody_there_does_nothing_at_all(room: Room) -> None:
    results = await room.run(Call("desk.write", {"name": "log"}), *POSTS)
    assert [r.error for r in results] == ["EAGAIN"]
    assert room.desk.done == []


async def test_a_yes_is_for_these_calls_of_this_request(room: Room) -> None:
    await room.run(*POSTS, answers=["once"])
    await room.run(*POSTS, answers=["no"])
    assert len(room.desk.done) == 2
    assert len(room.person.asked) == 2


async def test_for_the_session_is_for_all_of_them(room: Room) -> None:
    await room.run(*POSTS, Call("desk.post", {"to": "ann", "words": "he"}), answers=["session"])
    await room.run(*POSTS)
    assert len(room.desk.done) == 5
    assert len(room.person.asked) == 1


async def test_what_is_only_known_later_is_asked_about_by_itself(room: Room) -> None:
    calls = (*POSTS, Call("desk.read", {"name": "a"}), refers("desk.post", "words", 3, to="ann"))
    await room.run(*calls, answers=["once", "no"])
    assert [len(one.others) for one in room.person.asked] == [1, 0]
    assert room.desk.done == ["post bob hi", "post eve ho"]
