"""Examples that teach reading definitions: shuffled, renamed, cut down, strangers among them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from llmasos.services.interpreter import definitions
from training import kits
from training.example import Call, Example, Turn

Tool = dict[str, Any]
Request = tuple[str, list[Call]]


def read(file: Path) -> Iterator[tuple[list[Tool], list[Request]]]:
    """The plugins of a file and the requests made to them: JSON lines, or kits (kits.py)."""
    if file.suffix == ".txt":
        for kit in kits.read(file):
            yield kit.tools, kit.requests
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.strip():
            plugin = json.loads(line)
            yield (
                plugin["tools"],
                [
                    (" ".join(r["utterance"].split()), [(c["name"], c["arguments"]) for c in r["calls"]])
                    for r in plugin["requests"]
                ],
            )


def example(
    tools: Sequence[Tool],
    requests: Sequence[Request],
    strangers: Sequence[Tool],
    order: random.Random,
    *,
    only: bool = False,
    others: Mapping[str, Sequence[str]] | None = None,
) -> Example:
    """One variation of a plugin's requests.

    Some functions go, and what needed them becomes `none`; some strangers come; names change their style.

    Args:
        tools: The plugin's functions.
        requests: What was asked of them.
        strangers: Functions of other plugins.
        order: What chance decides.
        only: Whether the catalogue can't be called beside them.
        others: Values by argument name (`names_of`), to put in the places of names.
    """
    kept = list(tools)
    if len(kept) > 1 and order.random() < 0.35:
        kept = order.sample(kept, order.randint(1, len(kept) - 1))
    known = {tool["name"] for tool in tools}
    guests = [tool for tool in strangers if tool["name"] not in known]
    shown = kept + order.sample(guests, min(len(guests), order.choice((0, 0, 0, 1, 2, 3))))
    order.shuffle(shown)
    rename, rename_argument = _styles(order)
    if all(tool.get("description") for tool in shown) and order.random() < NAMELESS:
        rename = _nameless(shown, order)
    plainer = rename_argument is str and order.random() < 0.12
    names = {tool["name"] for tool in kept}
    shown_as = [_renamed(tool, rename, rename_argument, plainer=plainer) for tool in shown]
    by_name = {tool["name"]: tool for tool in kept}
    turns = []
    for sentence, calls in requests:
        possible = all(name in names for name, _ in calls)
        # Half possible has no right answer; and `none` must not become the likeliest one.
        if calls and not possible and (any(name in names for name, _ in calls) or order.random() < 0.88):
            continue
        if not calls and order.random() < NOTHING_LEFT_OUT:
            continue
        if possible:
            sentence, calls = varied(sentence, calls, by_name, order, others or {})
        said = [(rename(n), _arguments(by_name[n], args, rename_argument)) for n, args in calls] if possible else []
        turns.append(Turn(sentence, said))
    order.shuffle(turns)
    return Example(turns, definitions.render(shown_as, only=only))


def names_of(plugins: Iterable[tuple[Sequence[Tool], Sequence[Request]]]) -> dict[str, list[str]]:
    """Names that stand in requests, by argument: values with a capital letter and no digit."""
    found: dict[str, dict[str, None]] = {}
    for _, requests in plugins:
        for sentence, calls in requests:
            for _, args in calls:
                for argument, value in args.items():
                    if isinstance(value, str) and _NAME.fullmatch(value) and sentence.count(value) == 1:
                        found.setdefault(argument.casefold(), {})[value] = None
    return {argument: list(values) for argument, values in found.items()}


_NAME = re.compile(r"[A-Z][^\W\d_]+(?:[ -][A-Z][^\W\d_]+){0,2}")
NOTHING_LEFT_OUT = 0.5
"""Share of the requests that fit nothing which a variation leaves out."""
NAMELESS = 0.12
"""Share of variations whose functions are called by nothing but a number, so that their descriptions must be read."""
_NUMBER = r"(?<![\w.,/:$-]){}(?![\w/:]|[.,]\d)"


def varied(
    sentence: str,
    calls: list[Call],
    tools: Mapping[str, Tool],
    order: random.Random,
    others: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Request:
    """Other numbers and names in the same places, now and then all in lower case; what was derived stays as it is."""
    changed = [(name, dict(args)) for name, args in calls]
    for name, args in changed:
        properties = definitions.schema_of(tools[name]).get("properties") or {}
        for argument, value in args.items():
            pool = others.get(argument.casefold(), ())
            if not isinstance(value, str) or len(pool) < 4 or not _NAME.fullmatch(value) or order.random() < 0.5:
                continue
            new = order.choice(pool)
            alone = sum(value in str(v) for _, args_ in changed for v in args_.values()) == 1
            if alone and _free(argument, tools[name]) and sentence.count(value) == 1 and new not in sentence:
                sentence, args[argument] = sentence.replace(value, new), new
        for argument, value in args.items():
            plain = isinstance(value, int | float) and not isinstance(value, bool)
            if not plain or "enum" in properties.get(argument, {}) or order.random() < 0.4:
                continue
            found = re.findall(_NUMBER.format(re.escape(str(value))), sentence)
            twice = sum(value == other for _, others in changed for other in others.values()) > 1
            if len(found) == 1 and not twice:
                new = _like(value, order)
                if str(new) not in sentence:
                    sentence = re.sub(_NUMBER.format(re.escape(str(value))), str(new), sentence)
                    args[argument] = new
    if order.random() < 0.12 and _all_said(sentence, changed, tools):
        lowered: list[Call] = [(name, _lower(args, tools[name])) for name, args in changed]
        return sentence.lower(), lowered
    return sentence, changed


def _like(value: float, order: random.Random) -> float:
    """Another number of the same length; a year stays a year."""
    if isinstance(value, int) and 1900 <= value <= 2100:
        return value + order.randint(-9, 9)
    sign, digits = ("-", str(value)[1:]) if value < 0 else ("", str(value))
    made = "".join(order.choice("123456789" if at in (0, len(digits) - 1) else "0123456789") if c.isdigit() else c
                   for at, c in enumerate(digits))  # fmt: skip
    if digits.startswith("0."):
        made = "0." + made[2:]
    elif digits.endswith("00"):
        made = made[:-2] + "00"
    text = sign + made
    try:
        return int(text) if isinstance(value, int) else float(text)
    except ValueError:
        return value


def _free(argument: str, tool: Tool) -> bool:
    part = (definitions.schema_of(tool).get("properties") or {}).get(argument, {})
    return part.get("type") == "string" and "enum" not in part


def _all_said(sentence: str, calls: Sequence[Call], tools: Mapping[str, Tool]) -> bool:
    """Whether every text stands in the sentence as it is."""
    values = [(n, a, v) for n, args in calls for a, v in args.items()]
    return all(
        isinstance(v, int | float) or (isinstance(v, str) and (not _free(a, tools[n]) or v in sentence or v[0] == "$"))
        for n, a, v in values
    )


def _lower(args: Mapping[str, Any], tool: Tool) -> dict[str, Any]:
    return {a: v.lower() if isinstance(v, str) and _free(a, tool) else v for a, v in args.items()}


def _arguments(tool: Tool, args: Mapping[str, Any], rename: Callable[[str], str]) -> dict[str, Any]:
    """Arguments in the order of the definition."""
    known = list(definitions.schema_of(tool).get("properties") or {})
    return {rename(name): args[name] for name in sorted(args, key=lambda n: known.index(n) if n in known else 99)}


def _styles(order: random.Random) -> tuple[Callable[[str], str], Callable[[str], str]]:
    """How to rewrite function and argument names: mostly not at all."""
    chance = order.random()
    if chance < 0.55:
        return str, str
    style = order.choice((snake, camel, dotted, kebab))
    return style, order.choice((str, snake, camel))


def _nameless(tools: Sequence[Tool], order: random.Random) -> Callable[[str], str]:
    """Names that say nothing: f1, f2, ..."""
    stem = order.choice(("f", "fn", "op", "action_", "tool", "call_", "api."))
    numbers = order.sample(range(1, 4 * len(tools) + 1), len(tools))
    made = {tool["name"]: f"{stem}{number}" for tool, number in zip(tools, numbers, strict=True)}
    return lambda name: made[name]


def words(name: str) -> list[str]:
    """The words of an identifier in any style."""
    return [w.lower() for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\da-zA-Z_]+", name)] or [name]


def snake(name: str) -> str:
    """my_name."""
    return "_".join(words(name))


def kebab(name: str) -> str:
    """my-name."""
    return "-".join(words(name))


def camel(name: str) -> str:
    """MyName."""
    first, *rest = words(name)
    return first + "".join(word.title() for word in rest)


def dotted(name: str) -> str:
    """my.name: a service and its function."""
    first, *rest = words(name)
    return first + ("." + "_".join(rest) if rest else "")


def _renamed(tool: Tool, rename: Callable[[str], str], rename_argument: Callable[[str], str], *, plainer: bool) -> Tool:
    schema = definitions.schema_of(tool)
    properties = {
        rename_argument(name): {k: v for k, v in part.items() if not (plainer and k == "description")}
        for name, part in (schema.get("properties") or {}).items()
    }
    required = [rename_argument(name) for name in schema.get("required") or ()]
    shown = {
        "name": rename(tool["name"]),
        "inputSchema": {**schema, "properties": properties, "required": required},
    }
    if tool.get("description"):
        shown["description"] = tool["description"]
    return shown
