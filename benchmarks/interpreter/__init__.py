"""How many unseen sentences become the right program, and how fast; on the real model that ships.

    llmasos bench interpreter                                  # rows
    python -m benchmarks.interpreter en zh --wrong             # every sentence that was misread
    python -m benchmarks.interpreter --every=5                 # a fifth of them, for a quick look
    python -m benchmarks.interpreter --reliability             # what a confidence is worth

The sentences (sets.py) were written by people who saw the catalogue and no training sentence. Exact means: the right calls
in order, with every value the same by the rules of `training.compare`.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.interpreter.sets import BARS, ONLY_TOOLS, Case, all_sets
from benchmarks.row import at_least, at_most, row
from llmasos.compose import Machine, compose
from llmasos.core.base.errors import NotUnderstood
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.services.interpreter.interpreter import Context, Interpreter
from llmasos.services.interpreter.reading import Reading
from training.compare import same

COMMAND = "llmasos bench interpreter --json"
P50, P95 = 150.0, 400.0
"""Milliseconds for a sentence of the catalogue, English and Chinese together."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a case."""

    case: Case
    reading: Reading

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """The program in the form of the case."""
        return [(call.syscall, call.args) for call in self.reading.program]

    @property
    def syscall(self) -> bool:
        """Whether the right syscalls were called, in order."""
        return [name for name, _ in self.calls] == [name for name, _ in self.case.program]

    @property
    def exact(self) -> bool:
        """Whether all arguments are right too."""
        return same(self.calls, self.case.program)

    @property
    def asked(self) -> bool:
        """Whether the person would be asked."""
        return self.reading.alternative is not None


async def answer(interpreter: Interpreter, wanted: Iterable[Case], *, only_tools: bool = False) -> list[Answer]:
    """Interpret cases one after another, as a person at a warm shell would."""
    answers = []
    for case in wanted:
        context = Context()
        if case.before:
            said, calls = case.before
            context = Context(before=(said, tuple(Call(name, args) for name, args in calls)))
        try:
            reading = await interpreter.interpret(
                case.utterance, tools=case.tools, only_tools=only_tools, context=context
            )
        except NotUnderstood:
            reading = Reading((), 0.0)
        answers.append(Answer(case, reading))
    return answers


async def measure(
    sets: dict[str, list[Case]],
    settings: dict[str, Any] | None = None,
    change: Callable[[Machine], None] | None = None,
) -> dict[str, list[Answer]]:
    """The answers of every set, by the interpreter of a fresh home.

    Args:
        sets: Set name -> cases.
        settings: What differs from the defaults.
        change: What is done to the machine first.
    """
    with tempfile.TemporaryDirectory() as home:
        machine = await compose(Settings.load(home=Path(home), seed=0, **(settings or {})))
        try:
            if change:
                change(machine)
            await machine.interpreter.interpret("what time is it")  # load and warm up
            return {
                name: await answer(machine.interpreter, wanted, only_tools=name in ONLY_TOOLS)
                for name, wanted in sets.items()
            }
        finally:
            await machine.close()


def rows() -> list[dict[str, Any]]:
    """The figures."""
    told: list[dict[str, Any]] = []
    measured = asyncio.run(measure(all_sets()))
    for name, answers in measured.items():
        bars, count = BARS[name], len(answers)
        for what, bar in (("syscall", bars.syscall), ("exact", bars.exact)):
            share = sum(getattr(a, what) for a in answers) / count
            promised = {} if bar is None else at_least(share, bar)
            told.append(row(f"{name}_{what}", share, "share", n=count, command=COMMAND, **promised))
        told.append(row(f"{name}_asked", sum(a.asked for a in answers) / count, "share", n=count, command=COMMAND))
        told += _times(name, answers)
    catalogue = [*measured["en"], *measured["zh"]]
    told += _times("catalogue", catalogue, P50, P95)
    return told


def _times(
    name: str, answers: list[Answer], p50_bar: float | None = None, p95_bar: float | None = None
) -> list[dict[str, Any]]:
    times = sorted(a.reading.ms for a in answers)
    p50, p95 = statistics.median(times), times[int(len(times) * 0.95)]
    count = len(times)
    return [
        row(f"{name}_{what}", value, "ms", n=count, command=COMMAND, **({} if bar is None else at_most(value, bar)))
        for what, value, bar in (("p50", p50, p50_bar), ("p95", p95, p95_bar))
    ]


def summary(name: str, answers: list[Answer]) -> str:
    """A set's figures in one line."""
    count, times = len(answers), sorted(a.reading.ms for a in answers)
    shares = {what: sum(getattr(a, what) for a in answers) / count for what in ("syscall", "exact", "asked")}
    told = " ".join(f"{what} {share:6.1%}" for what, share in shares.items())
    return f"{name:14} n={count:4} {told} p50 {times[count // 2]:4.0f} ms p95 {times[int(count * 0.95)]:4.0f} ms"


def reliability(answers: list[Answer]) -> str:
    """How often a confidence is right: for each tenth of confidence, how many programs and how many of them exact."""
    lines = ["confidence  programs  exact"]
    for tenth in range(10):
        inside = [a for a in answers if min(int(a.reading.confidence * 10), 9) == tenth]
        if inside:
            share = sum(a.exact for a in inside) / len(inside)
            lines.append(f"{tenth / 10:.1f} - {tenth / 10 + 0.1:.1f} {len(inside):9} {share:6.0%}")
    return "\n".join(lines)


def main() -> None:
    """Print the figures; `--wrong`, `--every` and `--reliability` as above."""
    every = next((int(word.partition("=")[2]) for word in sys.argv if word.startswith("--every=")), 1)
    sets = {name: found[::every] for name, found in all_sets().items()}
    names = [name for name in sys.argv[1:] if name in sets] or list(sets)
    measured = asyncio.run(measure({name: sets[name] for name in names}))
    for name, answers in measured.items():
        print(summary(name, answers))
        for a in answers:
            if "--wrong" in sys.argv and not a.exact:
                print(
                    f"  {a.case.utterance!r}\n    want {a.case.program}\n    got  {a.calls} {a.reading.confidence:.2f}"
                )
    if "--reliability" in sys.argv:
        print(reliability([a for answers in measured.values() for a in answers]))
