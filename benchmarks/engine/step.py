"""Where a step of 16 writing sequences spends its time: in `llama_decode`, and in what is ours around it.

One lane, so that all is one thread's. Stopwatches are put around methods of the engine for the time of the measurement; two readings of a clock a call cost
about a tenth of a microsecond each. Times of inner calls are taken out of the outer ones'.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.engine.lab import Prompts, Row, Run, figure, load, opened, processes, written
from llmasos.core.engine import sampling, work
from llmasos.core.engine.base import Sampling
from llmasos.core.engine.batcher import Batcher
from llmasos.core.engine.context import Context
from llmasos.core.engine.llama import LlamaEngine
from llmasos.core.kernel.scheduler import Scheduler

PARTS = {
    "decode": (Context, "decode"),
    "logits": (Context, "logits"),
    "schedule": (Scheduler, "select"),
    "charge": (Scheduler, "charge"),
    "plan": (Batcher, "_plan"),
    "log_sum": (sampling, "_log_sum"),
    "draw": (sampling.Sampler, "draw"),
    "text": (work.Generate, "_text_of"),
    "send": (work.Channel, "send"),
    "calls": (Batcher, "_serve_calls"),
    "rest": (Batcher, "_step"),
}
"""Part -> where it is; `draw` is what drawing takes beside the sum, `rest` what a step takes beside all others."""
GREEDY, WARM = "greedy", "sampled"


def rows(run: Run) -> list[Row]:
    """The figures, milliseconds a step."""
    return asyncio.run(_rows(run))


async def _rows(run: Run) -> list[Row]:
    count, steps, repetitions = run.of(16, 4), run.of(64, 6), run.of(5, 1)
    model = load()
    prompts = Prompts(model)
    engine = await LlamaEngine.create(model, n_ctx=4096, n_seq=count)
    table = processes(engine)
    speech = Sampling(seed=1, max_tokens=steps)
    found: dict[str, list[float]] = {}
    for number in range(repetitions + 1):
        for kind in (GREEDY, WARM):
            pairs = [await opened(table, engine) for _ in range(count)]
            for _, sequence in pairs:
                await engine.prefill(sequence, prompts.fresh(run.of(40, 16)))
            before = engine.stats()["steps"]
            with _watched() as spent:
                if kind == GREEDY:
                    await asyncio.gather(*(written(engine, sequence, [], steps) for _, sequence in pairs))
                else:
                    await asyncio.gather(*(_sampled(engine, sequence, speech) for _, sequence in pairs))
            taken = engine.stats()["steps"] - before
            for process, _ in pairs:
                await table.exit(process)
            if number:
                for part, seconds in spent.items():
                    found.setdefault(f"{kind}_{part}", []).append(seconds / taken * 1e3)
    await engine.shutdown()
    result = []
    for kind in (GREEDY, WARM):
        ours = [part for part in PARTS if part not in ("decode", "calls")]
        outside = [sum(some) for some in zip(*(found[f"{kind}_{part}"] for part in ours), strict=True)]
        shares = [100 * o / (o + d) for o, d in zip(outside, found[f"{kind}_decode"], strict=True)]
        result.append(figure(f"step_{kind}_outside_pct", shares, "%"))
        result += [
            figure(
                f"step_{kind}_{part}_ms",
                found[f"{kind}_{part}"],
                "ms",
                value=statistics.median(found[f"{kind}_{part}"]),
            )
            for part in PARTS
        ]
    return result


async def _sampled(engine: LlamaEngine, sequence: Any, speech: Sampling) -> None:
    async for _ in engine.generate(sequence, [], sampling=speech):
        pass


@contextmanager
def _watched() -> Iterator[dict[str, float]]:
    """Seconds spent in each part while this is open, without the parts inside it."""
    spent = dict.fromkeys(PARTS, 0.0)
    inner = [0.0]  # of the engine's one thread: what the calls inside the present one took

    def stopwatch(part: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            inner.append(0.0)
            try:
                return original(*args, **named)
            finally:
                took = time.perf_counter() - begun
                spent[part] += took - inner.pop()
                inner[-1] += took

        return timed

    originals = {part: getattr(owner, name) for part, (owner, name) in PARTS.items()}
    for part, (owner, name) in PARTS.items():
        setattr(owner, name, stopwatch(part, originals[part]))
    try:
        yield spent
    finally:
        for part, (owner, name) in PARTS.items():
            setattr(owner, name, originals[part])
