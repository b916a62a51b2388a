"""How long a person waits for a sentence to be understood while 32 characters talk, against an idle system.

A whole composed system with the default models; blocks of the same sentences, idle and loaded in turn.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path

from benchmarks.engine.lab import Row, Run, figure, note, percentile
from benchmarks.engine.talk import Talkers
from llmasos.compose import Machine, compose
from llmasos.core.base.errors import LlmasosError
from llmasos.core.base.settings import Settings

SENTENCES = Path(__file__).parents[1] / "interpreter/en.jsonl"


def rows(run: Run) -> list[Row]:
    """The figures."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_rows(run, Path(folder)))


async def _rows(run: Run, folder: Path) -> list[Row]:
    count, each, blocks = run.of(32, 3), run.of(40, 3), run.of(4, 1)
    said = [json.loads(line)["utterance"] for line in SENTENCES.read_text(encoding="utf-8").splitlines()]
    # Every fifth: the file goes by syscall, and all kinds should be among them.
    sentences = said[::5][:each]
    machine = await compose(Settings.load(home=folder / "home", seed=1))
    try:
        talkers = Talkers(machine, count, folder)
        await talkers.create()
        await _waits(machine, sentences[:3])
        idle: list[float] = []
        loaded: list[float] = []
        tokens, talked = 0.0, 0.0
        for number in range(blocks):
            idle += await _waits(machine, sentences)
            async with talkers:
                await asyncio.sleep(run.of(5.0, 1.0))  # until all have begun
                before, begun = await _decoded(machine), time.perf_counter()
                loaded += await _waits(machine, sentences)
                tokens += await _decoded(machine) - before
                talked += time.perf_counter() - begun
            note(
                f"  block {number + 1}: idle p95 {percentile(idle, 95):.0f} ms, loaded {percentile(loaded, 95):.0f} ms"
            )
        for message, times in talkers.failures.items():
            note(f"  {times} lines failed: {message}")
    finally:
        await machine.close()
    ratio = percentile(loaded, 95) / percentile(idle, 95)
    failures = sum(talkers.failures.values())
    return [
        figure("interactive_under_load", loaded, "x", ("<=", 2), value=ratio),
        figure("interactive_idle_p50_ms", idle, "ms"),
        figure("interactive_idle_p95_ms", idle, "ms", value=percentile(idle, 95)),
        figure("interactive_loaded_p50_ms", loaded, "ms"),
        figure("interactive_loaded_p95_ms", loaded, "ms", value=percentile(loaded, 95)),
        figure("interactive_load_tokens_per_s", [tokens / talked], "tokens/s"),
        figure("interactive_load_replies", [talkers.replies], "replies"),
        figure("interactive_load_failures", [failures], "lines", ("<=", 0)),
    ]


async def _waits(machine: Machine, sentences: list[str]) -> list[float]:
    """Milliseconds until each sentence is a program; the time to refuse one counts too."""
    waits = []
    for sentence in sentences:
        begun = time.perf_counter()
        try:
            await machine.interpreter.interpret(sentence)
        except LlmasosError as error:
            note(f"  {sentence!r}: {error}")
        waits.append((time.perf_counter() - begun) * 1e3)
    return waits


async def _decoded(machine: Machine) -> float:
    return (await machine.speech.get()).stats()["decoded"]
