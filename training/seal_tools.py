"""Seal-Tools (Apache-2.0, github.com/fairyshine/Seal-Tools) as typed examples.

The set writes every value as a string and leaves placeholders in: kept are requests whose values are, once
converted to the schema's types, literal spans or numbers of the sentence.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from training.example import Call, Example
from training.toolsets import Request, Tool, example

_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array"}
_PLACEHOLDER = re.compile(r"\b(specific|specified|given|certain|particular)\b", re.I)


def tools_of(folder: Path) -> dict[str, tuple[str, Tool]]:
    """Function name to its field and its definition in MCP form; functions with other types are left out."""
    found: dict[str, tuple[str, Tool]] = {}
    for line in (folder / "tool.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        kinds = {name: _TYPES.get(part.get("type", "")) for name, part in row["parameters"].items()}
        if not all(kinds.values()):
            continue
        properties = {
            name: {"type": kinds[name], "description": part.get("description", "")}
            for name, part in row["parameters"].items()
        }
        schema = {"type": "object", "properties": properties, "required": row.get("required") or []}
        tool = {"name": row["api_name"], "description": row["api_description"], "inputSchema": schema}
        found[row["api_name"]] = row["field"].partition("/")[0], tool
    return found


def typed(kind: str, value: Any, sentence: str) -> Any:
    """The value in its schema's type where the sentence says it, else None."""
    text = str(value)
    if kind == "string":
        at = sentence.casefold().find(text.casefold().strip())
        return sentence[at : at + len(text.strip())] if at >= 0 and text.strip() else None
    if kind in {"integer", "number"}:
        if not re.fullmatch(r"-?\d+(\.\d+)?", text) or not re.search(
            rf"(?<![\d.]){re.escape(text)}(?![\d])", sentence.replace(",", "")
        ):
            return None
        return int(text) if re.fullmatch(r"-?\d+", text) else float(text) if kind == "number" else None
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.casefold())
    return None


def requests_of(file: Path, tools: Mapping[str, tuple[str, Tool]]) -> Iterator[Request]:
    """The requests that can be learned word for word."""
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        sentence = " ".join(row["query"].split())
        calls: list[Call] = []
        for call in row["calling"]:
            if call["api"] not in tools or _PLACEHOLDER.search(sentence):
                break
            properties = tools[call["api"]][1]["inputSchema"]["properties"]
            args = {n: typed(properties.get(n, {}).get("type", ""), v, sentence) for n, v in call["parameters"].items()}
            if any(value is None for value in args.values()):
                break
            calls.append((call["api"], args))
        else:
            if len(calls) <= 3:
                yield sentence, calls


def examples(folder: Path, files: tuple[str, ...], order: random.Random) -> Iterator[Example]:
    """Groups of requests behind the definitions that they need and some that they don't."""
    tools = tools_of(folder)
    requests = [request for file in files for request in requests_of(folder / file, tools)]
    order.shuffle(requests)
    everything = [tool for _, tool in tools.values()]
    while requests:
        group = [requests.pop() for _ in range(min(len(requests), order.choice((1, 2, 3))))]
        needed = list({name: tools[name][1] for _, calls in group for name, _ in calls}.values())
        yield example(needed, group, order.sample(everything, 12), order, only=True)
