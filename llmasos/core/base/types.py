"""The words that all layers speak: calls, programs, results."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"
Effect = Literal["read", "write", "destroy", "final", "external"]

REFERENCE = re.compile(r"\$([1-9])")
"""A whole argument of this form names the result of an earlier call of the same program."""


@dataclass(frozen=True, slots=True)
class Call:
    """One syscall with its arguments, not yet run.

    Attributes:
        syscall: The name, `room.verb`.
        args: Argument name -> value; `$n` only where `references` lists the argument.
        references: Arguments whose value is the result of an earlier call. A `$1` that the person typed is text
            and isn't listed here.
        origins: Argument name -> labels of where its value comes from, as far as that isn't the person.
    """

    syscall: str
    args: dict[str, Any] = field(default_factory=dict)
    references: frozenset[str] = frozenset()
    origins: Mapping[str, frozenset[str]] = field(default_factory=dict, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The form that `interpret` prints."""
        return {"syscall": self.syscall, "args": self.args}

    def to_record(self) -> dict[str, Any]:
        """The whole call, for the store and for other programs."""
        return {**self.to_journal(), "references": sorted(self.references)}

    def to_journal(self) -> dict[str, Any]:
        """A call that runs, whose references are resolved: what it says, and whose words that is."""
        origins = {name: sorted(labels) for name, labels in self.origins.items() if labels}
        return {**self.to_json(), "origins": origins} if origins else self.to_json()

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Call:
        """The call of a record."""
        syscall, args, references = record["syscall"], record["args"], frozenset(record["references"])
        origins = {name: frozenset(labels) for name, labels in dict(record.get("origins", ())).items()}
        return Call(syscall, args, references, origins)

    def __str__(self) -> str:
        """The call as it could be typed."""
        return " ".join([self.syscall, *(f"{name}={shlex.quote(str(value))}" for name, value in self.args.items())])


Program: TypeAlias = tuple[Call, ...]
"""Calls in order; the empty program means that nothing fits."""


def to_records(program: Program) -> list[dict[str, Any]]:
    """A program for the store and for other programs."""
    return [call.to_record() for call in program]


def from_records(records: Iterable[Mapping[str, Any]]) -> Program:
    """The program of records."""
    return tuple(map(Call.from_record, records))


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one call.

    Attributes:
        call: The call with the values it ran with.
        value: The syscall's return value, JSON.
        error: An errno-like code, or empty.
        message: What to tell the person: the error with its remedy, or a note.
        rule: The id of the policy rule that decided.
        undoable: Whether `undo` can take it back.
        labels: Where the value comes from, as far as that isn't the person: `file`, `model`, `plugin:NAME`, ...
    """

    call: Call
    value: Any = None
    error: str = ""
    message: str = ""
    rule: str = ""
    undoable: bool = False
    labels: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def ok(self) -> bool:
        """Whether the call was done."""
        return not self.error

    def to_json(self) -> dict[str, Any]:
        """The form that `--json` prints."""
        shown: dict[str, Any] = {**self.call.to_json(), "ok": self.ok}
        if self.ok:
            shown["value"] = self.value
        else:
            shown |= {"error": self.error, "message": self.message}
        if self.rule:
            shown["rule"] = self.rule
        return shown
