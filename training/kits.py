"""Kits: functions and requests for them, written by hand in the very form that the model reads and writes.

    ## Beekeeping
    hive.inspect - Record an inspection of a hive.
     hive: string - Name or number of the hive
     frames?: integer - Frames with brood
     mood?: calm|nervous|aggressive

    > looked into hive 4 today, six frames of brood, all calm
    hive.inspect
     hive: 4
     frames: 6
     mood: calm

    > do bees sleep at night?
    none

`python -m training.kits FILE ...` checks files and says what is wrong, by line.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KEYWORDS = ("string", "integer", "number", "boolean", "any", "object", "null")
_ARGUMENT = re.compile(r" ([^\s:?]+)(\??): (.+)")
_HEAD = re.compile(r"(\S+)(?: - (.+))?")
_REFERENCE = re.compile(r"\$[1-4]")

Tool = dict[str, Any]
Calls = list[tuple[str, dict[str, Any]]]


@dataclass
class Kit:
    """Functions that belong together, with requests (sentence, calls); no calls where nothing fits."""

    title: str
    tools: list[Tool] = field(default_factory=list)
    requests: list[tuple[str, Calls]] = field(default_factory=list)


class KitError(ValueError):
    """What is wrong, with the line."""


def parse_type(text: str) -> dict[str, Any]:
    """A type as `definitions.type_text` writes it, as JSON Schema.

    Raises:
        KitError: It can't be read.
    """
    schema, rest = _union(text.strip())
    if rest.strip():
        raise KitError(f"can't read the type {text!r} from {rest!r}")
    return schema


def _union(text: str) -> tuple[dict[str, Any], str]:
    parts = []
    while True:
        part, text = _single(text)
        parts.append(part)
        if not text.startswith(" or "):
            break
        text = text[4:]
    return (parts[0] if len(parts) == 1 else {"anyOf": parts}), text


def _single(text: str) -> tuple[dict[str, Any], str]:
    if text.startswith("["):
        item, rest = _union(text[1:])
        if not rest.startswith("]"):
            raise KitError(f"no ']' in {text!r}")
        return {"type": "array", "items": item}, rest[1:]
    if text.startswith("{"):
        return _object(text)
    match = re.match(r"[^\]},]+?(?= or |[\]},]|$)", text)
    if not match:
        raise KitError(f"no type in {text!r}")
    word, rest = match[0], text[match.end() :]
    if word in KEYWORDS:
        return ({} if word == "any" else {"type": word}), rest
    if "|" not in word:
        raise KitError(f"unknown type {word!r}")
    choices: list[Any] = word.split("|")
    if all(re.fullmatch(r"-?\d+", choice) for choice in choices):
        return {"type": "integer", "enum": [int(choice) for choice in choices]}, rest
    return {"type": "string", "enum": choices}, rest


def _object(text: str) -> tuple[dict[str, Any], str]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    rest = text[1:]
    while True:
        match = re.match(r"\s*([^\s:?{}]+)(\??): ", rest)
        if not match:
            raise KitError(f"no field name in {rest!r}")
        properties[match[1]], rest = _union(rest[match.end() :])
        if not match[2]:
            required.append(match[1])
        if rest.startswith("}"):
            return {"type": "object", "properties": properties, "required": required}, rest[1:]
        if not rest.startswith(","):
            raise KitError(f"no ',' or '}}' in {rest!r}")
        rest = rest[1:]


def read(path: Path) -> list[Kit]:
    """The kits of a file.

    Raises:
        KitError: A line fits nothing; the message has file and line.
    """
    kits: list[Kit] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            _read_line(line.rstrip(), kits)
        except (KitError, ValueError, IndexError) as error:
            raise KitError(f"{path}:{number}: {error or 'no kit or function above this line'}") from None
    return kits


def _read_line(line: str, kits: list[Kit]) -> None:
    if not line.strip() or line.startswith("# "):
        return
    if line.startswith("## "):
        kits.append(Kit(line[3:].strip()))
        return
    kit = kits[-1]
    if line.startswith("> "):
        kit.requests.append((" ".join(line[2:].split()), []))
    elif kit.requests:
        _read_answer(line, kit)
    elif line.startswith(" "):
        _read_argument(line, kit.tools[-1])
    else:
        match = _HEAD.fullmatch(line)
        if not match:
            raise KitError(f"no function: {line!r}")
        schema = {"type": "object", "properties": {}, "required": []}
        kit.tools.append({"name": match[1], "description": match[2] or "", "inputSchema": schema})


def _read_argument(line: str, tool: Tool) -> None:
    match = _ARGUMENT.fullmatch(line)
    if not match:
        raise KitError(f"no argument: {line!r}")
    kind, _, description = match[3].partition(" - ")
    schema = parse_type(kind)
    if description.strip():
        schema["description"] = description.strip()
    tool["inputSchema"]["properties"][match[1]] = schema
    if not match[2]:
        tool["inputSchema"]["required"].append(match[1])


def _read_answer(line: str, kit: Kit) -> None:
    calls = kit.requests[-1][1]
    if line == "none":
        if calls:
            raise KitError("'none' stands alone")
        return
    if not line.startswith(" "):
        if all(tool["name"] != line for tool in kit.tools):
            raise KitError(f"no function {line!r} in kit {kit.title!r}")
        calls.append((line, {}))
        return
    name, separator, value = line[1:].partition(": ")
    if not separator or not calls:
        raise KitError(f"no argument line: {line!r}")
    syscall, args = calls[-1]
    schema = next(t for t in kit.tools if t["name"] == syscall)["inputSchema"]["properties"].get(name)
    if schema is None:
        raise KitError(f"{syscall} has no argument {name!r}")
    if name in args:
        raise KitError(f"{name!r} stands twice")
    args[name] = value if is_plain(schema) else json.loads(value)


def is_plain(schema: dict[str, Any]) -> bool:
    """Whether a value stands as it is said, and not as JSON."""
    return schema.get("type") == "string"


def problems(kit: Kit) -> Iterator[tuple[bool, str]]:
    """(whether it is an error, what) for each thing that looks wrong."""
    names = [tool["name"] for tool in kit.tools]
    if len(set(names)) < len(names):
        yield True, f"{kit.title}: two functions of one name"
    if not kit.requests:
        yield True, f"{kit.title}: no requests"
    by_name = {tool["name"]: tool["inputSchema"] for tool in kit.tools}
    for sentence, calls in kit.requests:
        for place, (name, args) in enumerate(calls):
            schema = by_name[name]
            for missing in set(schema["required"]) - set(args):
                yield True, f"> {sentence}\n    {name} needs {missing}"
            for argument, value in args.items():
                part = schema["properties"][argument]
                if isinstance(value, str) and _REFERENCE.fullmatch(value) and int(value[1]) <= place:
                    continue
                if not fits(value, part):
                    yield True, f"> {sentence}\n    {name}.{argument}: {value!r} is no {json.dumps(part)}"
                yield from (
                    (False, f"> {sentence}\n    {argument}: {text!r}") for text in _unsaid(value, part, sentence)
                )


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value has its schema's type."""
    if "anyOf" in schema:
        return any(fits(value, part) for part in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kind = schema.get("type")
    if kind == "array":
        return isinstance(value, list) and all(fits(item, schema["items"]) for item in value)
    if kind == "object" and "properties" in schema:
        known = schema["properties"]
        return (
            isinstance(value, dict)
            and set(schema["required"]) <= set(value) <= set(known)
            and all(fits(item, known[name]) for name, item in value.items())
        )
    wanted = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "object": dict,
        "null": type(None),
    }
    return kind is None or (isinstance(value, wanted[kind]) and (kind == "boolean" or not isinstance(value, bool)))


def _unsaid(value: Any, schema: dict[str, Any], sentence: str) -> Iterator[str]:
    """Texts that don't stand in the sentence and in no list of choices."""
    if isinstance(value, str):
        if "enum" not in json.dumps(schema) and value.casefold() not in sentence.casefold():
            yield value
    elif isinstance(value, list):
        for item in value:
            yield from _unsaid(item, schema.get("items", schema), sentence)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _unsaid(item, schema.get("properties", {}).get(name, schema), sentence)


def _counted(kits: list[Kit]) -> str:
    requests = [request for kit in kits for request in kit.requests]
    nothing = sum(not calls for _, calls in requests)
    several = sum(len(calls) > 1 for _, calls in requests)
    functions = sum(len(kit.tools) for kit in kits)
    told = f"{len(kits)} kits, {functions} functions, {len(requests)} requests"
    return f"{told}, {nothing} none, {several} with several calls"


def main() -> int:
    """Check files; exit code 1 where one has an error."""
    wrong = False
    for path in map(Path, sys.argv[1:]):
        try:
            kits = read(path)
        except KitError as error:
            print(error)
            wrong = True
            continue
        found = [problem for kit in kits for problem in problems(kit)]
        unsaid = [text for error, text in found if not error]
        for error, text in found:
            if error:
                print(f"WRONG {text}")
        wrong = wrong or len(unsaid) < len(found)
        for text in unsaid[-400:]:
            print(f"not a literal span (fine only where the definition asks for such a form) {text}")
        print(f"{path}: {_counted(kits)}, {len(unsaid)} values that are no literal span")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
