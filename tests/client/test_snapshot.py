"""The system at one moment is told alike here and through the socket."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmasos.client.local import LocalClient
from llmasos.client.snapshot import snapshot
from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import Denied
from llmasos.core.base.types import Call
from llmasos.core.kernel.policy import Policy
from tests.client.home import Home, opened


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's clock stands still, so that a rate is what was computed, however busy the machine is."""
    monkeypatch.setattr("llmasos.compose.SystemClock", lambda: MockClock(datetime(2026, 11, 22, tzinfo=UTC)))


def form(value: Any) -> Any:
    """A value with its figures taken out."""
    if isinstance(value, dict):
        return {name: form(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [form(inner) for inner in value]
    return type(value)


async def talk(client: LocalClient) -> None:
    """So that both engines have worked."""
    await client.trap(Call("character.create", {"name": "Alice"}))
    await client.trap(Call("character.chat", {"name": "Alice", "message": "Hi"}))
    await client.handle("put milk on my list")


async def test_here_and_there_it_has_the_same_form(there: Home) -> None:
    async with opened(there, 2) as (first, second):
        assert isinstance(first, LocalClient)
        await talk(first)
        here, elsewhere = asdict(await snapshot(first)), asdict(await snapshot(second))
        assert form(here) == form(elsewhere)
        assert json.loads(json.dumps(here)) == here
        assert [row["pid"] for row in here["processes"]] == [row["pid"] for row in elsewhere["processes"]]


async def test_it_holds_what_was_done(there: Home) -> None:
    async with opened(there, 2) as (first, second):
        assert isinstance(first, LocalClient)
        before = await snapshot(second)
        assert before.system["interpreting"] == before.system["speech"] == "not loaded yet"
        assert "calls" not in before.system, "to look is no call that is timed"
        await talk(first)
        seen = await snapshot(second)
        assert set(seen.system["calls"]) == {"p50 ms", "p95 ms"}
        for role in ("speech", "interpreting"):
            figures = seen.system[role]
            assert figures["tokens/s"] > 0 and figures["batch"] == 1.0 and figures["queue"] == 0.0
            assert figures["first token p50 ms"] > 0
        assert seen.system["speech"]["cells"] == 65536 and "workspace" not in seen.system
        fastest = seen.processes[0]
        assert (fastest["name"], fastest["program"]) == ("Alice", "character")
        assert fastest["tokens/s"] == fastest["tokens"] > fastest["context"] > 0, "all of it in a first second"
        assert fastest["resident"]


async def test_paging_is_told_where_there_was_any(there: Home) -> None:
    async with opened(there, 2) as (first, second):
        assert isinstance(first, LocalClient)
        listed = (await second.trap(Call("process.list"))).value
        assert "swapped" not in listed["columns"] and listed["items"][0]["swapped"] == 0
        first.process.swapped_bytes, first.process.page_outs = 1024, 1
        listed = (await second.trap(Call("process.list"))).value
        assert listed["columns"][-2:] == ["swapped", "page outs"]
        shown = (await second.trap(Call("process.show", {"pid": first.process.pid}))).value["fields"]
        assert (shown["swapped"], shown["page ins and outs"]) == ("1,024 bytes", "0, 1")


async def test_who_may_not_see_the_processes_sees_no_snapshot(there: Home, tmp_path: Path) -> None:
    closed = tmp_path / "closed.toml"
    closed.write_text(
        'name = "closed"\n[[rule]]\nid = "all"\ndecision = "allow"\n'
        '[[rule]]\nid = "none"\nsyscall = ["process.*"]\ndecision = "deny"\n'
    )
    async with opened(there, 2) as (first, second):
        assert isinstance(first, LocalClient)
        first.machine.kernel.policy = Policy.load(closed)
        with pytest.raises(Denied) as denied:
            await snapshot(second)
        assert denied.value.rule == "none"
