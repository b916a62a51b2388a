"""The context switch: which processes' contexts are live in the engine, and which wait in swap.

A live context costs cells, and every cell in use slows every step of everybody. So only what runs, and what was used
last, stays live; the rest is saved (its KV state, 22.5 KiB a token for the default model), sealed and put into swap,
and brought back when its process runs again. A context that can't be brought back is computed anew from its text.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from llmasos.core.base.errors import EngineError, StateError
from llmasos.core.engine.base import Engine, LiveSequence
from llmasos.core.kernel.process import Process, ProcessTable, State
from llmasos.core.kernel.swap import Swap

log = logging.getLogger(__name__)

RESIDENT = 2048
"""Tokens of idle contexts that stay live."""
_IDLE = (State.WAITING, State.STOPPED)


class Pager:
    """Brings contexts in and out. Only the kernel's event loop uses it.

    Args:
        table: The processes.
        swap: Where contexts wait; None lets idle contexts go, to be computed anew.
        resident: Tokens of idle contexts that stay live.
    """

    def __init__(self, table: ProcessTable, swap: Swap | None = None, *, resident: int = RESIDENT) -> None:
        self._table = table
        self._swap = swap
        self._resident = resident
        self._live: OrderedDict[int, Process] = OrderedDict()  # least recently used first
        self._going: dict[int, asyncio.Event] = {}
        table.leaving.append(self._forget)

    def used(self, process: Process) -> None:
        """A process's context is in use."""
        self._live[process.pid] = process
        self._live.move_to_end(process.pid)

    async def bring_in(self, process: Process, engine: Engine) -> LiveSequence | None:
        """A process's context, live: what it has, or what it has in swap; None where it must be computed."""
        if process.pid in self._going:
            await self._going[process.pid].wait()
        if process.sequence is not None and process.engine is engine:
            return process.sequence
        if self._swap is None or not process.swapped_bytes:
            return None
        data = await asyncio.to_thread(self._swap.get, process.pid)
        self._forget(process)
        if process.state is State.SWAPPED:
            process.move(State.READY)
        live = None
        if data is not None:
            live = await self._restored(data, engine, process)
            self._swap.used(data)
        if live is None:
            return None
        if not process.alive:
            await engine.close(live)
            return None
        self._table.attach(process, engine, live)
        process.page_ins += 1
        self.used(process)
        return live

    async def put_out(self, process: Process) -> bool:
        """Free an idle process's cells; its context goes into swap. False where it isn't idle."""
        if process.state not in _IDLE or process.pid in self._going:
            return False
        self._live.pop(process.pid, None)
        taken = self._table.detach(process)
        if taken is None:
            return False
        engine, sequence = taken
        gone = self._going[process.pid] = asyncio.Event()
        try:
            if self._swap and engine.capabilities.save and sequence.tokens:
                state = await engine.save(sequence)
                if await asyncio.to_thread(self._swap.put, process.pid, state) and process.alive:
                    process.swapped_bytes = len(state)
                    process.page_outs += 1
                    if process.state is State.WAITING:
                        process.move(State.SWAPPED)
                else:
                    self._swap.drop(process.pid)
        except EngineError as error:
            log.warning("a context is computed anew: %s", error)
        finally:
            try:
                await engine.close(sequence)
            finally:
                del self._going[process.pid]
                gone.set()
        return True

    async def make_room(self, sparing: int, *, beside: bool = False) -> bool:
        """Put the longest idle context out, but not one process's; False where there is none.

        Args:
            sparing: The process.
            beside: Only one that is where that process was promised cells.
        """
        for pid, process in list(self._live.items()):
            if pid != sparing and (not beside or _is_beside(process, sparing)) and await self.put_out(process):
                return True
        return False

    async def settle(self, room: int, sparing: int) -> None:
        """Put out what is idle beyond what may stay live; what others put out just now is gone too then.

        Args:
            room: Tokens that there is room for beside what runs.
            sparing: The process that is about to run.
        """
        idle = [p for p in self._live.values() if p.state in _IDLE and p.sequence and p.pid != sparing]
        beside = [p for p in idle if _is_beside(p, sparing)]
        tokens = sum(map(_slowing, idle))
        taken = sum(map(_taken, beside))
        for process in idle:
            too_slow, in_the_way = tokens > self._resident, taken > room and process in beside
            if too_slow or in_the_way:
                tokens -= _slowing(process)
                taken -= _taken(process) if process in beside else 0
                await self.put_out(process)
        for going in list(self._going.values()):
            await going.wait()

    async def release(self, process: Process) -> None:
        """Let a process's context go for good."""
        self._live.pop(process.pid, None)
        self._forget(process)
        taken = self._table.detach(process)
        if taken:
            engine, sequence = taken
            await engine.close(sequence)

    async def _restored(self, data: memoryview, engine: Engine, process: Process) -> LiveSequence | None:
        while True:
            try:
                return await engine.restore(data, owner=process.pid)
            except EngineError as error:
                if isinstance(error, StateError) or not await self.make_room(process.pid):
                    log.warning("a context is computed anew: %s", error)
                    return None

    def _forget(self, process: Process) -> None:
        """Nothing of a process stays in swap."""
        if not process.alive:
            self._live.pop(process.pid, None)
        process.swapped_bytes = 0
        if self._swap:
            self._swap.drop(process.pid)


def _is_beside(process: Process, owner: int) -> bool:
    """Whether a process's context is where an owner was promised cells."""
    engine, sequence = process.engine, process.sequence
    return engine is not None and sequence is not None and engine.beside(owner, sequence)


def _taken(process: Process) -> int:
    """Cells that an idle process keeps from others."""
    engine, sequence = process.engine, process.sequence
    if engine is None or sequence is None:
        return 0
    return engine.n_ctx if engine.capabilities.own_cells else len(sequence.tokens)


def _slowing(process: Process) -> int:
    """Cells of an idle process that every step of others reads."""
    return 0 if process.engine and process.engine.capabilities.own_cells else _taken(process)
