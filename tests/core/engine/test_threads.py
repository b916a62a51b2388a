"""How many threads a step gets, from what others use."""

from __future__ import annotations

import os

import pytest

from llmasos.core.engine import threads
from llmasos.core.engine.native import native


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    clock = {"now": 0.0, "all": 0.0, "own": 0.0}
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(threads.time, "monotonic", lambda: clock["now"])
    monkeypatch.setattr(threads.time, "process_time", lambda: clock["own"])
    monkeypatch.setattr(threads, "machine_seconds", lambda: clock["all"])
    monkeypatch.setattr(native(), "patient", True)
    return clock


@pytest.mark.parametrize(
    ("everybody", "own", "count"),
    [(0.0, 0.0, 2), (2.0, 2.0, 2), (1.0, 0.0, 1), (2.0, 1.0, 1), (2.0, 0.0, 1), (1.2, 1.0, 2), (1.5, 1.0, 1)],
)
def test_more_where_cores_are_free(
    machine: dict[str, float], everybody: float, own: float, count: int
) -> None:
    choice = threads.ThreadChoice()
    machine.update(now=1.0, all=everybody, own=own)
    assert choice.count(512) == count
    assert choice.count(1) == 1


def test_before_anything_is_known_one_must_do(machine: dict[str, float]) -> None:
    assert threads.ThreadChoice().count(512) == 1


def test_spinning_threads_are_never_more_than_one(
    machine: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native(), "patient", False)
    choice = threads.ThreadChoice()
    machine["now"] = 1.0
    assert choice.count(512) == 1


def test_what_is_said_is_taken(machine: dict[str, float]) -> None:
    assert threads.ThreadChoice(3).count(1) == 3


def test_the_machine_tells() -> None:
    assert threads.machine_seconds() > 0
