"""What the values of templates are, and what can be done with them: as Jinja does it, as far as devices use it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llmasos.core.base.foreign import parse_json


class _Undefined:
    """What isn't in the message; an empty text, as in Jinja."""

    def __str__(self) -> str:
        return ""

    def __bool__(self) -> bool:
        return False


UNDEFINED = _Undefined()


@dataclass(slots=True)
class Message:
    """A message that is read as JSON once somebody looks into it."""

    payload: str
    read: bool = False
    content: Any = None

    def get(self) -> Any:
        """What it says; `UNDEFINED` where it is no JSON."""
        if not self.read:
            self.read = True
            try:
                self.content = parse_json(self.payload)
            except ValueError:
                self.content = UNDEFINED
        return self.content


def plain(value: Any) -> Any:
    """A value, a message read as JSON."""
    return value.get() if isinstance(value, Message) else value


def within(left: Any, right: Any) -> bool:
    """Whether one is in the other."""
    return left in right if isinstance(right, str | list | Mapping) else False


def number(value: Any) -> float | int:
    """A number that can be counted with; a truth is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    return value


def plus(left: Any, right: Any) -> Any:
    """A sum, of texts too."""
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    return number(left) + number(right)


def minus(left: Any, right: Any) -> Any:
    """A difference."""
    return number(left) - number(right)


def times(left: Any, right: Any) -> Any:
    """A product."""
    return number(left) * number(right)


def divided(left: Any, right: Any) -> Any:
    """A quotient."""
    return number(left) / number(right)


def rest(left: Any, right: Any) -> Any:
    """What a division leaves."""
    return number(left) % number(right)


def joined(left: Any, right: Any) -> str:
    """Two texts as one."""
    return text(left) + text(right)


COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<=": lambda a, b: bool(number(a) <= number(b)),
    ">=": lambda a, b: bool(number(a) >= number(b)),
    "<": lambda a, b: bool(number(a) < number(b)),
    ">": lambda a, b: bool(number(a) > number(b)),
}


def text(value: Any) -> str:
    """As Jinja prints it."""
    value = plain(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _as_float(value: Any, default: Any = None, *_: Any) -> Any:
    try:
        number = float(value if not isinstance(value, _Undefined) else "")
    except (ValueError, TypeError, OverflowError):
        if default is None:
            raise
        return default
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _as_int(value: Any, default: Any = None, *_: Any) -> Any:
    number = _as_float(value, default)
    return int(number) if isinstance(number, float) else number


def _rounded(value: Any, digits: Any = 0, *_: Any) -> Any:
    return round(float(number(value)), min(int(digits), 10))


def _default(value: Any, other: Any = "", also_empty: Any = False) -> Any:
    return other if value is UNDEFINED or (also_empty and not value) else value


FILTERS: Mapping[str, Callable[..., Any]] = {
    "float": _as_float,
    "int": _as_int,
    "round": _rounded,
    "abs": lambda value: abs(number(value)),
    "default": _default,
    "d": _default,
    "is_defined": lambda value: value,
    "string": text,
    "lower": lambda value: text(value).lower(),
    "upper": lambda value: text(value).upper(),
    "title": lambda value: text(value).title(),
    "trim": lambda value: text(value).strip(),
    "tojson": lambda value: json.dumps(value, ensure_ascii=False),
    "to_json": lambda value: json.dumps(value, ensure_ascii=False),
    "bool": lambda value, *_: text(value).lower() in ("true", "on", "yes", "1"),
}
"""Filters that devices use; the rest is `Unsupported`."""
