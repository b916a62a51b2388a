"""Waiting for somebody else's machine: never longer than said, and no longer than whoever waits is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, in seconds, and how much at a time.

    Attributes:
        connect: Until a connection stands.
        first: From a request to its first token. Long: a large model on a processor reads a prompt for minutes.
        between: From one token to the next.
        rest: For what follows the last token, and for the words of an error.
        retrying: All pauses of one request together, while the server is busy.
        pauses: How long each is where the server doesn't say; the last one again and again.
        requests: Requests at a time.
    """

    connect: float = 10.0
    first: float = 300.0
    between: float = 60.0
    rest: float = 5.0
    retrying: float = 30.0
    pauses: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    requests: int = 8


LIMITS = Limits()


class TimeUp(Exception):
    """It took longer than it may."""


class Ended(Exception):
    """Whoever waited isn't wanted any more."""


class Patience:
    """The waits of one request, one after the other."""

    def __init__(self) -> None:
        self.ended = False
        self._scope: asyncio.Timeout | None = None

    async def wait(self, work: Coroutine[Any, Any, T], until: float) -> T:
        """The outcome of some work, where it is there by then (the event loop's time).

        Raises:
            TimeUp: It isn't.
            Ended: `end` was called, before or meanwhile.
        """
        if self.ended:
            work.close()
            raise Ended
        scope = self._scope = asyncio.timeout_at(until)
        try:
            async with scope:
                return await work
        except TimeoutError:  # also an error of the network
            if self.ended:
                raise Ended from None
            if scope.expired():
                raise TimeUp from None
            raise
        finally:
            self._scope = None

    def end(self) -> None:
        """End the wait that is under way, and allow no other."""
        self.ended = True
        if self._scope and not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time())
