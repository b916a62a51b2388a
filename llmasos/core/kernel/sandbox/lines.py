"""The kernel's end of a child's channel: lines out, and one line at a time back.

asyncio's streams do the same for anybody; this does it for one who waits for one answer, in a third of the calls. Where
each call has a fresh child, all of them meet cold caches.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, cast


class Lines(asyncio.Protocol):
    """One channel.

    Args:
        limit: Bytes of a line that it takes; of a longer one nothing more is read.

    Attributes:
        ended: Whether the child closed its end.
        closed: Done when the channel is closed for good.
    """

    def __init__(self, limit: int) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._limit = limit
        self._got = bytearray()
        self._waiting: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport
        self.ended = False
        self.closed: asyncio.Future[None] = loop.create_future()

    def write(self, line: bytes) -> None:
        """Send a line; what doesn't get through at once waits in memory, which is one message at most."""
        self._transport.write(line)

    async def line(self, seconds: float) -> bytes:
        """The next line, with its end.

        Raises:
            TimeoutError: None came in time.
            EOFError: The child closed its end.
            OverflowError: It is longer than the limit.
        """
        late = None
        while (at := self._got.find(b"\n")) < 0:
            if len(self._got) >= self._limit:
                raise OverflowError
            if self.ended:
                raise EOFError
            self._waiting = self._loop.create_future()
            late = late or self._loop.call_later(seconds, self._too_late)
            try:
                await self._waiting
            except BaseException:
                late.cancel()
                raise
            finally:
                self._waiting = None
        if late:
            late.cancel()
        line = bytes(self._got[: at + 1])
        del self._got[: at + 1]
        if len(line) > self._limit:
            raise OverflowError
        return line

    def abort(self) -> None:
        """Close it at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio wants it."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """As asyncio wants it."""
        self._got += data
        if len(self._got) >= self._limit:  # more would only fill the memory
            with contextlib.suppress(RuntimeError):  # it is closing, or paused already
                self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """As asyncio wants it; closes this end too."""
        self.ended = True
        self._wake()
        return False

    def connection_lost(self, error: Any) -> None:
        """As asyncio wants it."""
        self.ended = True
        self._wake()
        if not self.closed.done():
            self.closed.set_result(None)

    def _wake(self) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(None)

    def _too_late(self) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(TimeoutError())
