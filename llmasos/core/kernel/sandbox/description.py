"""What a child says about its plugin: checked, being untrusted text, and made into rows of the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from llmasos.core.base.errors import PluginError
from llmasos.core.base.types import Effect
from llmasos.core.kernel import docstring
from llmasos.core.kernel.sandbox.manifest import Plugin
from llmasos.core.kernel.syscall import Argument, Handler, Syscall

_FUNCTION = re.compile(r"[a-z][a-z0-9_]{0,47}")
_EFFECTS: dict[str, Effect] = {"read": "read", "final": "final", "external": "external"}
_KINDS = ("string", "integer", "number", "boolean", "array", "object", "null")
_MOST_SYSCALLS = 64
_MOST_ARGUMENTS = 32
_MOST_CHOICES = 256
_DEEPEST = 6
_LONGEST_DOC = 8_000


def rows(plugin: Plugin, said: Any, handler: Callable[[str], Handler]) -> list[Syscall]:
    """The plugin's syscalls.

    Args:
        plugin: Whose they are.
        said: The value of the child's greeting.
        handler: Makes what runs the function of a name.

    Raises:
        PluginError: The description isn't what the sdk makes, or offers nothing.
    """
    if not isinstance(said, dict) or not said:
        raise PluginError(f"{plugin.code} defines no syscall.", 'Mark a function with @syscall(effect="read").')
    if len(said) > _MOST_SYSCALLS:
        raise PluginError(f"{plugin.code} defines {len(said)} syscalls.", f"The limit is {_MOST_SYSCALLS}.")
    return [_row(plugin, name, one, handler) for name, one in said.items()]


def faults(plugin: Plugin, said: Any) -> list[PluginError]:
    """All that is wrong with a plugin's syscalls: the first fault of each, or of the whole."""
    found = []
    for part in [{name: one} for name, one in said.items()] if isinstance(said, dict) and said else [said]:
        try:
            rows(plugin, part, never)
        except PluginError as error:
            found.append(error)
    if not found and len(said) > _MOST_SYSCALLS:
        found.append(PluginError(f"{plugin.code} defines {len(said)} syscalls.", f"The limit is {_MOST_SYSCALLS}."))
    return found


def without_lines(said: Any) -> Any:
    """A description without the places of its functions, which a comment above them moves."""
    if not isinstance(said, dict):
        return said
    return {name: {**one, "line": 0} if isinstance(one, dict) else one for name, one in said.items()}


def never(_: str) -> Handler:
    """A handler for rows that are only looked at."""

    async def run(caller: Any, /, **args: Any) -> Any:
        raise AssertionError("only looked at")

    return run


def _row(plugin: Plugin, name: str, one: Any, handler: Callable[[str], Handler]) -> Syscall:
    line = one.get("line") if isinstance(one, dict) else None
    where = f"{plugin.code}, line {line}: {name[:60]}" if type(line) is int else f"{plugin.code}: {name[:60]}"
    if not _FUNCTION.fullmatch(name):
        raise PluginError(f"{where} can't be the name of a syscall.", "Small letters, digits and '_', a letter first.")
    if isinstance(one, dict) and set(one) == {"line", "effect", "doc", "fault"}:
        raise _fault_in_words(where, one["fault"])
    whole = isinstance(one, dict) and set(one) == {"line", "effect", "doc", "schema"}
    if not whole or not isinstance(one["effect"], str) or one["effect"] not in _EFFECTS:
        raise PluginError(f"{where} isn't described as the sdk does it.")
    doc = one["doc"]
    if not isinstance(doc, str) or len(doc) > _LONGEST_DOC:
        raise PluginError(f"{where} has a docstring that is too long.", f"The limit is {_LONGEST_DOC:,} characters.")
    parsed = docstring.parse(doc)
    if not parsed.summary:
        raise PluginError(f"{where} has no docstring.", "Its first line says what the syscall does; models read it.")
    return Syscall(
        name=f"{plugin.name}.{name}",
        effect=_EFFECTS[one["effect"]],
        summary=parsed.summary,
        body=parsed.body,
        arguments=_arguments(where, one["schema"], parsed.arguments),
        run=handler(name),
        examples=parsed.examples,
        plugin=plugin.name,
        source=str(plugin.code),
    )


def _fault_in_words(where: str, fault: Any) -> PluginError:
    told = isinstance(fault, list) and len(fault) == 2 and all(isinstance(t, str) and len(t) <= 2000 for t in fault)
    return PluginError(f"{where}: {fault[0]}", fault[1]) if told else PluginError(f"{where} isn't described right.")


def _arguments(where: str, schema: Any, described: Mapping[str, str]) -> tuple[Argument, ...]:
    if not isinstance(schema, dict) or schema.get("type") != "object" or not isinstance(schema.get("properties"), dict):
        raise PluginError(f"{where} has no schema of its arguments.")
    properties: dict[str, Any] = schema["properties"]
    required = schema.get("required")
    known = isinstance(required, list) and all(isinstance(r, str) and r in properties for r in required)
    if not known or len(properties) > _MOST_ARGUMENTS or not all(map(_FUNCTION.fullmatch, properties)):
        raise PluginError(f"{where} has arguments that can't be used.", f"At most {_MOST_ARGUMENTS}, in small letters.")
    for argument in described:
        if argument not in properties:
            raise PluginError(f"{where}: the docstring describes {argument!r}, which is no parameter.")
    for argument, one in properties.items():
        if not _is_plain(one, _DEEPEST):
            raise PluginError(f"{where}: the schema of {argument} isn't one that the sdk makes.")
    assert isinstance(required, list)
    return tuple(Argument(a, a in required, described.get(a, ""), one) for a, one in properties.items())


def _is_plain(schema: Any, depth: int) -> bool:
    """Whether it is of the kind the sdk makes: a `$ref`, say, could make a validator read files."""
    if not isinstance(schema, dict) or depth < 0:
        return False
    if set(schema) == {"anyOf"}:
        options = schema["anyOf"]
        return isinstance(options, list) and 0 < len(options) <= 8 and all(_is_plain(o, depth - 1) for o in options)
    kind = schema.get("type")
    if kind not in _KINDS or not set(schema) <= {"type", "enum", "items", "additionalProperties"}:
        return False
    if "enum" in schema and not _is_enum(schema["enum"], {"string": str, "integer": int}.get(kind)):
        return False
    if (kind == "array") != ("items" in schema) or ("additionalProperties" in schema and kind != "object"):
        return False
    return all(_is_plain(schema[key], depth - 1) for key in ("items", "additionalProperties") if key in schema)


def _is_enum(choices: Any, wanted: type | None) -> bool:
    if wanted is None or not isinstance(choices, list) or not 0 < len(choices) <= _MOST_CHOICES:
        return False
    return all(type(c) is wanted and len(str(c)) <= 200 for c in choices)
