"""Who may use the engine at the same time: as many as it can promise cells; the others wait in a queue that has an end.

Without it a request that finds no cells would fail in the middle. What a request will need at most is known before it
begins, so it waits instead; and who would wait for ever is told at once that the model is busy. Whether there are
cells, and where, the engine alone decides: here is only who is asked for next.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from llmasos.core.base.errors import SyscallError
from llmasos.core.engine.base import Engine
from llmasos.core.kernel.process import Process

QUEUE = 256
"""Requests that may wait."""
_RANK = {"interactive": 0, "normal": 1, "background": 2}


@dataclass(order=True)
class _Waiting:
    rank: int
    number: int
    pid: int = field(compare=False)
    engine: Engine = field(compare=False)
    need: int = field(compare=False)
    prompt: Sequence[int] = field(compare=False)
    admitted: asyncio.Future[int] = field(compare=False)


class Admission:
    """Admits requests by what they need; classes first, then in order of arrival.

    Args:
        places: Requests at a time.
        queue: Requests that may wait.
    """

    def __init__(self, places: int, queue: int = QUEUE) -> None:
        self._places = places
        self._queue = queue
        self._waiting: list[_Waiting] = []
        self._numbers = itertools.count()
        self.running = 0

    @asynccontextmanager
    async def admit(
        self, process: Process, engine: Engine, need: int, prompt: Sequence[int] = ()
    ) -> AsyncIterator[int]:
        """Hold an engine's promise of cells while the body runs; waits until it can be given.

        Args:
            process: Who asks.
            engine: Whom.
            need: Cells.
            prompt: What is read first.

        Yields:
            Cells beside them that idle contexts may have.

        Raises:
            SyscallError: EBUSY, too many wait already.
        """
        admitted: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        rank = _RANK[process.priority]
        heapq.heappush(self._waiting, _Waiting(rank, next(self._numbers), process.pid, engine, need, prompt, admitted))
        try:
            self._let_in()
            if self.waiting > self._queue and not admitted.done():
                admitted.cancel()
                waiting = f"The model is busy: {self.waiting} requests wait already."
                raise SyscallError("EBUSY", waiting, "Try again later.")
            yield await admitted
        finally:
            if admitted.done() and not admitted.cancelled():  # perhaps in the moment in which the task was cancelled
                self.running -= 1
                engine.release(process.pid)
            admitted.cancel()
            self._let_in()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(not one.admitted.done() for one in self._waiting)

    def _let_in(self) -> None:
        while self._waiting:
            first = self._waiting[0]
            if not first.admitted.done():
                left = None
                if self.running < self._places:
                    left = first.engine.promise(first.pid, first.need, first.prompt)
                if left is None:
                    return
                self.running += 1
                first.admitted.set_result(left)
            heapq.heappop(self._waiting)
