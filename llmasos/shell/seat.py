"""A session for one request or a stream of them, with what a start has to say; and the stream."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable
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
    queue: asyncio.Queue[tuple[T] | None] = asyncio.Queue(maxsize=16)

    def read() -> None:
        with contextlib.suppress(RuntimeError, concurrent.futures.CancelledError):  # nobody waits any more
            for line in lines:
                asyncio.run_coroutine_threadsafe(queue.put((line,)), loop).result()
            asyncio.run_coroutine_threadsafe(queue.put(None), loop).result()

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while (item := await queue.get()) is not None:
        yield item[0]
