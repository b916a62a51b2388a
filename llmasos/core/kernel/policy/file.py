"""A policy file, read: docs/policy.md has its format.

[[rule]]
id = "ask-before-final"
effect = ["final", "external"]
decision = "ask"
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path
from typing import Any, get_args

from llmasos.core.base.errors import UsageError
from llmasos.core.base.foreign import parse_toml
from llmasos.core.base.types import Effect
from llmasos.core.kernel.policy.moderation import LEVELS, Moderation
from llmasos.core.kernel.policy.rule import STRENGTH, Allowance, Rate, Rule, Tier, listed

LARGEST = 1 << 20
"""Bytes of a policy file; nobody writes that many rules by hand."""
_FILE_KEYS = {"name", "description", "moderation", "rule"}
_KEYS = {"id", "description", "subject", "syscall", "effect", "args", "labels", "rate", "budget", "decision"}
_LISTS = ("subject", "syscall", "effect", "labels")
_HEADER = re.compile(r"\s*\[\[\s*rule\s*\]\]")


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong in a policy file.

    Attributes:
        line: Where the rule begins; 0 where that isn't known.
        what: What is wrong, one sentence that names the file.
        remedy: What to do about it.
    """

    line: int
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Found:
    """What is in a file; where there are mistakes the rules are only those without.

    Attributes:
        moderation: How much of what a model says is held back; None where the file doesn't say.
    """

    name: str
    description: str
    rules: tuple[Rule, ...]
    mistakes: tuple[Mistake, ...] = ()
    moderation: Moderation | None = None


def read(path: Path, tier: Tier = "bundled") -> Found:
    """The rules of a file.

    Raises:
        UsageError: The file is missing or wrong; the message names the rule and the mistake.
    """
    found = examine(path, tier)
    if found.mistakes:
        first, more = found.mistakes[0], len(found.mistakes) - 1
        also = f" ({more} more: 'llmasos policy check {path}' lists them.)" if more else ""
        raise UsageError(first.what, first.remedy + also)
    return found


def examine(path: Path, tier: Tier = "bundled") -> Found:
    """The rules of a file, and all mistakes in it.

    Raises:
        UsageError: The file is missing, or no file to read.
    """
    text = _text(path)
    try:
        data = parse_toml(text)
    except ValueError as error:
        line = re.search(r"at line (\d+)", str(error))
        wrong = Mistake(int(line[1]) if line else 0, f"The policy {path} can't be read: {error}.", "Correct it.")
        return Found(path.stem, "", (), (wrong,))
    raw = data.get("rule", [])
    if set(data) - _FILE_KEYS or not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
        what = f"The policy {path} holds something else than a name, a description, a moderation and rules."
        return Found(path.stem, "", (), (Mistake(0, what, "Write each rule as [[rule]]."),))
    lines = _lines(text, len(raw))
    rules: list[Rule] = []
    mistakes: list[Mistake] = []
    for number, one in enumerate(raw):
        wrong_here = list(_mistakes(path, number + 1, lines[number], one))
        if any(rule.id == one.get("id") for rule in rules):
            what = f"Two rules of {path} are called {one['id']!r}, the second in line {lines[number]}."
            wrong_here.append(Mistake(lines[number], what, "Rename one."))
        mistakes += wrong_here
        if not wrong_here:
            rules.append(_rule(one, tier, f"{path}:{lines[number]}" if lines[number] else str(path)))
    name, description = (str(data.get(key, "")) for key in ("name", "description"))
    level = data.get("moderation")
    if level is not None and level not in LEVELS:
        said = f"The policy {path} says moderation = {level!r}."
        mistakes.append(Mistake(_line_of(text, "moderation"), said, f"There are: {', '.join(LEVELS)}."))
        level = None
    return Found(name or path.stem, description, tuple(rules), tuple(mistakes), level)


def _text(path: Path) -> str:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
            raise UsageError(f"The policy {path} is no file.", "Name another.")
        if status.st_size > LARGEST:
            raise UsageError(f"The policy {path} has {status.st_size:,} bytes.", f"{LARGEST:,} are the limit.")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.toml"))) or "none"
        raise UsageError(f"There is no policy {path.stem!r}.", f"There are: {known}.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"The policy {path} can't be read: {error}.", "Correct it.") from None
    except OSError as error:
        raise UsageError(f"The policy {path} can't be read: {error.strerror}.", "Name another.") from None


def _lines(text: str, count: int) -> list[int]:
    """The line where each rule begins; zeros where they are written in another way than as [[rule]]."""
    found = [number for number, line in enumerate(text.splitlines(), 1) if _HEADER.match(line)]
    return found if len(found) == count else [0] * count


def _line_of(text: str, key: str) -> int:
    """The line where a key of the file itself stands; 0 where that isn't known."""
    lines = enumerate(text.splitlines(), 1)
    return next((number for number, line in lines if re.match(rf"\s*{key}\s*=", line)), 0)


def _mistakes(path: Path, number: int, line: int, raw: Mapping[str, Any]) -> Iterator[Mistake]:
    where = f"Rule {raw.get('id', number)} of {path}" + (f", line {line}," if line else "")

    def wrong(what: str, remedy: str) -> Mistake:
        return Mistake(line, f"{where} {what}.", remedy)

    for key in sorted(set(raw) - _KEYS):
        yield wrong(f"has an unknown key {key!r}", f"There are: {', '.join(sorted(_KEYS))}.")
    if not isinstance(raw.get("id"), str) or not raw["id"] or raw.get("decision") not in list(STRENGTH):
        yield wrong("needs an id and a decision", "The decision is allow, ask or deny.")
    for key in _LISTS:
        if key in raw and not _are_patterns(raw[key]):
            yield wrong(f"has a {key} that is no list of patterns", f'Write {key} = ["..."].')
    effects = raw.get("effect", [])
    unknown = {str(e) for e in effects} - set(get_args(Effect)) if isinstance(effects, list) else set()
    for effect in sorted(unknown):
        yield wrong(f"names an effect {effect!r}", f"There are: {', '.join(get_args(Effect))}.")
    args = raw.get("args", {})
    if not isinstance(args, dict) or not all(isinstance(v, str) or _are_patterns(v) for v in args.values()):
        yield wrong("has args that are no table of patterns", 'Write args = { path = ["private/*", "*.key"] }.')
    if "rate" in raw:
        try:
            Rate.parse(str(raw["rate"]))
        except ValueError:
            yield wrong(f"has a rate {raw['rate']!r}", 'Write rate = "10/minute"; second, hour and day work too.')
    if "budget" in raw:
        try:
            Allowance.parse(raw["budget"])
        except ValueError:
            yield wrong(
                f"has a budget {raw['budget']!r}", "Write budget = { calls = 50, tokens = 2000, seconds = 60 }."
            )


def _are_patterns(value: Any) -> bool:
    """Whether it is a list of shell patterns; an empty one could match nothing."""
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) and _compiles(v) for v in value)


def _compiles(pattern: str) -> bool:
    try:
        re.compile(translate(pattern))
    except re.error:
        return False
    return True


def _rule(raw: Mapping[str, Any], tier: Tier, where: str) -> Rule:
    return Rule(
        id=raw["id"],
        decision=raw["decision"],
        subject=tuple(raw.get("subject", ("*",))),
        syscall=tuple(raw.get("syscall", ("*",))),
        effect=tuple(raw.get("effect", ())),
        args={name: tuple(listed(patterns)) for name, patterns in raw.get("args", {}).items()},
        labels=tuple(raw.get("labels", ())),
        rate=Rate.parse(raw["rate"]) if "rate" in raw else None,
        budget=Allowance.parse(raw["budget"]) if "budget" in raw else None,
        description=str(raw.get("description", "")),
        tier=tier,
        where=where,
    )
