"""One request over HTTP/1.1 and its answer, as it comes; the connection ends with it.

No redirect is followed, no proxy asked, nothing kept: words and key go to the host that was named and nowhere else.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import h11

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.openai.address import Address, is_private
from llmasos.core.engine.openai.patience import Patience, TimeUp

_AT_ONCE = 65_536


class Broken(Exception):
    """The exchange came to no good end; says why, after "it"."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How an answer begins; header names are in small letters."""

    status: int
    headers: Mapping[str, str]


class Exchange:
    """A request and its answer.

    Args:
        address: Whom to ask.
        patience: How waits end.
        plainly: Whether words may go unencrypted through networks that aren't private.
    """

    def __init__(self, address: Address, patience: Patience, *, plainly: bool = False) -> None:
        self._address = address
        self._patience = patience
        self._plainly = plainly
        self._http = h11.Connection(h11.CLIENT)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self, until: float) -> None:
        """Reach the server; nothing is sent yet, over TLS nothing of ours before its certificate was checked.

        Raises:
            EngineError: It can't be reached, or mustn't be.
        """
        address = self._address
        trust = _trust() if address.scheme == "https" else None
        trouble = "it has no address"
        try:
            look = asyncio.get_running_loop().getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
            found = dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in await self._patience.wait(look, until))
            for numeric in found:
                # What was checked is what is connected to: the name isn't looked up a second time.
                self._check_plain(numeric)
                try:
                    open_ = asyncio.open_connection(
                        numeric,
                        address.port,
                        ssl=trust,
                        server_hostname=address.host.rstrip(".") if trust else None,
                    )
                    self._reader, self._writer = await self._patience.wait(open_, until)
                    return
                except ssl.SSLCertVerificationError as error:
                    what = f"The certificate of {address.authority} doesn't hold: {error.verify_message}."
                    trust_it = "Nothing was sent. Where it is your own, name its authority's file in SSL_CERT_FILE."
                    raise EngineError(what, trust_it) from None
                except OSError as error:
                    trouble = _reason(error)
        except socket.gaierror:
            trouble = "there is no host of that name, or no network"
        except UnicodeError:
            trouble = "its name can't be looked up"
        except TimeUp:
            trouble = "it doesn't answer"
        what = f"The model's server {address.authority} can't be reached: {trouble}."
        raise EngineError(what, "Start it, or name another with --model; 'llmasos doctor' looks again.")

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes, until: float) -> Answer:
        """Send the request and wait for how the answer begins.

        Raises:
            Broken: There is none.
            TimeUp: Not by then.
        """
        assert self._writer is not None
        lines = {
            "Host": self._address.authority,
            "User-Agent": "llmasos",
            "Accept-Encoding": "identity",
            "Connection": "close",
            "Content-Length": str(len(body)),
            **headers,
        }
        request = h11.Request(method=method, target=self._address.path + path, headers=list(lines.items()))
        sent = [self._http.send(event) for event in (request, h11.Data(data=body), h11.EndOfMessage())]
        try:
            self._writer.write(b"".join(part for part in sent if part))
            await self._patience.wait(self._writer.drain(), until)
        except OSError:
            pass  # who refuses without reading on may have answered all the same
        while True:
            event = await self._next(until)
            if isinstance(event, h11.Response):
                told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in event.headers}
                return Answer(event.status_code, told)
            if not isinstance(event, h11.InformationalResponse):
                raise Broken("closed the connection")

    async def read(self, until: float) -> bytes | None:
        """What comes next of the answer; None at its end.

        Raises:
            Broken: It ends before its end.
            TimeUp: Nothing came by then.
        """
        event = await self._next(until)
        if isinstance(event, h11.Data):
            return bytes(event.data)
        if isinstance(event, h11.EndOfMessage):
            return None
        raise Broken("closed the connection")

    async def whole(self, until: float, largest: int) -> bytes:
        """All of the answer.

        Raises:
            Broken: It ends before its end, or is too large.
            TimeUp: It isn't there by then.
        """
        body = b""
        while (part := await self.read(until)) is not None:
            body += part
            if len(body) > largest:
                raise Broken(f"sent more than {largest:,} bytes")
        return body

    def close(self) -> None:
        """End the connection at once, whatever is under way."""
        if self._writer:
            self._writer.transport.abort()

    async def _next(self, until: float) -> h11.Event | type[h11.PAUSED]:
        assert self._reader is not None
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError:
                over = self._reader.at_eof()
                raise Broken("closed the connection" if over else "sent what isn't HTTP") from None
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]  # NEED_DATA isn't narrowed away
            try:
                data = await self._patience.wait(self._reader.read(_AT_ONCE), until)
            except OSError as error:
                raise Broken(f"broke the connection ({_reason(error)})") from None
            self._http.receive_data(data)

    def _check_plain(self, numeric: str) -> None:
        if self._address.scheme == "https" or self._plainly or is_private(numeric):
            return
        host = self._address.authority
        place = "" if numeric in host else f", which is {numeric},"
        raise EngineError(
            f"{host}{place} isn't in a private network, and http:// is unencrypted. Nothing was sent.",
            "Use https://, or set LLMASOS_OPENAI_INSECURE=1 if everybody on the way may read it.",
        )


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"it doesn't speak TLS as it should ({(error.reason or 'unknown').replace('_', ' ').lower()})"
    return os.strerror(error.errno).lower() if error.errno else "the network failed"
