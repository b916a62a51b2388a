"""A system with the real store and the real embedder, and a script in place of the model: what is measured is the memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from llmasos.compose import Machine, compose
from llmasos.core.base.clock import MockClock
from llmasos.core.base.settings import Settings
from llmasos.core.engine.embed import Embedder, make_embedder
from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.services.characters import CharacterRef

OWNER = "ada"
TINY = "smollm2"


class Script(ScriptedEngines):
    """The script that talks, and the embedder that a person has.

    Args:
        model: What the speaker is called; `TINY` makes the system help it by rules, as it does its default model.
    """

    def __init__(self, model: str = "scripted") -> None:
        super().__init__(says=["All right."])
        self.speaker = ScriptedEngine(["All right."], name=model)

    def embedder(self) -> Embedder:
        """The one that is installed."""
        return make_embedder()


@asynccontextmanager
async def stage(home: Path, model: str = "scripted") -> AsyncIterator[tuple[Machine, Script, MockClock]]:
    """A composed system, the script in it, and its clock."""
    script = Script(model)
    clock = MockClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
    settings = Settings(home=home, owner=OWNER, workspace=str(home.parent), seed=1, record=False)
    machine = await compose(settings, clock=clock, engines=script)
    try:
        yield machine, script, clock
    finally:
        await machine.close()


async def say(machine: Machine, ref: CharacterRef, line: str, person: str = "") -> str:
    """A line to a character, and its reply."""
    clock = machine.kernel.clock
    assert isinstance(clock, MockClock)
    clock.advance(60)
    return "".join([piece async for piece in machine.characters.chat(ref, line, person=person)])


async def tell(machine: Machine, ref: CharacterRef, line: str) -> int:
    """A line and a reply, written down as a talk writes them; the line's number. For lines whose reply doesn't matter."""
    clock = machine.kernel.clock
    assert isinstance(clock, MockClock)
    clock.advance(60)
    character = machine.characters.cast.get(ref.id)
    assert character
    log = machine.characters.cast.log(character)
    there = (ref.id, OWNER)
    event = await log.append(at=clock.now().isoformat(timespec="seconds"), speaker=OWNER, text=line, witnesses=there)
    await log.append(at=event.at, speaker=ref.id, text="All right.", witnesses=there)
    machine.characters.conversations.thinking.noticed(character, line, clock.now())
    return event.number
