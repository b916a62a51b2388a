"""The context switch: what stays live, what waits in swap, what happens to it meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import EngineError
from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.core.kernel.pager import Pager
from llmasos.core.kernel.process import Process, ProcessTable, State
from llmasos.core.kernel.scheduler import Scheduler
from llmasos.core.kernel.swap import Swap


class Desk:
    """Processes with contexts of so many tokens."""

    def __init__(self, folder: Path, *, cells: int = 1000, resident: int = 150, save: bool = True) -> None:
        self.table = ProcessTable(MockClock(datetime(2026, 11, 22, tzinfo=UTC)), "ada")
        self.engine = ScriptedEngine(n_ctx=cells)
        if not save:
            self.engine.capabilities = type(self.engine.capabilities)(save=False)  # type: ignore[misc]
        self.engine.set_queue(Scheduler(self.table, self.engine))
        self.swap = Swap(folder / "swap", memory=1 << 20, disk=1 << 20)
        self.pager = Pager(self.table, self.swap, resident=resident)

    async def spawn(self, name: str, tokens: int = 100) -> Process:
        process = self.table.spawn(self.table.init, name=name, program="test")
        live = await self.engine.open(process.pid)
        self.table.attach(process, self.engine, live)
        await self.engine.prefill(live, [ord(name)] * tokens)
        process.move(State.WAITING)
        self.pager.used(process)
        return process

    @property
    def cells(self) -> float:
        return self.engine.stats()["cells_used"]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    yield Desk(tmp_path)


async def test_out_and_in_again_it_is_the_same(desk: Desk) -> None:
    process = await desk.spawn("a")
    assert process.sequence
    tokens = list(process.sequence.tokens)
    assert await desk.pager.put_out(process)
    assert (process.state, process.sequence, desk.cells) == (State.SWAPPED, None, 0)
    assert process.swapped_bytes > 0
    live = await desk.pager.bring_in(process, desk.engine)
    assert live is not None
    assert live is process.sequence
    assert live.tokens == tokens
    assert (process.state, process.swapped_bytes, desk.cells) == (State.READY, 0, 100)
    assert (process.page_outs, process.page_ins) == (1, 1)
    assert desk.swap.stats()["entries"] == 0
    assert desk.table.by_sequence == {(id(desk.engine), live.id): process}


async def test_who_is_live_stays(desk: Desk) -> None:
    process = await desk.spawn("a")
    assert await desk.pager.bring_in(process, desk.engine) is process.sequence
    assert process.page_ins == 0


async def test_only_the_idle_go_and_the_longest_idle_first(desk: Desk) -> None:
    one, two, three = [await desk.spawn(name) for name in "abc"]
    two.move(State.READY)  # about to run
    desk.pager.used(one)
    await desk.pager.settle(1000, sparing=0)
    # 200 idle tokens, 150 may stay: three was idle longest.
    assert [p.state for p in (one, two, three)] == [State.WAITING, State.READY, State.SWAPPED]
    await desk.pager.settle(50, sparing=one.pid)
    assert one.state is State.WAITING
    await desk.pager.settle(50, sparing=0)
    assert one.state is State.SWAPPED


async def test_who_has_cells_of_its_own_stays_until_somebody_needs_them(desk: Desk) -> None:
    desk.engine.capabilities = replace(desk.engine.capabilities, own_cells=True)  # type: ignore[misc]
    processes = [await desk.spawn(name, tokens=90) for name in "abcd"]
    await desk.pager.settle(4 * 1000, sparing=0)
    assert [p.state for p in processes] == [State.WAITING] * 4, "although they have more tokens than may stay elsewhere"
    await desk.pager.settle(3 * 1000 - 1, sparing=0)
    assert [p.state for p in processes] == [State.SWAPPED] * 2 + [State.WAITING] * 2, "each takes a whole context"


async def test_only_who_is_in_the_way_goes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = [await desk.spawn(name, tokens=40) for name in "abc"]
    assert two.sequence
    elsewhere = two.sequence.id
    monkeypatch.setattr(desk.engine, "beside", lambda owner, sequence: sequence.id != elsewhere)
    await desk.pager.settle(0, sparing=0)
    assert [p.state for p in (one, two, three)] == [State.SWAPPED, State.WAITING, State.SWAPPED]
    assert not await desk.pager.make_room(sparing=0, beside=True)
    assert await desk.pager.make_room(sparing=0)
    assert two.state is State.SWAPPED


async def test_room_is_made_for_one_but_not_at_its_own_cost(desk: Desk) -> None:
    one = await desk.spawn("a")
    assert not await desk.pager.make_room(sparing=one.pid)
    two = await desk.spawn("b")
    assert await desk.pager.make_room(sparing=one.pid)
    assert (one.state, two.state) == (State.WAITING, State.SWAPPED)


async def test_coming_in_others_go_out(tmp_path: Path) -> None:
    desk = Desk(tmp_path, cells=250, resident=1000)
    one = await desk.spawn("a")
    await desk.pager.put_out(one)
    two, three = await desk.spawn("b"), await desk.spawn("c")
    assert await desk.pager.bring_in(one, desk.engine)
    assert (two.state, three.state) == (State.SWAPPED, State.WAITING)


async def test_a_stopped_one_goes_out_and_stays_stopped(desk: Desk) -> None:
    process = await desk.spawn("a")
    desk.table.stop(process.pid)
    assert await desk.pager.put_out(process)
    assert process.state is State.STOPPED
    desk.table.resume(process.pid)
    assert await desk.pager.bring_in(process, desk.engine)


async def test_stopped_while_it_is_out(desk: Desk) -> None:
    process = await desk.spawn("a")
    await desk.pager.put_out(process)
    desk.table.stop(process.pid)
    desk.table.resume(process.pid)
    assert await desk.pager.bring_in(process, desk.engine)
    assert process.state is State.READY


async def test_who_needs_it_while_it_goes_out_waits_for_that(desk: Desk) -> None:
    process = await desk.spawn("a")
    going = asyncio.create_task(desk.pager.put_out(process))
    await asyncio.sleep(0)
    live = await desk.pager.bring_in(process, desk.engine)
    assert await going
    assert live is not None
    assert len(live.tokens) == 100
    assert desk.engine.stats()["sequences"] == 1


async def test_settled_is_when_what_others_put_out_is_gone_too(desk: Desk) -> None:
    process = await desk.spawn("a")
    going = asyncio.create_task(desk.pager.put_out(process))
    await asyncio.sleep(0)
    assert desk.cells == 100
    await desk.pager.settle(0, sparing=0)
    assert desk.cells == 0
    assert await going


async def test_killed_while_it_goes_out_leaves_nothing(desk: Desk) -> None:
    process = await desk.spawn("a")
    going = asyncio.create_task(desk.pager.put_out(process))
    await asyncio.sleep(0)
    await desk.table.kill(process.pid)
    await going
    assert desk.swap.stats()["entries"] == 0
    assert (desk.cells, desk.engine.stats()["sequences"]) == (0, 0)


async def test_killed_while_it_is_out_leaves_nothing(desk: Desk) -> None:
    process = await desk.spawn("a")
    await desk.pager.put_out(process)
    await desk.table.kill(process.pid)
    assert desk.swap.stats()["entries"] == 0


async def test_killed_while_it_comes_in_leaves_nothing(desk: Desk) -> None:
    process = await desk.spawn("a")
    await desk.pager.put_out(process)
    coming = asyncio.create_task(desk.pager.bring_in(process, desk.engine))
    await asyncio.sleep(0)
    await desk.table.kill(process.pid)
    assert await coming is None
    assert (desk.cells, desk.engine.stats()["sequences"]) == (0, 0)


async def test_what_is_lost_is_computed_anew(desk: Desk) -> None:
    process = await desk.spawn("a")
    await desk.pager.put_out(process)
    desk.swap.drop(process.pid)
    assert await desk.pager.bring_in(process, desk.engine) is None
    assert (process.state, process.swapped_bytes) == (State.READY, 0)


async def test_another_model_computes_it_anew_and_puts_nobody_out(desk: Desk) -> None:
    process, other = await desk.spawn("a"), await desk.spawn("b")
    await desk.pager.put_out(process)
    changed = ScriptedEngine(name="changed")
    assert await desk.pager.bring_in(process, changed) is None
    assert other.state is State.WAITING
    assert changed.stats()["sequences"] == 0


async def test_an_engine_that_can_not_save_lets_go(tmp_path: Path) -> None:
    desk = Desk(tmp_path, save=False)
    process = await desk.spawn("a")
    assert await desk.pager.put_out(process)
    assert (process.sequence, desk.cells, process.swapped_bytes) == (None, 0, 0)
    assert await desk.pager.bring_in(process, desk.engine) is None


async def test_an_engine_that_fails_to_save_lets_go(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(sequence: object) -> bytes:
        raise EngineError("llama.cpp could not save the sequence.")

    monkeypatch.setattr(desk.engine, "save", fails)
    process = await desk.spawn("a")
    assert await desk.pager.put_out(process)
    assert (desk.cells, desk.engine.stats()["sequences"]) == (0, 0)
    assert await desk.pager.bring_in(process, desk.engine) is None
