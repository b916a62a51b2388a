"""Answers from files: how many questions are answered right, from the right file, and how many are rightly left open.

    python -m benchmarks.answers       # the figures, and every question that went wrong
    llmasos bench answers

20 files and 90 questions (questions.tsv: file, what the quoted sentence must say, question), written for this; 30 of the
questions have no answer in the files. Every second one was set aside while weights and threshold were chosen. The whole
system is asked through `assistant.answer`; in place of the model a script stands, since what the model would say is no
answer from files.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.answers import paper
from benchmarks.row import row
from llmasos.compose import Machine, compose
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.engine.embed import Embedder, make_embedder
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.session import Nobody

COMMAND = "python -m benchmarks.answers"
FOLDER = Path(__file__).parent
Half = Literal["seen", "aside"]


@dataclass(frozen=True, slots=True)
class Case:
    """A question.

    Attributes:
        file: Where the answer stands; empty where there is none.
        says: What the quoted sentence must contain.
        question: What is asked.
        half: Whether it was looked at while weights and threshold were chosen.
    """

    file: str
    says: str
    question: str
    half: Half


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a question.

    Attributes:
        case: The question.
        text: The answer.
        quoted: Whether it was quoted from something.
        right: Whether the first quotation is the right one from the right file, or none was given where there is none.
        seconds: How long it took.
    """

    case: Case
    text: str
    quoted: bool
    right: bool
    seconds: float


class Engines(ScriptedEngines):
    """Scripts in place of the models, and the embedder that is used every day."""

    def embedder(self) -> Embedder:
        """The multilingual one."""
        return make_embedder()


def cases() -> list[Case]:
    """All questions; of each two neighbours one was set aside."""
    lines = (FOLDER / "questions.tsv").read_text(encoding="utf-8").splitlines()
    halves: tuple[Half, Half] = ("seen", "aside")
    # Three questions are about one file: counting by both keeps each file in both halves.
    return [Case(*line.split("\t"), halves[number % 2]) for number, line in enumerate(lines)]  # type: ignore[arg-type]


def lay(folder: Path) -> None:
    """Put the files into a folder; those that are kept as text become the documents that they stand for."""
    for source in sorted((FOLDER / "files").rglob("*")):
        target = folder / source.relative_to(FOLDER / "files")
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        elif source.name.endswith(".pdf.txt"):
            target.with_suffix("").write_bytes(paper.pdf(source.read_text(encoding="utf-8").split("--- page\n")))
        elif source.name.endswith(".docx.txt"):
            target.with_suffix("").write_bytes(paper.docx(source.read_text(encoding="utf-8")))
        else:
            shutil.copyfile(source, target)


async def ask(machine: Machine, folder: Path, asked: Sequence[Case]) -> list[Answered]:
    """Ask, one after the other."""
    process, session = machine.session(folder, Nobody())
    found = []
    for case in asked:
        began = time.perf_counter()
        result = await machine.kernel.trap(process, session, Call("assistant.answer", {"question": case.question}))
        seconds = time.perf_counter() - began
        assert result.ok, result
        quoted = bool(result.value["ref"])
        first = result.value["text"].split("\n“")[0]
        right = (case.says in first and f"\n  {case.file}," in first) if case.file else not quoted
        found.append(Answered(case, result.value["text"], quoted, right, seconds))
    return found


async def measured() -> list[Answered]:
    """All questions."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "work"
        folder.mkdir()
        lay(folder)
        machine = await compose(Settings.load(home=Path(place) / "home", seed=1), engines=Engines())
        try:
            await ask(machine, folder, cases()[:1])  # reads the files
            return await ask(machine, folder, cases())
        finally:
            await machine.close()


def rows(found: Sequence[Answered] = ()) -> list[dict[str, Any]]:
    """The figures."""
    found = found or asyncio.run(measured())
    made = []
    for half in ("seen", "aside"):
        for name, there in (("answered_right", True), ("abstained_right", False)):
            some = [one for one in found if bool(one.case.file) == there and one.case.half == half]
            share = 100 * sum(one.right for one in some) / len(some)
            made.append(row(f"{name}_{half}", share, "%", n=len(some), command=COMMAND))
        wrong = [one for one in found if one.case.half == half and one.quoted and not one.right]
        some = [one for one in found if one.case.half == half and one.quoted]
        share = 100 * (1 - len(wrong) / len(some)) if some else 0.0
        made.append(row(f"quoted_right_{half}", share, "%", n=len(some), command=COMMAND))
    times = sorted(one.seconds * 1e3 for one in found)
    made.append(row("answer_p50_ms", times[len(times) // 2], "ms", n=len(times), samples=times, command=COMMAND))
    return made
