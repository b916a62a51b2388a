"""What a token costs as work grows: more processes at once, longer contexts.

`scale_processes_N`: N processes of the same size writing together, milliseconds of the model for each token of any of
them; `scale_context_N`: one process behind N tokens, for each token it writes and for each it reads.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks.engine.lab import Prompts, Row, Run, figure, load, note, opened, processes, written
from llmasos.core.engine.llama import LlamaEngine, LlamaModel

PROCESSES = (1, 2, 4, 8, 16, 32, 64)
CONTEXTS = (128, 256, 512, 1024, 2048, 4096)
SIZE = 128


def rows(run: Run) -> list[Row]:
    """The figures."""
    return asyncio.run(_rows(run))


async def _rows(run: Run) -> list[Row]:
    model = load()
    return [*await _processes(run, model), *await _contexts(run, model)]


async def _processes(run: Run, model: LlamaModel) -> list[Row]:
    counts, out, repetitions = run.of(PROCESSES, (1, 2)), run.of(24, 4), run.of(3, 1)
    size = run.of(SIZE, 16)
    prompts = Prompts(model)
    found: dict[int, list[float]] = {count: [] for count in counts}
    for number in range(repetitions):
        note(f"  processes, round {number + 1} of {repetitions}")
        for count in counts:
            # Cells for these alone: what others leave resident is the other table's subject.
            engine = await LlamaEngine.create(model, n_ctx=count * (size + out) + 256, n_seq=count)
            table = processes(engine)
            pairs = [await opened(table, engine) for _ in range(count)]
            for _, sequence in pairs:
                await engine.prefill(sequence, prompts.fresh(size))
            begun = time.perf_counter()
            await asyncio.gather(*(written(engine, sequence, [], out) for _, sequence in pairs))
            found[count].append((time.perf_counter() - begun) * 1e3 / (count * out))
            await engine.shutdown()
    return [figure(f"scale_processes_{count}", samples, "ms/token") for count, samples in found.items()]


async def _contexts(run: Run, model: LlamaModel) -> list[Row]:
    lengths, out, repetitions = run.of(CONTEXTS, (32, 64)), run.of(24, 4), run.of(3, 1)
    prompts = Prompts(model)
    engine = await LlamaEngine.create(model, n_ctx=max(lengths) + out + 256, n_seq=1)
    table = processes(engine)
    writing: dict[int, list[float]] = {length: [] for length in lengths}
    reading: dict[int, list[float]] = {length: [] for length in lengths}
    for number in range(repetitions + 1):
        note(f"  contexts, round {number} of {repetitions}")
        for length in lengths if number else lengths[:1]:  # the first round warms up
            process, sequence = await opened(table, engine)
            begun = time.perf_counter()
            await engine.prefill(sequence, prompts.fresh(length))
            middle = time.perf_counter()
            await written(engine, sequence, [], out)
            if number:
                reading[length].append((middle - begun) * 1e3 / length)
                writing[length].append((time.perf_counter() - middle) * 1e3 / out)
            await table.exit(process)
    await engine.shutdown()
    return [
        *(figure(f"scale_context_{length}_write", samples, "ms/token") for length, samples in writing.items()),
        *(figure(f"scale_context_{length}_read", samples, "ms/token") for length, samples in reading.items()),
    ]
