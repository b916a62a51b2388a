"""How evenly processes share the model, and what scheduling does for somebody who waits.

Jain's index of n shares x: (sum x)^2 / (n * sum x^2), 1 where all are equal, 1/n where one has all (Jain, Chiu and
Hawe 1984). The engine has the system's own lanes: a scheduler's order holds inside each of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from benchmarks.engine.lab import Prompts, Row, Run, figure, greedy, lanes, load, note, opened, percentile, processes
from llmasos.core.engine.llama import LlamaEngine, LlamaModel
from llmasos.core.kernel.process import Process, ProcessTable
from llmasos.core.kernel.scheduler import Discipline, Scheduler

LONGEST_REPLY = 1024
DISCIPLINES: tuple[Discipline, ...] = ("fair", "fifo", "round-robin")


def rows(run: Run) -> list[Row]:
    """The figures."""
    return asyncio.run(_rows(run))


async def _rows(run: Run) -> list[Row]:
    model = load()
    return [*await _equal(run, model), *await _compared(run, model)]


def jain(shares: Sequence[float]) -> float:
    """Jain's index of fairness."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 0.0


async def _equal(run: Run, model: LlamaModel) -> list[Row]:
    """Equal processes, prompts of 32 to 512 tokens handed over at once; the window begins with them."""
    count, seconds, repetitions = run.of(16, 4), run.of(30.0, 2.0), run.of(3, 1)
    indices, tokens = [], []
    prompts = Prompts(model)
    for _ in range(repetitions):
        cells = 32 * count * (count + 1) // 2 + count * LONGEST_REPLY
        # Half of them in one lane are the longer ones.
        engine = await LlamaEngine.create(model, n_ctx=cells + 32 * count * lanes(), n_seq=count, lanes=lanes())
        table = processes(engine)
        pairs = [await opened(table, engine) for _ in range(count)]

        async def write(engine: LlamaEngine, index: int, sequence: object) -> None:
            prompt = prompts.fresh(32 * (index + 1))
            async for _ in engine.generate(sequence, prompt, sampling=greedy(LONGEST_REPLY)):  # type: ignore[arg-type]
                pass

        writers = [asyncio.ensure_future(write(engine, i, sequence)) for i, (_, sequence) in enumerate(pairs)]
        # A machine so fast that somebody ends early ends the window: after that shares would differ by themselves.
        await asyncio.wait(writers, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        shares = [sequence.usage.decoded for _, sequence in pairs]
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)
        await engine.shutdown()
        indices.append(jain(shares))
        tokens.append(sum(shares) / count)
        note(f"  decoded by each: {shares}")
    return [
        figure("jain", indices, "", (">=", 0.95)),
        figure("jain_tokens_per_process", tokens, "tokens"),
    ]


async def _compared(run: Run, model: LlamaModel) -> list[Row]:
    """A person who asks from time to time beside processes that always have something to read and to write."""
    count, block, blocks = run.of(16, 3), run.of(20.0, 1.5), run.of(3, 1)
    longest = 320
    engine = await LlamaEngine.create(model, n_ctx=count * (longest + 64) + 1024, n_seq=count + 2, lanes=lanes())
    table = processes(engine)
    prompts = Prompts(model)
    crowd = [table.spawn(table.init, name=f"worker {n}", program="job") for n in range(count)]
    person = table.spawn(table.init, name="person", program="shell", priority="interactive")
    waits: dict[str, list[float]] = {name: [] for name in DISCIPLINES}
    shares: dict[str, list[float]] = {name: [] for name in DISCIPLINES}
    for _ in range(blocks):
        for discipline in DISCIPLINES:
            engine.set_queue(Scheduler(table, engine, discipline))
            for process in table:
                process.virtual_tokens = 0.0
            decoded = dict.fromkeys((process.pid for process in crowd), 0)
            workers = [
                asyncio.ensure_future(_work(table, engine, process, prompts, longest * (n + 1) // count, decoded))
                for n, process in enumerate(crowd)
            ]
            ends = time.perf_counter() + block
            while time.perf_counter() < ends:
                await asyncio.sleep(0.3)
                waits[discipline].append(await _asked(table, engine, person, prompts))
            shares[discipline].append(jain(list(decoded.values())))
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            note(f"  {discipline}: {len(waits[discipline])} questions, Jain {shares[discipline][-1]:.2f}")
    await engine.shutdown()
    found = []
    for discipline in DISCIPLINES:
        name = discipline.replace("-", "_")
        found += [
            figure(f"discipline_{name}_jain", shares[discipline], ""),
            figure(f"discipline_{name}_p50_ms", waits[discipline], "ms"),
            figure(f"discipline_{name}_p95_ms", waits[discipline], "ms", value=percentile(waits[discipline], 95)),
        ]
    return found


async def _work(
    table: ProcessTable, engine: LlamaEngine, process: Process, prompts: Prompts, length: int, decoded: dict[int, int]
) -> None:
    """Read something new and write 32 tokens, again and again."""
    while True:
        sequence = await engine.open(process.pid)
        table.attach(process, engine, sequence)
        try:
            async for piece in engine.generate(sequence, prompts.fresh(max(16, length)), sampling=greedy(32)):
                decoded[process.pid] += len(piece.tokens)
        finally:
            await engine.close(sequence)


async def _asked(table: ProcessTable, engine: LlamaEngine, person: Process, prompts: Prompts) -> float:
    """Milliseconds until a question of 48 tokens has its answer of 16."""
    begun = time.perf_counter()
    sequence = await engine.open(person.pid)
    table.attach(person, engine, sequence)
    async for _ in engine.generate(sequence, prompts.fresh(48), sampling=greedy(16)):
        pass
    await engine.close(sequence)
    return (time.perf_counter() - begun) * 1e3
