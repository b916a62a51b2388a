"""Work in a thread that nothing waits for when the program ends: a name that isn't found can take half a minute."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

from llmasos.services.calendars.address import Unreachable

T = TypeVar("T")


class _Socket(Protocol):
    def shutdown(self, how: int, /) -> None: ...


class Stop:
    """Ends requests that are under way in another thread."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._open: _Socket | None = None

    def set(self) -> None:
        """End them."""
        self.event.set()
        if self._open is not None:
            try:
                self._open.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has just ended by itself

    def watch_nothing(self) -> None:
        """None is open any more."""
        self._open = None

    def watch(self, connection: _Socket | None) -> None:
        """The connection that is open now."""
        self._open = connection
        if self.event.is_set():
            raise Unreachable("It was stopped.")


async def in_background(work: Callable[[Stop], T]) -> T:
    """Run something in a daemon thread; it is told to stop where nobody waits any more.

    Args:
        work: Called with what stops it.
    """
    loop, stop = asyncio.get_running_loop(), Stop()
    done: asyncio.Future[T] = loop.create_future()

    def finish(value: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(value)  # type: ignore[arg-type]  # where there is no error there is a value

    def run() -> None:
        value, error = None, None
        try:
            value = work(stop)
        except BaseException as raised:  # noqa: BLE001  handed to who waits
            error = raised
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(finish, value, error)

    threading.Thread(target=run, name="calendar", daemon=True).start()
    try:
        return await done
    except asyncio.CancelledError:
        stop.set()
        raise
