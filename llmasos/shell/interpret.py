"""`llmasos interpret`: programs as JSON, nothing done."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llmasos.client import Client
from llmasos.core.base.errors import LlmasosError, UsageError
from llmasos.core.base.foreign import parse_json
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.session import Nobody
from llmasos.services.interpreter import tools as tool_definitions
from llmasos.services.interpreter.reading import Reading
from llmasos.shell.seat import each, session

log = logging.getLogger(__name__)
Tools = list[dict[str, Any]]


def read_tools(path: Path) -> Tools:
    """Functions from a file in MCP `tools/list` form.

    Raises:
        UsageError: The file can't be read or holds something else.
    """
    try:
        return tool_definitions.read(parse_json(path.read_bytes()), str(path))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}.", "Name another file with --tools.") from None
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}.", "Correct it.") from None


async def interpret_one(settings: Settings, sentence: str, tools: Tools, *, only_tools: bool) -> int:
    """Print the program of one sentence."""
    async with session(settings, Nobody()) as client:
        answer, understood = await _answer(client, sentence, tools, only_tools)
    _print(answer)
    return 0 if understood and answer["calls"] else 5


async def interpret_lines(settings: Settings, lines: Iterable[bytes], tools: Tools, *, only_tools: bool) -> int:
    """Print the program of each line `{"id","utterance","tools"?}`, in order; a bad line gets an `error`."""
    failed = False
    async with session(settings, Nobody()) as client:
        number = 0
        async for line in each(lines):
            number += 1
            if not line.strip():
                continue
            answer: dict[str, Any] = {"id": number}
            try:
                item = parse_json(line)
                if not isinstance(item, dict) or not isinstance(item.get("utterance"), str):
                    raise UsageError(f"Line {number} has no utterance.", 'Write {"id": ..., "utterance": "..."}.')
                answer["id"] = item.get("id", number)
                own = tool_definitions.read(item["tools"], f"line {number}") if item.get("tools") else []
            except (UsageError, ValueError) as error:
                understood = False
                answer |= _nothing(str(error))
            else:
                read, understood = await _answer(client, item["utterance"], [*tools, *own], only_tools)
                answer |= read
            failed |= not understood
            _print(answer)
    return 1 if failed else 0


async def _answer(client: Client, sentence: str, tools: Tools, only_tools: bool) -> tuple[dict[str, Any], bool]:
    """The program as JSON, and whether there was no error; one sentence that can't be read never ends the others."""
    try:
        return (await _read(client, sentence, tools, only_tools)).to_json(), True
    except LlmasosError as error:
        return _nothing(str(error)), False
    except Exception as error:
        log.exception("a sentence could not be interpreted")
        return _nothing(f"That failed inside llmasos: {type(error).__name__}: {error}"), False


async def _read(client: Client, sentence: str, tools: Tools, only_tools: bool) -> Reading:
    if tools or only_tools:
        return await client.interpret(sentence, tools=tools, only_tools=only_tools)
    return await client.understand(sentence)


def _nothing(error: str) -> dict[str, Any]:
    return {"calls": [], "confidence": 0.0, "ms": 0.0, "error": error}


def _print(answer: dict[str, Any]) -> None:
    # A lone surrogate in somebody's line can't be written as text, but it can as an escape.
    text = json.dumps(answer, ensure_ascii=False)
    print(text if text.isprintable() else json.dumps(answer), flush=True)
