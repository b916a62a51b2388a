"""How well unseen sentences are understood, and how fast: the shipped interpreter under its grammar.

The sentences beside this file were written by hand by people who saw the catalogue and no training sentence; none is
used in training or as an example. A value counts as right by the rules of docs/interpreter.md.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.row import at_least, at_most, row
from llmasos.compose import compose
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Program
from llmasos.services.interpreter.interpreter import Interpreter
from training.compare import plain, same
from training.files import SENTENCES

HERE = Path(__file__).parent
COMMAND = "llmasos bench interpreter --json"
BARS = {"en": (0.80, None), "zh": (0.65, None), "programs_en": (None, None), "programs_zh": (None, None)}
"""Set -> (syscall, exact) that must be reached; issue by issue they go up."""


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence with the program that it should become."""

    utterance: str
    program: list[tuple[str, dict[str, Any]]]
    tools: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a case."""

    case: Case
    program: Program
    confidence: float
    ms: float
    asked: bool

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """The program in the form of the case."""
        return [(call.syscall, call.args) for call in self.program]

    @property
    def syscall(self) -> bool:
        """Whether the right syscalls were called, in order."""
        return [name for name, _ in self.calls] == [name for name, _ in self.case.program]

    @property
    def exact(self) -> bool:
        """Whether all arguments are right too."""
        return same(self.calls, self.case.program)


def cases(path: Path) -> list[Case]:
    """The cases of a file: sentences for the catalogue, or plugins with requests."""
    found: list[Case] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        if "requests" in item:
            tools = tuple(item["tools"])
            requests = ((r["utterance"], [(c["name"], c["arguments"]) for c in r["calls"]]) for r in item["requests"])
            found.extend(Case(said, program, tools) for said, program in requests)
        else:
            found.append(Case(item["utterance"], [(c["syscall"], c["args"]) for c in item["program"]]))
    return found


async def answer(interpreter: Interpreter, wanted: Iterable[Case], *, only_tools: bool = False) -> list[Answer]:
    """Interpret cases one after another, as a person at a warm shell would."""
    answers = []
    for case in wanted:
        reading = await interpreter.interpret(case.utterance, tools=case.tools, only_tools=only_tools)
        answers.append(Answer(case, reading.program, reading.confidence, reading.ms, reading.alternative is not None))
    return answers


async def measure(sets: dict[str, list[Case]]) -> dict[str, list[Answer]]:
    """The answers of every set, by the interpreter of a fresh home."""
    with tempfile.TemporaryDirectory() as home:
        machine = await compose(Settings.load(home=Path(home), seed=0))
        try:
            await machine.interpreter.interpret("what time is it")  # load and warm up
            return {
                name: await answer(machine.interpreter, wanted, only_tools=name == "tools_only")
                for name, wanted in sets.items()
            }
        finally:
            await machine.close()


def all_sets() -> dict[str, list[Case]]:
    """Set name -> cases; the plugins twice: with the catalogue beside them, and alone.

    Two people can hit on the same sentence: those that stand in the training data too are left out.
    """
    trained = {plain(case.utterance) for path in SENTENCES.glob("*.jsonl") for case in cases(path)}
    sets = {
        path.stem: [case for case in cases(path) if plain(case.utterance) not in trained]
        for path in sorted(HERE.glob("*.jsonl"))
    }
    sets["tools_only"] = sets["tools"]
    # Beside the catalogue, what fits no plugin may well be a call of the catalogue.
    sets["tools"] = [case for case in sets["tools"] if case.program]
    return sets


def rows() -> list[dict[str, Any]]:
    """The figures."""
    told: list[dict[str, Any]] = []
    for name, answers in asyncio.run(measure(all_sets())).items():
        count = len(answers)
        syscall_bar, exact_bar = BARS.get(name, (None, None))
        for what, bar in (("syscall", syscall_bar), ("exact", exact_bar)):
            share = sum(getattr(a, what) for a in answers) / count
            told.append(
                row(f"{name}_{what}", share, "share", n=count, command=COMMAND, **(at_least(share, bar) if bar else {}))
            )
        questions = [
            a
            for a in answers
            if a.case.program and a.case.program[0][0] == "assistant.answer" and len(a.case.program) == 1
        ]
        if questions:
            share = sum(a.syscall for a in questions) / len(questions)
            told.append(row(f"{name}_questions", share, "share", n=len(questions), command=COMMAND))
        nothing = [a for a in answers if not a.case.program]
        if nothing:
            told.append(
                row(
                    f"{name}_nothing_fits",
                    sum(a.exact for a in nothing) / len(nothing),
                    "share",
                    n=len(nothing),
                    command=COMMAND,
                )
            )
        asked = sum(a.asked for a in answers) / count
        told.append(row(f"{name}_asked", asked, "share", n=count, command=COMMAND))
        times = sorted(a.ms for a in answers)
        p50, p95 = statistics.median(times), times[int(len(times) * 0.95)]
        told.append(
            row(
                f"{name}_p50",
                p50,
                "ms",
                n=count,
                command=COMMAND,
                samples=times,
                **(at_most(p50, 300) if name in ("en", "zh") else {}),
            )
        )
        told.append(row(f"{name}_p95", p95, "ms", n=count, command=COMMAND))
    return told


def summary(name: str, answers: list[Answer]) -> str:
    """A set's figures in one line."""
    count, times = len(answers), sorted(a.ms for a in answers)
    shares = {what: sum(getattr(a, what) for a in answers) / count for what in ("syscall", "exact", "asked")}
    told = " ".join(f"{what} {share:6.1%}" for what, share in shares.items())
    return f"{name:14} n={count:4} {told} p50 {times[count // 2]:4.0f} ms p95 {times[int(count * 0.95)]:4.0f} ms"


def reliability(answers: list[Answer]) -> str:
    """How often a confidence is right: for each tenth of confidence, how many programs and how many of them exact."""
    lines = ["confidence  programs  exact"]
    for tenth in range(10):
        inside = [a for a in answers if min(int(a.confidence * 10), 9) == tenth]
        if inside:
            lines.append(
                f"{tenth / 10:.1f} - {tenth / 10 + 0.1:.1f} {len(inside):9} {sum(a.exact for a in inside) / len(inside):6.0%}"
            )
    return "\n".join(lines)


def main() -> None:
    """Print the figures; with --wrong every sentence that was misread, with --reliability what a confidence is worth."""
    sets = all_sets()
    names = [name for name in sys.argv[1:] if name in sets] or list(sets)
    measured = asyncio.run(measure({name: sets[name] for name in names}))
    for name, answers in measured.items():
        print(summary(name, answers))
        for a in answers:
            if "--wrong" in sys.argv and not a.exact:
                print(f"  {a.case.utterance!r}\n    want {a.case.program}\n    got  {a.calls} {a.confidence:.2f}")
    if "--reliability" in sys.argv:
        print(reliability([a for answers in measured.values() for a in answers]))
