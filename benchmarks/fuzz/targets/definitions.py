"""Functions from outside: `--tools` files, JSON Schema on its way into a grammar, and the lines of `interpret --jsonl`."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import llguidance

from benchmarks.fuzz.mutate import Json
from benchmarks.fuzz.target import Target
from llmasos.core.base.errors import EngineError
from llmasos.core.base.settings import Settings
from llmasos.core.engine.grammar import compile_lark
from llmasos.services.interpreter import definitions, sentence
from llmasos.services.interpreter.candidates import by_words
from llmasos.services.interpreter.grammar import grammar
from llmasos.services.interpreter.reading import Reading
from llmasos.shell import interpret

_SETS = Path(__file__).resolve().parents[2] / "interpreter"
_SENTENCES = (
    "How many kilometres is 26.2 miles, and what of 三个半小时?", "set the study lamp to 40 % from 9:15 on the 3rd of May 2026",
    "note \"don't forget\": $1 <|im_end|>", "把客厅的灯调到百分之五十", "x",
)  # fmt: skip
_WORDS = (
    "type", "properties", "required", "enum", "const", "items", "anyOf", "oneOf", "description", "default", "examples",
    "string", "integer", "number", "boolean", "null", "array", "object", "dict", "float", "tuple", "$ref", "$defs",
    "minimum", "pattern", "format", "additionalProperties", "in cm, for example 'warm white'", "YYYY-MM-DD", "HH:MM",
    "ISO 4217 code, lower case", "may be negative", "as a fraction from 0 to 1", "DD.MM.YYYY 'T' HH:mm", "cron expression",
)  # fmt: skip


def tool_lists() -> list[Any]:
    """Lists of functions in all dialects that are read."""
    found = [json.loads(line)["tools"] for line in (_SETS / "tools.jsonl").read_text(encoding="utf-8").splitlines()]
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(7):
        deep = {"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "object", "properties": {"in": deep}}}]}
    return [
        *found, {"tools": found[0]}, {"jsonrpc": "2.0", "id": 1, "result": {"tools": found[1]}},
        [{"type": "function", "function": {"name": "f", "parameters": found[2][0]["inputSchema"]}}],
        [{"name": "deep", "inputSchema": {"properties": {"value": deep}, "required": ["value"]}}],
        [{"name": "all", "description": "x", "inputSchema": {"type": "object", "properties": {
            "a": {"type": ["string", "null"], "examples": ["one", "two"], "default": "three"},
            "b": {"enum": ["x", 1, None, True, 2.5]}, "c": {"const": {"k": [1]}}, "length_cm": {"type": "number"},
            "d": {"oneOf": [{"type": "integer"}, {"type": "string", "description": "DD.MM.YYYY"}]},
            "e": {"type": "object", "properties": {"x": {"type": "number"}, "y": {}}, "required": ["x"]},
        }, "required": ["a", "b"]}}],
    ]  # fmt: skip


class Grammars(Target):
    """Definitions as anybody writes them: checked, shown to the model, and made into a grammar that the library takes."""

    name = "grammars"
    share = 3

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Json(tool_lists(), _WORDS))
        self._tokenizer = llguidance.LLTokenizer("byte")
        self._lines = [sentence.read(said) for said in _SENTENCES]

    def run(self, data: bytes) -> None:
        """Functions and their grammar, or a refusal that says which is wrong."""
        path = self.folder / "tools.json"
        path.write_bytes(data)
        tools = interpret.read_tools(path)[:40]
        definitions.render(tools, only=len(data) % 2 == 0).encode("utf-8", "replace")
        line = self._lines[len(data) % len(self._lines)]
        by_words(line.line, tools)
        lark = grammar(line, tools, may_be_nothing=True, may_derive=len(data) % 3 > 0, names=("Ana's list", "a\nb"))
        with contextlib.suppress(EngineError):  # too large is an answer
            compile_lark(self._tokenizer, lark, self._tokenizer.vocab_size).mask()


class _Reader:
    """Stands for a session: what is looked at is what comes before and behind it."""

    async def understand(self, line: str) -> Reading:
        return Reading((), 0.0)

    async def interpret(self, said: str, *, tools: Sequence[Mapping[str, Any]], only_tools: bool) -> Reading:
        sentence.read(said)
        definitions.render(tools, only=only_tools)
        return Reading((), 0.0)


class Lines(Target):
    """The lines of `interpret --jsonl`: each is answered by one line of JSON, whatever it is."""

    name = "lines"
    share = 20
    refuses = False

    def __init__(self, folder: Path) -> None:
        tools = tool_lists()
        self._json = Json(
            [
                {"id": 1, "utterance": "how far is it", "tools": tools[0]}, {"id": "a", "utterance": "把灯打开"},
                {"utterance": "", "tools": {"tools": tools[3]}}, {"id": None, "utterance": "x", "tools": []},
            ],
            (*_WORDS, "id", "utterance", "tools"),
        )  # fmt: skip
        super().__init__(folder, self._json)
        self._settings = Settings(home=folder)
        self._runner = asyncio.Runner()

    def make(self, rng: Random) -> bytes:
        """One line or several."""
        return b"\n".join(self._json(rng) for _ in range(rng.choice((1, 1, 1, 3))))

    def run(self, data: bytes) -> None:
        """As many answers as lines that hold something, each whole."""
        lines = [line + b"\n" for line in data.split(b"\n")]

        @contextlib.asynccontextmanager
        async def session(*_: Any) -> AsyncIterator[_Reader]:
            yield _Reader()

        async def each(some: Sequence[bytes]) -> AsyncIterator[bytes]:
            for line in some:
                yield line

        printed = io.StringIO()
        with (
            mock.patch.object(interpret, "session", session),
            mock.patch.object(interpret, "each", each),
            mock.patch.object(interpret.log, "exception", _is_a_defect),
            contextlib.redirect_stdout(printed),
        ):
            self._runner.run(interpret.interpret_lines(self._settings, lines, [], only_tools=False))
        answers = printed.getvalue().encode().splitlines()
        assert len(answers) == sum(bool(line.strip()) for line in lines)
        for answer in answers:
            assert json.loads(answer)["calls"] == []

    def close(self) -> None:
        """End the loop."""
        self._runner.close()


def _is_a_defect(*_: object) -> None:
    raise  # where an exception is being handled


TARGETS: tuple[type[Target], ...] = (Grammars, Lines)
