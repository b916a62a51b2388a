"""Tokens to a value, by operator precedence (Pratt, "Top down operator precedence", 1973).

What is said has no brackets, so a few rules stand in for them: "of" and 的 bind before times and plus; "then"
and 再 take all that was said so far; a function takes the number after it and not the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmasos.sdk import ToolError

from . import arithmetic as a
from . import operations as o
from .arithmetic import Value, value
from .lexer import Token, cannot_read

_MOST_NESTING = 60
_REMAINDER = Token("infix", "%", "mod")


class Parser:
    """Works out one expression.

    Args:
        tokens: Of the lexer.

    Attributes:
        notes: What the person should know about how it was read.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._nesting = 0
        self._priced = any(t.kind == "per" or t.meaning == "at" for t in tokens)
        self.notes: list[str] = []

    def result(self) -> Value:
        """The value of the whole.

        Raises:
            ToolError: It can't be read, or has no value.
        """
        if self._next.kind == "end":
            raise ToolError("There is nothing to work out.", "Say it like '15% of 80'.")
        items = self._items(self._sequence)
        result = self._after(items)
        while self._next.kind in ("equals", "is", "article"):  # "2 + 2 =", "12 times 7 is"
            self._at += 1
            if self._next.kind == "number":
                raise ToolError("That is an equation.", "I work out one side of it.")
        if self._next.kind != "end":
            raise self._unread()
        if wrong := [t.text for t in self._tokens if t.corrected]:
            self.notes.insert(0, f"read as {', '.join(wrong)}")
        return result

    # -- lists and sequences

    def _items(self, read: Callable[[], Value]) -> list[Value]:
        items = [read()]
        while self._next.kind in (",", "and"):
            while self._next.kind in (",", "and"):  # "4, 8, and 15"
                self._at += 1
            items.append(read())
        return items

    def _after(self, items: list[Value]) -> Value:
        if self._next.kind == "after":
            name = self._take().meaning
            return self._loop(o.LISTS[name](items), 0)
        if len(items) == 1:
            return items[0]
        self.notes.append("added up")
        return a.total(items)

    def _sequence(self) -> Value:
        """A formula, and what is then done to it: "3 plus 5 then times 2" is 16."""
        result = self._parse(0)
        while self._goes_on():
            if not self._is_operator(self._next):
                raise self._unread()
            result = self._loop(result, 0)
        return result

    def _goes_on(self) -> bool:
        """Pass over "then", or a comma before it or before an operator."""
        start = self._at
        if self._next.kind == ",":
            self._at += 1
        if self._next.kind == "then":
            self._at += 1
            return True
        if start == self._at or self._is_operator(self._next):
            return start != self._at
        self._at = start
        return False

    @staticmethod
    def _is_operator(token: Token) -> bool:
        return token.kind == "infix" or (token.kind == "verb" and token.meaning in o.AS_INFIX)

    # -- operator precedence

    def _parse(self, strength: int) -> Value:
        self._nesting += 1
        if self._nesting > _MOST_NESTING:
            raise ToolError("That is nested too deeply.", "Say it in parts.")
        result = self._loop(self._prefix(), strength)
        self._nesting -= 1
        return result

    def _loop(self, left: Value, strength: int) -> Value:
        while True:
            token = self._next
            if token.kind == "postfix" and token.meaning in o.RAISED:
                return left  # the 10次方 of 2的10次方: `_applied` takes it
            if token.text == "%" and self._tokens[self._at + 1].kind in ("number", "("):
                token = _REMAINDER  # 17 % 5, as programmers write it
            if token.kind == "postfix" or (token.kind == "function" and token.meaning == "factorial"):
                self._at += 1
                left = o.FUNCTIONS[token.meaning](left)
            elif token.kind == "noun" and token.text == "power":
                return left  # "to the third power": `_power` takes it
            elif token.kind in ("unit", "noun"):
                left = self._counted(left, self._take())
            elif self._is_operator(token):
                name = o.AS_INFIX.get(token.meaning, token.meaning)
                held, apply = o.INFIX.get(name, (o.POWER, a.power))
                if held <= strength:
                    return left
                self._at += 1
                left = self._power(left) if name == "power" else self._applied(name, left, held, apply)
            elif strength < o.PRODUCT and (token.kind in ("(", "constant", "function") or self._is_shared(left)):
                left = a.multiply(left, self._parse(o.PRODUCT))  # 2(3+4), 2pi, half a million
            else:
                return left

    def _applied(self, name: str, left: Value, held: int, apply: o.Binary) -> Value:
        if name == "possessive" and self._next.kind == "postfix":  # 25的平方根
            return left
        right = self._parse(held)
        if name == "possessive" and self._next.kind == "postfix" and self._next.meaning in o.RAISED:
            how = self._take().meaning
            return a.power(left, right) if how == "power" else a.root(left, _whole(right))
        if name == "at":
            self._rate()
        return apply(left, right)

    def _power(self, base: Value) -> Value:
        exponent = self._parse(o.POWER - 1)  # right to left: 2^3^2 is 2^9
        if self._next.kind == "noun" and self._next.text == "power":
            self._at += 1
        return a.power(base, value(exponent.ordinal) if exponent.ordinal else exponent)

    def _is_shared(self, left: Value) -> bool:
        return left.share and self._next.kind in ("number", "article")

    def _counted(self, left: Value, token: Token) -> Value:
        """A number of things. What the thing is matters only so far as unlike ones aren't added."""
        if token.kind == "noun" and not self._priced:
            raise cannot_read(token.text)
        return left._replace(unit=token.meaning)

    def _rate(self) -> None:
        """Pass over "each", "an hour", "per night" after a price."""
        if self._next.kind in ("per", "article"):
            self._at += 1
            if self._next.kind in ("unit", "noun"):
                self._at += 1

    # -- what a formula can begin with

    def _prefix(self) -> Value:
        token = self._take()
        while token.kind == "article":
            token = self._take()
        if token.kind == "number":
            return self._number(token)
        if token.kind == "constant":
            return value(o.CONSTANTS[token.meaning])._replace(share=token.meaning == "half")
        if token.kind == "(":
            return self._bracketed()
        if token.kind == "infix" and token.meaning in ("minus", "plus"):
            operand = self._parse(o.SIGN)
            return operand if token.meaning == "plus" else o.FUNCTIONS["negative"](operand)
        if token.kind == "function":
            return self._function(token.meaning)
        if token.kind == "list":
            return self._list(token.meaning)
        if token.kind == "verb":
            return self._verb(token.meaning)
        if token.kind != "end":
            self._at -= 1
        raise self._unread()

    def _number(self, token: Token) -> Value:
        if token.value.ordinal and self._next.kind == "function" and self._next.text == "root":
            self._at += 1
            self._pass_of()
            return a.root(self._operand(), token.value.ordinal)
        return token.value

    def _bracketed(self) -> Value:
        result = self._sequence()
        if self._next.kind == ")":
            self._at += 1
        elif self._next.kind != "end":  # one that was never closed is closed by the end
            raise self._unread()
        return result._replace(share=False)

    def _function(self, name: str) -> Value:
        if name == "negative":
            return o.FUNCTIONS[name](self._parse(o.POSTFIX))
        if name in ("percent", "permille"):  # 百分之十五
            return o.FUNCTIONS[name](self._parse(o.PART))
        base = self._base() if name == "log" else None
        self._pass_of()
        operand = self._operand()
        base = self._base() or base if name == "log" else None
        if name == "log" and base is None:
            self.notes.append("base 10")
        if name in o.CIRCULAR and operand.unit != "degrees":
            self.notes.append("in radians")
        return a.logarithm(operand, base) if base else o.FUNCTIONS[name](operand)

    def _base(self) -> Value | None:
        if self._next.kind != "base":
            return None
        self._at += 1
        return self._prefix()

    def _operand(self) -> Value:
        """What is in brackets and no more: sqrt(9)^2 is 9; else a power too: sqrt 3^4 is 9."""
        if self._next.kind == "(":
            self._at += 1
            return self._bracketed()
        return self._parse(o.SIGN)

    def _list(self, name: str) -> Value:
        self._pass_of()
        if self._next.kind == "(":
            self._at += 1
            items = self._items(lambda: self._parse(0))
            if self._next.kind == ")":
                self._at += 1
        else:
            items = self._items(lambda: self._parse(o.ITEM))
        return o.LISTS[name](items)

    def _verb(self, name: str) -> Value:
        first = self._items(lambda: self._parse(o.ITEM if name in ("add", "multiply") else o.FROM))
        joined = self._next.kind in ("by", "is") or self._next.meaning == "minus_from"
        if not joined:
            if len(first) > 1 and name in ("add", "multiply"):
                return o.LISTS["sum" if name == "add" else "product"](first)
            if len(first) == 1 and name in ("subtract", "increase"):
                return first[0]  # "take 15% off 80", "raise 2 to the power of 3": the rest said it all
            raise ToolError(f"I can't tell what to {name if name != 'ratio' else 'compare'} it with.")
        self._at += 1
        second = self._parse(o.ITEM if name in ("add", "multiply") else o.FROM)
        if len(first) > 1:
            first = [a.total(first)]
        how: dict[str, o.Binary] = {
            "add": lambda x, y: a.add(y, x),
            "subtract": lambda x, y: a.subtract(y, x),
            "multiply": a.multiply,
            "divide": a.divide,
            "increase": lambda x, y: a.add(x, y._replace(percent=y.percent or y.share)),  # by a quarter
            "decrease": lambda x, y: a.subtract(x, y._replace(percent=y.percent or y.share)),
            "ratio": lambda x, y: a.divide(y, x)._replace(percent=True, unit=""),
        }
        return how[name](first[0], second)

    # -- tokens

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        if token.kind != "end":
            self._at += 1
        return token

    def _pass_of(self) -> None:
        if self._next.meaning == "of" or self._next.text == "between":
            self._at += 1

    def _unread(self) -> ToolError:
        token = self._next
        if token.kind == "end":
            return ToolError("Something is missing at the end.", "Say it like '15% of 80' or '12 times 7 plus 3'.")
        if token.kind == "number":
            said = token.text.strip()
            return ToolError(f"I can't tell what to do with {said!r}.", "Put plus, times or the like before it.")
        return cannot_read(token.text)


def _whole(number: Value) -> int:
    if number.number != int(number.number):
        raise ToolError("Only whole roots can be taken.")
    return int(number.number)
