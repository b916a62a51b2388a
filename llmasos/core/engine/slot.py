"""An engine that loads behind the prompt: whoever needs it waits, nobody else does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from llmasos.core.engine.base import Engine

log = logging.getLogger(__name__)


class HasEngine(Protocol):
    """Where an engine comes from."""

    async def get(self) -> Engine:
        """The engine, loaded.

        Raises:
            ModelError: It can't be.
        """


class EngineSlot:
    """Holds an engine that is loaded once, and again should it die.

    Args:
        load: Makes the engine; called at the first `start` or `get`.
        name: What is loaded, for the toolbar.
    """

    def __init__(self, load: Callable[[], Awaitable[Engine]], name: str) -> None:
        self._load = load
        self._task: asyncio.Task[Engine] | None = None
        self._ended = False
        self.name = name

    def start(self) -> None:
        """Begin loading in the background; an error is kept for whoever gets the engine."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._load())
            self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def get(self) -> Engine:
        """The engine, loaded; one that has died is loaded again.

        Raises:
            ModelError: It can't be loaded; said again to everybody who asks.
        """
        if self.loaded and not self.loaded.alive and not self._ended:
            log.error("the engine %s has died; it is loaded again", self.name)
            self._task = None
        self.start()
        assert self._task is not None
        return await asyncio.shield(self._task)

    @property
    def loaded(self) -> Engine | None:
        """The engine if it is there already."""
        task = self._task
        return task.result() if task and task.done() and not task.cancelled() and not task.exception() else None

    async def shutdown(self) -> None:
        """Stop loading, or stop the engine."""
        self._ended = True
        if self._task is None:
            return
        if not self._task.done():
            await asyncio.wait([self._task])
        if self.loaded:
            await self.loaded.shutdown()
