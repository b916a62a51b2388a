"""`llmasos serve`: the kernel in this program, with a server at its side until a signal ends both."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from llmasos.client import Client, attach
from llmasos.client.local import LocalClient
from llmasos.compose import Machine
from llmasos.core.base.errors import UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.session import Nobody
from llmasos.server.access import Access, listen, names_for, read_key
from llmasos.server.api import Api
from llmasos.server.catalogue import ALIAS, speakers
from llmasos.server.trouble import BUSY_SECONDS, Trouble
from llmasos.server.wire import HEAD, Connection, Head, Reply

HOST, PORT = "127.0.0.1", 8317
CONNECTIONS = 512
"""Clients at a time; more than requests that may wait for the model, which has its own limit."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens, and with which key.

    Attributes:
        host: A name or address of this machine.
        port: 0 takes a free one.
        key_file: Holds the key that clients must have; None where they need none.
    """

    host: str = HOST
    port: int = PORT
    key_file: Path | None = None


class _Full:
    """Sends everybody away."""

    def check(self, head: Head) -> None:
        """Too many are here."""
        what = f"{CONNECTIONS} clients are connected already. Try again later."
        raise Trouble(429, what, "rate_limit_exceeded", retry_after=BUSY_SECONDS, closes=True)

    async def answer(self, head: Head, body: bytes, reply: Reply) -> None:
        """Nothing else is ever said."""
        self.check(head)


@contextlib.asynccontextmanager
async def serving(machine: Machine, listening: socket.socket, access: Access) -> AsyncIterator[asyncio.Event]:
    """A server for a machine as long as the block lasts; the event is set where its process is ended."""
    served = machine.served()
    api = Api(served, access, speakers(machine.settings), machine.embedder.name)
    open_now: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        full = len(open_now) >= CONNECTIONS
        open_now.add(task)
        try:
            await Connection(reader, writer, _Full() if full else api).run()
        except asyncio.CancelledError:
            pass  # the server ends; asyncio would report a task that was cancelled as a defect
        finally:
            open_now.discard(task)

    server = await asyncio.start_server(connected, sock=listening, limit=HEAD)
    try:
        yield served.process.ended
    finally:
        server.close()
        for task in open_now:
            task.cancel()
        if open_now:
            await asyncio.wait(open_now)
        await served.close()


async def run_serve(
    settings: Settings, place: Place, *, ask: Callable[[str], str] | None, announce: Callable[[Client], None]
) -> int:
    """Serve until a signal, `llmasos down` or the end of the server's process.

    Args:
        settings: Which home, which model.
        place: Where.
        ask: Asks for the passphrase of a home that has one.
        announce: Tells what a start has to say.

    Raises:
        UsageError: Another program carries the home; or the place is none.
        LlmasosError: The port is taken.
    """
    key = read_key(place.key_file)
    listening, stays = listen(place.host, place.port, key)
    with listening:
        stop = asyncio.Event()
        client = await attach(settings, Path("/"), Nobody(), ask=ask, end=stop.set)
        try:
            if not isinstance(client, LocalClient):
                raise UsageError(
                    f"The kernel of {settings.home} runs in another program (process {client.owner}).",
                    "End that ('llmasos down', or leave its shell): shells join the server's kernel. Or take another "
                    "--home.",
                )
            announce(client)
            client.machine.speech.start()
            await client.machine.keep_jobs()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            access = Access(key, names_for(place.host, stays=stays))
            async with serving(client.machine, listening, access) as killed:
                print(_line(listening, has_key=bool(key)), flush=True)
                ends = [asyncio.ensure_future(event.wait()) for event in (stop, killed)]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for end in ends:
                    end.cancel()
        finally:
            await client.close()
    return 0


def _line(listening: socket.socket, *, has_key: bool) -> str:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    key = "the key in your file" if has_key else "any text"
    return (
        f"llmasos serves at http://{shown}:{port}/v1 - "
        f"point an OpenAI client there: base_url, api_key={key}, model={ALIAS!r}. Ctrl-C ends it."
    )
