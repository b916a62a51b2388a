"""The process table: a state machine that Hypothesis drives, and the corners it can't reach."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import SyscallError
from llmasos.core.engine.base import LiveSequence
from llmasos.core.kernel.process import KILLED, LEGAL, ProcessTable, State


def table() -> ProcessTable:
    return ProcessTable(MockClock(datetime(2026, 11, 22, tzinfo=UTC)), owner="ada")


class Lives(RuleBasedStateMachine):
    """Processes are born, stopped, resumed, killed and waited for in any order; a dict says what must be true."""

    processes = Bundle("processes")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.table = table()
        self.living: dict[int, int] = {}  # pid -> parent
        self.zombies: dict[int, int] = {}
        self.seen: set[int] = {1}

    def teardown(self) -> None:
        self.loop.close()

    def run(self, work):
        return self.loop.run_until_complete(work)

    @rule(target=processes, name=st.text(max_size=5))
    def spawn(self, name):
        process = self.table.spawn(self.table.init, name=name, program="test")
        assert process.pid not in self.seen, "a pid is never used twice"
        self.seen.add(process.pid)
        self.living[process.pid] = 1
        return process

    @rule(target=processes, parent=processes)
    def spawn_child(self, parent):
        if parent.pid not in self.living:
            with pytest.raises(SyscallError) as error:
                self.table.spawn(parent, name="child", program="test")
            assert error.value.code == "ESRCH"
            return parent
        child = self.table.spawn(parent, name="child", program="test")
        self.seen.add(child.pid)
        self.living[child.pid] = parent.pid
        return child

    @rule(process=processes)
    def kill(self, process):
        if process.pid not in self.living:
            with pytest.raises(SyscallError):
                self.run(self.table.kill(process.pid))
            return
        self.run(self.table.kill(process.pid))
        parent = self.living.pop(process.pid)
        for group in (self.living, self.zombies):
            for pid, its_parent in list(group.items()):
                if its_parent == process.pid:
                    group[pid] = 1
        self.zombies = {pid: p for pid, p in self.zombies.items() if p != 1}
        if parent != 1:
            self.zombies[process.pid] = parent
        assert process.exit_status == KILLED

    @rule(process=processes)
    def stop_and_resume(self, process):
        if process.pid not in self.living:
            return
        self.table.stop(process.pid)
        assert process.state is State.STOPPED
        self.table.resume(process.pid)
        assert process.state is State.READY
        with pytest.raises(SyscallError):
            self.table.resume(process.pid)

    @rule(process=consumes(processes))
    def wait(self, process):
        parent_pid = self.zombies.get(process.pid)
        if parent_pid is None or parent_pid not in self.living:
            return
        parent = self.table.check_alive(parent_pid)
        assert self.run(self.table.wait(parent, process.pid)) == KILLED
        del self.zombies[process.pid]

    @precondition(lambda self: self.table is not None)
    @invariant()
    def agrees_with_the_model(self):
        alive = {p.pid for p in self.table if p.alive} - {1}
        assert alive == set(self.living)
        assert {p.pid for p in self.table if not p.alive} == set(self.zombies)
        for process in self.table:
            if process.pid != 1 and process.alive:
                assert process.parent == self.living[process.pid]


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_every_state_has_its_moves_and_none_leads_out_of_death():
    assert set(LEGAL) == set(State)
    assert LEGAL[State.ZOMBIE] == frozenset()
    assert all(State.ZOMBIE in moves for state, moves in LEGAL.items() if state is not State.ZOMBIE)


def test_illegal_move_names_both_states():
    process = table().init
    with pytest.raises(SyscallError, match="waiting and can't become new"):
        process.move(State.NEW)


async def test_shell_and_init_cannot_be_killed_or_stopped():
    processes = table()
    shell = processes.spawn(processes.init, name="ada", program="shell")
    for pid in (1, shell.pid):
        with pytest.raises(SyscallError) as error:
            await processes.kill(pid)
        assert error.value.code == "EPERM"
        with pytest.raises(SyscallError):
            processes.stop(pid)


async def test_kill_cancels_what_the_process_waits_for():
    processes = table()
    process = processes.spawn(processes.init, name="p", program="test")

    async def forever() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(forever())
    process.tasks.add(task)
    await asyncio.sleep(0)
    await processes.kill(process.pid)
    with pytest.raises(asyncio.CancelledError):
        await task


class Broken:
    """An engine that can't let go."""

    async def close(self, sequence):
        raise RuntimeError("engine gone")

    async def fork(self, sequence, owner):
        raise RuntimeError("engine gone")


async def test_an_engine_that_fails_leaves_no_half_dead_process():
    processes = table()
    parent = processes.spawn(processes.init, name="parent", program="test")
    process = processes.spawn(parent, name="p", program="test")
    processes.attach(process, Broken(), LiveSequence(1))
    with pytest.raises(RuntimeError):
        await processes.fork(process)
    assert [p.pid for p in processes.children(process.pid) if p.alive] == []
    with pytest.raises(RuntimeError):
        await processes.kill(process.pid)
    assert await asyncio.wait_for(processes.wait(parent, process.pid), 2) == KILLED


async def test_waiting_for_a_stranger_fails():
    processes = table()
    mine = processes.spawn(processes.init, name="a", program="test")
    other = processes.spawn(processes.init, name="b", program="test")
    with pytest.raises(SyscallError, match="no child"):
        await processes.wait(mine, other.pid)
