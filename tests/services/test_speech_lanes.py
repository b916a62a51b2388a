"""Speakers on a real model with two small lanes: what is let in finds its cells, whatever the others do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path

import pytest
from talk_desk import Desk, open_desk

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.settings import Settings
from llmasos.core.engine.base import Sampling
from llmasos.core.engine.llama import LlamaEngine
from llmasos.core.engine.sources import LlamaEngines
from llmasos.core.kernel.process import Process, State
from llmasos.core.kernel.swap import Swap
from llmasos.services.language.context import Message
from llmasos.services.language.hygiene import Manners
from llmasos.services.language.speech import Voice
from llmasos.services.safety.finding import COARSE, Finding

CELLS = 512
"""Of each lane."""
ENDLESS = "start: /[a-z ]{900}/"
WORDS = ["river", "stone", "bread", "night", "lamp", "road", "harbour", "salt", "wind", "glass"]


@pytest.fixture(params=["pools", "streams"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LlamaEngine]:
    whole = await LlamaEngines(Settings.load(home=tmp_path / "settings"), None).speech()
    assert isinstance(whole, LlamaEngine)
    streams = 4 if request.param == "streams" else 0
    made = await LlamaEngine.create(whole.model, n_ctx=(streams or 2) * CELLS, n_seq=12, streams=streams, lanes=2)
    yield made
    await made.shutdown()
    await whole.shutdown()


def story(engine: LlamaEngine, seed: int, length: int) -> str:
    """Words of about so many tokens."""
    chance = random.Random(seed)
    said = ""
    while len(engine.tokenize(said)) < length:
        said += f" {chance.choice(WORDS)}"
    return said


def child(desk: Desk, name: str) -> Process:
    return desk.kernel.processes.spawn(desk.shell, name=name, program="words")


async def speak(desk: Desk, process: Process, lines: Sequence[str], tokens: int) -> int:
    """Speak for exactly so many tokens; how many came."""
    messages = [Message("system", lines[0])]
    messages += [Message("assistant" if n % 2 else "user", line) for n, line in enumerate(lines[1:])]
    sampling = Sampling(temperature=0, max_tokens=tokens, log_probs=False)
    written = 0
    async with aclosing(desk.speaker.verbatim(process, messages, sampling, form=ENDLESS)) as parts:
        async for part in parts:
            written = part.written
    return written


async def test_two_of_one_lane_that_grow_at_once(engine: LlamaEngine, tmp_path: Path) -> None:
    cards = [story(engine, n, 30) for n in range(3)]
    with open_desk(tmp_path, engine=engine) as desk:
        first, between, second = (child(desk, name) for name in ("first", "between", "second"))
        for process, card in zip((first, between, second), cards, strict=True):
            await speak(desk, process, [card, "Begin."], 1)
        await desk.speaker._pager.release(between)
        more = "Go on." + story(engine, 9, 180)
        grown = [[card, "Begin.", "a", more] for card in (cards[0], cards[2])]
        said = await asyncio.gather(
            *(speak(desk, process, lines, 140) for process, lines in zip((first, second), grown, strict=True))
        )
        assert said == [140, 140]


async def test_another_beginning_needs_no_cells_beside_the_old_one(engine: LlamaEngine, tmp_path: Path) -> None:
    with open_desk(tmp_path, engine=engine) as desk:
        process, other = child(desk, "talker"), child(desk, "other")
        await speak(desk, process, [story(engine, 1, 290), "Begin."], 1)
        elsewhere = asyncio.create_task(speak(desk, other, [story(engine, 2, 48), "Go."], 100))
        async with asyncio.timeout(60):
            while engine.stats()["sequences"] < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert process.sequence, "it has something still"
        assert await speak(desk, process, [story(engine, 3, 350), "Begin."], 20) == 20
        assert await elsewhere == 100
        assert engine.stats()["sequences"] <= 2


async def test_nobody_fails_in_a_crowd(engine: LlamaEngine, tmp_path: Path) -> None:
    """Conversations grow, are trimmed, go to swap and come back; some are killed or cancelled meanwhile."""
    chance = random.Random(3)
    with open_desk(tmp_path, engine=engine) as desk:
        desk.speaker._pager._swap = Swap(tmp_path / "swap", memory=64 << 20, disk=0)
        desk.speaker._pager._resident = 600

        async def talk(number: int) -> list[int]:
            process = child(desk, f"talker {number}")
            lines = [story(engine, number, 120), "Begin."]
            said = []
            for turn in range(4):
                said.append(await speak(desk, process, lines, 24))
                lines += ["Yes.", story(engine, 10 * number + turn, chance.randrange(20, 120))]
                if len(engine.tokenize("".join(lines))) > 360:
                    lines = [lines[0], lines[-1]]
            return said

        async def disturb(number: int) -> None:
            process = child(desk, f"other {number}")
            task = asyncio.create_task(speak(desk, process, [story(engine, 99 + number, 200), "Begin."], 60))
            await asyncio.sleep(chance.uniform(0, 3))
            if number % 2:
                await desk.kernel.processes.kill(process.pid)
            else:
                task.cancel()
            with suppress(asyncio.CancelledError, SyscallError):
                await task

        talks = [asyncio.create_task(talk(number)) for number in range(6)]
        others = [asyncio.create_task(disturb(number)) for number in range(4)]
        said = await asyncio.gather(*talks)
        await asyncio.gather(*others)
        assert said == [[24] * 4] * 6
        admission = desk.speaker._admission
        assert (admission.running, admission.waiting) == (0, 0)
        for process in list(desk.kernel.processes):
            if process.alive and process.program == "words":
                assert process.state in (State.WAITING, State.SWAPPED)
                await desk.kernel.processes.kill(process.pid)
        assert engine.stats()["sequences"] == 0
        assert all(lane.requests == 0 and lane.room() == lane.batcher.sequences.count for lane in engine._lanes)


async def test_a_reply_is_read_again_where_idle_cells_cost_others(engine: LlamaEngine, tmp_path: Path) -> None:
    """Where each conversation has its own cells, the next turn goes on behind what was said."""
    system = Message("system", story(engine, 1, 60))
    messages = [system, Message("user", "Tell me of it.")]
    with open_desk(tmp_path, engine=engine) as desk:
        process = child(desk, "talker")
        voice = Voice(sampling=Sampling(temperature=0, max_tokens=40), attempts=1, keep=True)
        said = await desk.speaker.say(process, messages, voice, stable=1)
        assert said
        assert process.sequence
        kept = engine.detokenize(process.sequence.tokens)
        own = engine.capabilities.own_cells
        assert kept.endswith(said) == own
        assert engine.stats()["sequences"] == 1
        # As long as the reply is what is written in the next prompt: a word of it may have been put together otherwise.
        before = engine.stats()["prefilled"]
        more = [*messages, Message("assistant", said), Message("user", "And then?")]
        await desk.speaker.say(process, more, voice, stable=3)
        computed = engine.stats()["prefilled"] - before
        fresh = len(engine.tokenize(said)) + len(engine.tokenize("And then?"))
        assert (computed < fresh) == own


async def test_what_was_held_back_is_in_no_conversation(engine: LlamaEngine, tmp_path: Path) -> None:
    with open_desk(tmp_path, engine=engine) as desk:
        process = child(desk, "talker")
        messages = [Message("system", story(engine, 1, 60)), Message("user", "Tell me of it.")]
        voice = Voice(
            sampling=Sampling(temperature=0, max_tokens=60), attempts=1, keep=True, manners=Manners(sentences=1)
        )
        said = await desk.speaker.say(process, messages, voice, stable=1)
        assert process.sequence
        kept = engine.detokenize(process.sequence.tokens)
        if engine.capabilities.own_cells:
            kept = kept.rpartition("assistant\n")[2].strip()
            assert kept and said.startswith(kept), "not the sentence behind it, which the model had begun"
        else:
            assert "assistant" not in kept


async def test_a_second_opinion_finds_its_cells(engine: LlamaEngine, tmp_path: Path) -> None:
    """Idle conversations have all that is there, and no promise is for an opinion."""
    with open_desk(tmp_path, engine=engine) as desk:
        for number in range(4):
            await speak(desk, child(desk, f"idle {number}"), [story(engine, number, 60), "Begin."], 1)
        process = child(desk, "talker")
        async with desk.speaker._speaking(process, engine, [100] * 40, 200, keep=True):
            judge = desk.speaker._judge(process, engine)
            assert await judge("It is so.", Finding("sexual", COARSE, sure=False)) is not None
