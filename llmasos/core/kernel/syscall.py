"""A syscall is one typed function: its schema, validation, grammar, help and docs all come from its signature.

    class Files:
        @syscall("files.read", effect="read")
        async def read(self, caller: Caller, path: str) -> Text:
            '''Show a file.

Args:
                path: Which file.

Examples:
                read me notes/todo.md
            '''

A table is built at boot from the services' marked methods; there is no global registry. Plugins add syscalls whose
function lives in another process: those bring their JSON Schema along.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

from llmasos.core.base.errors import PluginError, SyscallError
from llmasos.core.base.types import Effect
from llmasos.core.kernel import docstring
from llmasos.sdk import fault

_MARK = "__llmasos_syscall__"
_INVERSE = "__llmasos_inverse__"
_WORDS = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument as grammar, help and completion see it.

    Attributes:
        name: Its name.
        required: Whether it must be given.
        description: From the docstring.
        schema: JSON Schema of its value.
        kind: What completes it: `path`, `character`, `device`, ... or empty.
    """

    name: str
    required: bool
    description: str
    schema: Mapping[str, Any]
    kind: str = ""
    spoken: bool = True
    """Whether a sentence can say it; others are only written, as in `system.undo 3`."""

    @property
    def is_text(self) -> bool:
        """Whether it is free text, which may only be copied from what was said."""
        return self.schema.get("type") == "string" and "enum" not in self.schema


@dataclass(frozen=True, slots=True)
class Kind:
    """Marks what an argument names, for completion: `Annotated[str, Kind("path")]`."""

    name: str


@dataclass(frozen=True, slots=True)
class Written:
    """Marks an argument that the interpreter doesn't know yet: `Annotated[str, Written()]`; it is only written."""


@dataclass(frozen=True, slots=True)
class Offers:
    """Words that a text may hold though nobody said them: `Annotated[str, Offers(("brightness", "volume"))]`."""

    words: tuple[str, ...]


class Handler(Protocol):
    """What runs a syscall; the caller first, then the arguments by name."""

    def __call__(self, caller: Any, /, **args: Any) -> Awaitable[Any]:
        """Run it and return JSON or a model with fields."""


@dataclass(frozen=True)
class Syscall:
    """One row of the table.

    Attributes:
        name: `room.verb`.
        effect: How far it reaches and whether it can be taken back.
        summary: One line.
        arguments: In the order in which they are written.
        run: The function.
        preview: Resolves arguments for showing before an effect; None shows them as said.
        examples: Sentences that mean it.
        plugin: The plugin that brought it, empty for our own.
        source: The file that defines it, for messages.
        body: What the docstring says beyond its first line.
        spoken: Whether a sentence can mean it; others are only written, until the interpreter has learned them.
        bound: Whether what the preview found is what runs, though something else would be found by then. Of others
            the preview is asked again after a person has consented, and what differs isn't done.
        journaled: Whether an effect is written into the journal. A plugin's fetches have a line in the log instead:
            in numbers, they would push out what the person could still take back.
    """

    name: str
    effect: Effect
    summary: str
    arguments: tuple[Argument, ...]
    run: Handler
    preview: Callable[..., Awaitable[dict[str, str]]] | None = None
    examples: tuple[str, ...] = ()
    plugin: str = ""
    source: str = ""
    body: str = ""
    spoken: bool = True
    bound: bool = False
    journaled: bool = True

    @cached_property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments as an object."""
        return {
            "type": "object",
            "properties": {
                a.name: {**a.schema, **({"description": a.description} if a.description else {})}
                for a in self.arguments
            },
            "required": [a.name for a in self.arguments if a.required],
            "additionalProperties": False,
        }

    def definition(self) -> dict[str, Any]:
        """The call in MCP `tools/list` form."""
        return {"name": self.name, "description": self.summary, "inputSchema": self.schema}

    def validate(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with their right types; text for numbers is converted, as a shell's words are text.

        Raises:
            SyscallError: EINVAL names the argument, what is wrong with it, and how the call looks.
        """
        known = {a.name: a for a in self.arguments}
        for name in args:
            if name not in known:
                raise SyscallError(
                    "EINVAL", f"{self.name} has no argument {_shortened(name)}.", f"It looks like: {self.usage}"
                )
        for argument in self.arguments:
            if argument.required and argument.name not in args:
                raise SyscallError("EINVAL", f"{self.name} needs {argument.name}.", f"It looks like: {self.usage}")
        return {name: _convert(self, known[name], value) for name, value in args.items()}

    @cached_property
    def usage(self) -> str:
        """`files.move source destination`; what may be left out is in brackets."""
        words = (a.name if a.required else f"[{a.name}]" for a in self.arguments)
        return " ".join([self.name, *words])


def _convert(syscall: Syscall, argument: Argument, value: Any) -> Any:
    kind = argument.schema.get("type")
    try:
        if kind == "integer" and isinstance(value, str):
            value = int(value)
        elif kind == "number" and isinstance(value, str):
            value = float(value)
        elif kind == "boolean" and isinstance(value, str):
            value = {"true": True, "yes": True, "false": False, "no": False}[value.lower()]
        right = {
            "string": isinstance(value, str),
            "integer": isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63,
            "number": isinstance(value, int | float) and not isinstance(value, bool),
            "boolean": isinstance(value, bool),
        }.get(str(kind))
        if right is None:  # a plugin's array, object or union
            return _validated(value, argument.schema)
        if not right:
            raise ValueError
    except (ValueError, KeyError, OverflowError):
        wanted = _WORDS.get(str(kind), f"what its schema says ({kind})")
        raise SyscallError(
            "EINVAL",
            f"{argument.name} of {syscall.name} is {_shortened(value)}, which isn't {wanted}.",
            f"It looks like: {syscall.usage}",
        ) from None
    choices = argument.schema.get("enum")
    if choices and value not in choices:
        raise SyscallError(
            "EINVAL",
            f"{argument.name} of {syscall.name} is {_shortened(value)}.",
            f"It is one of: {', '.join(map(str, choices))}.",
        )
    return value


def _validated(value: Any, schema: Mapping[str, Any]) -> Any:
    wrong = fault(value, schema)
    if wrong:
        raise ValueError(wrong)
    return value


def _shortened(value: Any) -> str:
    try:
        text = repr(value[:100] if isinstance(value, str) else value)
    except (RecursionError, ValueError):  # nested too deeply, or a number with too many digits
        text = f"a {type(value).__name__} that can't be shown"
    return text if len(text) <= 60 else text[:57] + "..."


def syscall(
    name: str, *, effect: Effect, preview: str = "", spoken: bool = True, bound: bool = False, journaled: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a method as a syscall.

    Args:
        name: `room.verb`, as in the catalogue.
        effect: read, write, destroy, final or external.
        preview: Name of the method that resolves the arguments before an effect: same arguments, returns
            argument name -> what to show; raises SyscallError where the call can't work.
        spoken: Whether a sentence can mean it.
        bound: Whether the method does what the preview found, and looks for nothing anew.
        journaled: Whether it is written into the journal; what only brings something here, again and again, isn't.
    """

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        setattr(function, _MARK, (name, effect, preview, spoken, bound, journaled))
        return function

    return mark


def inverse(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a method as what takes an effect back: `async def restore(self, caller, payload) -> str`."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        setattr(function, _INVERSE, name)
        return function

    return mark


def from_method(bound: Callable[..., Any], owner: object) -> Syscall:
    """The table row of a marked, bound method."""
    name, effect, preview, spoken, is_bound, journaled = getattr(bound, _MARK)
    doc = docstring.parse(bound.__doc__)
    hints = typing.get_type_hints(bound, include_extras=True)
    arguments = []
    for parameter in list(inspect.signature(bound).parameters.values())[1:]:
        hint = hints[parameter.name]
        marks = getattr(hint, "__metadata__", ())
        kind = next((m.name for m in marks if isinstance(m, Kind)), "")
        said = not any(isinstance(m, Written) for m in marks)
        required = parameter.default is inspect.Parameter.empty
        description = doc.arguments.get(parameter.name, "")
        arguments.append(Argument(parameter.name, required, description, schema_of(hint), kind, said))
    return Syscall(
        name=name,
        effect=effect,
        summary=doc.summary,
        body=doc.body,
        arguments=tuple(arguments),
        run=bound,
        preview=getattr(owner, preview) if preview else None,
        examples=doc.examples,
        spoken=spoken,
        bound=is_bound,
        journaled=journaled,
        source=inspect.getsourcefile(bound) or "",
    )


def schema_of(hint: Any) -> dict[str, Any]:
    """JSON Schema of the few types that our own syscalls take.

    Raises:
        TypeError: A type that a sentence can't carry.
    """
    if typing.get_origin(hint) is typing.Annotated:
        offered = [list(m.words) for m in hint.__metadata__ if isinstance(m, Offers)]
        return {**schema_of(typing.get_args(hint)[0]), **({"examples": offered[0]} if offered else {})}
    options = [o for o in typing.get_args(hint) if o is not type(None)]
    if typing.get_origin(hint) is Literal:
        return {"type": "string", "enum": options}
    if len(options) == 1:  # X | None
        return schema_of(options[0])
    simple = {str: "string", int: "integer", float: "number", bool: "boolean"}.get(hint)
    if simple is None:
        raise TypeError(f"a syscall can't take {hint!r}: use str, int, float, bool or Literal")
    return {"type": simple}


def names(service: type) -> Iterator[str]:
    """The syscalls of a service, without making one."""
    for attribute in _written_order(service):
        mark = getattr(getattr(service, attribute, None), _MARK, None)
        if mark:
            yield mark[0]


@dataclass
class SyscallTable:
    """All syscalls and inverses by name."""

    rows: dict[str, Syscall] = field(default_factory=dict)
    inverses: dict[str, Callable[..., Awaitable[str]]] = field(default_factory=dict)

    def add_service(self, service: object) -> None:
        """Enter all marked methods of a service, in the order they are written."""
        for attribute in _written_order(type(service)):
            bound = getattr(service, attribute, None)
            if hasattr(bound, _MARK):
                assert bound is not None
                self.add(from_method(bound, service))
            if hasattr(bound, _INVERSE):
                assert bound is not None
                self.inverses[getattr(bound, _INVERSE)] = bound

    def add(self, row: Syscall) -> None:
        """Enter one syscall.

        Raises:
            PluginError: The name is taken; both files are named.
        """
        taken = self.rows.get(row.name)
        if taken:
            raise PluginError(
                f"The syscall {row.name} is defined in {taken.source} and again in {row.source}.",
                "Rename one of them.",
            )
        self.rows[row.name] = row

    def __getitem__(self, name: str) -> Syscall:
        """The row of a name.

        Raises:
            SyscallError: ENOSYS, with the nearest name.
        """
        # What comes from outside may be no text at all.
        row = self.rows.get(name) if isinstance(name, str) else None
        if row is None:
            import difflib

            near = difflib.get_close_matches(str(name)[:60], self.rows, n=1)
            hint = f"Did you mean {near[0]}?" if near else "All of them are listed by 'system.help'."
            raise SyscallError("ENOSYS", f"There is no syscall {_shortened(name)}.", hint)
        return row

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self.rows

    def __iter__(self) -> Iterator[Syscall]:
        return iter(self.rows.values())


def _written_order(cls: type) -> Iterator[str]:
    for base in reversed(cls.__mro__):
        yield from vars(base)
