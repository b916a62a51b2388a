"""Functions that come from outside, in MCP `tools/list` form: checked, and brought to plain JSON Schema.

Tools in the wild write `parameters` for `inputSchema`, wrap the function in `{"type": "function", "function": ...}`,
and name types as Python does; all of that is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from llmasos.core.base.errors import UsageError

TYPES = {
    "dict": "object", "float": "number", "int": "integer", "bool": "boolean", "str": "string",
    "tuple": "array", "list": "array", "String": "string", "Boolean": "boolean", "Integer": "integer",
}  # fmt: skip
"""Names of types as some tools write them."""


_HALF = re.compile("[\ud800-\udfff]")
"""Half a character: JSON can hold one, UTF-8 can't."""


class Tool(BaseModel):
    """One function."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(min_length=1, max_length=200)
    description: str | None = None
    inputSchema: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})  # noqa: N815 - MCP's name

    @field_validator("name")
    @classmethod
    def _one_line(cls, name: str) -> str:
        if name != name.strip() or any(c in name for c in "\n\r:") or _HALF.search(name):
            raise ValueError("must be one line without ':'")
        return name


def read(data: Any, where: str) -> list[dict[str, Any]]:
    """Functions from JSON: a list, an object with `tools`, or an answer to `tools/list`.

    Args:
        data: Parsed JSON.
        where: What to name in a message.

    Raises:
        UsageError: It isn't a list of functions; the message names the first that is wrong, and how.
    """
    if isinstance(data, dict):
        result = data.get("result")
        data = data.get("tools", result.get("tools") if isinstance(result, dict) else None)
    if not isinstance(data, list):
        raise UsageError(
            f"{where} holds no list of tools.", 'Write [{"name": ..., "description": ..., "inputSchema": {...}}].'
        )
    return [_tool(item, f"Tool {number} of {where}") for number, item in enumerate(data, 1)]


def _tool(item: Any, where: str) -> dict[str, Any]:
    if isinstance(item, dict) and isinstance(item.get("function"), dict):
        item = item["function"]
    if isinstance(item, dict):
        schema = next((item[key] for key in ("inputSchema", "input_schema", "parameters") if item.get(key)), None)
        item = {**item, **({"inputSchema": schema} if schema is not None else {})}
    try:
        tool = Tool.model_validate(item)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise UsageError(
            f"{where} is wrong: {place}: {first['msg']}.", 'Each needs a "name", and should have an "inputSchema".'
        ) from None
    schema = _plain(tool.inputSchema)
    return {"name": tool.name, "description": tool.description or "", "inputSchema": {"type": "object", **schema}}


def _plain(schema: Any, depth: int = 0) -> dict[str, Any]:
    """A schema with the keywords that the interpreter reads; what has another shape than JSON Schema's is left out."""
    if not isinstance(schema, Mapping) or depth > 16:
        return {}
    plain: dict[str, Any] = {}
    kind = schema.get("type")
    if isinstance(kind, str):
        plain["type"] = TYPES.get(kind, kind)
    elif isinstance(kind, list) and kind and all(isinstance(one, str) for one in kind):
        plain["type"] = [TYPES.get(one, one) for one in kind]
    if isinstance(schema.get("description"), str):
        plain["description"] = schema["description"]
    if isinstance(schema.get("properties"), Mapping):
        # An argument stands on a line of its own, so its name can't hold a line break; nor what no token can write.
        names = [str(name) for name in schema["properties"] if "\n" not in str(name) and not _HALF.search(str(name))]
        plain["properties"] = {name: _plain(schema["properties"][name], depth + 1) for name in names}
        required = schema.get("required")
        plain["required"] = [name for name in required if name in names] if isinstance(required, list) else []
    if isinstance(schema.get("enum"), list):
        choices = [c for c in schema["enum"] if not (isinstance(c, str) and "\n" in c)]
        if choices:
            plain["enum"] = choices
    if "const" in schema:
        plain["const"] = schema["const"]
    if "items" in schema:
        plain["items"] = _plain(schema["items"], depth + 1)
    for union in ("anyOf", "oneOf"):
        if isinstance(schema.get(union), list) and schema[union]:
            plain[union] = [_plain(part, depth + 1) for part in schema[union]]
    for keyword, wanted in (("examples", list), ("default", str)):
        if isinstance(schema.get(keyword), wanted):
            plain[keyword] = schema[keyword]
    return plain
