"""A process of its own for one text: seen in `ps`, and killed without killing who asked for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llmasos.core.kernel.process import Process, ProcessTable
from llmasos.core.kernel.trap import Caller


@asynccontextmanager
async def aside(processes: ProcessTable, caller: Caller, name: str) -> AsyncIterator[Process]:
    """A child of the caller's process, as long as the block lasts."""
    process = processes.spawn(caller.process, name=name, program="words", priority=caller.process.priority)
    try:
        yield process
    finally:
        await processes.exit(process)
        if caller.process.alive:
            await processes.wait(caller.process, process.pid)
