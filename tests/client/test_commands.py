"""Native commands of a person at another program than the kernel's; and the kernel killed over one."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from pathlib import Path

import pytest

from llmasos.client import Client
from llmasos.client.local import LocalClient
from llmasos.core.kernel.session import Nobody
from tests.client.home import Home, opened, until
from tests.client.killing import WORKS, _ask, _send, _told
from tests.core.kernel.launchers import CONFINES
from tests.core.kernel.test_native_commands import running_with
from tests.seat import tree
from tests.system.program import Program

pytestmark = pytest.mark.skipif(not CONFINES, reason="this machine can't confine commands")


class Reader(Nobody):
    """Reads what commands write, when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.read = ""
        self.reads = asyncio.Event()
        self.reads.set()

    async def written(self, piece: str) -> None:
        await self.reads.wait()
        self.read += piece


async def guest(there: Home, reader: Reader) -> Client:
    client = await there.open(reader)
    assert not isinstance(client, LocalClient)
    return client


def a_name() -> str:
    return f"{secrets.randbelow(10**6)}.{secrets.randbelow(10**6)}"


async def test_what_it_writes_is_seen_while_it_runs(there: Home) -> None:
    async with opened(there, 1):
        reader = Reader()
        second = await guest(there, reader)
        waits = (
            "echo one; while [ ! -e go ]; do sleep 0.02; done; rm go; printf 'tw\\303'; sleep 0.1; printf '\\266\\n'"
        )
        work = asyncio.create_task(second.handle(f"!{waits}"))
        await until(lambda: reader.read == "one\n")
        assert not work.done()
        (there.workspace / "go").touch()
        outcome = await work
        assert reader.read == outcome.results[0].value["text"] == "one\ntwö\n"
        assert not outcome.results[0].undoable
        await second.close()


async def test_a_command_waits_for_who_reads(there: Home) -> None:
    async with opened(there, 1) as (first,):
        reader, name = Reader(), f"x{secrets.token_hex(8)}"
        second = await guest(there, reader)
        reader.reads.clear()
        work = asyncio.create_task(second.handle(f"!yes {name} | head -c 20000000"))
        await until(lambda: bool(running_with(f"yes {name}")))
        assert (await asyncio.wait_for(first.handle("tasks.list"), 10)).ok, "nobody else waits"
        assert reader.read == "" and not work.done()
        reader.reads.set()
        assert (await work).ok
        assert len(reader.read) == 20_000_000
        await second.close()


async def test_interrupted_by_its_person(there: Home) -> None:
    async with opened(there, 1):
        reader, name = Reader(), a_name()
        second = await guest(there, reader)
        work = asyncio.create_task(second.handle(f"!echo x > new; echo go; sleep {name} & sleep {name}"))
        await until(lambda: "go" in reader.read)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        await until(lambda: not running_with(name))
        assert (await second.handle("undo")).ok
        assert "new" not in tree(there.workspace)
        await second.close()


async def test_it_ends_with_who_goes_away(there: Home) -> None:
    async with opened(there, 1):
        reader, name = Reader(), a_name()
        second = await guest(there, reader)
        work = asyncio.create_task(second.handle(f"!echo go; sleep {name}"))
        await until(lambda: "go" in reader.read)
        second._client._connection._writer.transport.abort()  # type: ignore[attr-defined]
        await until(lambda: not running_with(name))
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await second.close()


COMMAND = "rm kept.txt; rm -r box; mkdir new; echo x > new/x; echo more >> changed.txt; touch started; sleep {}"


@pytest.fixture
def killed(home: Path, workspace: Path) -> tuple[Program, dict[str, bytes | None]]:
    """A home whose kernel was killed in the middle of a command, and what the workspace was before."""
    program, name = Program(home, workspace), a_name()
    (workspace / "box").mkdir()
    for path in ("kept.txt", "changed.txt", "box/one.txt"):
        (workspace / path).write_text(path)
    before = tree(workspace)
    owner = program.start(code=WORKS)
    _told(owner)
    _send(owner, f"!{COMMAND.format(name)}")
    for _ in range(1000):
        if (workspace / "started").exists() and running_with(name):
            break
        time.sleep(0.02)
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    for _ in range(1000):
        if not running_with(name):
            break
        time.sleep(0.02)
    else:
        raise AssertionError("the command outlives the kernel")
    assert tree(workspace) == {
        "changed.txt": b"changed.txtmore\n", "new": None, "new/x": b"x\n", "started": b"",
    }  # fmt: skip
    return program, before


def test_after_a_kill_in_the_middle_undo_brings_all_back(
    killed: tuple[Program, dict[str, bytes | None]], workspace: Path
) -> None:
    program, before = killed
    owner = program.start(code=WORKS)
    _told(owner)
    answer = _ask(owner, "undo")
    owner.communicate()
    assert answer["ok"], answer
    assert tree(workspace) == before


def test_what_a_person_does_after_a_kill_is_theirs(
    killed: tuple[Program, dict[str, bytes | None]], workspace: Path
) -> None:
    program, _ = killed
    owner = program.start(code=WORKS)
    _told(owner)
    (workspace / "changed.txt").write_text("mine")
    (workspace / "mine.txt").write_text("mine")
    now = tree(workspace)
    answer = _ask(owner, "undo")
    assert not answer["ok"] and "changed.txt has changed since; nothing was done" in answer["told"][0]
    assert tree(workspace) == now
    owner.communicate()
