"""What the subjects share: the model, prompts, rows, and a busy machine."""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks.row import at_least, at_most, row
from llmasos.core.base.clock import SystemClock
from llmasos.core.base.settings import Settings
from llmasos.core.engine import models, quantize
from llmasos.core.engine.base import Engine, LiveSequence, Sampling
from llmasos.core.engine.llama import LlamaModel
from llmasos.core.engine.perplexity import SAMPLE
from llmasos.core.engine.sources import speech_lanes
from llmasos.core.kernel.process import Process, ProcessTable
from llmasos.core.kernel.scheduler import Discipline, Scheduler

Row = dict[str, Any]
Must = tuple[str, float]
"""`">="` or `"<="`, and the bar."""
T = TypeVar("T")

TEXT = SAMPLE
ADAPTER = Path(__file__).resolve().parents[2] / "llmasos/services/interpreter/adapter/llmasos-interpreter.gguf"


@dataclass(frozen=True, slots=True)
class Run:
    """How to measure.

    Attributes:
        quick: Only see that it runs.
        minutes: Of the long subjects; 0 for their own.
        cells: KV cells of each sequence, where a subject lets them be chosen; 0 for the subject's own.
        sequences: Sequences with cells of their own; 0 for the subject's own, -1 for the system's pool.
        quantization: Of the model in `batch`; the system's own talks in `auto` and interprets in `q4_0`.
    """

    quick: bool = False
    minutes: float = 0.0
    cells: int = 0
    sequences: int = 0
    quantization: str = "auto"

    def of(self, full: T, quick: T) -> T:
        """One of two sizes."""
        return quick if self.quick else full

    @property
    def options(self) -> list[str]:
        """The options of the command line that say the same."""
        numbers = {"--minutes": self.minutes, "--cells": self.cells, "--sequences": self.sequences}
        said = [f"{name}={number}" for name, number in numbers.items() if number]
        if self.quantization != "auto":
            said.append(f"--quantization={self.quantization}")
        return [*said, *(["--quick"] if self.quick else [])]


def note(words: str) -> None:
    """Tell whoever waits; results alone go to stdout."""
    print(words, file=sys.stderr, flush=True)


def figure(
    id: str, samples: Sequence[float], unit: str, must: Must | None = None, *, value: float | None = None
) -> Row:
    """A row.

    Args:
        id: What was measured.
        samples: The single measurements.
        unit: Their unit.
        must: What it must reach.
        value: The figure, where it isn't the samples' median.
    """
    value = statistics.median(samples) if value is None else value
    bars = {">=": at_least, "<=": at_most}
    promised = bars[must[0]](value, must[1]) if must else {}
    return row(id, value, unit, n=len(samples), command="", samples=list(samples), **promised)


def percentile(samples: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile."""
    ranked = sorted(samples)
    return ranked[max(0, math.ceil(percent / 100 * len(ranked)) - 1)]


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Pair by pair, so that a slow moment counts on both sides."""
    return [a / b for a, b in zip(above, below, strict=True)]


def load(quantization: str = "auto", *, endless: bool = True) -> LlamaModel:
    """The default model.

    Args:
        quantization: As the settings name it.
        endless: Let no token end a text, so that every reply has the length that is measured. It is done at the
            vocabulary and costs nothing in a step; a grammar without an end would cost a mask a token.

    Raises:
        SystemExit: The quantization can't be made here, so that something else would be measured.
    """
    prepared = quantize.prepare(models.locate("smollm2"), quantization)
    if prepared.note:
        raise SystemExit(prepared.note)
    model = LlamaModel.load(prepared.path)
    if endless:
        unending(model)
    return model


def lanes() -> int:
    """How many the system's own speaker has on this machine."""
    return speech_lanes(Settings(home=Path()))


def unending(model: LlamaModel) -> None:
    """Let no token of a model end a text."""
    model.end_tokens = frozenset()
    model.control = np.zeros(model.n_vocab, np.bool_)


class Prompts:
    """Prompts of any length that share nothing with each other unless they should.

    Args:
        model: Whose tokens.
    """

    def __init__(self, model: LlamaModel) -> None:
        self._text = model.tokenize(TEXT.read_text(encoding="utf-8"))
        self._next = 1000

    def text(self, length: int, start: int = 0) -> list[int]:
        """Plain text from some place on, around the end where it must."""
        whole = self._text * (2 + (start + length) // len(self._text))
        return whole[start : start + length]

    def fresh(self, length: int) -> list[int]:
        """Text that begins with a token no other prompt began with: nothing is shared by accident."""
        self._next += 1
        return [self._next, *self.text(length - 1, start=37 * self._next % len(self._text))]


def greedy(tokens: int) -> Sampling:
    """The likeliest tokens, so many of them."""
    return Sampling(temperature=0.0, repeat_penalty=1.0, max_tokens=tokens)


def processes(engine: Engine, discipline: Discipline = "fair") -> ProcessTable:
    """The kernel's process table, its scheduler asked by the engine before each step, as in a composed system."""
    table = ProcessTable(SystemClock(), "bench")
    engine.set_queue(Scheduler(table, engine, discipline))
    return table


async def opened(table: ProcessTable, engine: Engine, name: str = "one") -> tuple[Process, LiveSequence]:
    """A process with a live sequence."""
    process = table.spawn(table.init, name=name, program="character")
    sequence = await engine.open(process.pid)
    table.attach(process, engine, sequence)
    return process, sequence


async def written(engine: Engine, sequence: LiveSequence, prompt: Sequence[int], tokens: int) -> list[int]:
    """A reply of exactly so many tokens.

    Raises:
        AssertionError: It ended earlier, so that rates would be wrong.
    """
    out: list[int] = []
    async for piece in engine.generate(sequence, prompt, sampling=greedy(tokens)):
        out += piece.tokens
    assert len(out) == tokens, f"{len(out)} tokens instead of {tokens}"
    return out


@contextmanager
def busy(count: int = 2) -> Iterator[None]:
    """So many programs that each want a core."""
    # Each in a session of its own, as programs in other windows are: Linux shares cores by session first.
    burn = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(burn, start_new_session=True) for _ in range(count)]
    try:
        time.sleep(0.3 if count else 0)
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def rss_mb() -> float:
    """Resident memory of this process and its children, in MB; pages that they share count for each."""
    page = os.sysconf("SC_PAGE_SIZE") / 2**20
    total = 0.0
    for pid in [os.getpid(), *_children(os.getpid())]:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
        except OSError:
            continue
    return total


def _children(pid: int) -> list[int]:
    try:
        own = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []
    return own + [grandchild for child in own for grandchild in _children(child)]
