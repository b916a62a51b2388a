"""The interpreter: a sentence becomes a program, decoded by the model under the grammar of the live syscall table.

The catalogue that the adapter was trained on lives in its weights: no definition is in the prompt. Functions added
later (plugins, `--tools`) are described in the prompt, and the model may write one of those, a call of the catalogue,
or `none`; after `none` the sentence is read once more by the catalogue alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from llmasos.core.base.errors import NotUnderstood
from llmasos.core.base.types import Call, Program
from llmasos.core.engine.base import Engine, LiveSequence
from llmasos.core.engine.embed import Embedder
from llmasos.core.engine.slot import EngineSlot
from llmasos.core.kernel.syscall import SyscallTable
from llmasos.services.interpreter import calibration, notation, sentence
from llmasos.services.interpreter.candidates import Candidates
from llmasos.services.interpreter.decoding import Decoded, Question, decode
from llmasos.services.interpreter.definitions import render
from llmasos.services.interpreter.reading import Reading
from llmasos.services.interpreter.sentence import Sentence

ADAPTER = Path(__file__).parent / "adapter" / "llmasos-interpreter.gguf"
ANSWER = "assistant.answer"
SHOWN = 8
"""Definitions in one prompt at most; more are narrowed down."""

Tool = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """What is known beside the sentence.

    Attributes:
        before: What was said just before with its program, where the sentence leans on it; values may come from it.
        like: A sentence that the person once explained, with its program: an example of how they speak.
        names: Names of devices, files, characters and apps that the sentence may mean.
        appended: Whether a text was piped in behind the sentence.
    """

    before: tuple[str, Program] | None = None
    like: tuple[str, Program] | None = None
    names: Sequence[str] = ()
    appended: bool = False


NOTHING_KNOWN = Context()


class Interpreter:
    """Reads sentences.

    Args:
        slot: The engine with the adapter in it.
        table: The live syscalls.
        embedder: Finds the few definitions that matter among many; None finds them by words alone.
    """

    def __init__(self, slot: EngineSlot, table: SyscallTable, embedder: Embedder | None = None) -> None:
        self._slot = slot
        self._table = table
        self._candidates = Candidates(embedder)
        # One sentence at a time: each is done in a tenth of a second, and two at once would both take two.
        self._turn = asyncio.Lock()

    async def interpret(
        self, said: str, *, tools: Sequence[Tool] = (), only_tools: bool = False, context: Context = NOTHING_KNOWN
    ) -> Reading:
        """The likeliest program for a sentence.

        Args:
            said: What the person typed, with what was piped in.
            tools: Further functions in MCP `tools/list` form, known only for this sentence.
            only_tools: Whether the catalogue is left out.
            context: What is known beside the sentence.

        Raises:
            NotUnderstood: The sentence is empty or longer than the model can read.
        """
        started = time.perf_counter()
        words = replace(sentence.read(said), appended=context.appended)
        if not words.line:
            raise NotUnderstood(
                "There is nothing to understand: the sentence is empty.", "Say what you want, or '?' for help."
            )
        if not any(character.isalnum() for character in words.line):
            # Emoji and marks ask for nothing that could be done; they may be answered.
            answered = () if only_tools or ANSWER not in self._table else (Call(ANSWER, {"question": said.strip()}),)
            return Reading(answered, 1.0)
        engine = await self._slot.get()
        question = _question(words, context)
        reading: Reading | None = None
        described = [*tools, *([] if only_tools else self._added())]
        async with self._turn:
            if described:
                reading = await self._by_definitions(engine, question, described, only_tools=only_tools)
            if not only_tools and (reading is None or not reading.program):
                reading = await self._by_catalogue(engine, question)
        return replace(reading or Reading((), 1.0), ms=(time.perf_counter() - started) * 1000)

    def _added(self) -> list[Tool]:
        """Definitions of live syscalls that aren't in the adapter's weights."""
        return [row.definition() for row in self._table if row.name not in trained() and row.spoken]

    def _catalogue(self, words: Sentence) -> list[Tool]:
        """What the grammar needs of the live syscalls that are in the adapter's weights: names and types, no words.

        For a question only those that change nothing: "How do I delete a file" deletes none.
        """
        return [
            {
                "name": row.name,
                "inputSchema": {
                    "properties": {a.name: a.schema for a in row.arguments if a.spoken},
                    "required": [a.name for a in row.arguments if a.required],
                },
            }
            for row in self._table
            if row.name in trained() and (row.effect == "read" or not words.only_asks)
        ]

    async def _by_catalogue(self, engine: Engine, question: Question) -> Reading:
        tools = self._catalogue(question.words)
        async with _opened(engine) as sequence:
            best = await decode(engine, sequence, replace(question, tools=tools))
            confidence = calibration.of_catalogue(best)
            if best.sure >= calibration.ASKS_BELOW or not best.program:
                return Reading(best.program, confidence)
            others = [tool for tool in tools if tool["name"] != best.program[0].syscall]
            async with _opened(engine) as again:  # beside the first one, whose prompt it shares
                second = await decode(engine, again, replace(question, tools=others))
        return Reading(best.program, confidence, alternative=second.program)

    async def _by_definitions(
        self, engine: Engine, question: Question, tools: Sequence[Tool], *, only_tools: bool
    ) -> Reading:
        chosen = await self._fitting(engine, question.words.line, tools)
        best = await self._in_order(engine, question, chosen, only_tools=only_tools)
        if len(chosen) > 1 and calibration.of_tools(best) < calibration.READ_AGAIN_BELOW:
            # The order of definitions sways a model of this size; in the opposite one it errs elsewhere.
            other = await self._in_order(engine, question, chosen[::-1], only_tools=only_tools)
            best = max(best, other, key=calibration.of_tools)
        return Reading(best.program, calibration.of_tools(best), derived=_derived(best, question.words))

    async def _in_order(
        self, engine: Engine, question: Question, chosen: Sequence[Tool], *, only_tools: bool
    ) -> Decoded:
        """The likeliest program where these definitions are shown, in this order."""
        offered = {tool["name"] for tool in chosen}
        beside = [] if only_tools else [tool for tool in self._catalogue(question.words) if tool["name"] not in offered]
        question = replace(question, tools=[*chosen, *beside], described=chosen, only=only_tools, may_be_nothing=True)
        async with _opened(engine) as sequence:
            best = await decode(engine, sequence, question)
            if only_tools and not best.program and best.likelihood < calibration.NOTHING_FROM:
                # Unsure of "nothing": a model that reads something new says so too easily.
                async with _opened(engine) as again:
                    best = await decode(engine, again, replace(question, may_be_nothing=False))
        return best

    async def _fitting(self, engine: Engine, line: str, tools: Sequence[Tool]) -> list[Tool]:
        """The definitions to show: as many of the nearest as leave room for the sentence and its program."""
        for count in range(SHOWN, 1, -1):
            chosen = await self._candidates.nearest(line, tools, count)
            if len(engine.tokenize(render(chosen))) <= engine.n_ctx // 2:
                return chosen
        return await self._candidates.nearest(line, tools, 1)


@contextlib.asynccontextmanager
async def _opened(engine: Engine) -> AsyncIterator[LiveSequence]:
    sequence = await engine.open()
    try:
        yield sequence
    finally:
        await engine.close(sequence)


def _question(words: Sentence, context: Context) -> Question:
    """The sentence with what was said before; no functions yet."""
    told = [exchange for exchange in (context.like, context.before) if exchange]
    before = [(sentence.read(said).line, notation.write(_shortened(program))) for said, program in told]
    earlier: list[str] = []
    if context.before:
        said, program = context.before
        values = [
            v for call in program for k, v in call.args.items() if isinstance(v, str) and k not in call.references
        ]
        lines = dict.fromkeys(sentence.read(text).line for text in (said, *values))
        # A long text that stands there with its middle left out couldn't be put back.
        earlier = [line for line in lines if line and sentence.GAP not in line]
    return Question(words, (), before=before, earlier=earlier, names=context.names)


def _shortened(program: Program) -> Iterator[tuple[str, dict[str, Any]]]:
    """A program's calls as the prompt shows them: long texts as the model reads them."""
    for call in program:
        yield call.syscall, {k: sentence.read(v).line if isinstance(v, str) else v for k, v in call.args.items()}


def _derived(best: Decoded, words: Sentence) -> tuple[str, ...]:
    """The arguments whose text wasn't said."""
    return tuple(
        f"{call.syscall}.{name}"
        for call in best.program
        for name, value in call.args.items()
        if isinstance(value, str) and name not in call.references and value.casefold() not in words.line.casefold()
    )


@cache
def trained() -> frozenset[str]:
    """The names that the shipped adapter knows without a definition."""
    listed = json.loads((ADAPTER.parent / "catalogue.json").read_text(encoding="utf-8"))
    return frozenset(listed["syscalls"])
