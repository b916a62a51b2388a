"""A session for one request or a stream of them, with what a start has to say; and the stream."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TypeVar

from llmasos.client import Client, attach
from llmasos.core.base.settings import Settings, workspace_folder
from llmasos.core.kernel.session import FrontEnd
from llmasos.shell import keys

T = TypeVar("T")


@contextlib.asynccontextmanager
async def session(
    settings: Settings, front: FrontEnd, *, ask: Callable[[str], str] | None = None
) -> AsyncIterator[Client]:
    """A session that ends with the block; `ask` answers for a passphrase instead of the person at the terminal."""
    workspace, fallback = workspace_folder(settings.workspace)
    client = await attach(settings, workspace, front, ask=ask or keys.asker())
    try:
        keys.announce(client)
        if fallback:
            print(f"llmasos: the workspace is {workspace}.", file=sys.stderr)
        yield client
    finally:
        await client.close()


async def each(lines: Iterable[T]) -> AsyncIterator[T]:
    """Lines as they come, read by a thread of its own: while this program waits for one, it serves the others.

    The thread is a daemon, for nothing ends a read but the writer.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[T] | BaseException | None] = asyncio.Queue(maxsize=16)

    def put(item: tuple[T] | BaseException | None) -> None:
        asyncio.run_coroutine_threadsafe(queue.put(item), loop).result()

    def read() -> None:
        last: BaseException | None = None
        with contextlib.suppress(RuntimeError, concurrent.futures.CancelledError):  # nobody waits any more
            try:
                for line in lines:
                    put((line,))
            except OSError as error:
                last = error
            put(last)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while (item := await queue.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item[0]


def stdin_lines() -> Iterator[bytes]:
    """What comes on stdin, line by line; without Python's buffer, whose lock must not be held when the program ends."""
    rest = b""
    while piece := os.read(0, 1 << 16):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line + b"\n" for line in whole)
    if rest:
        yield rest
