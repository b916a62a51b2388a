"""An OpenAI-compatible server that plays a script: well, and in every way that a server can fail."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from llmasos.core.engine.openai.address import Address

Play = Callable[["Wire"], Awaitable[None]]


@dataclass
class Request:
    """What was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def messages(self) -> list[dict[str, str]]:
        return list(self.body["messages"])

    @property
    def last(self) -> str:
        """What the user said last."""
        return self.messages[-1]["content"]


class Wire:
    """One connection, after its request was read."""

    def __init__(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self.gone = asyncio.Event()
        """Set when the client has closed the connection."""
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def head(self, status: int = 200, kind: str = "text/event-stream", headers: Mapping[str, str] = {}) -> None:
        """The beginning of an answer that ends with the connection."""
        lines = {"Content-Type": kind, "Connection": "close", **headers}
        told = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        await self.send(f"HTTP/1.1 {status} Whatever\r\n{told}\r\n".encode())

    async def event(self, value: Any) -> None:
        data = value if isinstance(value, str) else json.dumps(value)
        await self.send(f"data: {data}\n\n".encode())

    async def token(self, text: str, **more: Any) -> None:
        await self.event({"choices": [{"index": 0, "delta": {"content": text, **more}, "finish_reason": None}]})

    async def finish(self, reason: str = "stop", usage: Mapping[str, Any] | None = None) -> None:
        await self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        if usage:
            await self.event({"choices": [], "usage": usage})
        await self.event("[DONE]")

    async def hang(self) -> None:
        """Until the client goes."""
        while not self._reader.at_eof():
            with contextlib.suppress(ConnectionError):
                await self._reader.read(1)
        self.gone.set()


@dataclass
class ScriptedServer:
    """Plays what it is told to, one play a request, the last one again and again.

    Attributes:
        plays: What it does.
        models: What `/models` lists; None has no such path.
        requests: All that was asked of it except for that list.
        wires: Their connections.
    """

    plays: Sequence[Play]
    models: Sequence[str] | None = ("tiny",)
    port: int = 0
    scheme: str = "http"
    asked_models: int = 0
    requests: list[Request] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    open: int = 0
    most: int = 0
    """The most connections that were open at a time."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def said(self) -> str:
        return f"openai:{self.scheme}://127.0.0.1:{self.port}/v1/tiny"

    @property
    def address(self) -> Address:
        return Address.parse(self.said)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so of requests and connections."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read(reader)
            wire = Wire(request, reader, writer)
            if request.path == "/v1/models":
                self.asked_models += 1
                rows = [{"id": name, "object": "model"} for name in self.models or ()]
                await answers(200 if self.models is not None else 404, {"object": "list", "data": rows})(wire)
                return
            self.requests.append(request)
            self.wires.append(wire)
            self.open += 1
            self.most = max(self.most, self.open)
            self._changed.set()
            try:
                await self.plays[min(len(self.requests), len(self.plays)) - 1](wire)
            finally:
                self.open -= 1
                self._changed.set()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()


@asynccontextmanager
async def served(
    *plays: Play, models: Sequence[str] | None = ("tiny",), trust: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedServer]:
    """A server on this machine while the body runs."""
    played = ScriptedServer(plays or (says("Fine."),), models, scheme="https" if trust else "http")
    working: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(played.serve(reader, writer))
        working.add(task)
        task.add_done_callback(working.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=trust)
    played.port = server.sockets[0].getsockname()[1]
    try:
        yield played
    finally:
        server.close()
        for task in working:
            task.cancel()
        if working:
            await asyncio.wait(working)


@contextmanager
def served_aside(*plays: Play, models: Sequence[str] | None = ("tiny",)) -> Iterator[ScriptedServer]:
    """The same in a thread of its own, for programs that aren't asyncio and for other processes."""
    ready, over = threading.Event(), threading.Event()
    found: list[ScriptedServer] = []

    async def work() -> None:
        async with served(*plays, models=models) as server:
            found.append(server)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    try:
        ready.wait()
        yield found[0]
    finally:
        over.set()
        thread.join()


def says(*texts: str, reason: str = "stop", usage: Mapping[str, Any] | None = None) -> Play:
    """An answer in pieces."""

    async def play(wire: Wire) -> None:
        await wire.head()
        for text in texts:
            await wire.token(text)
        await wire.finish(reason, usage)

    return play


def answers(status: int, body: Any = "", *, kind: str = "application/json", **headers: str) -> Play:
    """A whole answer with a length; `retry_after` is `Retry-After`."""
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}

    async def play(wire: Wire) -> None:
        await wire.head(status, kind, {"Content-Length": str(len(data)), **named})
        await wire.send(data)

    return play


def sends(*parts: bytes, hangs: bool = False) -> Play:
    """Raw bytes, then the connection ends, or doesn't."""

    async def play(wire: Wire) -> None:
        for part in parts:
            await wire.send(part)
        if hangs:
            await wire.hang()

    return play


def streams(*data: str, hangs: bool = False) -> Play:
    """A stream of raw lines, as they stand."""

    async def play(wire: Wire) -> None:
        await wire.head()
        for part in data:
            await wire.send(part.encode())
        if hangs:
            await wire.hang()

    return play


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, json.loads(body) if body else None)
