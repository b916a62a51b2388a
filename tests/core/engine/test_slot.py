"""An engine that loads behind the prompt, and again where it has died."""

from __future__ import annotations

import asyncio

import pytest

from llmasos.core.base.errors import ModelError
from llmasos.core.engine.base import Engine
from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.core.engine.slot import EngineSlot


class Loader:
    """Makes engines, and can fail."""

    def __init__(self) -> None:
        self.made: list[ScriptedEngine] = []
        self.error: ModelError | None = None

    async def __call__(self) -> Engine:
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        self.made.append(ScriptedEngine())
        return self.made[-1]


async def test_it_is_loaded_once_for_all_who_wait() -> None:
    loader = Loader()
    slot = EngineSlot(loader, "model")
    assert slot.loaded is None
    engines = await asyncio.gather(*(slot.get() for _ in range(5)))
    assert {id(engine) for engine in engines} == {id(loader.made[0])}
    assert slot.loaded is loader.made[0]


async def test_one_that_has_died_is_loaded_again_once() -> None:
    loader = Loader()
    slot = EngineSlot(loader, "model")
    first = await slot.get()
    loader.made[0].alive = False
    engines = await asyncio.gather(*(slot.get() for _ in range(5)))
    assert len(loader.made) == 2
    assert all(engine is loader.made[1] for engine in engines)
    assert first is not loader.made[1]


async def test_where_its_file_has_gone_everybody_is_told() -> None:
    loader = Loader()
    slot = EngineSlot(loader, "model")
    await slot.get()
    loader.made[0].alive = False
    loader.error = ModelError("There is no model.")
    for _ in range(2):
        with pytest.raises(ModelError, match="no model"):
            await slot.get()
    assert slot.loaded is None


async def test_at_the_end_nothing_is_loaded_again() -> None:
    loader = Loader()
    slot = EngineSlot(loader, "model")
    await slot.get()
    await slot.shutdown()
    loader.made[0].alive = False
    assert await slot.get() is loader.made[0]
    assert len(loader.made) == 1
