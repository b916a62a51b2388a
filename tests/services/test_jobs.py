"""Background jobs: ordered in words, run under the person's policy, listed, waited for, cancelled, taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llmasos.client.local import LocalClient
from llmasos.compose import Machine, compose
from llmasos.core.base.clock import MockClock
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.services.jobs.orders import Order, order_in
from tests.seat import Person, Seat, reader

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # a Friday
PROGRAMS = {
    "summarize inbox.md into today.md": [
        ("files.read", {"path": "inbox.md"}),
        ("files.write", {"path": "today.md", "content": "$1"}),
    ],
    "team meeting": [("schedule.add", {"title": "team meeting", "when": "every Monday at 9"})],
    "every Monday at 9 team meeting": [("schedule.add", {"title": "team meeting", "when": "every Monday at 9"})],
    "turn off the desk lamp": [("device.turn_off", {"name": "desk lamp"})],
    "list my files": [("files.list", {})],
    "forget Ann": [("memory.forget", {"query": "Ann"})],
    "read nothing.md": [("files.read", {"path": "nothing.md"})],
}


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("in the background summarize inbox.md", Order("summarize inbox.md")),
        ("please run in the background: list my files", Order("list my files")),
        ("summarize inbox.md in the background please", Order("summarize inbox.md")),
        ("files.list &", Order("files.list")),
        ("在后台整理一下照片", Order("整理一下照片")),
        ("把 inbox.md 翻译成英文，放到后台做", Order("把 inbox.md 翻译成英文")),
        (
            "every weekday at 8 summarize inbox.md into today.md",
            Order("summarize inbox.md into today.md", "every weekday at 8"),
        ),
        ("Every day at 22:00, turn off the desk lamp.", Order("turn off the desk lamp.", "Every day at 22:00")),
        ("turn off the desk lamp every evening at 10", Order("turn off the desk lamp", "every evening at 10")),
        ("每天早上八点把 inbox.md 总结到 today.md", Order("把 inbox.md 总结到 today.md", "每天早上八点")),
        ("remind me to call Bob tomorrow at 9", None),
        ("what is in the background of this picture?", None),
        ("everything is fine", None),
        ("every cloud has a silver lining", None),
        ("find R&D notes", None),
        ("delete every file", None),
        ("", None),
    ],
)
def test_orders(line: str, order: Order | None) -> None:
    assert order_in(line, NOW) == order


class Clocked:
    """A system whose clock the tests turn."""

    def __init__(self, folder: Path) -> None:
        self.clock = MockClock(NOW)
        self.runner = asyncio.Runner()
        self.workspace = folder / "work"
        self.workspace.mkdir()
        self.settings = Settings(home=folder / "home", owner="ada", seed=1)
        self.told: list[str] = []
        self.person = Person()
        self.open()

    def open(self) -> None:
        engines = ScriptedEngines(says=["Short."], reads=reader(PROGRAMS))
        self.machine: Machine = self.runner.run(compose(self.settings, clock=self.clock, engines=engines))
        self.seat = Seat(self.machine, self.runner, self.workspace, self.person)
        self.runner.run(self.machine.listen(lambda told: self.told.append(str(told.get("note", "")))))
        # What wakes us goes by the real clock.
        self.machine.jobs._ringer.stop()
        self.machine.schedule.stop()

    def close(self) -> None:
        self.runner.run(self.machine.close())

    def advance(self, **by: float) -> None:
        """Turn the clock; what is due is done."""
        self.clock.advance(timedelta(**by).total_seconds())
        self.runner.run(self._settle())

    async def _settle(self) -> None:
        await self.machine.jobs._ringer.ring_due()
        tasks = [task for _, task in self.machine.jobs._running.values()]
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.sleep(0)

    def settle(self) -> None:
        self.runner.run(self._settle())

    def jobs(self) -> list[dict[str, Any]]:
        return list(self.seat.ok("jobs.list")["items"])


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Clocked]:
    clocked = Clocked(tmp_path)
    yield clocked
    clocked.close()
    clocked.runner.close()


def test_in_the_background(there: Clocked) -> None:
    there.seat.put("inbox.md", "rain at noon")
    outcome = there.seat.say("in the background summarize inbox.md into today.md")
    assert outcome.ok and "Job 1" in outcome.results[0].value["message"]
    shown = there.seat.ok("jobs.wait")
    assert (there.workspace / "today.md").read_text() == "rain at noon"
    assert "rain at noon" in shown["text"] and shown["note"].startswith("done")
    assert [row["state"] for row in there.jobs()] == ["done"]
    assert any("Job 1 is done" in note for note in there.told)
    assert there.seat.error("jobs.wait") == "ENOENT"


def test_what_a_job_did_is_in_the_history_and_taken_back_by_its_number_only(there: Clocked) -> None:
    there.seat.put("inbox.md", "rain at noon")
    there.seat.say("summarize inbox.md into today.md &")
    there.settle()
    written = next(row for row in there.seat.ok("system.history")["items"] if row["call"].startswith("files.write"))
    assert written["said"].startswith("job 1")
    there.seat.ok("system.undo")  # the order, not what the job did
    assert (there.workspace / "today.md").exists() and there.jobs() == []
    there.seat.ok("system.undo", what=f"#{written['id']}")
    assert not (there.workspace / "today.md").exists()


def test_again_and_again(there: Clocked) -> None:
    there.seat.put("inbox.md", "one")
    there.seat.say("every weekday at 8 summarize inbox.md into today.md")
    assert [(row["state"], row["next"]) for row in there.jobs()] == [("waiting", "Mon 23 Nov 2026 08:00")]
    assert not (there.workspace / "today.md").exists()
    there.advance(days=2, hours=20)
    assert (there.workspace / "today.md").read_text() == "one"
    there.seat.put("inbox.md", "two")
    there.advance(days=1)
    assert (there.workspace / "today.md").read_text() == "two"
    assert [(row["state"], row["next"][:10]) for row in there.jobs()] == [("waiting", "Wed 25 Nov")]


def test_a_day_with_many_jobs(there: Clocked) -> None:
    for n in range(200):
        there.seat.ok(
            "jobs.add", program='[{"syscall": "files.list", "args": {}, "references": []}]', said=f"look {n}",
            when=f"every day at {n % 24}:{n % 60:02d}",
        )  # fmt: skip
    for _ in range(24 * 2):
        there.advance(minutes=30)
    runs = [row["last"] for row in there.jobs()]
    assert len(runs) == 200 and all(run.startswith("done") for run in runs)


def test_it_survives_a_restart_and_tells_what_was_missed(there: Clocked) -> None:
    there.seat.put("inbox.md", "one")
    there.seat.say("every weekday at 8 summarize inbox.md into today.md")
    there.close()
    there.clock.advance(timedelta(days=3).total_seconds())  # Monday noon
    there.open()
    there.settle()
    assert not (there.workspace / "today.md").exists()
    assert any("missed" in note for note in there.told)
    there.advance(hours=20)
    assert (there.workspace / "today.md").read_text() == "one"


def test_a_little_late_is_run(there: Clocked) -> None:
    there.seat.put("inbox.md", "one")
    there.seat.say("every weekday at 8 summarize inbox.md into today.md")
    there.close()
    there.clock.advance(timedelta(days=2, hours=20, minutes=30).total_seconds())
    there.open()
    there.settle()
    assert (there.workspace / "today.md").read_text() == "one"


def test_an_event_stays_an_event(there: Clocked) -> None:
    outcome = there.seat.say("every Monday at 9 team meeting")
    assert [call.syscall for call in outcome.reading.program] == ["schedule.add"]
    assert there.jobs() == []


def test_consent_is_asked_when_it_is_ordered(there: Clocked) -> None:
    outcome = there.seat.say("every day at 22:00 turn off the desk lamp")
    assert outcome.ok and [q.call.syscall for q in there.person.consents] == ["device.turn_off"]
    there.advance(hours=11)
    assert len(there.person.consents) == 1, "nobody is asked at night"
    assert there.jobs()[0]["last"].startswith("done")


def test_a_no_makes_no_job(there: Clocked) -> None:
    there.person.answer = "no"
    outcome = there.seat.say("every day at 22:00 turn off the desk lamp")
    assert [result.error for result in outcome.results] == ["EACCES"] and there.jobs() == []


def test_what_cannot_be_taken_back_never_runs_unseen(there: Clocked) -> None:
    outcome = there.seat.say("in the background forget Ann")
    assert [result.error for result in outcome.results] == ["EPERM"] and there.jobs() == []


def test_a_failure_is_kept_and_told(there: Clocked) -> None:
    there.seat.say("read nothing.md &")
    there.settle()
    assert [row["state"] for row in there.jobs()] == ["failed"]
    assert "nothing.md" in there.seat.ok("jobs.show", number=1)["text"]


def test_cancelled_and_taken_back(there: Clocked) -> None:
    there.seat.put("inbox.md", "one")
    there.seat.say("every weekday at 8 summarize inbox.md into today.md")
    there.seat.ok("jobs.cancel", number=1)
    assert [row["state"] for row in there.jobs()] == ["cancelled"]
    assert there.seat.error("jobs.cancel", number=1) == "EINVAL"
    there.seat.ok("system.undo")
    there.advance(days=2, hours=20)
    assert (there.workspace / "today.md").read_text() == "one"


def test_a_running_one_is_cut_off(there: Clocked) -> None:
    async def cut_off() -> None:
        client = LocalClient(there.machine, there.workspace, Person())
        held = asyncio.Event()

        async def slow(*_: Any, **__: Any) -> Any:
            await held.wait()

        there.machine.kernel.table.rows["files.list"] = _with_run(there.machine, slow)
        await client.handle("list my files &")
        await asyncio.sleep(0.05)
        jobs = [p for p in there.machine.kernel.processes if p.program == "job"]
        assert [(p.name, p.priority, p.subject) for p in jobs] == [("job 1", "background", "user:ada")]
        result = await client.handle("jobs.cancel 1")
        assert result.ok
        assert not [p for p in there.machine.kernel.processes if p.program == "job"]
        await client.close()

    there.runner.run(cut_off())
    assert [row["state"] for row in there.jobs()] == ["cancelled"]


def _with_run(machine: Machine, run: Any) -> Any:
    from dataclasses import replace

    return replace(machine.kernel.table["files.list"], run=run)


def test_another_persons_job_is_not_there(there: Clocked) -> None:
    there.seat.say("list my files &")
    there.settle()
    there.seat.process, there.seat.session = there.machine.session(there.workspace, Person(), person="bob")
    assert there.jobs() == []
    assert there.seat.error("jobs.show", number=1) == "ENOENT"
    assert there.seat.error("jobs.cancel", number=1) == "ENOENT"


@pytest.mark.parametrize("program", ["", "[]", "{}", "[1]", '[{"syscall": "jobs.list", "args": {}, "references": []}]'])
def test_no_program(there: Clocked, program: str) -> None:
    assert there.seat.error("jobs.add", program=program, said="x") == "EINVAL"


def test_nothing_of_it_is_readable_on_the_disk(there: Clocked) -> None:
    there.seat.put("inbox.md", "one")
    there.seat.say("every weekday at 8 summarize inbox.md into today.md")
    for path in there.settings.home.rglob("*"):
        assert not path.is_file() or b"summarize" not in path.read_bytes()
