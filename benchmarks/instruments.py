"""What measuring costs: a step of the scheduler with its instrument, less one without.

llmasos bench instruments
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks.row import at_most, row
from llmasos.core.base.clock import SystemClock
from llmasos.core.engine.base import LiveSequence
from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.core.kernel.instruments import Instruments
from llmasos.core.kernel.process import ProcessTable
from llmasos.core.kernel.scheduler import Scheduler

COMMAND = "llmasos bench instruments"
STEPS, ROUNDS = 20_000, 15
BAR = 2.0
"""Microseconds a step."""


def rows() -> list[dict[str, Any]]:
    """All figures; some seconds."""
    found = []
    for count in (1, 16):
        costs = [_step(count, measured=True) - _step(count, measured=False) for _ in range(ROUNDS)]
        bar = at_most(statistics.median(costs), BAR)
        found.append(
            row(f"step_of_{count}", statistics.median(costs), "us", n=ROUNDS, command=COMMAND, samples=costs, **bar)
        )
    instruments = _instruments(100)[0]
    instruments.meter("speech").scheduled([], 0)  # so that there is something to look at
    looks = [_seconds(lambda: (instruments.rates(), instruments.pace("speech"))) * 1e6 for _ in range(1000)]
    found.append(row("look_at_100_processes", statistics.median(looks), "us", n=1000, command=COMMAND))
    return found


def _instruments(count: int) -> tuple[Instruments, ProcessTable, ScriptedEngine, list[LiveSequence]]:
    """Instruments of so many processes, each with a sequence."""
    table, engine = ProcessTable(SystemClock(), "ada"), ScriptedEngine()
    sequences = [LiveSequence(number) for number in range(count)]
    for sequence in sequences:
        table.attach(table.spawn(table.init, name=str(sequence.id), program="test"), engine, sequence)
    return Instruments(SystemClock(), table), table, engine, sequences


def _step(count: int, *, measured: bool) -> float:
    """Microseconds of a step of so many sequences, thread time."""
    instruments, table, engine, sequences = _instruments(count)
    scheduler = Scheduler(table, engine, instruments=[instruments.meter("speech")] if measured else [])

    def steps() -> None:
        for _ in range(STEPS):
            for sequence in scheduler.select(sequences, 64):
                scheduler.charge(sequence, 1)
            scheduler.stepped(count, count, 0.01, ())

    return _seconds(steps) / STEPS * 1e6


def _seconds(work: Any) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start
