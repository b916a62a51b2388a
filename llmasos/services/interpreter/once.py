"""What was said once goes to one argument of a foreign function.

A model of this size likes to take a number or a word twice. Of 30,489 calls that people wrote for training 41 have one
number for two required arguments although it was said once, nearly all of cubes, squares and "both ways"; 3 have a text
that ends or begins with the number of another argument; 4 have an optional argument with what another one has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmasos.core.base.types import Program
from llmasos.services import numerals
from llmasos.services.interpreter import units
from llmasos.services.interpreter.definitions import schema_of
from llmasos.services.interpreter.numbers import number_text

Tool = Mapping[str, Any]

_NUMBER = re.compile(r"(?<![\d.])\d+(?:\.\d+)?(?![\d]|\.\d)")
_ALIKE = re.compile(
    r"\b(?:cube[ds]?|cubic|cubical|square[ds]?|equal(?:ly|s)?|equilateral|same|both|each|every|all|either|as well as"
    r"|ways?|sides?|direction|twice|double|flat|even)\b|同|都|每|各|正方|立方|等边|一样"
)
"""Words after which one number is meant for several arguments."""


def spread(program: Program, tools: Sequence[Tool], sure: Sequence[float], line: str) -> Program:
    """The program with numbers that were said once in one place each.

    Where two required arguments have the same number, the less certain one gets the only number that nothing has. Where
    a text ends with the number of another argument, it ends before it.

    Args:
        program: The calls, with all arguments that the model wrote.
        tools: The functions.
        sure: Of each argument in the order it was written, the probability of its value.
        line: The sentence.
    """
    schemas = {str(tool["name"]): schema_of(tool) for tool in tools}
    text = numerals.chinese(numerals.english(line.casefold()))
    left, calls = iter(sure), []
    for call in program:
        certain = {name: next(left, 1.0) for name in call.args}
        args = dict(call.args)
        if call.syscall in schemas:
            required = [n for n in schemas[call.syscall].get("required") or () if _is_number(args.get(n))]
            for name in _doubled(args, required, certain, text):
                free = _free(program, text)
                if len(free) == 1 and _may_be(free[0], name, schemas[call.syscall], line):
                    args[name] = free[0]
            for name, value in call.args.items():
                if isinstance(value, str) and name not in call.references:
                    args[name] = _without_number(value, args, text)
        calls.append(replace(call, args=args))
    return tuple(calls)


def _doubled(args: Mapping[str, Any], required: Sequence[str], certain: Mapping[str, float], text: str) -> list[str]:
    """Of two arguments with one number the less certain one; none where one number may be meant for both."""
    if _ALIKE.search(text):
        return []
    pairs = [
        (one, other) for at, one in enumerate(required) for other in required[at + 1 :] if args[one] == args[other]
    ]
    if len(pairs) != 1 or not _said_once(args[pairs[0][0]], text):
        return []
    return [min(pairs[0], key=lambda name: certain[name])]


def _free(program: Program, text: str) -> list[float]:
    """The numbers of a sentence that no argument has, in digits or in a text."""
    values = [value for call in program for value in call.args.values()]
    taken = {abs(value) for value in _numbers_in(values)}
    for value in values:
        if isinstance(value, str):
            taken |= {float(number) for number in _NUMBER.findall(numerals.english(value.casefold()))}
    said = dict.fromkeys(float(number) for number in _NUMBER.findall(text))
    return [int(value) if value == int(value) else value for value in said if value not in taken]


def _numbers_in(values: Sequence[Any]) -> list[float]:
    found: list[float] = []
    for value in values:
        if isinstance(value, list):
            found += _numbers_in(value)
        elif isinstance(value, dict):
            found += _numbers_in(list(value.values()))
        elif _is_number(value):
            found.append(value)
    return found


def _may_be(value: float, name: str, schema: Mapping[str, Any], line: str) -> bool:
    """Whether an argument could have a number: by its type, and by its unit."""
    properties = schema.get("properties") or {}
    whole = properties[name].get("type") == "integer"
    if whole and value != int(value):
        return False
    unit = units.of_argument(name, properties[name], tuple(properties))
    return unit is None or number_text(value) in units.numbers_in(line, unit, whole=whole)


def _without_number(value: str, args: Mapping[str, Any], text: str) -> str:
    """A text without the number at its end that another argument has."""
    words, _, last = value.rpartition(" ")
    if not words or not _NUMBER.fullmatch(last):
        return value
    others = [other for other in args.values() if _is_number(other)]
    return words if float(last) in others and _said_once(float(last), text) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _said_once(value: float, text: str) -> bool:
    if abs(value) in (0, 1, 2):  # "a pair", "once", "no": said by words of other sorts too
        return False
    return len(re.findall(rf"(?<![\d.]){re.escape(number_text(abs(value)))}(?!\d|\.\d)", text)) == 1


def without_repeated(program: Program, tools: Sequence[Tool], line: str) -> Program:
    """The program without optional arguments that take once more what was said once and another argument has."""
    required = {str(tool["name"]): _never_repeat(schema_of(tool)) for tool in tools}
    text = numerals.english(line.casefold())
    calls = []
    for call in program:
        needed = required.get(call.syscall, set(call.args))
        # What is required comes first, then in the order in which it was written.
        kept: dict[str, Any] = {}
        for name in sorted(call.args, key=lambda name: name not in needed):
            if name in needed or not any(_repeats(call.args[name], other, text) for other in kept.values()):
                kept[name] = call.args[name]
        args = {name: value for name, value in call.args.items() if name in kept}
        calls.append(replace(call, args=args, references=call.references & set(args)))
    return tuple(calls)


def _never_repeat(schema: Mapping[str, Any]) -> set[str]:
    """The arguments that stay: required ones, and choices among words, which only look like what was said."""
    properties = schema.get("properties") or {}
    choices = {name for name, part in properties.items() if isinstance(part, Mapping) and "enum" in part}
    return choices | set(schema.get("required") or ())


def _repeats(value: Any, other: Any, text: str) -> bool:
    """Whether two values are of the same words or number, which was said only once."""
    if isinstance(value, str) and isinstance(other, str):
        short, long = sorted((value.casefold(), other.casefold()), key=len)
        whole = rf"(?<![a-z]){re.escape(short)}(?![a-z])"
        return len(re.findall(whole, text)) == 1 and re.search(whole, long) is not None
    return _is_number(value) and _is_number(other) and value == other and _said_once(value, text)
