"""A server over a scripted machine, in the same loop as its clients."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from llmasos.compose import Machine, compose
from llmasos.core.base.settings import Settings
from llmasos.core.engine.scripted import Replies
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.server.access import Access, listen, names_for
from llmasos.server.run import serving


@dataclass
class Running:
    """A server that listens."""

    machine: Machine
    engines: ScriptedEngines
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def client(self, key: str = "any") -> AsyncOpenAI:
        return AsyncOpenAI(base_url=self.url, api_key=key, max_retries=0, timeout=60)

    async def raw(self, data: bytes) -> bytes:
        """What comes back for bytes, until the connection ends."""
        import asyncio

        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        with contextlib.suppress(OSError):
            await writer.drain()
        async with asyncio.timeout(60):
            back = await reader.read()
        writer.close()
        return back


@asynccontextmanager
async def running(machine: Machine, engines: ScriptedEngines, key: str = "") -> AsyncIterator[Running]:
    listening, stays = listen("127.0.0.1", 0, key)
    with listening:
        async with serving(machine, listening, Access(key, names_for("127.0.0.1", stays=stays))):
            yield Running(machine, engines, listening.getsockname()[1])


@asynccontextmanager
async def scripted(
    home: Path,
    says: Replies | Sequence[str] = ("Leaves turn red in autumn.",),
    *,
    key: str = "",
    policy: str = "default",
) -> AsyncIterator[Running]:
    engines = ScriptedEngines(says)
    machine = await compose(Settings(home=home, owner="ada", seed=1, policy=policy), engines=engines)
    try:
        async with running(machine, engines, key) as server:
            yield server
    finally:
        await machine.close()


@pytest.fixture
async def server(home: Path) -> AsyncIterator[Running]:
    async with scripted(home) as server:
        yield server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
