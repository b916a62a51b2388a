"""One rule of a policy, and whether it is about a call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from llmasos.core.base.types import Effect
from llmasos.core.base.values import Named

Verdict = Literal["allow", "ask", "deny"]
Tier = Literal["admin", "user", "bundled"]
STRENGTH: dict[Verdict, int] = {"allow": 0, "ask": 1, "deny": 2}
TIERS: tuple[Tier, ...] = ("admin", "user", "bundled")
"""The highest first: its rules decide where they match."""
NO_LABELS: frozenset[str] = frozenset()

Used = Mapping[str, float]
"""What a process used so far of what is counted."""
NOTHING_USED: Used = {}
COUNTED = ("calls", "tokens", "seconds")

_MOST = 1 << 53
_RATE = re.compile(r"\s*(\d{1,6})\s*/\s*(second|minute|hour|day)\s*")
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls in any stretch of so many seconds."""

    count: int
    seconds: float
    said: str

    @staticmethod
    def parse(said: str) -> Rate:
        """The rate of `10/minute`.

        Raises:
            ValueError: It is none.
        """
        found = _RATE.fullmatch(said)
        if found is None or int(found[1]) == 0:
            raise ValueError(said)
        return Rate(int(found[1]), _SECONDS[found[2]], f"{int(found[1])}/{found[2]}")

    def __str__(self) -> str:
        return self.said


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one process may use up, in all its life: so many calls, tokens of the model, seconds since it began."""

    amounts: tuple[tuple[str, int], ...]

    @staticmethod
    def parse(said: object) -> Allowance:
        """The allowance of `{ calls = 50, seconds = 60 }`.

        Raises:
            ValueError: It is none.
        """
        if not isinstance(said, dict) or not said or not set(said) <= set(COUNTED):
            raise ValueError(said)
        if not all(type(amount) is int and 0 < amount < _MOST for amount in said.values()):
            raise ValueError(said)
        return Allowance(tuple((what, said[what]) for what in COUNTED if what in said))

    def is_used_up(self, used: Used) -> bool:
        """Whether a process that used so much has used up any of it."""
        return any(used.get(what, 0) >= amount for what, amount in self.amounts)

    def __str__(self) -> str:
        return ", ".join(f"{amount:,} {what}" for what, amount in self.amounts)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; it matches where all of its patterns do.

    Attributes:
        subject: Shell patterns over `user:NAME`, `character:NAME`, `app:NAME`, `plugin:NAME`.
        syscall: Shell patterns over syscall names.
        effect: Effects it is about; empty for all.
        args: Argument name -> shell patterns over its text, any of which fits; a call without the argument doesn't.
        labels: Shell patterns over labels, one of which the call must have; empty for all calls.
        rate: How often, for each subject: an allow rule matches up to it, another rule only beyond it.
        tier: Whose rule it is.
        where: File and line, as far as they are known.
        budget: What one process may use up: an allow rule matches until it has, another rule only then.
    """

    id: str
    decision: Verdict
    subject: tuple[str, ...] = ("*",)
    syscall: tuple[str, ...] = ("*",)
    effect: tuple[str, ...] = ()
    args: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    rate: Rate | None = None
    description: str = ""
    tier: Tier = "bundled"
    where: str = ""
    budget: Allowance | None = None

    def matches(
        self, subject: str, syscall: str, effect: Effect, args: Mapping[str, Any], labels: frozenset[str] = NO_LABELS
    ) -> bool:
        """Whether its patterns are about this call; rate and budget aren't looked at."""
        return self.is_about(subject, syscall, effect) and self.fits(args, labels)

    def is_about(self, subject: str, syscall: str, effect: Effect) -> bool:
        """Whether it could be about such a call, whatever its arguments."""
        if self.effect and effect not in self.effect:
            return False
        return _any(self.syscall, syscall) and _any(self.subject, subject)

    def fits(self, args: Mapping[str, Any], labels: frozenset[str]) -> bool:
        """Whether its other patterns fit the arguments and labels of a call that it could be about."""
        if self.labels and not any(_any(self.labels, label) for label in labels):
            return False
        return all(name in args and _any(listed(some), str(args[name])) for name, some in self.args.items())

    def decided_by(self, labels: frozenset[str]) -> tuple[str, ...]:
        """Which of a call's labels it is about; none where it says nothing of labels."""
        return tuple(sorted(label for label in labels if _any(self.labels, label)))

    def why_not(
        self, subject: str, syscall: str, effect: Effect, args: Mapping[str, Any], labels: frozenset[str] = NO_LABELS
    ) -> str:
        """The first reason for which it isn't about a call, in words; empty where it is."""
        if self.effect and effect not in self.effect:
            return f"the effect is {effect}, not {' or '.join(self.effect)}"
        if not _any(self.syscall, syscall):
            return f"it is about {', '.join(self.syscall)}"
        if not _any(self.subject, subject):
            return f"it is about {', '.join(self.subject)}, not {subject}"
        if self.labels and not any(_any(self.labels, label) for label in labels):
            return f"nothing in it is labelled {' or '.join(self.labels)}"
        for name, some in self.args.items():
            if name not in args:
                return f"{name} isn't given"
            if not _any(listed(some), str(args[name])):
                return f"{name} is {str(args[name])[:_SHOWN]!r}, not {' or '.join(listed(some))}"
        return ""


def listed(patterns: str | Sequence[str]) -> Sequence[str]:
    """Patterns of an argument; one alone may be written without a list."""
    return (patterns,) if isinstance(patterns, str) else patterns


def apart(args: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The arguments once for each thing that they name: what is done to several must be allowed for each of them."""
    for name, value in args.items():
        if isinstance(value, Named) and value.things != (str(value),):
            for thing in value.things:
                yield from apart({**args, name: thing})
            return
    yield args


def _any(patterns: Sequence[str], text: str) -> bool:
    return any(pattern == "*" or fnmatchcase(text, pattern) for pattern in patterns)
