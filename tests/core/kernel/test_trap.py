"""The door: what comes through, what is refused, and what is written down."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import ProcessKilled, StoreError, SyscallError
from llmasos.core.base.types import Call
from llmasos.core.base.values import done, items, text
from llmasos.core.kernel import program
from llmasos.core.kernel.journal import Journal
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.policy import Allowance, Policy, Rule
from llmasos.core.kernel.process import Budget, ProcessTable
from llmasos.core.kernel.session import Nobody, Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import SyscallTable, inverse, syscall
from llmasos.core.kernel.trap import LIMIT, Caller, Kernel


class Shelf:
    """A service with one of everything."""

    def __init__(self) -> None:
        self.things: list[str] = []
        self.ran: list[str] = []

    @syscall("shelf.look", effect="read")
    async def look(self, caller: Caller) -> dict[str, Any]:
        """Look."""
        return items("thing", [{"ref": t, "name": t} for t in self.things], ["name"])

    @syscall("shelf.add", effect="write", preview="resolved")
    async def add(self, caller: Caller, name: str) -> dict[str, Any]:
        """Add a thing."""
        caller.prepare("shelf.remove", {"name": name})
        self.things.append(name)
        self.ran.append(name)
        return done(f"Added {name}.", ref=name)

    @syscall("shelf.add_slowly", effect="write")
    async def add_slowly(self, caller: Caller, name: str) -> None:
        """Add a thing, and never end."""
        caller.prepare("shelf.remove", {"name": name})
        self.things.append(name)
        await asyncio.Event().wait()

    async def resolved(self, caller: Caller, name: str) -> dict[str, str]:
        if name == "nothing":
            raise SyscallError("ENOENT", "There is no such thing.")
        return {"name": name.upper()}

    @syscall("shelf.burn", effect="final")
    async def burn(self, caller: Caller) -> dict[str, Any]:
        """Burn it all."""
        self.things.clear()
        return done("Burned.")

    @syscall("shelf.break", effect="read")
    async def broken(self, caller: Caller) -> None:
        """Always broken."""
        raise ZeroDivisionError("oh")

    @syscall("shelf.sleep", effect="read")
    async def sleep(self, caller: Caller) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()

    @syscall("shelf.echo", effect="read")
    async def echo(self, caller: Caller, words: str) -> dict[str, Any]:
        """Say it again."""
        return text(words, source="person")

    @inverse("shelf.remove")
    async def remove(self, caller: Caller, payload: dict[str, Any]) -> str:
        if payload["name"] not in self.things:
            raise SyscallError("ESTALE", "It has gone.")
        self.things.remove(payload["name"])
        return f"Removed {payload['name']}."


class Front(Nobody):
    """Answers consent from a list and remembers what it was shown."""

    def __init__(self, *answers: Any) -> None:
        super().__init__()
        self.answers = list(answers)
        self.shown: list[dict[str, str]] = []
        self.asked: list[Any] = []

    async def before(self, call, shown, effect):
        self.shown.append(dict(shown))

    async def consent(self, question):
        self.asked.append(question)
        return self.answers.pop(0) if self.answers else None


class World:
    def __init__(self, tmp_path, *rules: Rule) -> None:
        clock = MockClock(datetime(2026, 11, 22, 9, tzinfo=UTC))
        self.store = Store.open(tmp_path, Keyring.open(tmp_path))
        self.shelf = Shelf()
        table = SyscallTable()
        table.add_service(self.shelf)
        policy = Policy(
            "test",
            rules
            or (Rule("all", "allow", effect=("read", "write", "destroy")), Rule("ask-final", "ask", effect=("final",))),
        )
        processes = ProcessTable(clock, "ada")
        self.kernel = Kernel(table, processes, policy, Journal(self.store, clock), self.store, clock)
        self.process = processes.spawn(processes.init, name="ada", program="worker", subject="user:ada")
        self.front = Front()
        self.session = Session("ada", tmp_path, self.front)

    async def trap(self, name: str, /, **args: Any):
        return await self.kernel.trap(self.process, self.session, Call(name, args), request=name)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.store.close()


async def test_an_effect_is_shown_resolved_journaled_and_undoable(world):
    result = await world.trap("shelf.add", name="jam")
    assert result.ok
    assert result.undoable
    assert result.rule == "all"
    assert world.front.shown == [{"name": "JAM"}]
    entry = world.kernel.journal.last_undoable("ada", str(world.session.workspace))
    assert (entry.state, entry.call["args"], entry.request) == ("done", {"name": "jam"}, "shelf.add")
    caller = Caller(world.kernel, world.process, world.session, Call("system.undo"))
    assert await world.kernel.undo(caller, entry) == "Removed jam."
    assert world.shelf.things == []
    assert world.kernel.journal.last_undoable("ada", str(world.session.workspace)) is None


async def test_a_refused_undo_leaves_the_entry(world):
    await world.trap("shelf.add", name="jam")
    world.shelf.things.clear()
    entry = world.kernel.journal.last_undoable("ada", str(world.session.workspace))
    with pytest.raises(SyscallError, match="gone"):
        await world.kernel.undo(Caller(world.kernel, world.process, world.session, Call("system.undo")), entry)
    # The next undo goes on to the one before.
    assert world.kernel.journal.get(entry.id).state == "stale"
    assert world.kernel.journal.last_undoable("ada", str(world.session.workspace)) is None


async def test_an_interrupted_effect_can_be_undone(world):
    waiting = asyncio.create_task(world.trap("shelf.add_slowly", name="jam"))
    await asyncio.sleep(0.01)
    assert world.kernel.journal.undecided() == []  # it is at work
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    (entry,) = world.kernel.journal.undecided()
    assert world.kernel.journal.last_undoable("ada", str(world.session.workspace)) == entry
    assert (
        await world.kernel.undo(Caller(world.kernel, world.process, world.session, Call("system.undo")), entry)
        == "Removed jam."
    )


async def test_a_rule_about_a_name_holds_for_what_the_name_means(tmp_path):
    world = World(tmp_path, Rule("all", "allow"), Rule("no-jam", "deny", args={"name": "JAM*"}))
    result = await world.trap("shelf.add", name="jam")  # the preview says JAM
    assert (result.error, result.rule) == ("EACCES", "no-jam")
    assert world.shelf.ran == []
    world.store.close()


async def test_nothing_runs_where_the_preview_fails(world):
    result = await world.trap("shelf.add", name="nothing")
    assert result.error == "ENOENT"
    assert world.shelf.ran == []
    assert world.kernel.journal.entries() == []


async def test_final_asks_and_nobody_there_is_no(world):
    world.shelf.things = ["jam"]
    result = await world.trap("shelf.burn")
    assert (result.error, result.rule) == ("EAGAIN", "ask-final")
    assert world.shelf.things == ["jam"]


@pytest.mark.parametrize(("answer", "left"), [("no", ["jam"]), ("once", []), ("session", [])])
async def test_the_answer_decides(world, answer, left):
    world.shelf.things = ["jam"]
    world.front.answers = [answer]
    result = await world.trap("shelf.burn")
    assert world.shelf.things == left
    assert result.ok is not bool(left)
    assert result.undoable is False


async def test_session_consent_asks_only_once(tmp_path):
    world = World(tmp_path, Rule("ask", "ask"))
    world.front.answers = ["session"]
    assert (await world.trap("shelf.add", name="jam")).ok
    assert (await world.trap("shelf.add", name="tea")).ok
    assert len(world.front.asked) == 1
    world.store.close()


async def test_what_is_final_asks_every_time(world):
    world.front.answers = ["session"]
    assert (await world.trap("shelf.burn")).ok
    assert (await world.trap("shelf.burn")).error == "EAGAIN"
    assert len(world.front.asked) == 2


async def test_denied_names_the_rule(tmp_path):
    world = World(tmp_path, Rule("reads", "allow", effect=("read",)), Rule("no-writes", "deny", effect=("write",)))
    result = await world.trap("shelf.add", name="jam")
    assert (result.error, result.rule) == ("EACCES", "no-writes")
    assert "no-writes" in result.message
    assert world.shelf.ran == []
    world.store.close()


async def test_a_broken_handler_is_an_error_value_and_a_log_line(world, caplog):
    result = await world.trap("shelf.break")
    assert result.error == "EIO"
    assert "ZeroDivisionError: oh" in result.message
    assert "shelf.break" in caplog.text


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"words": "x" * (LIMIT + 1)}, "E2BIG"),
        ({"words": "a\0b"}, "EINVAL"),
        ({"words": "\ud800"}, "EILSEQ"),
        ({"words": b"bytes"}, "EINVAL"),
        ({"words": None}, "EINVAL"),
        ({"words": {"a": [1]}}, "EINVAL"),
        ({}, "EINVAL"),
        ({"words": "a", "more": 1}, "EINVAL"),
    ],
)
async def test_hostile_arguments_are_error_values(world, args, code):
    assert (await world.trap("shelf.echo", **args)).error == code


async def test_a_killed_process_gets_through_no_more(world):
    await world.kernel.processes.kill(world.process.pid)
    with pytest.raises(ProcessKilled):
        await world.trap("shelf.look")


async def test_killing_wakes_a_waiting_call(world):
    waiting = asyncio.create_task(world.trap("shelf.sleep"))
    await asyncio.sleep(0.01)
    await world.kernel.processes.kill(world.process.pid)
    with pytest.raises(ProcessKilled):
        await asyncio.wait_for(waiting, 2)


async def test_a_cancelled_request_is_cancelled_and_the_process_lives(world):
    waiting = asyncio.create_task(world.trap("shelf.sleep"))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await world.trap("shelf.look")).ok


async def run(world, *calls: Call):
    return await program.run(world.kernel, world.process, world.session, calls, request="r")


async def test_a_program_hands_results_on(world):
    results = await run(
        world,
        Call("shelf.add", {"name": "jam"}),
        Call("shelf.look"),
        Call("shelf.echo", {"words": "$2"}, frozenset({"words"})),
    )
    assert [r.ok for r in results] == [True, True, True]
    assert results[-1].value["text"] == "jam"


async def test_a_typed_dollar_is_text(world):
    results = await run(world, Call("shelf.look"), Call("shelf.echo", {"words": "$1"}))
    assert results[-1].value["text"] == "$1"


async def test_a_program_stops_at_the_first_failure(world):
    results = await run(world, Call("shelf.add", {"name": "nothing"}), Call("shelf.add", {"name": "jam"}))
    assert [r.error for r in results] == ["ENOENT"]
    assert world.shelf.ran == []


async def test_hooks_see_every_trap(world):
    seen = []
    world.kernel.hooks.append(lambda t: seen.append((t.call.syscall, t.decision.rule, t.result.error, t.entry)))
    await world.trap("shelf.look")
    await world.trap("shelf.nothing")
    await world.trap("shelf.add", name="jam")
    assert seen == [("shelf.look", "all", "", 0), ("shelf.nothing", "", "ENOSYS", 0), ("shelf.add", "all", "", 1)]


async def test_a_guard_stops_what_would_change_something(world):
    def guard():
        raise StoreError("The audit log can't be written.")

    world.kernel.guards.append(guard)
    assert (await world.trap("shelf.look")).ok
    result = await world.trap("shelf.add", name="jam")
    assert (result.error, world.shelf.things) == ("EIO", [])


async def test_a_used_up_budget_makes_no_call_more(world):
    world.process.budget = Budget(calls=2)
    assert [(await world.trap("shelf.look")).ok for _ in range(2)] == [True, True]
    result = await world.trap("shelf.add", name="jam")
    assert (result.error, world.shelf.things) == ("EDQUOT", [])
    assert "used up its budget of 2 calls" in result.message


async def test_a_policys_budget_is_for_each_process(world):
    few = Rule("few", "allow", budget=Allowance.parse({"calls": 2}))
    world.kernel.policy = Policy("few", (few,))
    assert [(await world.trap("shelf.look")).ok for _ in range(3)] == [True, True, False]
    result = await world.trap("shelf.add", name="jam")
    assert (result.error, world.shelf.things) == ("EACCES", [])
    assert "The budget of the rule 'few' is used up (2 calls for each process)." in result.message
    world.process = world.kernel.processes.spawn(world.process, name="another", program="app", subject="app:another")
    assert (await world.trap("shelf.look")).ok
