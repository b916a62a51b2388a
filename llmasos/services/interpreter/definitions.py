"""Function definitions as the model reads them: JSON Schema in few tokens.

    club.rsvp - Say whether a player comes to training or a match.
     player: string
     coming: boolean - true if they will be there
     event?: string - Which training or match

One block a function; `?` marks what may be left out. A first line `only:` says that there are no other functions, the
catalogue included. Used alike by training and by the interpreter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

ONLY = "only:"

_LIMIT = 160
"""Characters of a description that are shown; long ones cost prefill and help little."""


def render(tools: Iterable[Mapping[str, Any]], *, only: bool = False) -> str:
    """The definitions of tools in MCP `tools/list` form (`name`, `description`, `inputSchema`).

    Args:
        tools: In the order in which they are shown.
        only: Whether the catalogue can't be called beside them.
    """
    lines = [line for tool in tools for line in _lines(tool)]
    return "\n".join([ONLY, *lines] if only else lines)


def schema_of(tool: Mapping[str, Any]) -> dict[str, Any]:
    """The tool's argument schema, whatever its dialect calls it; an empty object where there is none."""
    for key in ("inputSchema", "input_schema", "parameters"):
        if isinstance(tool.get(key), Mapping):
            return dict(tool[key])
    return {"type": "object", "properties": {}}


def _lines(tool: Mapping[str, Any]) -> Iterable[str]:
    schema = schema_of(tool)
    required = schema.get("required") or ()
    yield str(tool["name"]) + _described(tool)
    for name, argument in (schema.get("properties") or {}).items():
        optional = "" if name in required else "?"
        yield f" {name}{optional}: {type_text(argument)}{_described(argument)}"


def _described(thing: Any) -> str:
    text = thing.get("description") if isinstance(thing, Mapping) else None
    if not isinstance(text, str) or not text.strip():
        return ""
    line = " ".join(text.split())
    return " - " + (line if len(line) <= _LIMIT else line[: _LIMIT - 1] + "…")


def type_text(schema: Any) -> str:
    """A schema's type in a few tokens: `string`, `a|b|c`, `[integer]`, `{x: number, y?: number}`, `string or null`."""
    if not isinstance(schema, Mapping):
        return "any"
    if "const" in schema:
        return str(schema["const"])
    if isinstance(schema.get("enum"), list):
        return "|".join(str(value) for value in schema["enum"])
    for union in ("anyOf", "oneOf"):
        if isinstance(schema.get(union), list):
            return " or ".join(type_text(part) for part in schema[union])
    kind = schema.get("type", "object" if "properties" in schema else "any")
    if isinstance(kind, list):
        return " or ".join(type_text({**schema, "type": one}) for one in kind)
    if kind == "array":
        return f"[{type_text(schema.get('items'))}]"
    if kind == "object" and schema.get("properties"):
        required = schema.get("required") or ()
        inside = (
            f"{name}{'' if name in required else '?'}: {type_text(part)}" for name, part in schema["properties"].items()
        )
        return "{" + ", ".join(inside) + "}"
    return str(kind)
