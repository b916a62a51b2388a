"""ASI08, Cascading Failures: what goes wrong in one place ends there, and nothing is done on top of it.

Besides: kill -9 in tests/core/kernel and tests/client/test_killed.py, budgets and admission in
tests/core/kernel/test_admission.py, jobs that fail in tests/services/test_jobs.py, limits of children in
tests/core/kernel/test_confinement.py.
"""

from __future__ import annotations

from pathlib import Path

from llmasos.core.kernel.process import Budget
from tests.seat import Seat
from tests.security.conftest import Acting, Begin, Open, plugin

BREAKS = """
import os
from llmasos.sdk import call, syscall

@syscall(effect="read")
def die() -> str:
    "End."
    os._exit(3)

@syscall(effect="read")
def flood() -> str:
    "Ask for ever."
    while True:
        call("memory.recall", query="x")

@syscall(effect="read")
def grow() -> str:
    "Take all memory."
    return str(len(bytearray(1 << 40)))
"""
WORKS = """
from llmasos.sdk import syscall

@syscall(effect="read")
def hello() -> str:
    "Say hello."
    return "hello"
"""


def test_a_plugin_that_breaks_takes_nobody_along(seat: Seat, tmp_path: Path) -> None:
    asks = 'syscalls = ["memory.recall"]'
    seat.ok("plugin.add", path=str(plugin(tmp_path / "made", "breaks", BREAKS, asks=asks)))
    seat.ok("plugin.add", path=str(plugin(tmp_path / "made", "works", WORKS)))
    for way in ("die", "flood", "grow"):
        assert not seat.do(f"breaks.{way}").ok
        assert "hello" in repr(seat.ok("works.hello"))
        assert seat.do("tasks.add", title=f"after {way}").ok
    assert [one for one in seat.machine.kernel.processes if one.program == "plugin" and one.alive] == []


def test_nothing_is_done_on_top_of_what_failed(open_seat: Open) -> None:
    seat = open_seat(
        programs={
            "copy the plan and delete the old one": [
                ("files.copy", {"source": "plan.txt", "destination": "nowhere/deep/plan.txt"}),
                ("files.delete", {"path": "$1"}),
                ("files.delete", {"path": "old.txt"}),
            ]
        }
    )
    seat.put("old.txt", "x")
    outcome = seat.say("copy the plan and delete the old one")
    assert not outcome.ok and len(outcome.results) == 1
    assert (seat.workspace / "old.txt").exists()


def test_an_empty_result_is_nothing_to_go_on_with(open_seat: Open) -> None:
    sentence = "delete the tax files and write done into log.txt"
    calls = [
        ("files.find", {"query": "tax"}),
        ("files.delete", {"path": "$1"}),
        ("files.write", {"path": "log.txt", "content": "done"}),
    ]
    seat = open_seat(programs={sentence: calls})
    outcome = seat.say(sentence)
    assert [result.error for result in outcome.results] == ["", "ENOENT"]
    assert not (seat.workspace / "log.txt").exists()


def test_a_model_in_a_loop_uses_up_its_own_budget_and_nobody_elses(seat: Seat, begin: Begin) -> None:
    looping, other = begin("list my files"), begin("list my files")
    looping.agent.process.budget = Budget(calls=10)
    results = [looping.call("files.list") for _ in range(20)]
    assert sum(result.ok for result in results) == 10
    assert results[-1].error == "EDQUOT"
    assert other.call("files.list").ok and seat.do("files.list").ok


def test_a_failing_model_leaves_explicit_calls_working(open_seat: Open) -> None:
    def broken(prompt: str) -> str:
        raise RuntimeError("the model is broken")

    seat = open_seat(says=broken)
    seat.ok("character.create", name="Alice")
    assert not seat.do("character.chat", name="Alice", message="Hello!").ok
    assert seat.do("files.write", path="a.txt", content="x").ok
    assert Acting(seat, "read a.txt").call("files.read", path="a.txt").ok
