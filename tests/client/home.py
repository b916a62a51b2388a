"""One home in which tests open sessions, as several programs would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from llmasos.client import Client, attach
from llmasos.client.local import LocalClient
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.base.values import done, text
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.session import FrontEnd, Nobody
from llmasos.core.kernel.syscall import syscall
from llmasos.core.kernel.trap import Caller
from tests.seat import reader

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
async def opened(home: Home, count: int) -> AsyncIterator[list[Client]]:
    clients = [await home.open() for _ in range(count)]
    try:
        yield clients
    finally:
        for client in reversed(clients):
            await client.close()


async def until(holds: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while True:
            value = holds()
            if await value if isinstance(value, Awaitable) else value:
                return
            await asyncio.sleep(0.01)


async def titles(client: Client) -> list[str]:
    result = await client.trap(Call("tasks.list"))
    return [row["title"] for row in result.value["items"]]


def guests(client: Client) -> set[Any]:
    """The tasks of the programs that are attached."""
    assert isinstance(client, LocalClient)
    return {p.pid for p in client.machine.kernel.processes if p.program == "shell" and p is not client.process}
