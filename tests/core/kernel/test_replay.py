"""Recorded runs: kept sealed, replayed token for token, forgotten with what they may hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import EngineError
from llmasos.core.base.settings import Settings
from llmasos.core.engine.base import Engine, Sampling
from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.core.engine.sources import LlamaEngines
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.process import ProcessTable
from llmasos.core.kernel.replay import Recorder, Run, replay
from llmasos.core.kernel.store import Store

SEEDED = Sampling(temperature=0.8, seed=7, max_tokens=24)


@dataclass
class Desk:
    store: Store
    table: ProcessTable
    recorder: Recorder

    async def write(
        self, engine: Engine, prompt: str, sampling: Sampling = SEEDED, lark: str = "", owner: str = "ada"
    ) -> str:
        engine.on_generated = self.recorder.hears(engine)
        process = self.table.spawn(self.table.init, name="talker", program="words", owner=owner)
        sequence = await engine.open(process.pid)
        said = ""
        constraint = engine.constrain(lark) if lark else None
        async for piece in engine.generate(sequence, engine.tokenize(prompt), sampling=sampling, constraint=constraint):
            said += piece.text
        await engine.close(sequence)
        return said

    def runs(self, person: str = "ada") -> list[Run]:
        return list(self.recorder.runs(person))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    clock = MockClock(datetime(2026, 11, 22, tzinfo=UTC))
    with Store.open(tmp_path, Keyring.open(tmp_path)) as store:
        table = ProcessTable(clock, "ada")
        yield Desk(store, table, Recorder(store, clock, table))


async def test_the_default_model_writes_the_same_again(desk: Desk, tmp_path: Path) -> None:
    engine = await LlamaEngines(Settings.load(home=tmp_path / "settings"), None).speech()
    texts = [
        await desk.write(engine, "Once upon a time there was a fox who", SEEDED),
        await desk.write(engine, "The best soup is made of", Sampling(temperature=0, max_tokens=24)),
        await desk.write(engine, "A colour:", SEEDED, lark='start: " " ("red" | "green" | "blue")'),
    ]
    runs = desk.runs()
    assert [engine.detokenize(run.generated.tokens) for run in runs] == texts[::-1]
    assert [await replay(engine, run) for run in runs] == [None, None, None]
    assert len(desk.runs()) == 3, "a replay is no run"
    other = Run(1, "", "ada", "talker", engine.fingerprint, runs[2].generated)
    changed = Sampling(temperature=0.8, seed=8, max_tokens=24)
    different = replace(other, generated=replace(other.generated, sampling=changed))
    assert await replay(engine, different) is not None, "another seed writes something else"
    await engine.shutdown()


async def test_it_says_where_they_part(desk: Desk) -> None:
    await desk.write(ScriptedEngine(["hello there"]), "Say hello.")
    assert await replay(ScriptedEngine(["hello there"]), desk.runs()[0]) is None
    assert await replay(ScriptedEngine(["help"]), desk.runs()[0]) == 3
    assert await replay(ScriptedEngine(["hell"]), desk.runs()[0]) == 4


async def test_another_model_is_refused(desk: Desk) -> None:
    await desk.write(ScriptedEngine(["hello"]), "Say hello.")
    with pytest.raises(EngineError, match="another model"):
        await replay(ScriptedEngine(["hello"], name="changed"), desk.runs()[0])


async def test_what_can_not_be_drawn_again_is_not_kept(desk: Desk) -> None:
    await desk.write(ScriptedEngine(["hello"]), "Say hello.", Sampling(temperature=0.8))
    assert desk.runs() == []


async def test_the_newest_are_kept_and_their_numbers_go_on(desk: Desk) -> None:
    clock = MockClock(datetime(2026, 11, 22, tzinfo=UTC))
    engine = ScriptedEngine(["hello"])
    desk.recorder = Recorder(desk.store, clock, desk.table, keep=3)
    for _ in range(5):
        await desk.write(engine, "Say hello.")
    assert [run.number for run in desk.runs()] == [5, 4, 3]
    desk.recorder = Recorder(desk.store, clock, desk.table, keep=3)
    await desk.write(engine, "Say hello.")
    assert [run.number for run in desk.runs()] == [6, 5, 4]
    desk.recorder = Recorder(desk.store, clock, desk.table, keep=1)  # fewer from now on: at once
    assert [run.number for run in desk.runs()] == [6]


async def test_each_sees_and_forgets_their_own(desk: Desk) -> None:
    engine = ScriptedEngine(["hello"])
    await desk.write(engine, "Say hello.")
    await desk.write(engine, "Say hello.", owner="bob")
    desk.recorder.forget("ada")
    assert desk.runs() == []
    assert [run.person for run in desk.runs("bob")] == ["bob"]
