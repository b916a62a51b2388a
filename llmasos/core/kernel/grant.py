"""What lasting consents are about: calls as a person can name them. Light, since every front end needs it."""

from __future__ import annotations

import glob
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from llmasos.core.base.errors import UsageError
from llmasos.core.base.values import Named
from llmasos.core.kernel.syscall import Syscall

_SYSCALL = re.compile(r"[\w.*?\[\]!-]+")
_ARGUMENT = re.compile(r"(\w+)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Calls as a person can name them: `device.* name=lamp*`.

    Attributes:
        syscall: A shell pattern over the name.
        args: Argument -> shell patterns over its value, one of which fits; others may be anything.
    """

    syscall: str
    args: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @staticmethod
    def parse(said: str) -> Pattern:
        """The pattern that a person wrote.

        Raises:
            UsageError: It is none.
        """
        try:
            name, *rest = shlex.split(said)
        except ValueError:
            name, rest = "", []
        found = [_ARGUMENT.fullmatch(word) for word in rest]
        if not _SYSCALL.fullmatch(name) or not all(found):
            raise UsageError(f"{said!r} is no pattern of calls.", "Write it as 'device.* name=lamp*'.")
        args: dict[str, list[str]] = {}
        for one in found:
            if one:
                args.setdefault(one[1], []).append(one[2])
        return Pattern(name, args)

    @staticmethod
    def exactly(row: Syscall, shown: Mapping[str, str]) -> Pattern:
        """This syscall with these targets: the arguments that name something, all of them where none does."""
        targets = [a.name for a in row.arguments if a.kind and a.name in shown]
        names = targets or [a.name for a in row.arguments if a.name in shown]
        return Pattern(row.name, {name: [glob.escape(thing) for thing in things(shown[name])] for name in names})

    def covers(self, syscall: str, args: Mapping[str, Any]) -> bool:
        """Whether a call with these values, each of one thing, is among them."""
        if not fnmatchcase(syscall, self.syscall):
            return False
        return all(
            name in args and any(fnmatchcase(str(args[name]), pattern) for pattern in patterns)
            for name, patterns in self.args.items()
        )

    def __str__(self) -> str:
        words = [f"{name}={_quoted(one)}" for name, patterns in self.args.items() for one in patterns]
        return " ".join([self.syscall, *words])


@dataclass(frozen=True, slots=True)
class Grant:
    """One consent that lasts.

    Attributes:
        number: What it is revoked by; counts up.
        person: Who gave it.
        subject: For whom: `user:ada`, `app:social`.
        syscall: A shell pattern.
        args: As `Pattern.args`.
        labels: Those that the call had.
        given: When, ISO 8601.
        until: When it ends; empty where it lasts until it is revoked, or until its session ends.
        session: Whether it ends with a session.
    """

    number: int
    person: str
    subject: str
    syscall: str
    args: Mapping[str, Sequence[str]]
    labels: Sequence[str]
    given: str
    until: str = ""
    session: bool = False

    @property
    def pattern(self) -> Pattern:
        """The calls it is about."""
        return Pattern(self.syscall, self.args)


def things(value: str) -> tuple[str, ...]:
    """What an argument names, one by one."""
    return value.things if isinstance(value, Named) else (str(value),)


def _quoted(pattern: str) -> str:
    """A pattern as it can be typed: its stars need no quotes here."""
    return pattern if re.fullmatch(r"[\w@%+:,./*?\[\]!-]+", pattern) else shlex.quote(pattern)
