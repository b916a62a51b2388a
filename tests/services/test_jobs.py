"""Background jobs: ordered in words, run under the person's policy, listed, waited for, cancelled, taken back."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llmasos.client.local import LocalClient
from llmasos.compose import Machine, compose
from llmasos.core.base.clock import MockClock
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.session import Lasting
from llmasos.services.jobs import service
from llmasos.services.jobs.job import Job
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
    "write to story.md a house with a castle": [
        ("files.write", {"path": "story.md", "content": "a house with a castle"})
    ],
    "write to story.md a house with a castle in the background": [
        ("files.write", {"path": "story.md", "content": "a house with a castle in the background"})
    ],
    "every evening list my files": [("files.list", {})],
    "what do you know about the code": [("memory.recall", {"query": "the code"})],
}


ORDERS = {
    "in the background summarize inbox.md": ("summarize inbox.md", ""),
    "please run in the background: list my files": ("list my files", ""),
    "summarize inbox.md in the background please": ("summarize inbox.md", ""),
    "can you summarize X.md in the background?": ("summarize X.md", ""),
    "在后台整理一下照片": ("整理一下照片", ""),
    "帮我在后台总结notes.md": ("总结notes.md", ""),
    "把 inbox.md 翻译成英文，放到后台做": ("把 inbox.md 翻译成英文", ""),
    "every weekday at 8 summarize inbox.md into today.md": ("summarize inbox.md into today.md", "every weekday at 8"),
    "Every day at 22:00, turn off the desk lamp.": ("turn off the desk lamp", "Every day at 22:00"),
    "turn off the desk lamp every evening at 10": ("turn off the desk lamp", "every evening at 10"),
    "turn on the lamp at 8 every day": ("turn on the lamp", "at 8 every day"),
    "every evening turn off the lights": ("turn off the lights", "every evening"),
    "every 20 minutes read notes.md": ("read notes.md", "every 20 minutes"),
    "in the background every day at 8 summarize notes.md": ("summarize notes.md", "every day at 8"),
    "每天早上八点把 inbox.md 总结到 today.md": ("把 inbox.md 总结到 today.md", "每天早上八点"),
    "请每天早上八点把 inbox.md 总结到 today.md": ("把 inbox.md 总结到 today.md", "每天早上八点"),
    "每天早上八点在后台总结notes.md": ("总结notes.md", "每天早上八点"),
    "每天早上8点5号灯打开": ("5号灯打开", "每天早上8点"),
}
NO_ORDERS = [
    "remind me to call Bob tomorrow at 9", "every day at 8 remind me to drink", "every day list my files",
    "what is running in the background", "show me what runs in the background", "which apps are in the background",
    "后台有什么在运行", "后台任务列表", "后台密码是什么", "后台的灯打开", "后台管理系统怎么用", "钥匙放在后台", "把notes.md放在后台",
    "in the background of the photo is a tree", "don't turn on the lamp every morning at 7",
    "stop turning on the lamp every morning at 7", "find the file I edit every day", "is the lamp on every day?",
    "what is 30 times 12 every month", "每天存100元，一年多少钱", "每天的日记在哪里", "每周计划读给我听", "weekly notes.md",
    "rename notes.md to monthly", "create a folder called daily", 'translate "see you every monday at 8"',
    "write to todo.md: water the plants every friday at 9", "every day at 25:00 read x",
    "every day except sunday at 8 read x", "every day at 7 and 19 read x", "每天早上八点和晚上八点打开灯",
    "remember that I read a book every day for 99999999999 years", "every 9999999999999999999999 hours read x",
    "每99999999999小时读x", "no, I meant turn on the lamp every day at 8", "everything is fine",
    "every cloud has a silver lining", "find R&D notes", "delete every file", "", " ", "&",
]  # fmt: skip


@pytest.mark.parametrize("line", ORDERS)
def test_orders(line: str) -> None:
    assert order_in(line, NOW) == Order(*ORDERS[line])


@pytest.mark.parametrize("line", NO_ORDERS)
def test_no_orders(line: str) -> None:
    assert order_in(line, NOW) is None


def test_what_stands_in_a_text_belongs_to_it(there: Clocked) -> None:
    outcome = there.seat.say("write to story.md a house with a castle in the background")
    assert [call.syscall for call in outcome.reading.program] == ["files.write"]
    assert (there.workspace / "story.md").read_text() == "a house with a castle in the background"


@pytest.mark.parametrize("line", ["files.append log.md 'stretch every day at 9'", "mkdir 'lamp every day at 9'"])
def test_what_is_written_out_is_done_as_it_is(there: Clocked, line: str) -> None:
    there.seat.put("log.md", "")
    assert there.seat.say(line).ok
    assert there.jobs() == []


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


def test_what_a_model_said_in_a_job_is_labelled(there: Clocked) -> None:
    there.seat.ok(
        "jobs.add", program=json.dumps([Call("assistant.answer", {"question": "why?"}).to_record()]), said="why"
    )
    there.settle()
    shown = there.seat.ok("jobs.show", number="1")
    assert (shown["text"], shown["source"], shown["sources"]) == ("Short.\n", "model", ["model"])


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


@pytest.mark.parametrize(("budget", "why"), [("TOKENS", "5 tokens"), ("CALLS", "1 calls")])
def test_one_that_uses_up_its_budget_fails_and_says_so(
    there: Clocked, monkeypatch: pytest.MonkeyPatch, budget: str, why: str
) -> None:
    monkeypatch.setattr(service, budget, int(why.split()[0]))
    there.seat.ok(
        "jobs.add", said="a poem, and another one",
        program='[{"syscall": "content.write", "args": {"kind": "poem", "topic": "rain"}, "references": []},'
        ' {"syscall": "content.write", "args": {"kind": "poem", "topic": "snow"}, "references": []}]',
    )  # fmt: skip
    there.settle()
    assert [row["state"] for row in there.jobs()] == ["failed"]
    assert f"used up its budget of {why}" in there.seat.ok("jobs.show", number=1)["text"]
    there.seat.ok("content.write", kind="poem", topic="sun")  # the others go on


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


def test_a_consent_that_stands_is_enough_and_stops_the_job_when_it_is_revoked(there: Clocked) -> None:
    there.person.answer = Lasting()
    there.seat.ok("device.turn_off", name="desk lamp")
    there.seat.say("every day at 22:00 turn off the desk lamp")
    assert len(there.person.consents) == 1, "it was asked about before the job was ordered"
    there.advance(hours=11)
    assert there.jobs()[0]["last"].startswith("done")
    there.machine.kernel.consents.revoke("ada", 1)
    there.advance(hours=24)
    assert there.jobs()[0]["last"].startswith("failed")


def test_a_consent_that_ends_is_not_enough_for_a_job(there: Clocked) -> None:
    there.person.answer = Lasting(seconds=60)
    there.seat.ok("device.turn_off", name="desk lamp")
    there.seat.say("every day at 22:00 turn off the desk lamp")
    assert [question.pattern != "" for question in there.person.consents] == [True, False]
    there.advance(hours=11)
    assert there.jobs()[0]["last"].startswith("done")


def test_what_was_agreed_to_is_what_the_job_does(there: Clocked) -> None:
    answer = there.person.consent

    async def changes(question: Any) -> Any:
        question.call.args["name"] = "kitchen light"
        return await answer(question)

    there.person.consent = changes  # type: ignore[method-assign]
    there.seat.say("every day at 22:00 turn off the desk lamp")
    (job,) = [record.value for record in there.machine.kernel.store.scan("job")]
    assert [call["args"] for call in job["calls"]] == [{"name": "desk lamp"}]


def test_a_no_makes_no_job(there: Clocked) -> None:
    there.person.answer = "no"
    outcome = there.seat.say("every day at 22:00 turn off the desk lamp")
    assert [result.error for result in outcome.results] == ["EACCES"] and there.jobs() == []


def test_what_cannot_be_taken_back_never_runs_unseen(there: Clocked) -> None:
    outcome = there.seat.say("forget Ann &")
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


def test_a_part_of_the_day_is_its_hour(there: Clocked) -> None:
    there.seat.say("every evening list my files")
    there.advance(hours=7, minutes=5)
    assert there.jobs()[0]["last"].startswith("done")


def test_what_nobody_heard_is_told_to_the_next(there: Clocked) -> None:
    there.seat.say("every day at 13:00 list my files")
    there.told.clear()
    there.machine.bell._listeners.clear()  # an 'llmasos up' without a shell
    there.advance(hours=1)
    there.runner.run(there.machine.listen(lambda told: there.told.append(str(told.get("note", "")))))
    assert any("Job 1 is done" in note for note in there.told)
    there.machine.jobs._ringer.stop()
    there.machine.schedule.stop()


def test_cancel_taken_back_later_makes_up_for_nothing(there: Clocked) -> None:
    there.seat.say("every day at 13:00 list my files")
    there.seat.ok("jobs.cancel", number=1)
    there.advance(hours=1.5)
    there.seat.ok("system.undo")
    there.settle()
    assert there.jobs()[0]["last"] == ""


def test_what_was_erased_for_good_is_in_no_output_of_a_job(there: Clocked) -> None:
    there.seat.ok("memory.remember", text="the code is 4711")
    there.seat.say("memory.recall 'the code' &")
    there.settle()
    assert "4711" in there.seat.ok("jobs.show", number=1)["text"]
    there.seat.ok("memory.forget", query="the code")
    kept = [str(record.value) for kind in ("job", "job.untold") for record in there.machine.kernel.store.scan(kind)]
    assert "4711" not in str(kept)


def test_undo_is_no_job(there: Clocked) -> None:
    assert [r.error for r in there.seat.say("undo &").results] == ["EINVAL"]


def killed_while(there: Clocked, order: str, call: str) -> Any:
    """What a kernel finds that is started after the one before was killed while a job makes a call, and no shell knows yet."""

    async def halfway() -> None:
        held = asyncio.Event()

        async def never(*_: Any, **__: Any) -> Any:
            shutil.copytree(there.settings.home, there.settings.home.with_name("killed"))
            held.set()
            await asyncio.Event().wait()

        row = there.machine.kernel.table[call]
        there.machine.kernel.table.rows[call] = replace(row, run=never)
        client = LocalClient(there.machine, there.workspace, Person())
        await client.handle(order)
        if not order.endswith("&"):
            there.clock.advance(timedelta(hours=1, minutes=1).total_seconds())
        await there.machine.jobs._ringer.ring_due()
        await held.wait()
        await client.close()

    there.runner.run(halfway())
    told: list[str] = []

    async def next_kernel() -> list[Any]:
        settings = replace(there.settings, home=there.settings.home.with_name("killed"))
        engines = ScriptedEngines(says=["Short."], reads=reader(PROGRAMS))
        machine = await compose(settings, clock=there.clock, engines=engines)
        await machine.listen(lambda what: told.append(str(what.get("note", ""))))
        await asyncio.sleep(0.05)
        assert not machine.jobs._running, "it isn't begun again"
        jobs = [Job.from_json(record.value) for record in machine.kernel.store.scan("job")]
        await machine.close()
        return jobs

    return there.runner.run(next_kernel()), told


def test_one_that_was_killed_says_how_far_it_came(there: Clocked) -> None:
    there.seat.put("inbox.md", "rain at noon")
    (job,), told = killed_while(there, "summarize inbox.md into today.md &", "files.write")
    assert (job.state, job.last.state) == ("interrupted", "interrupted")
    assert "rain at noon" in job.last.output
    assert sum("Job 1 was interrupted" in note for note in told) == 1


def test_a_repeated_one_that_was_killed_waits_for_its_next_time(there: Clocked) -> None:
    (job,), told = killed_while(there, "every day at 13:00 list my files", "files.list")
    assert (job.state, [run.state for run in job.runs]) == ("waiting", ["interrupted"])
    assert sum("Job 1 was interrupted" in note for note in told) == 1
