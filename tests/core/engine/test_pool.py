"""Engines that are opened by name and closed when nobody uses them."""

from __future__ import annotations

import asyncio

import pytest

from llmasos.core.base.errors import ModelError
from llmasos.core.engine.base import Engine
from llmasos.core.engine.pool import EnginePool, Pooled
from llmasos.core.engine.scripted import ScriptedEngine


class Opened:
    """Opens scripted engines, and remembers them."""

    def __init__(self) -> None:
        self.engines: list[ScriptedEngine] = []
        self.broken = False

    async def __call__(self, name: str) -> Engine:
        await asyncio.sleep(0)
        if self.broken:
            raise ModelError("It can't be loaded.")
        self.engines.append(ScriptedEngine(name=name))
        return self.engines[-1]


async def test_an_engine_is_opened_once_and_shared() -> None:
    opened = Opened()
    pool = EnginePool(opened)

    async def use() -> Engine:
        async with pool.use("a") as engine:
            await asyncio.sleep(0)
            return engine

    first, second = await asyncio.gather(use(), use())
    assert first is second
    assert await Pooled(pool, "a").get() is first
    assert len(opened.engines) == 1


async def test_those_that_were_used_longest_ago_are_closed() -> None:
    pool = EnginePool(Opened(), most=2)
    for name in ("a", "b", "a", "c"):
        async with pool.use(name):
            pass
    assert pool.open == ["a", "c"]


async def test_none_is_closed_while_it_is_used() -> None:
    opened = Opened()
    pool = EnginePool(opened, most=1)
    async with pool.use("a") as engine:
        for name in ("b", "c"):
            async with pool.use(name):
                pass
        sequence = await engine.open()
        assert [piece.text async for piece in engine.generate(sequence, engine.tokenize("x"))]
        assert "a" in pool.open
    async with pool.use("d"):
        pass
    assert pool.open == ["d"]


async def test_one_that_could_not_be_opened_is_tried_again() -> None:
    opened = Opened()
    opened.broken = True
    pool = EnginePool(opened)
    with pytest.raises(ModelError):
        async with pool.use("a"):
            pass
    opened.broken = False
    async with pool.use("a") as engine:
        assert engine.name == "a"


async def test_the_end_closes_all() -> None:
    pool = EnginePool(Opened())
    async with pool.use("a") as engine:
        pass
    await pool.shutdown()
    assert pool.open == []
    with pytest.raises(Exception, match=r"stopped|shut|closed"):
        await engine.open()
