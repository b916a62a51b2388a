"""One expression of a template: a choice, conditions, comparisons, sums, products, filters, paths; never a call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from llmasos.services.devices.mqtt.values import (
    COMPARISONS,
    FILTERS,
    UNDEFINED,
    divided,
    joined,
    minus,
    plain,
    plus,
    rest,
    times,
    within,
)

DEEPEST = 20
"""Parentheses and choices inside one another."""

Names = Mapping[str, Any]
Expression = Callable[[Names], Any]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|'(?P<single>[^'\\]*)'|\"(?P<double>[^\"\\]*)\""
    r"|(?P<sign>==|!=|<=|>=|[-+*/%|.,()\[\]{}:<>~=]))"
)
_CONSTANTS: Mapping[str, Any] = {
    "true": True, "True": True, "false": False, "False": False, "none": None, "None": None,
}  # fmt: skip


class Unsupported(ValueError):
    """A form that isn't read here."""


class Reader:
    """Reads one expression: a choice, conditions, comparisons, sums, products, filters, paths.

    Args:
        words: What stands between the braces.
    """

    def __init__(self, words: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        words = words.rstrip()
        while at < len(words):
            match = _TOKEN.match(words, at)
            if not match:
                raise Unsupported(f"{words[at : at + 20].strip()!r} isn't read")
            kind = match.lastgroup or ""
            self._tokens.append(("text" if kind in ("single", "double") else kind, match[kind]))
            at = match.end()
        self._at = 0
        self._depth = 0

    def whole(self) -> Expression:
        """The expression, which must be all there is."""
        if not self._tokens:
            raise Unsupported("it is empty")
        expression = self._choice()
        if self._at < len(self._tokens):
            self._unread()
        return expression

    def _choice(self) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Unsupported("it is nested too deeply")
        value = self._either()
        if self._takes("name", "if"):
            condition = self._either()
            otherwise = self._choice() if self._takes("name", "else") else constant("")
            value = _if(condition, value, otherwise)
        self._depth -= 1
        return value

    def _either(self) -> Expression:
        value = self._both()
        while self._takes("name", "or"):
            value = _or(value, self._both())
        return value

    def _both(self) -> Expression:
        value = self._not()
        while self._takes("name", "and"):
            value = _and(value, self._not())
        return value

    def _not(self) -> Expression:
        times = 0
        while self._takes("name", "not"):
            times += 1
        value = self._compared()
        return _negated(value) if times % 2 else value

    def _compared(self) -> Expression:
        value = self._sum()
        for sign, operation in COMPARISONS.items():
            if self._takes("sign", sign):
                return _binary(operation, value, self._sum())
        if self._takes("name", "in"):
            return _binary(within, value, self._sum())
        if self._takes("name", "is"):
            negative = self._takes("name", "not")
            if not self._takes("name", "defined"):
                self._unread()
            return _defined(value, negative)
        return value

    def _sum(self) -> Expression:
        value = self._product()
        while True:
            for sign, operation in (("+", plus), ("-", minus), ("~", joined)):
                if self._takes("sign", sign):
                    value = _binary(operation, value, self._product())
                    break
            else:
                return value

    def _product(self) -> Expression:
        value = self._signed()
        while True:
            for sign, operation in (("*", times), ("/", divided), ("%", rest)):
                if self._takes("sign", sign):
                    value = _binary(operation, value, self._signed())
                    break
            else:
                return value

    def _signed(self) -> Expression:
        times = 0
        while self._takes("sign", "-"):
            times += 1
        value = self._filtered()
        return _binary(minus, constant(0), value) if times % 2 else value

    def _filtered(self) -> Expression:
        value = self._path()
        while self._takes("sign", "|"):
            name = self._take("name")
            arguments = self._arguments() if self._takes("sign", "(") else []
            function = FILTERS.get(name)
            if function is None:
                raise Unsupported(f"the filter {name!r} isn't read")
            value = _filter(function, value, arguments)
        return value

    def _arguments(self) -> list[Any]:
        """Constants in parentheses; a name before one, as in `default=0`, is passed over."""
        found: list[Any] = []
        while not self._takes("sign", ")"):
            if self._at + 1 < len(self._tokens) and self._tokens[self._at + 1] == ("sign", "="):
                self._at += 2
            argument = self._sum()
            try:
                found.append(argument({}))
            except (ValueError, TypeError, ArithmeticError, LookupError):
                raise Unsupported("an argument of a filter isn't a constant") from None
            if len(found) > 4:
                self._unread()
            if not self._takes("sign", ","):
                self._needs(")")
                break
        return found

    def _path(self) -> Expression:
        value = self._atom()
        while True:
            if self._takes("sign", "."):
                kind, key = self._next()
                if kind not in ("name", "number"):
                    self._unread()
                value = _item(value, constant(key))
            elif self._takes("sign", "["):
                inner = self._choice()
                self._needs("]")
                value = _item(value, inner)
            else:
                return value

    def _atom(self) -> Expression:
        kind, word = self._next()
        if kind == "number":
            return constant(float(word) if "." in word else int(word[:15]))
        if kind == "text":
            return constant(word)
        if kind == "name":
            return constant(_CONSTANTS[word]) if word in _CONSTANTS else _named(word)
        if word == "(":
            inner = self._choice()
            self._needs(")")
            return inner
        if word == "[":
            return _list(self._list("]"))
        if word == "{":
            return self._table()
        return self._unread(word)

    def _list(self, end: str) -> list[Expression]:
        found: list[Expression] = []
        while not self._takes("sign", end):
            found.append(self._choice())
            if not self._takes("sign", ","):
                self._needs(end)
                break
        return found

    def _table(self) -> Expression:
        """`{'off': 0, 'low': 1}`, as some look a word up."""
        pairs: list[tuple[Expression, Expression]] = []
        while not self._takes("sign", "}"):
            key = self._choice()
            self._needs(":")
            pairs.append((key, self._choice()))
            if not self._takes("sign", ","):
                self._needs("}")
                break
        return lambda names: {plain(key(names)): plain(value(names)) for key, value in pairs}

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise Unsupported("it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _takes(self, kind: str, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == (kind, word):
            self._at += 1
            return True
        return False

    def _take(self, kind: str) -> str:
        found, word = self._next()
        return word if found == kind else self._unread(word)

    def _needs(self, sign: str) -> None:
        if not self._takes("sign", sign):
            self._unread()

    def _unread(self, word: str = "") -> NoReturn:
        word = word or (self._tokens[self._at][1] if self._at < len(self._tokens) else "its end")
        raise Unsupported(f"{word[:20]!r} isn't read there")


def constant(value: Any) -> Expression:
    """What is always the same."""
    return lambda _: value


def _named(name: str) -> Expression:
    return lambda names: names.get(name, UNDEFINED)


def _item(value: Expression, key: Expression) -> Expression:
    def look(names: Names) -> Any:
        container, wanted = plain(value(names)), plain(key(names))
        if isinstance(container, Mapping):
            return container.get(wanted, UNDEFINED) if _hashable(wanted) else UNDEFINED
        if isinstance(container, list) and str(wanted).isdecimal() and int(str(wanted)[:9]) < len(container):
            return container[int(wanted)]
        return UNDEFINED

    return look


def _hashable(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _list(items: list[Expression]) -> Expression:
    return lambda names: [plain(item(names)) for item in items]


def _binary(operation: Callable[[Any, Any], Any], left: Expression, right: Expression) -> Expression:
    return lambda names: operation(plain(left(names)), plain(right(names)))


def _if(condition: Expression, value: Expression, otherwise: Expression) -> Expression:
    return lambda names: value(names) if plain(condition(names)) else otherwise(names)


def _or(left: Expression, right: Expression) -> Expression:
    return lambda names: plain(left(names)) or right(names)


def _and(left: Expression, right: Expression) -> Expression:
    return lambda names: plain(left(names)) and right(names)


def _negated(value: Expression) -> Expression:
    return lambda names: not plain(value(names))


def _defined(value: Expression, negative: bool) -> Expression:
    return lambda names: (plain(value(names)) is UNDEFINED) is negative


def _filter(function: Callable[..., Any], value: Expression, arguments: Sequence[Any]) -> Expression:
    return lambda names: function(plain(value(names)), *arguments)
