"""A session goes on with what the one before talked about."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmasos.client.local import LocalClient
from llmasos.compose import Machine, compose
from llmasos.core.base.clock import MockClock
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.services.interpreter.dialogue import Dialogue
from tests.seat import Person, reader

PROGRAMS = {
    "what is on my list": [("tasks.list", {})],
    "delete the second one": [("tasks.remove", {"title": "the second one"})],
    "put milk on my list": [("tasks.add", {"title": "milk"})],
    "forget the code": [("memory.forget", {"query": "the code"})],
    "what do you know about the code": [("memory.recall", {"query": "the code"})],
}


class There:
    def __init__(self, folder: Path) -> None:
        self.clock = MockClock(datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
        self.runner = asyncio.Runner()
        self.workspace = folder / "work"
        self.workspace.mkdir()
        self.settings = Settings(home=folder / "home", owner="ada", seed=1)

    def machine(self) -> Machine:
        return self.runner.run(
            compose(self.settings, clock=self.clock, engines=ScriptedEngines(reads=reader(PROGRAMS)))
        )

    def say(self, *lines: str, resumes: bool = True) -> list[bool]:
        """A whole session with these lines, in a system of its own."""

        async def said() -> list[bool]:
            client = LocalClient(machine, self.workspace, Person(), resumes=resumes, closing=machine.close)
            try:
                return [(await client.handle(line)).ok for line in lines]
            finally:
                await client.close()

        machine = self.machine()
        return self.runner.run(said())

    def titles(self) -> list[str]:
        async def listed() -> list[str]:
            client = LocalClient(machine, self.workspace, Person(), closing=machine.close)
            outcome = await client.handle("tasks.list")
            await client.close()
            return [row["title"] for row in outcome.results[0].value["items"]]

        machine = self.machine()
        return self.runner.run(listed())


@pytest.fixture
def there(tmp_path: Path) -> Iterator[There]:
    made = There(tmp_path)
    yield made
    made.runner.close()


def test_the_second_one_of_the_last_session(there: There) -> None:
    there.say("tasks.add milk", "tasks.add tea", "tasks.add bread", "what is on my list")
    assert there.say("delete the second one") == [True]
    assert there.titles() == ["milk", "bread"]


def test_a_session_of_its_own_knows_nothing_of_it(there: There) -> None:
    there.say("tasks.add milk", "tasks.add tea", "what is on my list")
    assert there.say("delete the second one", resumes=False) == [False]
    assert there.titles() == ["milk", "tea"]


def test_a_day_later_it_is_forgotten(there: There) -> None:
    there.say("tasks.add milk", "tasks.add tea", "what is on my list")
    there.clock.advance(13 * 3600)
    assert there.say("delete the second one") == [False]


@pytest.mark.parametrize("again", ["again", "Once more.", "do that again", "再来一次", "repeat that"])
def test_again(there: There, again: str) -> None:
    (there.workspace / "log.md").write_text("")
    assert there.say("files.append log.md x", again) == [True, True]
    assert (there.workspace / "log.md").read_text().split() == ["x", "x"]


def test_again_after_nothing_is_a_sentence_like_any_other() -> None:
    assert Dialogue().again("again") == ()
    spoken = Dialogue(said="undo", program=(Call("system.undo"),))
    assert spoken.again("again and again I forget this") == ()


def test_what_was_erased_for_good_is_in_no_memory_of_a_session(there: There) -> None:
    there.say("memory.remember the code is 4711", "what do you know about the code", "forget the code")

    async def left() -> list[str]:
        found = [str(record.value) for record in machine.kernel.store.scan("dialogue")]
        await machine.close()
        return found

    machine = there.machine()
    assert "4711" not in str(there.runner.run(left()))
