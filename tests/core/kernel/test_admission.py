"""Who may use the engine at a time, who waits, and who is turned away."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import SyscallError
from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.core.kernel.admission import Admission
from llmasos.core.kernel.process import PriorityClass, ProcessTable

TABLE = ProcessTable(MockClock(datetime(2026, 11, 22, tzinfo=UTC)), "ada")
CELLS = 100


class Crowd:
    """Requests that hold their place until they are let go."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.engine = ScriptedEngine(n_ctx=CELLS)
        self.inside: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, name: str, need: int = 40, priority: PriorityClass = "normal") -> None:
        self.gates[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._hold(name, need, priority))
        await settled()

    async def _hold(self, name: str, need: int, priority: PriorityClass) -> None:
        process = TABLE.spawn(TABLE.init, name=name, program="test", priority=priority)
        async with self.admission.admit(process, self.engine, need):
            self.inside.append(name)
            await self.gates[name].wait()

    async def go(self, name: str) -> None:
        self.gates[name].set()
        await self.tasks[name]
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_as_many_as_the_cells_hold() -> None:
    crowd = Crowd(Admission(places=9))
    for name in "abc":
        await crowd.ask(name)
    assert crowd.inside == ["a", "b"]
    assert crowd.admission.waiting == 1
    await crowd.go("a")
    assert crowd.inside == ["a", "b", "c"]


async def test_as_many_as_there_are_places() -> None:
    crowd = Crowd(Admission(places=2))
    for name in "abc":
        await crowd.ask(name, need=1)
    assert crowd.inside == ["a", "b"]


async def test_classes_go_first_then_who_came_first() -> None:
    crowd = Crowd(Admission(places=1))
    await crowd.ask("first")
    await crowd.ask("job", priority="background")
    await crowd.ask("talk")
    await crowd.ask("talk2")
    await crowd.ask("shell", priority="interactive")
    for name in ("first", "shell", "talk", "talk2"):
        await crowd.go(name)
    assert crowd.inside == ["first", "shell", "talk", "talk2", "job"]


async def test_small_ones_do_not_slip_past_a_large_one_for_ever() -> None:
    crowd = Crowd(Admission(places=9))
    await crowd.ask("a", need=60)
    await crowd.ask("large", need=90)
    await crowd.ask("small", need=10)
    assert crowd.inside == ["a"]
    await crowd.go("a")
    assert crowd.inside == ["a", "large", "small"]


async def test_what_is_larger_than_all_gets_all() -> None:
    crowd = Crowd(Admission(places=9))
    await crowd.ask("a")
    await crowd.ask("huge", need=500)
    assert crowd.inside == ["a"]
    await crowd.go("a")
    assert crowd.inside == ["a", "huge"]
    await crowd.ask("b", need=1)
    assert crowd.inside == ["a", "huge"]


async def test_a_queue_has_an_end() -> None:
    crowd = Crowd(Admission(places=1, queue=2))
    for name in "abc":
        await crowd.ask(name)
    await crowd.ask("d")
    with pytest.raises(SyscallError, match="The model is busy: 2 requests wait already") as caught:
        await asyncio.wait_for(crowd.tasks["d"], 5)
    assert caught.value.code == "EBUSY"
    await crowd.go("a")
    await crowd.ask("e")  # there is room again
    assert crowd.admission.waiting == 2


@pytest.mark.parametrize("moment", ["waiting", "admitted"])
async def test_who_is_cancelled_takes_nobodys_place(moment: str) -> None:
    crowd = Crowd(Admission(places=1))
    await crowd.ask("a")
    await crowd.ask("b")
    await crowd.ask("c")
    if moment == "admitted":
        crowd.gates["a"].set()
        for _ in range(20):
            if crowd.admission.waiting == 2:
                await asyncio.sleep(0)
    crowd.tasks["b"].cancel()
    if moment == "waiting":
        crowd.gates["a"].set()
    await settled()
    assert crowd.inside[-1] == "c"
    await crowd.go("c")
    assert (crowd.admission.running, crowd.admission.waiting) == (0, 0)
    assert crowd.engine.promise(1, CELLS) == 0, "all cells are there"


async def test_an_error_inside_frees_the_place() -> None:
    admission, engine = Admission(places=1), ScriptedEngine(n_ctx=CELLS)
    process = TABLE.spawn(TABLE.init, name="a", program="test")
    with pytest.raises(ValueError, match="inside"):
        async with admission.admit(process, engine, 10):
            raise ValueError("inside")
    assert (admission.running, engine.promise(1, CELLS)) == (0, 0)


async def test_one_process_is_let_in_once_at_a_time() -> None:
    admission, engine, process = (
        Admission(places=9),
        ScriptedEngine(n_ctx=CELLS),
        TABLE.spawn(None, name="a", program="t"),
    )
    async with admission.admit(process, engine, 10) as left:
        assert left == CELLS - 10
        second = asyncio.create_task(admission.admit(process, engine, 20).__aenter__())
        await settled()
        assert admission.waiting == 1
    assert await second == CELLS - 20
