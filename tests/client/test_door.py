"""Who is let in, and what those who behave badly can do to the others."""

from __future__ import annotations

import asyncio
import stat
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import pytest

from llmasos.client import listener
from llmasos.client.local import LocalClient
from llmasos.client.steady import SteadyClient
from llmasos.core.base.errors import UsageError
from llmasos.core.base.types import Call
from llmasos.core.kernel import ipc
from tests.client.home import Home, guests, opened, until


async def test_who_goes_away_takes_along_only_what_it_asked_for(there: Home) -> None:
    first, second, third = [await there.open() for _ in range(3)]
    mine = asyncio.create_task(second.trap(Call("slow.look", {"who": "second"})))
    other = asyncio.create_task(third.trap(Call("slow.look", {"who": "third"})))
    await there.slow.begun.wait()
    await asyncio.sleep(0.05)
    assert isinstance(second, SteadyClient)
    second._client._connection._writer.transport.abort()  # type: ignore[attr-defined] # killed, without a goodbye
    await until(lambda: there.slow.ended == ["second cancelled"])
    mine.cancel()
    there.slow.go_on.set()
    assert (await other).ok
    await asyncio.gather(mine, return_exceptions=True)
    await third.close()
    assert isinstance(first, LocalClient)
    await until(lambda: sum(p.program == "shell" for p in first.machine.kernel.processes) <= 2)
    await second.close()
    await first.close()


async def test_a_reader_that_does_not_read_is_dropped_and_nobody_waits_for_it(
    there: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ipc, "BEHIND", 2_000_000)
    async with opened(there, 2) as (first, second):
        deaf = await ipc.connect(there.settings.home)
        assert deaf
        deaf.send({"hello": {"version": installed("llmasos"), "workspace": str(there.workspace)}})
        deaf.send(
            {"id": 1, "do": "trap", "call": {"syscall": "slow.flood", "args": {}, "references": []}, "quiet": False}
        )
        await until(lambda: "flood done" in there.slow.ended or len(guests(first)) == 1)
        assert (await second.trap(Call("tasks.list"))).ok
        await until(lambda: len(guests(first)) == 1)
        deaf._writer.transport.abort()


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
    "sent",
    [
        b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\0\0\0\2{}", b"\0\0\0\4null", b"\0\0\1\0{",
        b"\0\1\0\0" + b"[" * 65536,
    ],
)  # fmt: skip
async def test_strangers_words_do_no_harm(there: Home, sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "STRANGERS", 0.05)
    async with opened(there, 1) as (first,):
        reader_, writer = await asyncio.open_unix_connection(str(there.settings.home / ipc.SOCKET))
        writer.write(sent)
        assert await reader_.read() == b""
        writer.close()
        assert (await first.trap(Call("tasks.list"))).ok


HELLO = {"version": installed("llmasos"), "workspace": "/", "settings": {}}


@pytest.mark.parametrize(
    "more", [{"workspace": None}, {"workspace": 7}, {"workspace": "a\0b"}, {"settings": [1]}, {"settings": "x"}]
)
async def test_a_hello_of_another_form_is_refused(there: Home, more: dict[str, Any]) -> None:
    async with opened(there, 1):
        other = await ipc.connect(there.settings.home)
        assert other
        other.send({"hello": {**HELLO, **more}})
        answer = await other.receive()
        assert answer and answer["refused"]["remedy"] == "Update both programs."
        await other.close()


@pytest.mark.parametrize(
    "message",
    [
        {"do": "handle"}, {"do": "handle", "line": 1, "appended": ""}, {"do": "trap", "call": {}, "quiet": True},
        {"do": "trap", "call": {"syscall": [], "args": {}, "references": []}, "quiet": False}, {"do": "go", "folder": None},
        {"do": "trap", "call": {"syscall": "x", "args": {}, "references": [[]]}, "quiet": False}, {"do": "interpret"},
        {"do": "interpret", "said": "x", "tools": [1], "only_tools": True}, {"do": "revoke_consent", "number": "1"},
        {"do": [1]}, {"do": "understand", "line": "x"}, {"do": "explain_policy", "line": "x"}, {"do": "keep_line"},
    ],
)  # fmt: skip
async def test_a_request_of_another_form_is_answered_and_the_guest_stays(there: Home, message: dict[str, Any]) -> None:
    async with opened(there, 1):
        other = await ipc.connect(there.settings.home)
        assert other
        other.send({"hello": HELLO})
        assert "welcome" in (await other.receive() or {})
        for odd in ({"answer": [1]}, {"answer": {}}, {"cancel": [1]}, {"cancel": {}}, {"id": [1]}, {"id": "x"}):
            other.send(odd)
        other.send({"id": 5, **message})
        failed = (await other.receive() or {})["failed"]
        assert failed["kind"] == "UsageError" and failed["remedy"]
        other.send({"id": 6, "do": "look"})
        assert (await other.receive() or {})["id"] == 6
        await other.close()


async def test_only_the_person_can_open_the_door(there: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(there, 1):
        mode = (there.settings.home / ipc.SOCKET).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
        assert stat.S_IMODE(there.settings.home.stat().st_mode) == 0o700
        monkeypatch.setattr(ipc.os, "getuid", lambda: 12345)
        assert await ipc.connect(there.settings.home) is None, "we don't talk with a stranger's kernel"
        reader, writer = await asyncio.open_unix_connection(str(there.settings.home / ipc.SOCKET))
        stranger = ipc.Connection(reader, writer)
        stranger.send({"hello": {"version": installed("llmasos"), "workspace": str(there.workspace)}})
        assert await stranger.receive() is None, "and it doesn't with a stranger"
        await stranger.close()


async def test_a_home_deep_in_the_tree_has_a_socket_too(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    async with opened(Home(deep), 2) as (_, second):
        assert second.owner


async def test_a_socket_left_over_is_no_owner(there: Home) -> None:
    first = await there.open()
    await first.close()
    (there.settings.home / ipc.SOCKET).write_text("")
    async with opened(there, 2) as (first, second):
        assert first.owner == 0 and second.owner
