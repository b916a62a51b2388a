"""Who runs next: classes, fair shares, and what is never chosen."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.engine.base import LiveSequence
from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.core.kernel.process import Budget, ProcessTable, State
from llmasos.core.kernel.scheduler import COMPANY, Scheduler


class Model:
    """An engine's sequences with processes, and a scheduler over them."""

    def __init__(self, discipline="fair"):
        self.clock = MockClock(datetime(2026, 11, 22, tzinfo=UTC))
        self.table = ProcessTable(self.clock, "ada")
        self.engine = ScriptedEngine()
        self.scheduler = Scheduler(self.table, self.engine, discipline)
        self.sequences: dict[str, LiveSequence] = {}

    def add(self, name, **options):
        process = self.table.spawn(self.table.init, name=name, program="test", **options)
        self.sequences[name] = LiveSequence(len(self.sequences) + 1)
        self.table.attach(process, self.engine, self.sequences[name])
        return process

    def run(self, steps, limit=1):
        """Names in the order they ran; each gets a token a step."""
        names = {s.id: n for n, s in self.sequences.items()}
        ran = []
        for _ in range(steps):
            for sequence in self.scheduler.select(list(self.sequences.values()), limit):
                self.scheduler.charge(sequence, 1)
                ran.append(names[sequence.id])
        return ran


def test_a_class_goes_before_the_next():
    model = Model()
    model.add("job", priority="background")
    model.add("talk", priority="normal")
    model.add("shell", priority="interactive")
    assert set(model.run(20)) == {"shell"}


def test_lower_classes_keep_it_company_in_every_eighth_step():
    model = Model()
    model.add("job", priority="background")
    model.add("talk", priority="normal")
    shell = model.add("shell", priority="interactive")
    steps = [model.run(1, limit=3) for _ in range(COMPANY * 2)]
    everybody = ["shell", "talk", "job"]
    assert steps == ([["shell"]] * (COMPANY - 1) + [everybody]) * 2
    model.run(3, limit=3)
    shell.move(State.STOPPED)
    assert model.run(1, limit=3) == ["talk"]  # of those that are left the next class is the highest
    shell.move(State.READY)
    assert model.run(1, limit=3) == ["shell"]


def test_within_a_class_all_take_part_in_each_step():
    model = Model()
    model.add("one", priority="background")
    model.add("other", priority="background")
    assert all(len(model.run(1, limit=3)) == 2 for _ in range(5))


async def test_who_has_others_waiting_behind_is_finished_first():
    model = Model()
    asked = model.add("asked")
    model.add("other")
    model.add("job", priority="background")
    lock = asyncio.Lock()
    async with asked.turn(lock):
        assert set(model.run(2, limit=3)) == {"asked", "other"}  # nobody waits behind it yet
        waiting = asyncio.ensure_future(asked.turn(lock).__aenter__())
        await asyncio.sleep(0)
        steps = [model.run(1, limit=3) for _ in range(COMPANY * 2)]
        assert steps.count(["asked"]) == 2 * (COMPANY - 1)
        assert [sorted(step) for step in steps].count(["asked", "job", "other"]) == 2
    await waiting
    assert not asked.backlog
    assert set(model.run(2, limit=3)) == {"asked", "other"}


async def test_a_backlog_is_no_higher_class_than_the_next():
    model = Model()
    asked = model.add("asked", priority="normal")
    model.add("shell", priority="interactive")
    asked.backlog = 3
    assert set(model.run(COMPANY - 1)) == {"shell"}


async def test_who_gives_up_waiting_is_no_backlog():
    model = Model()
    asked = model.add("asked")
    lock = asyncio.Lock()
    async with asked.turn(lock):
        waiting = asyncio.ensure_future(asked.turn(lock).__aenter__())
        await asyncio.sleep(0)
        assert asked.backlog == 1
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert asked.backlog == 0


def test_shares_follow_the_weights():
    model = Model()
    model.add("one", weight=1)
    model.add("three", weight=3)
    ran = model.run(400)
    assert abs(ran.count("three") / ran.count("one") - 3) < 0.1


def test_who_comes_late_does_not_run_alone():
    model = Model()
    model.add("old")
    model.run(1000)
    model.add("new")
    assert model.run(100).count("new") <= 51


def test_what_is_stopped_never_runs_and_goes_on_after():
    model = Model()
    stopped = model.add("a")
    model.add("b")
    model.table.stop(stopped.pid)
    assert set(model.run(10, limit=2)) == {"b"}
    model.table.resume(stopped.pid)
    assert "a" in model.run(2)


def test_a_used_up_budget_stops_the_process():
    model = Model()
    process = model.add("a", budget=Budget(tokens=5))
    assert len(model.run(20)) == 5
    assert process.state is State.STOPPED


def test_so_does_time_and_a_context_that_has_grown_too_large():
    model = Model()
    slow = model.add("slow", budget=Budget(seconds=60))
    large = model.add("large", budget=Budget(kv_bytes=40))
    assert len(model.run(10, limit=2)) == 20
    model.clock.advance(59)
    model.sequences["large"].tokens.extend(range(10))  # 4 bytes each
    model.run(1, limit=2)
    assert (slow.state, large.state) == (State.READY, State.READY)
    model.clock.advance(1)
    model.sequences["large"].tokens.append(1)
    model.run(1, limit=2)
    assert (slow.state, large.state) == (State.STOPPED, State.STOPPED)


async def test_who_has_used_it_up_is_ended_and_told_why():
    model = Model()
    model.scheduler = Scheduler(model.table, model.engine, end=model.table.ender())
    process = model.add("a", budget=Budget(tokens=5))
    await asyncio.to_thread(model.run, 20)  # as from the engine's thread
    await process.ended.wait()
    assert (process.state, process.why) == (State.ZOMBIE, "It has used up its budget of 5 tokens.")


def test_a_deadline_that_can_be_kept_goes_first_in_its_class():
    model = Model()
    model.add("talk")
    model.add("later", within=60)
    model.add("soon", within=10)
    assert model.run(1, limit=4) == ["soon", "later", "talk"]
    model.clock.advance(11)
    assert model.run(1, limit=1) == ["later"]  # too late for "soon": it holds up nobody
    model.add("shell", priority="interactive")
    assert model.run(1, limit=1) == ["shell"]
    model.clock.advance(60)
    assert set(model.run(30, limit=3)) == {"shell", "soon", "later", "talk"}


def test_the_engines_own_sequences_go_first():
    model = Model()
    model.add("shell", priority="interactive")
    model.sequences["own"] = LiveSequence(99)
    assert model.run(1, limit=2) == ["own", "shell"]


@pytest.mark.parametrize(
    ("discipline", "expected"), [("fifo", ["a", "a", "a", "a"]), ("round-robin", ["a", "b", "c", "a"])]
)
def test_other_disciplines(discipline, expected):
    model = Model(discipline)
    for name in "abc":
        model.add(name)
    assert model.run(4) == expected


def test_each_lane_counts_its_own_steps_of_a_class():
    # Threads that ask in turn: with one count for both, one of them would have all company and the other none.
    model = Model()
    for lane in ("a", "b"):
        model.add(f"job {lane}", priority="background")
        model.add(f"shell {lane}", priority="interactive")
    company = {"a": [], "b": []}
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        for _ in range(COMPANY * 2):
            for lane, thread in (("a", first), ("b", second)):
                mine = [s for n, s in model.sequences.items() if n.endswith(lane)]
                company[lane].append(len(thread.submit(model.scheduler.select, mine, 4).result()))
    assert company["a"] == company["b"] == ([1] * (COMPANY - 1) + [2]) * 2


def test_no_token_is_lost_between_lanes():
    model = Model()
    parent = model.add("parent")
    children = [model.table.spawn(parent, name=name, program="test") for name in "ab"]
    for process in children:
        model.sequences[process.name] = LiveSequence(len(model.sequences) + 1)
        model.table.attach(process, model.engine, model.sequences[process.name])
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def charge(name):
        for _ in range(20_000):
            model.scheduler.charge(model.sequences[name], 1)

    try:
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(charge, "ab"))
    finally:
        sys.setswitchinterval(interval)
    assert [process.tokens for process in (*children, parent)] == [20_000, 20_000, 40_000]
