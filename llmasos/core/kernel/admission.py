"""Who may use the engine at the same time: as many as its cells hold; the others wait in a queue that has an end.

Without it a request that finds no cells would fail in the middle. What a request will need at most is known before it
begins, so it waits instead; and who would wait for ever is told at once that the model is busy.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from llmasos.core.base.errors import SyscallError
from llmasos.core.kernel.process import Process

QUEUE = 256
"""Requests that may wait."""
_RANK = {"interactive": 0, "normal": 1, "background": 2}


@dataclass(order=True)
class _Waiting:
    rank: int
    number: int
    need: int = field(compare=False)
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
        self._reserved = [0]
        """In each pool."""
        self.running = 0

    @asynccontextmanager
    async def admit(self, process: Process, need: int, capacity: int, pools: int = 1) -> AsyncIterator[None]:
        """Hold so many cells while the body runs; waits until they are free.

        Args:
            process: Who asks.
            need: Cells, of one pool.
            capacity: Cells there are in each pool. A request that needs more than that is admitted once nobody else
                runs.
            pools: How many there are.

        Raises:
            SyscallError: EBUSY, too many wait already.
        """
        self._capacity = capacity
        self._reserved += [0] * (pools - len(self._reserved))
        pool = await self._wait(process, need) if self._waiting or not self._fits(need) else self._take(need)
        try:
            yield
        finally:
            self._give_back(pool, need)
            self._let_in()

    @property
    def reserved(self) -> int:
        """Cells that are held in the pool of which most are."""
        return max(self._reserved)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(not one.admitted.done() for one in self._waiting)

    async def _wait(self, process: Process, need: int) -> int:
        if self.waiting >= self._queue:
            raise SyscallError("EBUSY", f"The model is busy: {self.waiting} requests wait already.", "Try again later.")
        me = _Waiting(_RANK[process.priority], next(self._numbers), need, asyncio.get_running_loop().create_future())
        heapq.heappush(self._waiting, me)
        self._let_in()  # who came first may be of a lower class
        try:
            return await me.admitted
        except asyncio.CancelledError:
            if me.admitted.done() and not me.admitted.cancelled():  # admitted and cancelled in the same moment
                self._give_back(me.admitted.result(), need)
            self._let_in()
            raise

    def _let_in(self) -> None:
        while self._waiting:
            first = self._waiting[0]
            if not first.admitted.done():
                if not self._fits(first.need):
                    return
                first.admitted.set_result(self._take(first.need))
            heapq.heappop(self._waiting)

    def _fits(self, need: int) -> bool:
        return not self.running or (self.running < self._places and min(self._reserved) + need <= self._capacity)

    def _take(self, need: int) -> int:
        """Reserve in the pool where the fewest are; which one that is."""
        self.running += 1
        pool = self._reserved.index(min(self._reserved))
        self._reserved[pool] += need
        return pool

    def _give_back(self, pool: int, need: int) -> None:
        self.running -= 1
        self._reserved[pool] -= need
