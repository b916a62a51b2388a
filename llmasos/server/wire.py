"""One connection: requests are read within bounds, and what is under way ends when its client leaves.

h11 knows HTTP/1.1; here are the limits of time and size that it doesn't set, and the sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import h11

from llmasos.server.trouble import Trouble

BODY = 4 << 20
"""Bytes of a request's body at most."""
HEAD = 16 << 10
"""Bytes of its head."""
HEAD_SECONDS, BODY_SECONDS, IDLE_SECONDS, WRITE_SECONDS = 15.0, 60.0, 75.0, 30.0
"""For a first head, for a body, from one request to the next, and until a client takes what is written."""
LINGER_SECONDS = 2.0
"""How long a client that is still sending what nobody wants may take to read why."""
_PIECE = 1 << 16
_PLAIN = (("cache-control", "no-store"), ("x-content-type-options", "nosniff"))


@dataclass(frozen=True, slots=True)
class Head:
    """What a request begins with; names of headers in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]


class Reply:
    """How a request is answered: once with JSON, or with events as they come.

    Attributes:
        status: What was answered; 0 where nothing was yet.
    """

    def __init__(self, send: Callable[[h11.Event], Awaitable[None]]) -> None:
        self._send = send
        self.status = 0

    async def json(
        self, value: Any, status: int = 200, headers: Iterable[tuple[str, str]] = (), *, last: bool = False
    ) -> None:
        """The whole answer; `last` closes the connection after it."""
        body = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        said = [("content-type", "application/json"), ("content-length", str(len(body))), *_PLAIN, *headers]
        self.status = status
        await self._send(h11.Response(status_code=status, headers=said + [("connection", "close")] * last))
        await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())

    async def event(self, data: str) -> None:
        """One server-sent event (HTML standard, 9.2); the first one begins the answer."""
        if not self.status:
            self.status = 200
            head = [("content-type", "text/event-stream; charset=utf-8"), *_PLAIN]
            await self._send(h11.Response(status_code=200, headers=head))
        await self._send(h11.Data(data=f"data: {data}\n\n".encode("utf-8", "replace")))

    async def end(self) -> None:
        """No further events."""
        await self._send(h11.EndOfMessage())


class Service(Protocol):
    """What answers requests."""

    def check(self, head: Head) -> None:
        """Refuse a request before its body is read.

        Raises:
            Trouble: It is refused.
        """

    async def answer(self, head: Head, body: bytes, reply: Reply) -> None:
        """Answer one.

        Raises:
            Trouble: It can't be done; nothing was answered yet.
        """


class Gone(Exception):
    """The client has left, or doesn't read."""


class Connection:
    """Serves a connection until it ends.

    Args:
        reader: From the client.
        writer: To it.
        service: What answers.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, service: Service) -> None:
        self._reader = reader
        self._writer = writer
        self._service = service
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD)

    async def run(self) -> None:
        """Answer request after request."""
        first = True
        try:
            while await self._one(HEAD_SECONDS if first else IDLE_SECONDS):
                first = False
                self._http.start_next_cycle()
        except (Gone, OSError, TimeoutError):
            pass  # nobody is there to be told
        finally:
            self._writer.close()

    async def _one(self, seconds: float) -> bool:
        """Read and answer one request; whether another may come."""
        reply = Reply(self._send)
        try:
            head = await self._head(seconds)
            if head is None:
                return False
            self._service.check(head)
            body = await self._body(head)
            await self._answered(head, body, reply)
        except h11.RemoteProtocolError as error:
            status = error.error_status_hint if 400 <= error.error_status_hint < 500 else 400
            await self._refused(Trouble(status, "That is no HTTP request that is understood here.", "bad_http"), reply)
        except Trouble as trouble:
            await self._refused(trouble, reply)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _head(self, seconds: float) -> Head | None:
        async with asyncio.timeout(seconds):
            event = await self._next()
        if not isinstance(event, h11.Request):
            return None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
        path = event.target.decode("latin-1").partition("?")[0]
        return Head(event.method.decode("latin-1"), path, headers)

    async def _body(self, head: Head) -> bytes:
        said = head.headers.get("content-length", "0")
        if int(said) > BODY:  # h11 has seen that it is a number
            raise _too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while isinstance(event := await self._next(), h11.Data):
                    body += event.data
                    if len(body) > BODY:
                        raise _too_large()
        except TimeoutError:
            raise Trouble(408, f"The request's body didn't come in {BODY_SECONDS:g} seconds.", "timeout") from None
        if not isinstance(event, h11.EndOfMessage):
            raise Gone
        return bytes(body)

    async def _answered(self, head: Head, body: bytes, reply: Reply) -> None:
        """Let the service answer; whoever leaves meanwhile isn't worked for any more."""
        work = asyncio.ensure_future(self._service.answer(head, body, reply))
        leaves = asyncio.ensure_future(self._left())
        try:
            await asyncio.wait({work, leaves}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise Gone
        finally:
            work.cancel()
            leaves.cancel()
            await asyncio.wait({work, leaves})
        if work.cancelled():
            raise Gone
        work.result()

    async def _left(self) -> None:
        """Wait until the client leaves; what it sends meanwhile is its next request, of which a piece is kept."""
        kept = 0
        with contextlib.suppress(OSError):
            while data := await self._reader.read(_PIECE):
                kept += len(data)
                self._http.receive_data(data)
                if kept > HEAD:
                    await asyncio.Event().wait()

    async def _next(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self._reader.read(_PIECE))
        return event

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if not data:
            return
        self._writer.write(data)
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._writer.drain()
        except (TimeoutError, OSError):
            self._writer.transport.abort()
            raise Gone from None

    async def _refused(self, trouble: Trouble, reply: Reply) -> None:
        """Say why; a client that is still sending gets a moment to read it."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE) or reply.status:
            raise Gone
        unread = trouble.closes or self._http.their_state is not h11.DONE
        await reply.json(trouble.body(), trouble.status, trouble.headers, last=unread)
        if unread:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    while await self._reader.read(_PIECE):
                        pass


def _too_large() -> Trouble:
    return Trouble(413, f"The request's body is larger than {BODY >> 20} MiB.", "body_too_large")
