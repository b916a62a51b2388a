"""`llmasos interpret`: programs as JSON, nothing done."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from llmasos.compose import Machine, compose
from llmasos.core.base.errors import LlmasosError, UsageError
from llmasos.core.base.settings import Settings, workspace_folder
from llmasos.core.kernel.session import Nobody, Session
from llmasos.services.interpreter.reading import Reading
from llmasos.shell import keys


def read_tools(path: Path) -> list[dict[str, Any]]:
    """Functions from a file in MCP `tools/list` form: a list, or an object with `tools`.

    Raises:
        UsageError: The file can't be read or holds something else.
    """
    try:
        return check_tools(json.loads(path.read_text(encoding="utf-8")), str(path))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}.", "Name another file with --tools.") from None
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}.", "Correct it.") from None


def check_tools(data: Any, where: str) -> list[dict[str, Any]]:
    """The functions in JSON that came from outside.

    Raises:
        UsageError: It isn't a list of objects with names.
    """
    if isinstance(data, dict):
        data = data.get("tools", data.get("result", {}).get("tools") if isinstance(data.get("result"), dict) else None)
    if not isinstance(data, list):
        raise UsageError(f"{where} holds no list of tools.", 'Write [{"name": ..., "description": ..., "inputSchema": {...}}].')
    tools = [t["function"] if isinstance(t, dict) and isinstance(t.get("function"), dict) else t for t in data]
    for number, tool in enumerate(tools, 1):
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str) or not tool["name"].strip():
            raise UsageError(f"Tool {number} of {where} has no name.", 'Each needs a "name", and should have "inputSchema".')
        if any(c in tool["name"] for c in "\n\r:") or tool["name"].startswith(" "):
            raise UsageError(f"Tool {number} of {where} has a name that can't be written: {tool['name']!r}.", "Rename it.")
    return tools


async def interpret_one(settings: Settings, sentence: str, tools: list[dict[str, Any]], *, only_tools: bool) -> int:
    """Print the program of one sentence."""
    async with _ready(settings) as (machine, session):
        reading = await _read(machine, session, sentence, tools, only_tools)
    print(json.dumps(reading.to_json(), ensure_ascii=False))
    return 0 if reading.program else 5


async def interpret_lines(settings: Settings, lines: Iterable[str], tools: list[dict[str, Any]], *, only_tools: bool) -> int:
    """Print the program of each line `{"id","utterance","tools"?}`, in order; a bad line gets an `error` and the rest goes on."""
    failed = False
    async with _ready(settings) as (machine, session):
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            answer: dict[str, Any] = {"id": number}
            try:
                item = json.loads(line)
                if not isinstance(item, dict) or not isinstance(item.get("utterance"), str):
                    raise UsageError(f"Line {number} has no utterance.", 'Write {"id": ..., "utterance": "..."}.')
                answer["id"] = item.get("id", number)
                own = check_tools(item["tools"], f"line {number}") if item.get("tools") else []
                reading = await _read(machine, session, item["utterance"], [*tools, *own], only_tools)
                answer |= reading.to_json()
            except (LlmasosError, ValueError, RecursionError) as error:
                failed = True
                answer |= {"calls": [], "confidence": 0.0, "ms": 0.0, "error": str(error)}
            print(json.dumps(answer, ensure_ascii=False), flush=True)
    return 1 if failed else 0


@contextlib.asynccontextmanager
async def _ready(settings: Settings) -> AsyncIterator[tuple[Machine, Session]]:
    machine = await compose(settings, ask=keys.asker())
    try:
        for problem in machine.problems:
            print(f"llmasos: {problem}", file=sys.stderr)
        workspace, _ = workspace_folder(settings.workspace, Path.cwd())
        _, session = machine.session(workspace, Nobody())
        yield machine, session
    finally:
        await machine.close()


async def _read(machine: Machine, session: Session, sentence: str, tools: list[dict[str, Any]], only_tools: bool) -> Reading:
    if tools or only_tools:
        return await machine.interpreter.interpret(sentence, tools=tools, only_tools=only_tools)
    reading, _ = await machine.requests.understand(session, sentence)
    return reading
