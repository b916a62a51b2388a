"""Every syscall of the catalogue by a sentence: the real interpreter reads it, and what it means is done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmasos.compose import compose
from llmasos.core.base.settings import Settings
from llmasos.core.engine.base import Engine
from llmasos.core.engine.sources import LlamaEngines, ScriptedEngines
from llmasos.services.interpreter.interpreter import ADAPTER
from tests.catalogue import contract
from tests.seat import Person, Seat
from tests.system.test_catalogue import CASES, check_value, says

SENTENCES = {
    "files.list": "what is in the notes folder",
    "files.find": "find the file about tax",
    "files.read": "show me a.md",
    "files.write": 'write "new words" into a.md',
    "files.append": 'add "second" to the end of a.md',
    "files.copy": "copy a.md to b.md",
    "files.move": "move a.md to old",
    "files.delete": "delete a.md",
    "files.mkdir": "make a folder new/deep",
    "files.summarize": "summarize a.md",
    "schedule.add": "remind me to call Bob tomorrow at 9am",
    "schedule.list": "what is planned for tomorrow",
    "schedule.move": "move the dentist to tomorrow at 5pm",
    "schedule.cancel": "cancel the dentist appointment",
    "tasks.add": "add water the plants to my to-do list, due Friday, it's urgent",
    "tasks.list": "show my open tasks",
    "tasks.complete": "I've done buy milk, tick it off",
    "tasks.remove": "remove buy milk from my to-do list",
    "memory.remember": "remember that the spare key is under the blue pot",
    "memory.recall": "what do you know about the spare key",
    "memory.forget": "forget everything about the spare key",
    "search.find": "search everything for boiler",
    "assistant.answer": "why is the sky blue",
    "content.write": "write a poem about the sea",
    "content.translate": 'translate "The sea is calm." into French',
    "content.summarize": (
        "summarize this: The harbour froze in January. Ships waited for weeks. Nobody sailed. The harbour master wrote letters."
    ),
    "character.create": "create a character called Orrin, a lighthouse keeper",
    "character.chat": "ask Orrin how is the sea",
    "character.list": "which characters are there",
    "character.show": "show me Orrin's card",
    "character.delete": "delete the character Orrin",
    "character.import": "import the character from maren.json",
    "character.export": "export the character Orrin to orrin.json",
    "device.list": "which devices are there",
    "device.get": "how is the thermostat set",
    "device.turn_on": "turn on the kitchen light",
    "device.turn_off": "turn off the kitchen light",
    "device.set": "set the thermostat to 17.5 degrees",
    "app.list": "which apps are installed",
    "app.open": "launch guide",
    "app.close": "close the guide",
    "process.list": "which processes are running",
    "process.show": "show me process {pid}",
    "process.stop": "suspend process {pid}",
    "process.resume": "resume process {pid}",
    "process.kill": "kill process {pid}",
    "system.status": "how is the system doing",
    "system.help": "help me with files.move",
    "system.undo": "undo that",
    "system.history": "what did you change today",
    "system.time": "what time is it",
    "calculator.evaluate": "what is 15% of 80",
}


class Engines:
    """The real interpreter, and a script that talks: what is tested is how sentences are read."""

    def __init__(self, settings: Settings) -> None:
        self._real, self._script = LlamaEngines(settings, ADAPTER), ScriptedEngines(says=says)
        self.embedder = self._script.embedder
        self.speech = self._script.speech

    async def interpreting(self) -> Engine:
        """The real one."""
        return await self._real.interpreting()


@pytest.fixture
def seat(tmp_path: Path) -> Iterator[Seat]:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    with asyncio.Runner() as runner:
        settings = Settings(home=tmp_path / "home", owner="ada", seed=1)
        larger = replace(settings, model="scripted")  # than the default, which says that it can't translate
        machine = runner.run(compose(larger, engines=Engines(settings)))
        yield Seat(machine, runner, workspace, Person())
        runner.run(machine.close())


def test_every_syscall_has_a_sentence() -> None:
    assert set(SENTENCES) == set(contract())


@pytest.mark.parametrize("name", list(contract()))
def test_said(seat: Seat, name: str) -> None:
    args, check = CASES[name](seat)
    outcome = seat.say(SENTENCES[name].format(**args) if "{" in SENTENCES[name] else SENTENCES[name])
    assert [call.syscall for call in outcome.reading.program] == [name], outcome.reading
    assert outcome.ok, outcome
    check_value(name, check, seat, outcome.results[0].value)
