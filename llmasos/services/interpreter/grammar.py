"""The grammar of what may be written after a sentence: programs over given functions, in the adapter's notation.

Free text may only be a span of the sentence, cut between words and at any punctuation mark (llguidance's
`substring_chunks`), so that a file name, a time or a device can't be invented; enumerations, numbers and booleans are
decoded by their schema. In later calls `$n` stands for an earlier result. The dialect is llguidance's Lark
(github.com/guidance-ai/llguidance, docs/syntax.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmasos.services.interpreter import moments, units
from llmasos.services.interpreter.definitions import schema_of
from llmasos.services.interpreter.forms import DATE, TIME, asks_for_lower_case, forms
from llmasos.services.interpreter.notation import NOTHING
from llmasos.services.interpreter.numbers import texts
from llmasos.services.interpreter.sentence import Sentence

MAX_CALLS = 4
_DEPTH = 6
"""Nested objects deeper than this are taken as any JSON; schemas of real tools stay above it."""
_NEGATIVE = re.compile(r"negative|-\d|minus|below zero|BCE", re.IGNORECASE)
"""In a description: the number may be one that was said without its sign ("back by four")."""
_UNIT = "llmasos unit"
"""Where an argument's unit is put into its schema, for the numbers within it."""
_FRACTION = r"(\.[0-9]{1,12})?(e[+-]?[0-9]{1,2})?"
"""What may follow the digits of a number; never so much that it is infinite."""
_ITEMS = 64
"""The longest list."""
_CHUNK = re.compile(r"[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+|.", re.DOTALL)
"""Where a span may begin and end: a word stays whole, a mark or a Chinese character stands for itself."""
_QUOTED = re.compile(r"(?:(?<!\w)'|[\"`“‘])([\w./%° -]{1,24})(?:'(?!\w)|[\"`”’])")
"""A value in quotes; "the user's or the club's name" has none."""


_literal = json.JSONEncoder(ensure_ascii=False).encode
"""A text as Lark writes it."""


def grammar(
    sentence: Sentence,
    tools: Iterable[Mapping[str, Any]],
    *,
    may_be_nothing: bool,
    may_derive: bool = False,
    names: Sequence[str] = (),
    earlier: Sequence[str] = (),
    max_calls: int = MAX_CALLS,
) -> str:
    """The Lark grammar of programs over functions in MCP form.

    Args:
        sentence: Whose words may be used.
        tools: The functions; the order of their properties is the order of argument lines.
        may_be_nothing: Whether `none` is an answer.
        may_derive: Whether text may also be a value that a description quotes, the default, or of a form that the
            description asks for: a unit, a code, a date.
        names: Names that the system knows and the person may have meant; text may be one of them.
        earlier: What was said before; text may be a span of it too.
        max_calls: Calls in one program.
    """
    writer = _Writer(sentence, may_derive=may_derive, names=names, earlier=earlier)
    return writer.program(list(tools), may_be_nothing=may_be_nothing, max_calls=max_calls)


class _Writer:
    def __init__(self, sentence: Sentence, *, may_derive: bool, names: Sequence[str], earlier: Sequence[str]) -> None:
        self._sentence = sentence
        self._may_derive = may_derive
        # A name on the disk can hold what no grammar can: half characters, control characters, line breaks.
        self._names = [name for name in names if name and name.strip() == name and name.isprintable()]
        self._earlier = list(earlier)
        self._spoken = " ".join([sentence.line, *earlier])
        self._rules: list[str] = []
        self._needed: set[str] = set()

    def program(self, tools: Sequence[Mapping[str, Any]], *, may_be_nothing: bool, max_calls: int) -> str:
        # Where a function needs a number and the sentence says none, it can't be meant.
        possible = [tool for tool in tools if not self._lacks(tool)] or tools
        for number, tool in enumerate(possible):
            self._call(f"c{number}", tool, "text")
            if max_calls > 1:
                self._call(f"d{number}", tool, "textref")
        body = f"first later{{0,{max_calls - 1}}}" if max_calls > 1 else "first"
        nothing = f' | "{NOTHING}\\n"' if may_be_nothing else ""
        spans = ["SPAN", *(f"EARLIER{n}" for n in range(len(self._earlier))), *map(_literal, self._names)]
        lines = [
            f"start: {body}{nothing}",
            f"first: {' | '.join(f'c{n}' for n in range(len(possible)))}",
            "text: span",
            # llguidance's substrings may be empty, and begin or end with a space; a value may not.
            f"span: {' | '.join(spans)}",
            r"SPAN: /[^ ](.*[^ ])?/ & SUBSTRING",
            f"SUBSTRING: %regex {_substring(self._sentence.line)}",
        ]
        if max_calls > 1:
            lines.append(f"later: {' | '.join(f'd{n}' for n in range(len(possible)))}")
            lines.append('textref: span | "$" /[1-3]/')
        for number, text in enumerate(self._earlier):
            lines.append(f"EARLIER{number}: /[^ ](.*[^ ])?/ & BEFORE{number}")
            lines.append(f"BEFORE{number}: %regex {_substring(text)}")
        optional = {
            "quoted": 'quoted: "\\"" QUOTED "\\""\nQUOTED: /[^ ](.*[^ ])?/ & ESCAPED\n'
            f"ESCAPED: %regex {_substring(self._sentence.line, escaped=True)}",
            "boolean": 'boolean: "true" | "false"',
            "null": 'null: "null"',
            "anyvalue": "anyvalue: quoted | number | boolean",
        }
        if "anyvalue" in self._needed:
            self._needed |= {"quoted", "number", "boolean"}
        lines += [optional.get(name) or self._number(name) for name in sorted(self._needed)]
        return "\n".join(lines + self._rules) + "\n"

    def _call(self, rule: str, tool: Mapping[str, Any], text: str) -> None:
        """A function's rule; `text` names the one that its texts follow."""
        schema = schema_of(tool)
        required = set(schema.get("required") or ())
        properties = schema.get("properties") or {}
        parts = [_literal(f"{tool['name']}\n")]
        for name, argument in properties.items():
            if name not in required and self._unsaid(argument):
                continue
            value = self._line_value(self._measured(name, argument, properties), text)
            line = f"{_literal(f' {name}: ')} {value} {_literal(chr(10))}"
            parts.append(line if name in required else f"({line})?")
        self._rules.append(f"{rule}: {' '.join(parts)}")

    def _measured(self, name: str, schema: Any, properties: Mapping[str, Any]) -> Any:
        """An argument's schema with the unit that its definition wants, where it names one."""
        if not self._may_derive or not isinstance(schema, Mapping):
            return schema
        unit = units.of_argument(name, schema, tuple(properties))
        return {**schema, _UNIT: unit} if unit else schema

    def _line_value(self, schema: Any, text: str) -> str:
        """A value on an argument line: plain text for strings, JSON for the rest."""
        if not isinstance(schema, Mapping):
            return self._json(schema, 0)
        choices = _choices(schema)
        if choices is not None:
            plain = [c if isinstance(c, str) else json.dumps(c) for c in choices]
            return "(" + " | ".join(_literal(c) for c in plain) + ")"
        if schema.get("type", "string") == "string" and not alternatives(schema) and "properties" not in schema:
            offered = [_literal(str(word)) for word in schema.get("examples") or () if _is_line(word)]
            if self._may_derive:
                offered += [_literal(word) for word in _said_in_description(schema)] + self._forms(schema)
            return "(" + " | ".join([text, *offered]) + ")" if offered else text
        parts = alternatives(schema)
        if parts:
            return "(" + " | ".join(self._line_value(part, text) for part in parts) + ")"
        return self._json(schema, 0)

    def _json(self, schema: Any, depth: int) -> str:
        if not isinstance(schema, Mapping) or depth > _DEPTH:
            return self._need("anyvalue")
        choices = _choices(schema)
        if choices is not None:
            return "(" + " | ".join(_literal(json.dumps(c, ensure_ascii=False)) for c in choices) + ")"
        parts = alternatives(schema)
        if parts:
            return "(" + " | ".join(self._json(part, depth + 1) for part in parts) + ")"
        kind = schema.get("type", "object" if "properties" in schema else None)
        if kind == "array":
            item = self._json(_within(schema, schema.get("items")), depth + 1)
            return f'("[" {item} (", " {item}){{0,{_ITEMS - 1}}} "]")'
        if kind == "object":
            return self._object(schema, depth)
        if kind == "string" and self._may_derive:
            described = [_literal(_escaped(word)) for word in _said_in_description(schema)]
            described += self._forms(schema, escaped=True)
            if described:
                return f'({self._need("quoted")} | "\\"" ({" | ".join(described)}) "\\"")'
        if kind in ("integer", "number"):
            number = f"{kind}signed" if _NEGATIVE.search(str(schema.get("description"))) else str(kind)
            return self._in_unit(number, schema[_UNIT]) if _UNIT in schema else self._need(number)
        name = {"string": "quoted", "boolean": "boolean", "null": "null"}
        return self._need(name.get(str(kind), "anyvalue"))

    def _object(self, schema: Mapping[str, Any], depth: int) -> str:
        """An object with its properties in order; what isn't required may be left out, with its comma."""
        properties = schema.get("properties") or {}
        required = set(schema.get("required") or ())
        if not properties:
            item = f'{self._need("quoted")} ": " {self._json(None, depth + 1)}'
            return f'("{{" {item} (", " {item}){{0,7}} "}}")'
        members = [
            (
                f"{_literal(json.dumps(name, ensure_ascii=False) + ': ')} "
                f"{self._json(_within(schema, self._measured(name, part, properties)), depth + 1)}",
                name in required,
            )
            for name, part in properties.items()
        ]
        # Rules over "what may follow once something was written", so that commas stand only between members.
        started, fresh = '"}"', '"}"'
        for text, needed in reversed(members):
            rule = f"o{len(self._rules)}"
            skip_started, skip_fresh = ("", "") if needed else (f" | {started}", f" | {fresh}")
            self._rules.append(f'{rule}s: ", " {text} {started}{skip_started}')
            self._rules.append(f"{rule}f: {text} {started}{skip_fresh}")
            started, fresh = f"{rule}s", f"{rule}f"
        return f'("{{" {fresh})'

    def _number(self, name: str) -> str:
        """The rule of a number: one that the sentence says, or any where it says none."""
        kind = name.removesuffix("signed")
        said = texts(self._spoken, whole=kind == "integer", negative=kind != name)
        if said:
            return f"{name}: {' | '.join(map(_literal, said))}"
        return f"{name}: /-?(0|[1-9][0-9]{{0,17}}){'' if kind == 'integer' else _FRACTION}/"

    def _in_unit(self, name: str, unit: units.Unit) -> str:
        """The rule of a number in a unit: none that was said of something else, and what it is in that unit."""
        kind = name.removesuffix("signed")
        said = units.numbers_in(self._spoken, unit, whole=kind == "integer", negative=kind != name)
        if not said:
            return self._need(name)
        rule = f"n{len(self._rules)}"
        self._rules.append(f"{rule}: {' | '.join(map(_literal, said))}")
        return rule

    def _lacks(self, tool: Mapping[str, Any]) -> bool:
        """Whether a required number is said nowhere."""
        schema = schema_of(tool)
        properties = schema.get("properties") or {}
        return any(name in properties and self._unsaid(properties[name]) for name in schema.get("required") or ())

    def _unsaid(self, schema: Any) -> bool:
        """Whether an argument is a number, or a list of them, and the sentence says none."""
        while isinstance(schema, Mapping) and schema.get("type") == "array":
            schema = schema.get("items")
        return (
            isinstance(schema, Mapping)
            and schema.get("type") in ("integer", "number")
            and _choices(schema) is None
            and not texts(self._spoken, whole=schema["type"] == "integer")
        )

    def _forms(self, schema: Mapping[str, Any], *, escaped: bool = False) -> list[str]:
        """What a description's forms allow, in plain text or a JSON string: terminals, or what was said in them."""
        description = schema.get("description")
        if not isinstance(description, str):
            return []
        found: list[str] = []
        for form in forms(description):
            said = {DATE: moments.dates, TIME: moments.times}.get(form, lambda _: ())(self._spoken)
            if said:
                found += map(_literal, said)
            else:
                name = f"FORM{len(self._rules)}"
                self._rules.append(f"{name}: /{form}/")
                found.append(name)
        if asks_for_lower_case(description) and self._sentence.line != self._sentence.line.lower():
            name = f"LOW{len(self._rules)}"
            self._rules += [
                f"{name}: /[^ ](.*[^ ])?/ & {name}S",
                f"{name}S: %regex {_substring(self._sentence.line.lower(), escaped=escaped)}",
            ]
            found.append(name)
        return found

    def _need(self, name: str) -> str:
        self._needed.add(name)
        return name


def _substring(text: str, *, escaped: bool = False) -> str:
    chunks = _CHUNK.findall(text)
    if escaped:  # chunk by chunk, so that no span ends within an escape
        chunks = [_escaped(chunk) for chunk in chunks]
    return json.dumps({"substring_chunks": chunks}, ensure_ascii=False)


def _escaped(text: str) -> str:
    """Text as it stands in a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _choices(schema: Mapping[str, Any]) -> list[Any] | None:
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    # A value of several lines would be read as further arguments and calls.
    lines = [choice for choice in choices if _is_line(choice)] if isinstance(choices, list) else []
    return lines or None


def _is_line(value: Any) -> bool:
    return not isinstance(value, str) or value.isprintable()


def alternatives(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schemas that a union is made of; empty where it is none."""
    for union in ("anyOf", "oneOf"):
        if isinstance(schema.get(union), list):
            outer = {key: schema[key] for key in ("default", "examples") if key in schema}
            return [_within(schema, {**outer, **part}) for part in schema[union] if isinstance(part, Mapping)]
    kind = schema.get("type")
    return [{**schema, "type": one} for one in kind] if isinstance(kind, list) else []


def _within(outer: Mapping[str, Any], inner: Any) -> Any:
    """A part of a schema, which is described by the whole where it isn't described itself."""
    if not isinstance(inner, Mapping):
        return inner
    return {**{key: outer[key] for key in ("description", _UNIT) if key in outer}, **inner}


def _said_in_description(schema: Mapping[str, Any]) -> list[str]:
    """Values that a description quotes, and the default: a unit or a code that nobody says."""
    description = schema.get("description")
    quoted = _QUOTED.findall(description) if isinstance(description, str) else []
    default = schema.get("default")
    return [*quoted[:12], *([default] if isinstance(default, str) and default and default.isprintable() else [])]
