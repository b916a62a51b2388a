"""`llmasos -c "sentence"` and lines piped in: one request at a time, without a conversation."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from llmasos.client import Client
from llmasos.core.base.errors import LlmasosError
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Result
from llmasos.core.kernel.session import FrontEnd, Nobody
from llmasos.services.interpreter.reading import Reading
from llmasos.shell import keys
from llmasos.shell.pipe_front import PipeFront
from llmasos.shell.seat import each, session

CODES = {"EACCES": 3, "EAGAIN": 4, "EAMBIG": 4}
"""Errno-like codes with an exit code of their own; every other failure is 1."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How requests are treated.

    Attributes:
        dry_run: Print the program only.
        output: `text`, `json` (one object a request) or `stream-json` (an object for each event).
    """

    dry_run: bool = False
    output: str = "text"


async def run_once(settings: Settings, sentence: str, manner: Manner, *, piped: str = "") -> int:
    """Understand one sentence, do it, print the results.

    Args:
        settings: What was set.
        sentence: What was said.
        manner: How.
        piped: What came on stdin; the sentence is about it.
    """
    async with session(settings, _front(settings, manner.output)) as client:
        return await _do(client, sentence, manner, piped)


async def run_lines(settings: Settings, lines: Iterable[str], manner: Manner) -> int:
    """Do each line; the exit code is that of the first line that failed, and the rest is not done."""
    async with session(settings, _front(settings, manner.output)) as client:
        async for line in each(lines):
            if line.strip() and not line.lstrip().startswith("#"):
                code = await _do(client, line.strip(), manner)
                if code:
                    return code
        return 0


def exit_code(results: Iterable[Result]) -> int:
    """0 where all was done, else the code of the first failure; a command that ended with another code has failed."""
    return next((code for code in map(_code, results) if code), 0)


def _code(result: Result) -> int:
    if not result.ok:
        return CODES.get(result.error, 1)
    return 1 if isinstance(result.value, Mapping) and result.value.get("exit") else 0


async def _do(client: Client, sentence: str, manner: Manner, piped: str = "") -> int:
    """One request; returns the exit code."""
    try:
        if manner.dry_run:
            reading = await client.understand(sentence, appended=piped)
            _print_program(reading, manner.output)
            return 0 if reading.program else 5
        outcome = await client.handle(sentence, appended=piped)
    except LlmasosError as error:
        if manner.output == "text":
            raise
        _print_json({"ok": False, "error": type(error).__name__, "message": str(error)})
        return error.exit_code
    if manner.output == "json":
        results = [result.to_json() for result in outcome.results]
        _print_json({**outcome.reading.to_json(), "ok": outcome.ok, "results": results})
    return exit_code(outcome.results)


def _front(settings: Settings, output: str) -> FrontEnd:
    if output == "json":
        return Nobody(yes=settings.yes)
    if output == "stream-json":
        return _EventFront(yes=settings.yes)
    if keys.at_terminal() and sys.stdout.isatty():
        from llmasos.shell.front import TerminalFront  # a terminal's libraries take a quarter of a second

        return TerminalFront(yes=settings.yes)
    return PipeFront(yes=settings.yes)


class _EventFront(Nobody):
    """Prints an object for each event, as it happens."""

    async def after(self, result: Result) -> None:
        _print_json({"event": "result", **result.to_json()})

    async def words(self, piece: str) -> None:
        _print_json({"event": "words", "text": piece})

    async def written(self, piece: str) -> None:
        if piece:
            text = piece.encode(errors="surrogateescape").decode(errors="replace")
            _print_json({"event": "output", "text": text})


def _print_program(reading: Reading, output: str) -> None:
    if output == "text":
        print("\n".join(map(str, reading.program)) or "nothing fits")
    else:
        _print_json(reading.to_json())


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)
