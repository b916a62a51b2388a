"""Slow work off the event loop, which ends before its caller does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[threading.Event], T]) -> T:
    """Run something in a thread. On a kill or Ctrl-C it is asked to stop and waited for.

    A thread can't be cancelled; if it were left alone, a copy would appear after the person was told that it
    was stopped.

    Args:
        work: Called with the event that asks it to stop.
    """
    stop = threading.Event()
    task = asyncio.create_task(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # taken, so that it isn't reported as never retrieved
        raise
