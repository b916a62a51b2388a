"""The interpreter: a sentence becomes a program, decoded by the model under the grammar of the live syscall table.

The catalogue that the adapter was trained on lives in its weights: no definition is in the prompt. Functions added
later (plugins, `--tools`) are described in the prompt, and the model may write one of those, a call of the catalogue,
or `none`; after `none` the sentence is read once more by the catalogue alone.
"""

from __future__ import annotations

import json
import logging
import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from llmasos.core.base.errors import NotUnderstood
from llmasos.core.base.types import REFERENCE, Call, Program
from llmasos.core.engine.base import Engine, Sampling
from llmasos.core.engine.slot import EngineSlot
from llmasos.core.kernel.syscall import SyscallTable
from llmasos.services.interpreter import notation, sentence
from llmasos.services.interpreter.candidates import nearest
from llmasos.services.interpreter.definitions import render, schema_of
from llmasos.services.interpreter.grammar import alternatives, grammar
from llmasos.services.interpreter.reading import Reading
from llmasos.services.interpreter.sentence import Sentence

log = logging.getLogger(__name__)

ADAPTER = Path(__file__).parent / "adapter" / "llmasos-interpreter.gguf"
THRESHOLD = 0.5
"""Below this confidence in the syscall's name the second reading is looked for and the person is asked."""
SHOWN = 8
"""Definitions in one prompt at most; more are narrowed down by words."""
_SAMPLING = Sampling(temperature=0.0, repeat_penalty=1.0, max_tokens=320)

Tool = Mapping[str, Any]


class Interpreter:
    """Reads sentences.

    Args:
        slot: The engine with the adapter attached.
        table: The live syscalls.
    """

    def __init__(self, slot: EngineSlot, table: SyscallTable) -> None:
        self._slot = slot
        self._table = table

    async def interpret(self, said: str, *, tools: Sequence[Tool] = (), only_tools: bool = False) -> Reading:
        """The likeliest program for a sentence.

        Args:
            said: What the person typed, with what was piped in.
            tools: Further functions in MCP `tools/list` form, known only for this sentence.
            only_tools: Whether the catalogue is left out.

        Raises:
            NotUnderstood: The sentence is empty or longer than the model can read.
        """
        started = time.perf_counter()
        words = sentence.read(said)
        if not words.line:
            raise NotUnderstood(
                "There is nothing to understand: the sentence is empty.", "Say what you want, or '?' for help."
            )
        engine = await self._slot.get()
        reading: Reading | None = None
        described = [*tools, *([] if only_tools else self._added())]
        if described:
            reading = await self._by_definitions(engine, words, described, only_tools=only_tools)
        if not only_tools and (reading is None or not reading.program):
            reading = await self._by_catalogue(engine, words)
        assert reading is not None or only_tools
        return replace(reading or Reading((), 1.0), ms=(time.perf_counter() - started) * 1000)

    def _added(self) -> list[Tool]:
        """Definitions of live syscalls that aren't in the adapter's weights."""
        return [row.definition() for row in self._table if row.name not in trained()]

    def _catalogue(self) -> list[Tool]:
        """What the grammar needs of the live syscalls that are in the adapter's weights: names and types, no words."""
        return [
            {
                "name": row.name,
                "inputSchema": {
                    "properties": {a.name: a.schema for a in row.arguments},
                    "required": [a.name for a in row.arguments if a.required],
                },
            }
            for row in self._table
            if row.name in trained()
        ]

    async def _by_catalogue(self, engine: Engine, words: Sentence) -> Reading:
        tools = self._catalogue()
        best = await self._decode(engine, words, tools, may_be_nothing=False)
        if best.sure >= THRESHOLD or not best.program:
            return Reading(best.program, best.confidence)
        first = best.program[0].syscall
        others = [tool for tool in tools if tool["name"] != first]
        second = await self._decode(engine, words, others, may_be_nothing=False)
        return Reading(best.program, best.confidence, alternative=second.program)

    async def _by_definitions(
        self, engine: Engine, words: Sentence, tools: Sequence[Tool], *, only_tools: bool
    ) -> Reading:
        chosen = nearest(words.line, tools, SHOWN)
        offered = {tool["name"] for tool in chosen}
        beside = [tool for tool in self._catalogue() if tool["name"] not in offered]
        best = await self._decode(engine, words, [*chosen, *beside], may_be_nothing=True, definitions=render(chosen))
        if only_tools and any(call.syscall not in offered for call in best.program):
            # The model knows what the catalogue is for: a sentence that it gives to the catalogue fits nothing here.
            return Reading((), best.confidence)
        derived = tuple(
            f"{call.syscall}.{name}"
            for call in best.program
            for name, value in call.args.items()
            if isinstance(value, str) and name not in call.references and value.casefold() not in words.line.casefold()
        )
        return Reading(best.program, best.confidence, derived=derived)

    async def _decode(
        self, engine: Engine, words: Sentence, tools: Sequence[Tool], *, may_be_nothing: bool, definitions: str = ""
    ) -> _Decoded:
        constraint = engine.constrain(
            grammar(words, tools, may_be_nothing=may_be_nothing, may_derive=bool(definitions))
        )
        prompt = _tokens(engine, words, definitions)
        if len(prompt) + _SAMPLING.max_tokens > engine.n_ctx:
            raise NotUnderstood(
                f"The sentence and its definitions take {len(prompt)} tokens; the interpreter reads {engine.n_ctx}.",
                "Say it in fewer words, or offer fewer tools.",
            )
        sequence = await engine.open()
        text, pieces = "", []
        try:
            async for piece in engine.generate(sequence, prompt, sampling=_SAMPLING, constraint=constraint):
                text += piece.text
                pieces.append((piece.text, sum(piece.log_probs)))
        finally:
            await engine.close(sequence)
        return _Decoded(_program(text, words, tools), *_confidence(pieces))


@dataclass(frozen=True, slots=True)
class _Decoded:
    """One decoded program.

    Attributes:
        program: The calls.
        confidence: Probability of the whole text under the grammar.
        sure: Probability of the least certain of the calls' names.
    """

    program: Program
    confidence: float
    sure: float


@cache
def trained() -> frozenset[str]:
    """The names that the shipped adapter knows without a definition."""
    listed = json.loads((ADAPTER.parent / "catalogue.json").read_text(encoding="utf-8"))
    return frozenset(listed["syscalls"])


def _tokens(engine: Engine, words: Sentence, definitions: str) -> list[int]:
    """The prompt's tokens; marks in the person's words or in definitions are plain text, never special tokens."""
    parts = notation.prompt_parts(words.line, definitions)
    return [token for text, template in parts for token in engine.tokenize(text, special=template)]


def _program(text: str, words: Sentence, tools: Iterable[Tool]) -> Program:
    schemas = {str(tool["name"]): schema_of(tool).get("properties") or {} for tool in tools}

    def is_string(name: str, argument: str) -> bool | None:
        return _plain_text(schemas.get(name, {}).get(argument, {}))

    try:
        calls = notation.read(text, is_string)
    except ValueError:
        # Only a text cut at the token limit gets here: a value that never ended.
        log.info("cut off: %r", text[-80:])
        raise NotUnderstood("The sentence is too long to take apart.", "Say it in smaller steps.") from None
    return tuple(_call(number, name, args, words) for number, (name, args) in enumerate(calls))


def _call(number: int, name: str, args: dict[str, Any], words: Sentence) -> Call:
    said: dict[str, Any] = {}
    references = set()
    for argument, value in args.items():
        if not isinstance(value, str):
            said[argument] = value
            continue
        value = value.strip()
        reference = REFERENCE.fullmatch(value)
        # A "$1" that the person typed is text.
        if reference and 0 < int(reference[1]) <= number and not re.search(rf"\{value}(?!\w)", words.line):
            references.add(argument)
            said[argument] = value
        elif value:
            said[argument] = _unquoted(words.original(value))
    return Call(name, said, frozenset(references))


def _plain_text(schema: Any) -> bool | None:
    """Whether an argument line holds plain text; None where its union may hold it."""
    if not isinstance(schema, Mapping):
        return False
    if "enum" in schema or "const" in schema:
        choices = schema.get("enum") or [schema.get("const")]
        return all(isinstance(choice, str) for choice in choices)
    parts = alternatives(schema)
    if parts:
        return None if any(_plain_text(part) for part in parts) else False
    return bool(schema.get("type", "string") == "string" and "properties" not in schema)


_PAIRS = {'"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "《": "》", "`": "`"}


def _unquoted(value: str) -> str:
    """A value without the quotes around it: quotes delimit and aren't part."""
    if len(value) > 2 and _PAIRS.get(value[0]) == value[-1] and value[0] not in value[1:-1]:
        return value[1:-1]
    return value


def _confidence(pieces: Sequence[tuple[str, float]]) -> tuple[float, float]:
    """(probability of the whole text, that of its least certain name), from (text, log-probability) of each piece."""
    whole, names = 0.0, [0.0]
    at_line_start, in_name = True, True
    for text, log_prob in pieces:
        if at_line_start:
            in_name = not text.startswith(" ")
            if in_name:
                names.append(0.0)
        whole += log_prob
        if in_name:
            names[-1] += log_prob
        if text:
            at_line_start = text.endswith("\n")
    return math.exp(whole), math.exp(min(names))
