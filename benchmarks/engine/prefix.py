"""The first token behind a shared prefix that is computed already, against the same prompt with nothing shared."""

from __future__ import annotations

import asyncio
import time

from benchmarks.engine.lab import Prompts, Row, Run, figure, greedy, load, opened, processes, ratios
from llmasos.core.engine.llama import LlamaEngine

OWN = 16


def rows(run: Run) -> list[Row]:
    """The figures."""
    return asyncio.run(_rows(run))


async def _rows(run: Run) -> list[Row]:
    prefix, repetitions = run.of(500, 64), run.of(15, 2)
    model = load()
    prompts = Prompts(model)
    engine = await LlamaEngine.create(model, n_ctx=2048, n_seq=4)
    table = processes(engine)
    card = prompts.fresh(prefix)
    await engine.keep_prefix(card)

    async def first(prompt: list[int]) -> float:
        """Milliseconds until the first token, and how many were computed for it must be as many as said."""
        process, sequence = await opened(table, engine)
        begun = time.perf_counter()
        async for piece in engine.generate(sequence, prompt, sampling=greedy(2)):
            if piece.tokens:
                break
        took = (time.perf_counter() - begun) * 1e3
        assert sequence.usage.reused in (0, prefix)
        await table.exit(process)
        return took

    await first(prompts.fresh(OWN))  # warms up
    cold, warm = [], []
    for _ in range(repetitions):
        cold.append(await first(prompts.fresh(prefix + OWN)))
        warm.append(await first(card + prompts.fresh(OWN)))
    stats = engine.stats()
    assert stats["prefix_hits"] == repetitions, f"{stats['prefix_hits']} of {repetitions} prompts were shared"
    await engine.shutdown()
    return [
        figure("ttft_shared_prefix", ratios(cold, warm), "x", (">=", 10)),
        figure("ttft_cold_ms", cold, "ms"),
        figure("ttft_warm_ms", warm, "ms"),
    ]
