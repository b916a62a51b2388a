"""`llmasos -c "sentence"` and lines piped in: one request at a time, without a conversation."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from llmasos.compose import Machine, compose
from llmasos.core.base.errors import LlmasosError
from llmasos.core.base.settings import Settings, workspace_folder
from llmasos.core.base.types import Result
from llmasos.core.kernel.process import Process
from llmasos.core.kernel.session import FrontEnd, Nobody, Session
from llmasos.services.interpreter.reading import Reading
from llmasos.shell import keys
from llmasos.shell.front import PipeFront, TerminalFront

CODES = {"EACCES": 3, "EAGAIN": 4, "EAMBIG": 4}
"""Errno-like codes with an exit code of their own; every other failure is 1."""


async def run_once(settings: Settings, sentence: str, *, piped: str = "", dry_run: bool = False, output: str = "text") -> int:
    """Understand one sentence, do it, print the results.

    Args:
        settings: What was set.
        sentence: What was said.
        piped: What came on stdin; the sentence is about it.
        dry_run: Print the program only.
        output: `text`, `json` (one object at the end) or `stream-json` (an object for each event).
    """
    machine = await compose(settings, ask=keys.asker())
    try:
        process, session = _session(machine, settings, _front(settings, output))
        return await _one(machine, process, session, sentence, piped=piped, dry_run=dry_run, output=output)
    finally:
        await machine.close()


async def run_lines(settings: Settings, lines: Iterable[str]) -> int:
    """Do each line; the exit code is that of the first line that failed, and the rest is not done."""
    machine = await compose(settings, ask=keys.asker())
    try:
        process, session = _session(machine, settings, _front(settings, "text"))
        for line in lines:
            if line.strip() and not line.lstrip().startswith("#"):
                code = await _one(machine, process, session, line.strip(), piped="", dry_run=False, output="text")
                if code:
                    return code
        return 0
    finally:
        await machine.close()


def exit_code(results: Iterable[Result]) -> int:
    """0 where all was done, else the code of the first failure."""
    return next((CODES.get(result.error, 1) for result in results if not result.ok), 0)


async def _one(
    machine: Machine, process: Process, session: Session, sentence: str, *, piped: str, dry_run: bool, output: str
) -> int:
    try:
        if dry_run:
            reading, _ = await machine.requests.understand(session, sentence, appended=piped)
            _print_program(reading, output)
            return 0 if reading.program else 5
        outcome = await machine.requests.handle(process, session, sentence, appended=piped)
    except LlmasosError as error:
        if output == "text":
            raise
        print(json.dumps({"ok": False, "error": type(error).__name__, "message": str(error)}, ensure_ascii=False))
        return error.exit_code
    if output == "json":
        shown = {**outcome.reading.to_json(), "ok": outcome.ok, "results": [result.to_json() for result in outcome.results]}
        print(json.dumps(shown, ensure_ascii=False))
    return exit_code(outcome.results)


def _front(settings: Settings, output: str) -> FrontEnd:
    if output == "json":
        return Nobody(yes=settings.yes)
    if output == "stream-json":
        return _EventFront(yes=settings.yes)
    return TerminalFront(yes=settings.yes) if sys.stdin.isatty() and sys.stdout.isatty() else PipeFront(yes=settings.yes)


class _EventFront(Nobody):
    """Prints an object for each event, as it happens."""

    async def after(self, result: Result) -> None:
        print(json.dumps({"event": "result", **result.to_json()}, ensure_ascii=False), flush=True)

    async def words(self, piece: str) -> None:
        print(json.dumps({"event": "words", "text": piece}, ensure_ascii=False), flush=True)


def _session(machine: Machine, settings: Settings, front: FrontEnd) -> tuple[Process, Session]:
    for problem in machine.problems:
        print(f"llmasos: {problem}", file=sys.stderr)
    machine.bell.listen(lambda event: print(f"llmasos: reminder: {event.get('title')} ({event.get('when')})", file=sys.stderr))
    workspace, fallback = workspace_folder(settings.workspace, Path.cwd())
    if fallback:
        print(f"llmasos: the workspace is {workspace}.", file=sys.stderr)
    return machine.session(workspace, front)


def _print_program(reading: Reading, output: str) -> None:
    if output == "text":
        print("\n".join(map(str, reading.program)) or "nothing fits")
    else:
        print(json.dumps(reading.to_json(), ensure_ascii=False))
