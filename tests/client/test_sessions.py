"""Several programs of one home, here as several sessions of one test: the first carries the kernel."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from llmasos.client import Client, attach, listener
from llmasos.client.local import LocalClient
from llmasos.client.remote import KernelGone
from llmasos.client.steady import TAKEN_OVER, SteadyClient
from llmasos.core.base.errors import ProcessKilled, SyscallError, UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.base.values import done, text
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel import ipc
from llmasos.core.kernel.session import FrontEnd, Nobody
from llmasos.core.kernel.syscall import syscall
from llmasos.core.kernel.trap import Caller
from tests.seat import Person, reader

READS = reader(
    {
        "put milk on my list": [("tasks.add", {"title": "milk"})],
        "what is on it": [("tasks.list", {})],
        "forget Ann's birthday": [("memory.forget", {"query": "Ann's birthday"})],
    }
)


class Slow:
    """Calls that take as long as a test wants."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.ended: list[str] = []

    async def _take(self, who: str) -> None:
        self.begun.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.ended.append(f"{who} cancelled")
            raise
        self.ended.append(f"{who} done")

    @syscall("slow.look", effect="read")
    async def look(self, caller: Caller, who: str) -> dict[str, Any]:
        """Take long and change nothing."""
        await self._take(who)
        return text("seen", source="system")

    @syscall("slow.write", effect="write")
    async def write(self, caller: Caller, who: str) -> dict[str, Any]:
        """Take long over an effect."""
        await self._take(who)
        return done("written")

    @syscall("slow.flood", effect="read")
    async def flood(self, caller: Caller) -> dict[str, Any]:
        """More words than any reader is waited for."""
        for _ in range(40):
            await caller.session.front.words("w" * 1_000_000)
            await asyncio.sleep(0)
        self.ended.append("flood done")
        return text("much", source="system")


class Home:
    """One home in which sessions are opened."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "work"
        self.workspace.mkdir()
        (self.workspace / "taxes").mkdir()
        self.settings = Settings(home=folder / "home", owner="ada", seed=1, policy="developer")
        self.slow = Slow()

    async def open(self, front: FrontEnd | None = None, **settings: Any) -> Client:
        engines = ScriptedEngines(says=["Hello there."], reads=READS)
        wanted = Settings(**{**{n: getattr(self.settings, n) for n in ("home", "owner", "seed", "policy")}, **settings})
        client = await attach(wanted, self.workspace, front or Nobody(), engines=engines)
        if isinstance(client, LocalClient) and "slow.look" not in client.table:
            client.machine.kernel.table.add_service(self.slow)
        return client


@asynccontextmanager
async def _opened(home: Home, count: int) -> AsyncIterator[list[Client]]:
    clients = [await home.open() for _ in range(count)]
    try:
        yield clients
    finally:
        for client in reversed(clients):
            await client.close()


@pytest.fixture
def there(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def _until(holds: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while True:
            value = holds()
            if await value if isinstance(value, Awaitable) else value:
                return
            await asyncio.sleep(0.01)


async def _titles(client: Client) -> list[str]:
    result = await client.trap(Call("tasks.list"))
    return [row["title"] for row in result.value["items"]]


async def test_the_first_carries_the_kernel_and_all_see_the_same(there: Home) -> None:
    async with _opened(there, 3) as (first, second, third):
        assert isinstance(first, LocalClient)
        assert isinstance(second, SteadyClient) and second.owner
        outcome = await second.handle("put milk on my list")
        assert outcome.ok and outcome.way == "model" and [c.syscall for c in outcome.reading.program] == ["tasks.add"]
        assert await _titles(first) == await _titles(third) == ["milk"]
        assert second.glance().processes == 4  # init and three sessions
        await third.handle("system.undo")
        assert await _titles(first) == []


async def test_the_table_comes_along_for_completion_and_help(there: Home) -> None:
    async with _opened(there, 2) as (first, second):
        await second.load_table()
        assert {row.name for row in second.table} == {row.name for row in first.table}
        assert second.table["tasks.add"].usage == first.table["tasks.add"].usage
        assert second.table["files.read"].arguments == first.table["files.read"].arguments


async def test_what_is_shown_and_asked_reaches_the_right_person(there: Home) -> None:
    first_person, second_person = Person("once"), Person("no")
    first = await there.open(first_person, policy="default")
    second = await there.open(second_person, policy="default")
    try:
        await second.trap(Call("memory.remember", {"text": "Ann's birthday is in May"}))
        refused = await second.handle("forget Ann's birthday")
        assert [r.error for r in refused.results] == ["EACCES"]
        assert [c.call.syscall for c in second_person.consents] == ["memory.forget"]
        assert second_person.consents[0].effect == "final"
        assert not first_person.consents
    finally:
        await second.close()
        await first.close()


async def test_words_are_streamed_to_who_asked(there: Home) -> None:
    person = Person()
    first = await there.open(Person())
    second = await there.open(person)
    try:
        await second.trap(Call("character.create", {"name": "Alice"}))
        result = await second.trap(Call("character.chat", {"name": "Alice", "message": "Hi"}))
        assert person.streamed.strip() == result.value["text"] == "Hello there."
    finally:
        await second.close()
        await first.close()


async def test_errors_arrive_as_they_were_raised(there: Home) -> None:
    async with _opened(there, 2) as (_, second):
        result = await second.trap(Call("files.read", {"path": "nothing.md"}))
        assert result.error == "ENOENT" and "nothing.md" in result.message
        with pytest.raises(SyscallError, match="no such folder") as error:
            await second.go("no such folder")
        assert error.value.code == "ENOENT"
        assert isinstance(second, SteadyClient)
        with pytest.raises(UsageError, match="no operation"):
            await second._client._ask("dance")  # type: ignore[attr-defined]


async def test_the_folder_is_the_sessions_own(there: Home) -> None:
    async with _opened(there, 2) as (first, second):
        await second.go("taxes")
        assert (second.session.cwd, first.session.cwd) == ("taxes", "")
        await second.handle("cd ..")
        assert second.session.cwd == ""


async def test_readings_and_history_are_shared(there: Home) -> None:
    async with _opened(there, 2) as (first, second):
        await second.keep_line("tasks.list")
        assert await first.history() == await second.history() == ["tasks.list"]
        assert isinstance(first, LocalClient)
        first.machine.kept.keep("ada", "the usual", (Call("tasks.list"),))
        kept = await second.readings()
        assert [one.said for one in kept] == ["the usual"]
        await second.forget_reading(kept[0].id)
        assert await first.readings() == []


async def test_when_the_owner_leaves_the_next_takes_over_and_goes_on(there: Home) -> None:
    first, second, third = [await there.open() for _ in range(3)]
    told: list[Any] = []
    await second.listen(told.append)
    await second.go("taxes")
    await second.handle("put milk on my list")
    await first.close()
    try:
        assert await _titles(second) == ["milk"] == await _titles(third)
        assert second.session.cwd == "taxes"
        assert sorted([bool(second.owner), bool(third.owner)]) == [False, True]
        await _until(lambda: bool(told))
        assert TAKEN_OVER in str(told) or third.owner == 0
        assert isinstance(second, SteadyClient) and not isinstance(second._client, SteadyClient), (
            "no client in a client"
        )
    finally:
        await third.close()
        await second.close()


async def test_what_was_begun_is_finished_before_the_owner_goes(there: Home) -> None:
    first, second = await there.open(), await there.open()
    work = asyncio.create_task(second.trap(Call("slow.write", {"who": "second"})))
    await there.slow.begun.wait()
    leaving = asyncio.create_task(first.close())
    await asyncio.sleep(0.05)
    assert not leaving.done()
    there.slow.go_on.set()
    assert (await work).ok
    await leaving
    await second.close()


async def test_an_effect_in_the_middle_is_reported_and_not_done_again(
    there: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "GRACE", 0.05)
    first, second = await there.open(), await there.open()
    work = asyncio.create_task(second.trap(Call("slow.write", {"who": "second"})))
    await there.slow.begun.wait()
    await first.close()
    with pytest.raises(KernelGone, match="history"):
        await work
    assert there.slow.ended == ["second cancelled"]
    await second.close()


async def test_a_question_that_only_looked_is_asked_again_of_the_next_kernel(
    there: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "GRACE", 0.05)
    first, second = await there.open(), await there.open()
    work = asyncio.create_task(second.trap(Call("slow.look", {"who": "second"})))
    await there.slow.begun.wait()
    await first.close()
    # The next kernel is this program's own; the service of the tests isn't in it.
    assert (await work).error == "ENOSYS"
    assert second.owner == 0
    await second.close()


async def test_who_goes_away_takes_along_only_what_it_asked_for(there: Home) -> None:
    first, second, third = [await there.open() for _ in range(3)]
    mine = asyncio.create_task(second.trap(Call("slow.look", {"who": "second"})))
    other = asyncio.create_task(third.trap(Call("slow.look", {"who": "third"})))
    await there.slow.begun.wait()
    await asyncio.sleep(0.05)
    assert isinstance(second, SteadyClient)
    second._client._connection._writer.transport.abort()  # type: ignore[attr-defined] # killed, without a goodbye
    await _until(lambda: there.slow.ended == ["second cancelled"])
    mine.cancel()
    there.slow.go_on.set()
    assert (await other).ok
    await asyncio.gather(mine, return_exceptions=True)
    await third.close()
    assert isinstance(first, LocalClient)
    await _until(lambda: sum(p.program == "shell" for p in first.machine.kernel.processes) <= 2)
    await second.close()
    await first.close()


async def test_a_cancelled_request_ends_at_the_kernel(there: Home) -> None:
    async with _opened(there, 2) as (_, second):
        work = asyncio.create_task(second.trap(Call("slow.write", {"who": "second"})))
        await there.slow.begun.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert there.slow.ended == ["second cancelled"]
        assert await _titles(second) == []


async def test_an_interrupted_question_interrupts_the_request(there: Home) -> None:
    class Leaves(Person):
        async def consent(self, question: Any) -> None:
            raise asyncio.CancelledError

    first = await there.open(policy="default")
    second = await there.open(Leaves(), policy="default")
    try:
        await second.trap(Call("memory.remember", {"text": "Ann's birthday is in May"}))
        with pytest.raises(asyncio.CancelledError):
            await second.handle("forget Ann's birthday")
        assert (await second.trap(Call("memory.recall", {"query": "birthday"}))).value["items"]
    finally:
        await second.close()
        await first.close()


async def test_a_killed_session_is_told(there: Home) -> None:
    async with _opened(there, 2) as (first, second):
        assert isinstance(first, LocalClient)
        processes = first.machine.kernel.processes
        guest = max((p for p in processes if p.program == "shell"), key=lambda p: p.pid)
        await processes.exit(guest, -9)
        with pytest.raises(ProcessKilled):
            await second.trap(Call("tasks.list"))


async def test_a_reader_that_does_not_read_is_dropped_and_nobody_waits_for_it(
    there: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ipc, "BEHIND", 2_000_000)
    async with _opened(there, 2) as (first, second):
        deaf = await ipc.connect(there.settings.home)
        assert deaf
        deaf.send({"hello": {"version": _version(), "workspace": str(there.workspace)}})
        deaf.send(
            {"id": 1, "do": "trap", "call": {"syscall": "slow.flood", "args": {}, "references": []}, "quiet": False}
        )
        await _until(lambda: "flood done" in there.slow.ended or len(_guests(first)) == 1)
        assert (await second.trap(Call("tasks.list"))).ok
        await _until(lambda: len(_guests(first)) == 1)
        deaf._writer.transport.abort()


def _guests(client: Client) -> set[Any]:
    """The tasks of the programs that are attached."""
    assert isinstance(client, LocalClient)
    return {p.pid for p in client.machine.kernel.processes if p.program == "shell" and p is not client.process}


def _version() -> str:
    from importlib.metadata import version

    return version("llmasos")


async def test_another_version_is_refused_with_the_remedy(there: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await there.open()
    monkeypatch.setattr("llmasos.client.remote.version", lambda _: "9.9.9")
    with pytest.raises(UsageError, match=r"is 9\.9\.9.*llmasos down"):
        await there.open()
    await first.close()


async def test_settings_that_only_another_kernel_could_have_are_refused(there: Home) -> None:
    first = await there.open()
    with pytest.raises(UsageError, match="runs with policy developer, not readonly"):
        await there.open(policy="readonly")
    second = await there.open(policy="default")  # nobody chose that
    await second.close()
    await first.close()


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\0\0\0\2{}", b"\0\0\0\4null", b"\0\0\1\0{"]
)
async def test_strangers_words_do_no_harm(there: Home, sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "STRANGERS", 0.05)
    async with _opened(there, 1) as (first,):
        reader_, writer = await asyncio.open_unix_connection(str(there.settings.home / ipc.SOCKET))
        writer.write(sent)
        assert await reader_.read() == b""
        writer.close()
        assert (await first.trap(Call("tasks.list"))).ok


async def test_only_the_person_can_open_the_door(there: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async with _opened(there, 1):
        mode = (there.settings.home / ipc.SOCKET).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
        assert stat.S_IMODE(there.settings.home.stat().st_mode) == 0o700
        monkeypatch.setattr(ipc.os, "getuid", lambda: 12345)
        connection = await ipc.connect(there.settings.home)
        assert connection is None or await connection.receive() is None


async def test_a_home_deep_in_the_tree_has_a_socket_too(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    async with _opened(Home(deep), 2) as (_, second):
        assert second.owner


async def test_a_socket_left_over_is_no_owner(there: Home) -> None:
    first = await there.open()
    await first.close()
    (there.settings.home / ipc.SOCKET).write_text("")
    async with _opened(there, 2) as (first, second):
        assert first.owner == 0 and second.owner


async def test_where_nobody_can_answer_a_guest_is_told_so(there: Home) -> None:
    first = await there.open(policy="default")
    second = await there.open(policy="default")
    try:
        await second.trap(Call("memory.remember", {"text": "Ann's birthday is in May"}))
        outcome = await second.handle("forget Ann's birthday")
        assert [r.error for r in outcome.results] == ["EAGAIN"]
    finally:
        await second.close()
        await first.close()


async def test_one_takeover_after_another_leaves_one_kernel(there: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "GRACE", 0.05)
    clients = [await there.open() for _ in range(4)]
    await clients[-1].handle("put milk on my list")
    while len(clients) > 1:
        leaving = clients.pop(next(n for n, client in enumerate(clients) if not client.owner))
        await leaving.close()
        assert [await _titles(client) for client in clients] == [["milk"]] * len(clients)
        assert sum(not client.owner for client in clients) == 1
    await clients[0].close()


async def test_an_answer_is_taken_while_the_owner_leaves(there: Home) -> None:
    class Thinks(Person):
        async def consent(self, question: Any) -> Any:
            asked.set()
            await answers.wait()
            return "once"

    asked, answers = asyncio.Event(), asyncio.Event()
    first = await there.open(policy="default")
    second = await there.open(Thinks(), policy="default")
    await second.trap(Call("memory.remember", {"text": "Ann's birthday is in May"}))
    work = asyncio.create_task(second.handle("forget Ann's birthday"))
    await asked.wait()
    leaving = asyncio.create_task(first.close())
    await asyncio.sleep(0.05)
    answers.set()
    assert (await work).ok
    await leaving
    await second.close()


async def test_a_question_ends_with_its_kernel_and_is_put_again_by_the_next(
    there: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slowly(Person):
        opened, ended = 0, 0

        async def consent(self, question: Any) -> Any:
            self.opened += 1
            assert self.ended == self.opened - 1, "never two prompts at once"
            try:
                if self.opened == 1:
                    asked.set()
                    await asyncio.Event().wait()
                return "once"
            finally:
                self.ended += 1

    monkeypatch.setattr(listener, "GRACE", 0.05)
    asked, person = asyncio.Event(), Slowly()
    first = await there.open(policy="default")
    second = await there.open(person, policy="default")
    await second.trap(Call("memory.remember", {"text": "Ann's birthday is in May"}))
    work = asyncio.create_task(second.handle("forget Ann's birthday"))
    await asked.wait()
    await first.close()
    assert (await work).ok and (person.opened, person.ended) == (2, 2)
    await second.close()


async def test_a_front_end_that_breaks_breaks_its_request_and_no_other(there: Home) -> None:
    class Broken(Person):
        async def after(self, result: Any) -> None:
            raise BrokenPipeError

    first = await there.open(Person())
    second = await there.open(Broken())
    with pytest.raises(BrokenPipeError):
        await second.handle("put milk on my list")
    assert (await second.trap(Call("tasks.list"), quiet=True)).ok
    await second.close()
    await first.close()


async def test_two_requests_of_one_session_do_not_wait_for_each_other(there: Home) -> None:
    async with _opened(there, 2) as (_, second):
        slow = asyncio.create_task(second.trap(Call("slow.look", {"who": "one"})))
        await there.slow.begun.wait()
        assert await _titles(second) == []
        there.slow.go_on.set()
        assert (await slow).ok


async def test_long_arguments_go_through_once(there: Home) -> None:
    async with _opened(there, 2) as (_, second):
        long = "雨" * 2_700_000
        assert (await second.trap(Call("files.write", {"path": "long.txt", "content": long}))).ok
        assert (there.workspace / "long.txt").read_text() == long
        history = (await second.trap(Call("system.history"))).value["items"]
        assert len(history) == 1


async def test_closing_during_a_request_opens_nothing_anew(there: Home) -> None:
    first, second = await there.open(), await there.open()
    work = asyncio.create_task(second.trap(Call("slow.look", {"who": "second"})))
    await there.slow.begun.wait()
    await second.close()
    with pytest.raises(KernelGone):
        await work
    assert isinstance(first, LocalClient)
    await _until(lambda: _guests(first) == set())
    await first.close()
