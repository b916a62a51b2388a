"""What every operator and function is, and how strongly it holds its operands."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from llmasos.sdk import ToolError

from . import arithmetic as a
from .arithmetic import Value, value

# How strongly an operator holds what is left of it.
RATIO = 3
FROM = 5
SUM = 10
ITEM = 12  # an item of a list that a function takes: products, but no sums
PRODUCT = 20
OF = 25
SIGN = 30
POWER = 40
POSSESSIVE = 45
POSTFIX = 50
PART = 60

Binary = Callable[[Value, Value], Value]

INFIX: dict[str, tuple[int, Binary]] = {
    "plus": (SUM, a.add),
    "minus": (SUM, a.subtract),
    "times": (PRODUCT, a.multiply),
    "over": (PRODUCT, a.divide),
    "mod": (PRODUCT, a.modulo),
    "minus_from": (FROM, lambda x, y: a.subtract(y, x)),
    "plus_to": (FROM, lambda x, y: a.add(y, x)),
    "off": (OF, lambda x, y: a.subtract(y, x if x.percent else x._replace(unit=y.unit))),
    "of": (OF, a.multiply),
    "at": (PRODUCT, lambda x, y: a.multiply(x, y)._replace(unit=y.unit)),
    "ratio": (RATIO, lambda x, y: a.divide(x, y)._replace(percent=True, unit="")),
    "possessive": (POSSESSIVE, a.multiply),
    "part": (PART, lambda x, y: a.divide(y, x)),
    "discount": (OF, a.multiply),
}

AS_INFIX = {"add": "plus", "subtract": "minus", "multiply": "times", "divide": "over"}

FUNCTIONS: dict[str, Callable[[Value], Value]] = {
    "sqrt": lambda x: a.root(x, 2),
    "cbrt": lambda x: a.root(x, 3),
    "sin": lambda x: a.trigonometry(math.sin, x),
    "cos": lambda x: a.trigonometry(math.cos, x),
    "tan": lambda x: a.trigonometry(math.tan, x),
    "asin": lambda x: a.inverse_trigonometry(math.asin, x),
    "acos": lambda x: a.inverse_trigonometry(math.acos, x),
    "atan": lambda x: a.inverse_trigonometry(math.atan, x),
    "ln": a.logarithm,
    "log": lambda x: a.logarithm(x, value(10)),
    "log2": lambda x: a.logarithm(x, value(2)),
    "log10": lambda x: a.logarithm(x, value(10)),
    "exp": lambda x: a.power(value(math.e), x),
    "abs": lambda x: x._replace(number=x.number if x.number >= 0 else -x.number),
    "round": lambda x: a.rounded(a.half_up, x),
    "floor": lambda x: a.rounded(math.floor, x),
    "ceil": lambda x: a.rounded(math.ceil, x),
    "factorial": a.factorial,
    "square": lambda x: a.power(x, value(2)),
    "squared": lambda x: a.power(x, value(2)),
    "cube": lambda x: a.power(x, value(3)),
    "cubed": lambda x: a.power(x, value(3)),
    "reciprocal": lambda x: a.divide(value(1), x),
    "double": lambda x: a.multiply(x, value(2)),
    "triple": lambda x: a.multiply(x, value(3)),
    "quadruple": lambda x: a.multiply(x, value(4)),
    "halve": lambda x: a.divide(x, value(2)),
    "negative": lambda x: x._replace(number=-x.number),
    "percent": lambda x: a.divide(x, value(100))._replace(percent=True, unit=""),
    "permille": lambda x: a.divide(x, value(1000)),
    "degrees": lambda x: x._replace(unit="degrees"),
    "tenths": lambda x: a.divide(x, value(10 if x.number < 10 else 100)),  # 八折, 七五折
    "whole": lambda x: x,
}

LISTS: dict[str, Callable[[Sequence[Value]], Value]] = {
    "sum": a.total,
    "mean": a.mean,
    "median": a.median,
    "product": a.product,
    "difference": lambda v: FUNCTIONS["abs"](a.subtract(*_two(v))),
    "quotient": lambda v: a.divide(*_two(v)),
    "max": lambda v: max(v, key=lambda x: x.number),
    "min": lambda v: min(v, key=lambda x: x.number),
    "gcd": lambda v: a.common(math.gcd, v),
    "lcm": lambda v: a.common(math.lcm, v),
}

CONSTANTS: dict[str, a.Real] = {"half": Fraction(1, 2), "pi": math.pi, "e": math.e, "tau": math.tau}
CIRCULAR = ("sin", "cos", "tan")
RAISED = ("power", "root")


def _two(values: Sequence[Value]) -> tuple[Value, Value]:
    if len(values) != 2:
        raise ToolError("That needs two numbers.")
    return values[0], values[1]
