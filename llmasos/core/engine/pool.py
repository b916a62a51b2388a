"""Engines beside the two that are always there: one for each adapter or further model that somebody uses just now."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from llmasos.core.engine.base import Engine
from llmasos.core.engine.slot import EngineSlot

OPEN = 4
"""Engines that stay open while nobody uses them. They share the weights; each has cells of its own."""


class EnginePool:
    """Opens engines by name, and closes those that were used longest ago.

    Args:
        load: Makes the engine of a name.
        most: How many stay open unused.
    """

    def __init__(self, load: Callable[[str], Awaitable[Engine]], most: int = OPEN) -> None:
        self._load = load
        self._most = most
        self._slots: OrderedDict[str, EngineSlot] = OrderedDict()
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def use(self, name: str) -> AsyncIterator[Engine]:
        """The engine of a name, kept open as long as the block lasts.

        Raises:
            ModelError: It can't be loaded; it is tried again by whoever asks next.
        """
        slot = self.slot(name)
        self._users[name] = self._users.get(name, 0) + 1
        try:
            try:
                engine = await slot.get()
            except BaseException:
                if self._slots.get(name) is slot and slot.loaded is None and self._users[name] == 1:
                    del self._slots[name]
                raise
            yield engine
        finally:
            self._users[name] -= 1
            await self._close_unused()

    def slot(self, name: str) -> EngineSlot:
        """The slot of a name, as the one that was used last."""
        if name not in self._slots:
            self._slots[name] = EngineSlot(lambda: self._load(name), name)
        self._slots.move_to_end(name)
        return self._slots[name]

    @property
    def open(self) -> list[str]:
        """The names of those that are loaded, the one that was used longest ago first."""
        return [name for name, slot in self._slots.items() if slot.loaded]

    async def shutdown(self) -> None:
        """Stop all of them."""
        slots, self._slots = list(self._slots.values()), OrderedDict()
        for slot in slots:
            await slot.shutdown()

    async def _close_unused(self) -> None:
        unused = [name for name in self.open if not self._users.get(name)]
        for name in unused[: max(0, len(unused) - self._most)]:
            await self._slots.pop(name).shutdown()


class Pooled:
    """A pool's engine of one name, for who asks a slot for its engine.

    Args:
        pool: Where it is opened.
        name: Its name.
    """

    def __init__(self, pool: EnginePool, name: str) -> None:
        self._pool = pool
        self._name = name

    async def get(self) -> Engine:
        """The engine, loaded; it stays open while somebody is in `EnginePool.use`.

        Raises:
            ModelError: It can't be.
        """
        return await self._pool.slot(self._name).get()
