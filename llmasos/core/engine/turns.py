"""Turns by a run queue inside an event loop: what the batcher's thread is to a real engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.base import LiveSequence, RunQueue

_IDLE = 0.02
"""Seconds until a queue that chose nothing is asked again, should nobody call `wake`."""


class Turns:
    """Lets sequences take a step when the run queue selects them.

    Args:
        queue: Whom to ask.
        room: How many may begin something at present, which is no step; None where each turn is one, and all may.
    """

    def __init__(self, queue: RunQueue, room: Callable[[], int] | None = None) -> None:
        self.queue = queue
        self._room = room
        self._waiting: dict[int, tuple[LiveSequence, asyncio.Future[None]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._changed: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rows = 0
        self._first_tokens: list[float] = []

    async def turn(self, sequence: LiveSequence) -> None:
        """Wait until the queue selects this sequence.

        Raises:
            EngineError: The sequence was dropped meanwhile.
        """
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done() or self._loop is not loop:
            self._loop, self._changed = loop, asyncio.Event()
            self._task = loop.create_task(self._run())
        ready: asyncio.Future[None] = loop.create_future()
        self._waiting[sequence.id] = sequence, ready
        self.wake()
        try:
            await ready
        finally:
            self._waiting.pop(sequence.id, None)

    def charge(self, sequence: LiveSequence, tokens: int) -> None:
        """Account for a step."""
        self._rows += tokens
        self.queue.charge(sequence, tokens)

    def begun(self, asked: float) -> None:
        """The first token of an answer that was asked for then (time.monotonic)."""
        self._first_tokens.append(time.monotonic() - asked)

    def drop(self, sequence: LiveSequence, error: EngineError) -> None:
        """Fail whoever waits for this sequence's turn."""
        waiting = self._waiting.pop(sequence.id, None)
        if waiting and not waiting[1].done():
            waiting[1].set_exception(error)

    def wake(self) -> None:
        """Ask the queue again; from any thread."""
        if self._loop and self._changed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    async def _run(self) -> None:
        assert self._changed is not None
        while self._waiting:
            started = time.monotonic()
            chosen = self._select([live for live, _ in self._waiting.values()])
            for live in chosen:
                waiting = self._waiting.pop(live.id, None)
                if waiting and not waiting[1].done():
                    waiting[1].set_result(None)
            if chosen:
                # Twice: once for those who were chosen to go on, once for them to ask for their next turn.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                if self._room is None:
                    self.queue.stepped(len(chosen), self._rows, time.monotonic() - started, self._first_tokens)
                    self._rows, self._first_tokens = 0, []
                continue
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), _IDLE)
            except TimeoutError:
                continue

    def _select(self, waiting: Sequence[LiveSequence]) -> Sequence[LiveSequence]:
        room = len(waiting) if self._room is None else min(self._room(), len(waiting))
        return self.queue.select(waiting, room) if room else ()
