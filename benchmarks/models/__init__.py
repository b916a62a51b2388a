"""What models cost and are worth: quantizations and pruned layers in perplexity, adapters in memory and time.

    llmasos bench models --json

How well a trained task does is measured by what trains it: llmasos model train NAME benchmarks/models/visitors.jsonl
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.row import row
from llmasos.core.engine import models, quantize
from llmasos.core.engine.llama import LlamaEngine, LlamaModel
from llmasos.core.engine.perplexity import SAMPLE, perplexity
from llmasos.core.engine.sources import FURTHER_CELLS, SPEECH_SEQUENCES
from llmasos.services.interpreter.interpreter import ADAPTER
from llmasos.services.models.classify import classify
from llmasos.services.system import resident_mb

COMMAND = "llmasos bench models --json"
TYPES = ("q8_0", "q6_k", "q5_0", "q4_k_m", "q4_0", "q3_k_m", "q2_k")
PRUNED = ((25,), (12, 25), (10, 15, 20, 25), tuple(range(22, 30)))
"""Blocks that are left out of the 30."""
LABELS = ("sights", "prices", "routes", "hours")
QUESTION = "Which bus goes to the museum?"


def rows() -> list[dict[str, Any]]:
    """The figures."""
    source = models.locate("smollm2")
    with tempfile.TemporaryDirectory() as folder:
        found = _price("as_shipped", source)
        for kind in TYPES:
            found += _price(kind, quantize.write(source, Path(folder) / f"{kind}.gguf", kind))
        for layers in PRUNED:
            file = quantize.write(source, Path(folder) / "pruned.gguf", "q8_0", layers)
            found += _price(f"q8_0_without_{len(layers)}_layers", file)[:1]
    return found + asyncio.run(_adapters(source))


def _price(name: str, file: Path) -> list[dict[str, Any]]:
    """Perplexity and size of one file."""
    model = LlamaModel.load(file)
    try:
        found = perplexity(model, model.tokenize(SAMPLE.read_text(encoding="utf-8")))
    finally:
        model.close()
    return [
        row(f"perplexity_{name}", found.value, "", n=found.tokens, command=COMMAND),
        row(f"size_{name}", file.stat().st_size / 1e6, "MB", n=1, command=COMMAND),
    ]


async def _adapters(source: Path) -> list[dict[str, Any]]:
    """What a further context with an adapter takes, and how long it takes to classify a sentence."""
    prepared = await asyncio.to_thread(quantize.prepare, source, "auto")
    model = await LlamaModel.load_async(prepared.path)
    engines: list[LlamaEngine] = []
    memory = [resident_mb()]
    samples: list[float] = []
    try:
        for _ in range(5):
            # Each has the interpreter's adapter, of rank 32: what weighs is how many there are, not what they learned.
            made = await LlamaEngine.create(model, n_ctx=FURTHER_CELLS, n_seq=SPEECH_SEQUENCES, adapter=ADAPTER)
            engines.append(made)
            await _timed(made)
            memory.append(resident_mb())
        for _ in range(10):
            samples += [await _timed(engine) for engine in engines]
    finally:
        for engine in engines:
            await engine.shutdown()
        model.close()
    steps = [after - before for before, after in pairwise(memory[1:])]
    return [
        row(
            "memory_of_a_further_adapter", statistics.median(steps), "MB", n=len(steps), command=COMMAND, samples=steps
        ),
        row("classify_ms", statistics.median(samples) * 1000, "ms", n=len(samples), command=COMMAND),
    ]


async def _timed(engine: LlamaEngine) -> float:
    began = time.perf_counter()
    sequence = await engine.open()
    await classify(engine, sequence, QUESTION, LABELS)
    await engine.close(sequence)
    return time.perf_counter() - began
