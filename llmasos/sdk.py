"""What a plugin may import of llmasos: a typed function becomes a syscall that people and models can call.

    from llmasos.sdk import ToolError, syscall

    @syscall(effect="read")
    def roll(sides: int = 6) -> int:
        '''Roll a die with so many sides.'''
        return 4

In the plugin `dice` that is the syscall `dice.roll`. Parameters are str, int, float, bool, Literal,
list[...], dict[str, ...], and `X | None` of those; what comes back is JSON. `Args:` and `Examples:` of the
docstring tell people and models what to say.

What its manifest asks for and the person granted, it reaches through three functions:

    call("memory.recall", query="...")       a syscall, as the subject plugin:dice
    fetch("https://api.example.org/now")     a page, fetched by the kernel
    folder("~/Music")                        where a granted folder is

A leaf: standard library only and quick to import, because every worker pays for it before its first call.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Effect", "PluginError", "Response", "ToolError", "TrapError", "call", "describe", "fault", "fetch", "folder",
    "run", "schema_of", "syscall", "trap",
]  # fmt: skip

Effect = Literal["read", "final", "external"]
"""How far a call reaches: changes nothing; changes something for good; acts outside the machine."""

_MARK = "__llmasos_plugin_syscall__"
_UNDOABLE = ("write", "destroy")
_VARIADIC = 0x04 | 0x08  # CO_VARARGS, CO_VARKEYWORDS; `inspect` would cost 5 ms
_ASYNC = 0x20 | 0x80 | 0x200  # CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR
_SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean"}
_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table of names and values",
    "null": "nothing",
}

F = TypeVar("F", bound=Callable[..., Any])


class _ToldError(Exception):
    """An error in one sentence, with what to do about it in another."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = str(what)
        self.remedy = str(remedy)

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".strip()


class PluginError(_ToldError):
    """The plugin itself is wrong and can't be loaded; for its author."""


class ToolError(_ToldError):
    """This call can't be done. The message goes to the person, and to the model that made the call.

    Args:
        what: What went wrong, one sentence.
        remedy: What to say or do instead; may be empty.
    """


class TrapError(ToolError):
    """A syscall or a fetch of the plugin's own was refused or failed; let through, its words are the person's.

    Args:
        code: errno-like: `EACCES` where it may not, `ENOENT` where there is nothing of that name, ...
        what: What went wrong, one sentence.
        remedy: What to do instead; may be empty.
    """

    def __init__(self, code: str, what: str, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.code = code


_door: Callable[[str, dict[str, Any]], Any] | None = None
_folders: Mapping[str, str] = {}
"""Both set by the child that the plugin runs in."""


def call(name: str, /, **args: Any) -> Any:
    """Make a syscall of the kernel, from inside a call of the plugin; its result as JSON.

    The manifest asks for it, `syscalls = ["memory.recall", "room.*"]` under [capabilities], and the person grants it.
    Policy decides on each call all the same, about the subject `plugin:NAME` or `app:NAME`.

    Args:
        name: The syscall.
        **args: Its arguments.

    Raises:
        TrapError: It was refused or failed.
    """
    if _door is None:
        raise TrapError("ENOSYS", f"{name} can't be called here.", "Syscalls are made inside a call of the plugin.")
    return _door(name, args)


trap = call
"""The same by the kernel's own word."""


class Response:
    """What a fetch brought back.

    Attributes:
        url: Where from, after redirects.
        status: HTTP's number, 200 where all is well.
        headers: Their names in small letters.
        body: The bytes.
    """

    def __init__(self, url: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.url, self.status, self.headers, self.body = url, status, headers, body

    @property
    def text(self) -> str:
        """The body as text, by the charset that its headers name, else UTF-8; what isn't text becomes U+FFFD."""
        _, _, named = self.headers.get("content-type", "").lower().partition("charset=")
        try:
            return self.body.decode(named.partition(";")[0].strip(" \"'") or "utf-8", "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ToolError: It isn't JSON.
        """
        import json

        try:
            return json.loads(self.body)
        except ValueError:
            raise ToolError(f"{self.url.partition('?')[0]} answered what isn't JSON (status {self.status}).") from None


def fetch(
    url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: str | bytes = b""
) -> Response:
    """Fetch something from a host that was granted; the kernel makes the connection.

    The manifest asks for hosts, `hosts = ["api.example.org"]` under [capabilities]. At most 2 MB come back, within
    10 seconds, over at most 5 redirects, all of them to granted hosts.

    Args:
        url: https://..., or http:// where that was granted.
        method: GET, HEAD, POST, PUT, PATCH or DELETE.
        headers: Sent along.
        body: Sent along; text as UTF-8.

    Returns:
        The answer, whatever its status says.

    Raises:
        TrapError: EACCES where the host isn't granted, ETIMEDOUT, E2BIG, ENOENT, EIO.
    """
    if _door is None:
        raise TrapError("ENOSYS", f"{url} can't be fetched here.", "Fetching is done inside a call of the plugin.")
    from binascii import a2b_base64, b2a_base64

    sent = b2a_base64(body.encode() if isinstance(body, str) else body, newline=False).decode()
    asked = {"url": url, "method": method, "headers": dict(headers or {}), "body": sent}
    answer = _door("net.fetch", asked)
    return Response(answer["url"], answer["status"], answer["headers"], a2b_base64(answer["body"]))


def folder(said: str) -> Path:
    """Where a folder is that the manifest asks for, `paths.read = ["~/Music"]`, and the person granted.

    Args:
        said: As the manifest names it.

    Raises:
        ToolError: It wasn't granted, or isn't there.
    """
    from pathlib import Path

    if said not in _folders:
        raise ToolError(f"The folder {said} isn't there, or wasn't granted.", "The manifest's [capabilities] name it.")
    return Path(_folders[said])


def syscall(*, effect: Effect) -> Callable[[F], F]:
    """Mark a function of plugin.py as a syscall; the function itself stays as it is.

    Args:
        effect: `read` changes nothing, `external` acts outside the machine, `final` can't be undone.

    Raises:
        PluginError: The effect is another one.
    """
    if effect in _UNDOABLE:
        raise PluginError(
            f"The effect {effect!r} promises an undo, which a plugin can't give.",
            "Use 'final' or 'external'.",
        )
    if effect not in typing.get_args(Effect):
        raise PluginError(f"There is no effect {effect!r}.", f"It is one of: {', '.join(typing.get_args(Effect))}.")

    def mark(function: F) -> F:
        setattr(function, _MARK, effect)
        return function

    return mark


def describe(names: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a plugin offers, as JSON: function name -> line, effect, docstring, schema of its arguments.

    A function that can't be a syscall has a `fault` instead of a schema: what, remedy.

    Args:
        names: The names of its module, in the order they were written: `vars(module)`.
    """
    marked = {name: f for name, f in names.items() if isinstance(f, types.FunctionType) and hasattr(f, _MARK)}
    described = {}
    for name, function in marked.items():
        one = {"line": function.__code__.co_firstlineno, "effect": getattr(function, _MARK)}
        one["doc"] = function.__doc__ or ""
        try:
            one["schema"] = _signature(function)
        except PluginError as error:
            one["fault"] = [error.what, error.remedy]
        described[name] = one
    return described


def run(function: Callable[..., Any], schema: Mapping[str, Any], args: Mapping[str, Any]) -> Any:
    """Run a function with arguments that fit its schema, and only with such.

    Raises:
        ToolError: An argument is missing, unknown, or of the wrong type.
    """
    wrong = fault(args, schema, "the arguments")
    if wrong:
        raise ToolError(f"{function.__name__}: {wrong}.")
    properties = schema["properties"]
    return function(**{name: _fitted(value, properties[name]) for name, value in args.items()})


def fault(value: Any, schema: Mapping[str, Any], name: str = "the value") -> str:
    """What is wrong with a JSON value, naming the place; empty where it fits.

    Knows the part of JSON Schema that `schema_of` makes.
    """
    if "anyOf" in schema:
        faults = [fault(value, option, name) for option in schema["anyOf"]]
        return "" if "" in faults else faults[0]
    kind = schema.get("type", "")
    if not _is_kind(value, kind):
        return f"{name} is {_shortened(value)}, which isn't {_WORDS.get(kind, kind)}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{name} is {_shortened(value)}; it is one of {', '.join(map(str, schema['enum']))}"
    if kind == "array":
        return _first(fault(item, schema["items"], f"{name}[{i}]") for i, item in enumerate(value))
    if kind == "object":
        return _fault_of_object(value, schema, name)
    return ""


def schema_of(hint: Any) -> dict[str, Any]:
    """JSON Schema of a type.

    Raises:
        PluginError: A type that JSON can't carry.
    """
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if hint in _SIMPLE:
        return {"type": _SIMPLE[hint]}
    if origin is Literal:
        kinds = {type(option) for option in inside}
        if len(kinds) == 1 and kinds <= {str, int}:
            return {"type": _SIMPLE[kinds.pop()], "enum": list(inside)}
        raise PluginError(f"The choices of {hint} aren't all text or all whole numbers.")
    if origin in (Union, types.UnionType):
        return {"anyOf": [{"type": "null"} if option is type(None) else schema_of(option) for option in inside]}
    if origin is list:
        return {"type": "array", "items": schema_of(inside[0])}
    if origin is dict and inside[0] is str:
        return {"type": "object", "additionalProperties": schema_of(inside[1])}
    if hint is dict:
        return {"type": "object"}
    if origin is typing.Annotated:
        return schema_of(inside[0])
    raise PluginError(
        f"A syscall can't take {getattr(hint, '__name__', hint)}.",
        "Use str, int, float, bool, Literal, list[...], dict[str, ...] or X | None.",
    )


def _signature(function: types.FunctionType) -> dict[str, Any]:
    code = function.__code__
    name = function.__name__
    if code.co_flags & _ASYNC:
        raise PluginError(f"{name} is a coroutine or generator.", "Make it a plain function that returns its result.")
    if code.co_flags & _VARIADIC or code.co_posonlyargcount:
        raise PluginError(f"{name} has *args, **kwargs or positional-only parameters.", "Name each parameter.")
    positional = code.co_varnames[: code.co_argcount]
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    defaults = function.__defaults__ or ()
    optional = {*positional[len(positional) - len(defaults) :], *(function.__kwdefaults__ or {})}
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:  # a hint that is a string is evaluated, and can raise anything
        raise PluginError(f"The types of {name} can't be read: {error}.") from error
    properties = {}
    for parameter in parameters:
        if parameter not in hints:
            raise PluginError(f"The parameter {parameter} of {name} has no type.", f"Write '{parameter}: str', say.")
        hint = hints[parameter]
        if parameter in optional:  # what may be left out needn't be said to be nothing
            hint = _without_none(hint)
        try:
            properties[parameter] = schema_of(hint)
        except PluginError as error:
            raise PluginError(f"The parameter {parameter} of {name}: {error.what}", error.remedy) from None
    required = [p for p in parameters if p not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) not in (Union, types.UnionType):
        return hint
    rest = tuple(option for option in typing.get_args(hint) if option is not type(None))
    return Union[rest] if rest else hint  # noqa: UP007 - `|` can't join a tuple


def _is_kind(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "number":
        return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    right = {"string": str, "integer": int, "array": list, "object": Mapping, "null": type(None)}.get(kind)
    return right is not None and isinstance(value, right)


def _fault_of_object(value: Mapping[str, Any], schema: Mapping[str, Any], name: str) -> str:
    properties = schema.get("properties", {})
    for key in schema.get("required", ()):
        if key not in value:
            return f"{key} is missing"
    rest = schema.get("additionalProperties", True)
    for key, item in value.items():
        wrong = ""
        if key in properties:
            wrong = fault(item, properties[key], str(key))
        elif rest is False:
            wrong = f"there is no argument {_shortened(key)}"
        elif rest is not True:
            wrong = fault(item, rest, f"{name}[{_shortened(key)}]")
        if wrong:
            return wrong
    return ""


def _fitted(value: Any, schema: Mapping[str, Any]) -> Any:
    # JSON has one kind of number: 3 for a float parameter arrives as an int.
    if schema.get("type") == "number" and isinstance(value, int):
        try:
            return float(value)
        except OverflowError:
            raise ToolError(f"{_shortened(value)} is too large.") from None
    return value


def _first(faults: Iterable[str]) -> str:
    return next((one for one in faults if one), "")


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
