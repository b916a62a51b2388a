"""What is measured of engines, processes and calls: by a clock that stands still until it is moved."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.base.types import Call, Result
from llmasos.core.engine.base import LiveSequence
from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.core.kernel.instruments import KEPT, WINDOW, Instruments, Latencies
from llmasos.core.kernel.policy import Decision
from llmasos.core.kernel.process import Process, ProcessTable
from llmasos.core.kernel.scheduler import Scheduler
from llmasos.core.kernel.trap import Trapped


class Model:
    """An engine of which tests say what its steps are."""

    def __init__(self) -> None:
        self.clock = MockClock(datetime(2026, 11, 22, tzinfo=UTC))
        self.table = ProcessTable(self.clock, "ada")
        self.instruments = Instruments(self.clock, self.table)
        self.engine = ScriptedEngine()
        meter = self.instruments.meter("speech")
        self.scheduler = Scheduler(self.table, self.engine, instruments=[meter])
        self.sequences: list[LiveSequence] = []

    def add(self, name: str) -> Process:
        process = self.table.spawn(self.table.init, name=name, program="test")
        self.sequences.append(LiveSequence(len(self.sequences) + 1))
        self.table.attach(process, self.engine, self.sequences[-1])
        return process

    def step(self, tokens: int = 1, *, limit: int = 64, room: int = 64, first: tuple[float, ...] = ()) -> None:
        """A step of 10 ms with so many tokens for each that is chosen and finds room."""
        chosen = self.scheduler.select(self.sequences, limit)[:room]
        self.clock.advance(0.01)
        for sequence in chosen:
            self.scheduler.charge(sequence, tokens)
        self.scheduler.stepped(len(chosen), tokens * len(chosen), 0.01, first)


@pytest.fixture
def model() -> Model:
    return Model()


def test_where_nothing_ran_all_is_zero(model: Model) -> None:
    process = model.add("a")
    assert model.instruments.rates() == {model.table.init.pid: 0.0, process.pid: 0.0}
    pace = model.instruments.pace("speech")
    assert (pace.tokens_per_second, pace.busy, pace.batch, pace.queue) == (0.0, 0.0, None, 0.0)
    assert model.instruments.pace("nosuch") == pace


def test_steady_work_has_its_speed(model: Model) -> None:
    process = model.add("a")
    for _ in range(WINDOW * 10):  # twenty tokens each tenth of a second
        model.step(20)
        model.clock.advance(0.09)
    assert model.instruments.rates()[process.pid] == pytest.approx(200, rel=0.02)
    pace = model.instruments.pace("speech")
    assert pace.tokens_per_second == pytest.approx(200, rel=0.02)
    assert pace.busy == pytest.approx(0.1, rel=0.02)


def test_a_burst_counts_as_much_as_it_was_and_then_no_more(model: Model) -> None:
    process = model.add("a")
    model.clock.advance(100)
    model.step(50)
    model.clock.advance(WINDOW - 2)
    assert model.instruments.rates()[process.pid] == pytest.approx(50 / WINDOW, rel=0.3)
    model.clock.advance(2)
    assert model.instruments.rates()[process.pid] == 0.0
    model.step(10)
    model.clock.advance(0.5)
    assert 0 < model.instruments.rates()[process.pid] < 50 / WINDOW, "what was before the pause is gone"


def test_a_young_kernel_divides_by_its_age(model: Model) -> None:
    process = model.add("a")
    model.step(30)
    model.clock.advance(1.99)
    assert model.instruments.rates()[process.pid] == pytest.approx(15)


def test_each_process_has_its_own_speed(model: Model) -> None:
    one, other = model.add("a"), model.add("b")
    model.step(10, limit=1)
    model.clock.advance(0.99)
    model.step(20)
    model.clock.advance(0.99)
    rates = model.instruments.rates()
    assert rates[one.pid] == pytest.approx(15) and rates[other.pid] == pytest.approx(10)
    assert model.instruments.pace("speech").tokens_per_second == pytest.approx(25)


def test_a_process_that_comes_in_the_window_counts_from_zero(model: Model) -> None:
    model.add("a")
    model.step()
    late = model.add("b")
    model.step(8)
    model.clock.advance(1.98)
    assert model.instruments.rates()[late.pid] == pytest.approx(4)


def test_batch_and_queue(model: Model) -> None:
    for name in "abcd":
        model.add(name)
    model.step(limit=1)  # three weren't chosen
    model.step(room=2)  # two were chosen, and the batch had no room for them
    model.step()
    pace = model.instruments.pace("speech")
    assert pace.batch == pytest.approx((1 + 2 + 4) / 3)
    assert pace.queue == pytest.approx((3 + 2 + 0) / 3)


def test_who_is_stopped_waits_for_nothing(model: Model) -> None:
    model.add("a")
    model.table.stop(model.add("b").pid)
    model.step()
    assert model.instruments.pace("speech").queue == 0


def test_first_tokens_and_percentiles(model: Model) -> None:
    model.add("a")
    model.step(first=(0.1, 0.3))
    model.step()
    latencies = model.instruments.meter("speech").first_tokens
    assert (latencies.percentile(50), latencies.percentile(95)) == (0.1, 0.3)


def test_percentiles_are_of_the_last_ones() -> None:
    latencies = Latencies()
    assert latencies.percentile(50) is None
    latencies.extend([9.0] * KEPT)
    latencies.extend(number / 1000 for number in range(KEPT, 0, -1))
    assert latencies.percentile(50) == pytest.approx(KEPT / 2 / 1000)
    assert latencies.percentile(95) == pytest.approx(0.487)
    assert latencies.percentile(100) == KEPT / 1000


def test_calls_are_timed_but_not_those_that_look(model: Model) -> None:
    for name, seconds in (("tasks.list", 0.2), ("system.status", 0.0), ("process.list", 0.0)):
        call = Call(name)
        trapped = Trapped(model.table.init, call, Decision("allow", "all"), Result(call), 0, seconds)
        model.instruments.trapped(trapped)
    assert model.instruments.traps.percentile(1) == 0.2


def test_engines_threads_and_the_kernel_do_not_disturb_each_other(model: Model, request: pytest.FixtureRequest) -> None:
    """Two engines mark at full speed while processes and engines come and the figures are read."""
    request.addfinalizer(partial(sys.setswitchinterval, sys.getswitchinterval()))
    sys.setswitchinterval(1e-6)
    failures: list[BaseException] = []
    over = threading.Event()

    def run(role: str) -> None:
        meter = model.instruments.meter(role)
        try:
            while not over.is_set():
                model.clock.advance(1)
                meter.scheduled([], 0)
                meter.stepped(1, 1, 0.0, [0.1])
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=run, args=(role,)) for role in ("speech", "interpreting")]
    for thread in threads:
        thread.start()
    try:
        for number in range(500):
            model.table._reap(model.add(str(number)))
            model.instruments.meter(f"engine {number}")
            model.instruments.rates()
            assert model.instruments.pace("speech").tokens_per_second >= 0
            model.instruments.meter("speech").first_tokens.percentile(95)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert failures == []


def test_lanes_step_side_by_side(model: Model) -> None:
    meter = model.instruments.meter("speech")
    meter.lanes = 2
    some = [LiveSequence(number) for number in range(5)]
    with ThreadPoolExecutor(1) as other:
        for _ in range(WINDOW * 10):
            meter.scheduled(some[:4], 0)
            other.submit(meter.scheduled, some[:1], 2).result()  # between the other's choosing and its step
            meter.stepped(4, 4, 0.1, [])
            other.submit(meter.stepped, 1, 1, 0.1, []).result()
            model.clock.advance(0.1)
    pace = model.instruments.pace("speech")
    assert pace.batch == pytest.approx(2.5)
    assert pace.queue == pytest.approx(1.0)
    assert pace.busy == pytest.approx(1.0, rel=0.03)
    assert pace.tokens_per_second == pytest.approx(50, rel=0.03)


def test_no_step_is_lost_between_lanes(model: Model) -> None:
    meter = model.instruments.meter("speech")
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def steps(_: int) -> None:
        for _ in range(20_000):
            meter.stepped(1, 2, 1.0, [])

    try:
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(steps, range(2)))
    finally:
        sys.setswitchinterval(interval)
    counts = meter.counts()
    assert (counts.steps, counts.rows, counts.sequences, counts.seconds) == (40_000, 80_000, 40_000, 40_000.0)
