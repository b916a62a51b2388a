"""What a plugin may import of llmasos: a typed function becomes a syscall that people and models can call.

    from llmasos.sdk import ToolError, syscall

    @syscall(effect="read")
    def roll(sides: int = 6) -> int:
        '''Roll a die with so many sides.'''
        return 4

In the plugin `dice` that is the syscall `dice.roll`. Parameters are str, int, float, bool, Literal,
list[...], dict[str, ...], and `X | None` of those; what comes back is JSON. `Args:` and `Examples:` of the
docstring tell people and models what to say.

A leaf: standard library only and quick to import, because every worker pays for it before its first call.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar, Union

__all__ = [
    "Effect", "PluginError", "ToolError", "TrapError", "call", "describe", "fault", "schema_of", "syscall", "trap",
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
    """A syscall that an app made was refused or failed.

    Args:
        code: errno-like: `EACCES` where it may not, `ENOENT` where there is nothing of that name, ...
        what: What went wrong, one sentence.
        remedy: What to do instead; may be empty.
    """

    def __init__(self, code: str, what: str, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.code = code


_door: Callable[[str, dict[str, Any]], Any] | None = None
"""Set by the child's runner."""


def trap(name: str, /, **args: Any) -> Any:
    """Make a syscall of the kernel, from inside a call of an app; its result as JSON.

    The app's manifest names what it may ask for, `syscalls = ["room.*"]` under [capabilities]; policy decides on
    each call, with the subject `app:NAME`.

    Args:
        name: The syscall.
        **args: Its arguments.

    Raises:
        TrapError: It was refused or failed.
    """
    if _door is None:
        raise TrapError("ENOSYS", f"{name} can't be called here.", "Syscalls are made inside a call of the app.")
    return _door(name, args)


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
    """What a plugin offers, as JSON: function name -> effect, docstring, schema of its arguments.

    Args:
        names: The names of its module, in the order they were written: `vars(module)`.

    Raises:
        PluginError: A function can't be a syscall; says which and why.
    """
    marked = {name: f for name, f in names.items() if isinstance(f, types.FunctionType) and hasattr(f, _MARK)}
    return {
        name: {"effect": getattr(f, _MARK), "doc": f.__doc__ or "", "schema": _signature(f)}
        for name, f in marked.items()
    }


def call(function: Callable[..., Any], schema: Mapping[str, Any], args: Mapping[str, Any]) -> Any:
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
