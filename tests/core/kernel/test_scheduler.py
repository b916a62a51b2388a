"""Who runs next: classes, fair shares, and what is never chosen."""

from datetime import UTC, datetime

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.engine.base import LiveSequence
from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.core.kernel.process import Budget, ProcessTable, State
from llmasos.core.kernel.scheduler import Scheduler


class Model:
    """An engine's sequences with processes, and a scheduler over them."""

    def __init__(self, discipline="fair"):
        self.table = ProcessTable(MockClock(datetime(2026, 11, 22, tzinfo=UTC)), "ada")
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
    assert model.run(1, limit=3) == ["shell", "talk", "job"]


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
