"""A system with the real store and the real embedder, and a script in place of the model: what is measured is the memory.

Where the default model weighs which memory answers a question, it does so here too; only what is said is the script's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from llmasos.compose import Machine, compose
from llmasos.core.base.clock import MockClock
from llmasos.core.base.settings import Settings
from llmasos.core.engine.base import Choice, Engine, LiveSequence
from llmasos.core.engine.embed import Embedder, make_embedder
from llmasos.core.engine.llama import LlamaEngine, LlamaModel
from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.core.engine.sources import ScriptedEngines, running_file
from llmasos.services.characters import CharacterRef

OWNER = "ada"
TINY = "smollm2"


SAYS = ["All right."]


class Weighing(ScriptedEngine):
    """Plays the script, and weighs options as a model does.

    Args:
        model: The model.
        name: What it is called.
    """

    def __init__(self, model: Engine, name: str) -> None:
        super().__init__(SAYS, name=name)
        self._model = model

    async def choose(self, sequence: LiveSequence, prompt: Sequence[int], options: Sequence[str]) -> Choice:
        """As the model; means are over the script's tokens, which are bytes."""
        text = self.detokenize([*sequence.tokens, *prompt])
        own = await self._model.open()
        try:
            said = await self._model.choose(own, self._model.tokenize(text), options)
        finally:
            await self._model.close(own)
        sizes = [len(self._model.tokenize(option)) / len(self.tokenize(option)) for option in options]
        return Choice(said.index, tuple(mean * size for mean, size in zip(said.log_probs, sizes, strict=True)))


class Script(ScriptedEngines):
    """The script that talks, and the embedder that a person has.

    Args:
        speaker: The script.
    """

    def __init__(self, speaker: ScriptedEngine) -> None:
        super().__init__()
        self.speaker = speaker

    def embedder(self) -> Embedder:
        """The one that is installed."""
        return make_embedder()


@asynccontextmanager
async def stage(home: Path, model: str = "scripted") -> AsyncIterator[tuple[Machine, Script, MockClock]]:
    """A composed system, the script in it, and its clock.

    Args:
        home: Where it is kept.
        model: What the speaker is called; `TINY` makes the system help it by rules, as it does its default model.
    """
    clock = MockClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
    settings = Settings(home=home, owner=OWNER, workspace=str(home.parent), seed=1, record=False)
    async with AsyncExitStack() as closing:
        speaker = ScriptedEngine(SAYS, name=model)
        if model == TINY:
            loaded = await LlamaModel.load_async(running_file(TINY, settings).path)
            closing.callback(loaded.close)
            engine = await LlamaEngine.create(loaded, n_ctx=2048, n_seq=2)
            closing.push_async_callback(engine.shutdown)
            speaker = Weighing(engine, model)
        script = Script(speaker)
        machine = await compose(settings, clock=clock, engines=script)
        closing.push_async_callback(machine.close)
        yield machine, script, clock


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
