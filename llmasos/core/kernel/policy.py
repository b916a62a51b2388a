"""Who may do what: rules from a TOML file, compiled once, asked before every call.

Semantics as in Cedar (Cutler et al., "Cedar: A New Language for Expressive, Fast, Safe, and Analyzable Authorization",
OOPSLA 2024), with a third answer: deny beats ask, ask beats allow, and where no rule matches the answer is deny. Every
decision carries the id of the rule that made it.

    [[rule]]
    id = "ask-before-final"
    effect = ["final", "external"]
    decision = "ask"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, get_args

from llmasos.core.base.errors import UsageError
from llmasos.core.base.types import Effect

Verdict = Literal["allow", "ask", "deny"]
_STRENGTH: dict[Verdict, int] = {"allow": 0, "ask": 1, "deny": 2}
_KEYS = {"id", "description", "subject", "syscall", "effect", "args", "decision"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; it matches where all of its patterns do.

    Attributes:
        subject: Shell patterns over `user:NAME`, `character:NAME`, `app:NAME`, `plugin:NAME`.
        syscall: Shell patterns over syscall names.
        effect: Effects it is about; empty for all.
        args: Argument name -> shell pattern over its text.
    """

    id: str
    decision: Verdict
    subject: tuple[str, ...] = ("*",)
    syscall: tuple[str, ...] = ("*",)
    effect: tuple[str, ...] = ()
    args: Mapping[str, str] | None = None
    description: str = ""

    def matches(self, subject: str, syscall: str, effect: Effect, args: Mapping[str, Any]) -> bool:
        """Whether it is about this call."""
        if self.effect and effect not in self.effect:
            return False
        if not _any(self.syscall, syscall) or not _any(self.subject, subject):
            return False
        if self.args:
            return all(name in args and fnmatchcase(str(args[name]), pattern) for name, pattern in self.args.items())
        return True


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy says, and which rule said it."""

    verdict: Verdict
    rule: str


NO_RULE = Decision("deny", "no-rule")


def stronger(one: Decision, other: Decision) -> Decision:
    """The stricter of two decisions, the first where they are equally strict."""
    return other if _STRENGTH[other.verdict] > _STRENGTH[one.verdict] else one


class Policy:
    """A compiled set of rules.

    Args:
        name: What it is called.
        rules: In any order; strength decides, not position.
    """

    def __init__(self, name: str, rules: tuple[Rule, ...]) -> None:
        self.name = name
        self.rules = rules

    def decide(self, subject: str, syscall: str, effect: Effect, args: Mapping[str, Any]) -> Decision:
        """The strongest matching rule's decision; deny where none matches."""
        best: Rule | None = None
        for rule in self.rules:
            stronger = best is None or _STRENGTH[rule.decision] > _STRENGTH[best.decision]
            if stronger and rule.matches(subject, syscall, effect, args):
                best = rule
        return Decision(best.decision, best.id) if best else NO_RULE

    @staticmethod
    def load(path: Path) -> Policy:
        """Compile a policy file.

        Raises:
            UsageError: The file is missing or wrong; the message names the rule and the mistake.
        """
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            known = ", ".join(sorted(p.stem for p in path.parent.glob("*.toml")))
            raise UsageError(f"There is no policy {path.stem!r}.", f"There are: {known}.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"The policy {path} can't be read: {error}.", "Correct it.") from None
        except OSError as error:
            raise UsageError(f"The policy {path} can't be read: {error.strerror}.", "Name another.") from None
        if set(data) - {"name", "rule"} or not isinstance(data.get("rule", []), list):
            raise UsageError(
                f"The policy {path} holds something else than a name and rules.", "Write each rule as [[rule]]."
            )
        rules = tuple(_rule(path, number, raw) for number, raw in enumerate(data.get("rule", []), 1))
        ids = [rule.id for rule in rules]
        for id_ in ids:
            if ids.count(id_) > 1:
                raise UsageError(f"Two rules of {path} are called {id_!r}.", "Rename one.")
        return Policy(str(data.get("name", path.stem)), rules)


def _rule(path: Path, number: int, raw: Mapping[str, Any]) -> Rule:
    where = f"Rule {raw.get('id', number)} of {path}"
    unknown = set(raw) - _KEYS
    if unknown:
        raise UsageError(
            f"{where} has an unknown key {sorted(unknown)[0]!r}.", f"There are: {', '.join(sorted(_KEYS))}."
        )
    if not isinstance(raw.get("id"), str) or raw.get("decision") not in _STRENGTH:
        raise UsageError(f"{where} needs an id and a decision.", "The decision is allow, ask or deny.")
    effects = _strings(where, raw, "effect", ())
    wrong = set(effects) - set(get_args(Effect))
    if wrong:
        raise UsageError(f"{where} names an effect {sorted(wrong)[0]!r}.", f"There are: {', '.join(get_args(Effect))}.")
    args = raw.get("args", {})
    if not isinstance(args, dict) or not all(isinstance(v, str) for v in args.values()):
        raise UsageError(f"{where} has args that are no table of patterns.", 'Write args = { path = "private/*" }.')
    return Rule(
        id=raw["id"],
        decision=raw["decision"],
        subject=_strings(where, raw, "subject", ("*",)),
        syscall=_strings(where, raw, "syscall", ("*",)),
        effect=effects,
        args=args or None,
        description=str(raw.get("description", "")),
    )


def _strings(where: str, raw: Mapping[str, Any], key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    value = raw.get(key, list(default))
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise UsageError(f"{where} has a {key} that is no list of patterns.", f'Write {key} = ["..."].')
    return tuple(value)


def _any(patterns: tuple[str, ...], text: str) -> bool:
    return any(pattern == "*" or fnmatchcase(text, pattern) for pattern in patterns)
