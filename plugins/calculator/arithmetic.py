"""Numbers and what can be done with them: exact fractions for as long as possible, floats after that.

Every operation checks the size of its result before it is worked out, so that nothing said can keep us busy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

from llmasos.sdk import ToolError

Real = Fraction | float

MOST_DIGITS = 1_000
_MOST_BITS = int(MOST_DIGITS * math.log2(10))
_LARGEST_FACTORIAL = 400


# No dataclass: it would import `inspect`, 6 ms for every worker that starts.
class Value(NamedTuple):
    """A number as it goes through a calculation.

    Attributes:
        number: Exact where it is a Fraction.
        percent: Said as a percentage: `number` is the part of one, and `100 - 20%` means 80.
        unit: What it counts ("hours", "$", "degrees"), empty for a plain number.
        ordinal: It was said as "third" or "3rd", and may mean 3 as well as 1/3.
        share: Said as a part ("half", "a third"): what follows it is multiplied.
    """

    number: Real
    percent: bool = False
    unit: str = ""
    ordinal: int = 0
    share: bool = False


def value(number: Real | int) -> Value:
    """A plain number.

    Raises:
        ToolError: It is too large, or no number.
    """
    if isinstance(number, float):
        if not math.isfinite(number):
            raise _too_large()
        return Value(number)
    number = Fraction(number)
    if max(number.numerator.bit_length(), number.denominator.bit_length()) > _MOST_BITS:
        raise _too_large()
    return Value(number)


def add(a: Value, b: Value, sign: int = 1) -> Value:
    """`a + b`, or `a - b` with sign -1. A percentage added to a plain number is a part of that number."""
    if b.percent and not a.percent:
        return multiply(a, value(1 + sign * b.number))._replace(unit=a.unit)
    if a.unit and b.unit and a.unit != b.unit:
        raise ToolError(f"I can't put {a.unit} and {b.unit} together.", "Say it in one unit.")
    total = value(a.number + sign * b.number)
    return total._replace(percent=a.percent and b.percent, unit=a.unit or b.unit)


def subtract(a: Value, b: Value) -> Value:
    """`a - b`."""
    return add(a, b, -1)


def multiply(a: Value, b: Value) -> Value:
    """`a * b`; a unit stays where only one of them has one."""
    unit = "" if a.unit and b.unit else a.unit or b.unit
    return value(a.number * b.number)._replace(unit=unit)


def divide(a: Value, b: Value) -> Value:
    """`a / b`.

    Raises:
        ToolError: b is zero.
    """
    if not b.number:
        raise ToolError("Dividing by zero has no result.")
    return value(a.number / b.number)._replace(unit="" if b.unit else a.unit)


def modulo(a: Value, b: Value) -> Value:
    """What is left of `a / b`, with the sign of b."""
    if not b.number:
        raise ToolError("Dividing by zero has no result.")
    return value(a.number % b.number)


def power(a: Value, b: Value) -> Value:
    """`a ** b`; exact where the exponent is whole or the root comes out even.

    Raises:
        ToolError: The result is too large, isn't real, or is one divided by zero.
    """
    base, exponent = a.number, b.number
    if not base and exponent < 0:
        raise ToolError("Dividing by zero has no result.")
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        if exponent.denominator > 1:
            return _rational_power(base, exponent)
        # The size is known before the work is done.
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if (bits - 1) * abs(exponent) > _MOST_BITS:
            raise _too_large()
        return value(base ** int(exponent))
    if base < 0 and exponent != int(exponent):
        raise _not_real()
    return value(_float(lambda: float(base) ** float(exponent)))


def root(a: Value, degree: int) -> Value:
    """The degree-th root, exact where it comes out even."""
    if not 1 <= degree <= 1_000:
        raise ToolError(f"There is no root number {degree}.")
    number = a.number
    if number < 0:
        if degree % 2 == 0:
            raise _not_real()
        return value(-root(Value(-number), degree).number)
    if isinstance(number, Fraction):
        above, below = _whole_root(number.numerator, degree), _whole_root(number.denominator, degree)
        if above is not None and below is not None:
            return value(Fraction(above, below))
    return value(_float(lambda: float(number) ** (1 / degree)))


def factorial(a: Value) -> Value:
    """`a!` of a whole number.

    Raises:
        ToolError: It isn't whole, is negative, or too large.
    """
    number = _whole(a, "A factorial")
    if number < 0:
        raise ToolError("A factorial needs a number that isn't negative.")
    if number > _LARGEST_FACTORIAL:
        raise ToolError(f"{number}! is too large.", f"I go up to {_LARGEST_FACTORIAL}!.")
    return value(math.factorial(number))


def logarithm(a: Value, base: Value | None = None) -> Value:
    """To a base, else natural; exact where it comes out whole.

    Raises:
        ToolError: Of zero or a negative number, or to an impossible base.
    """
    number = a.number
    if number <= 0:
        raise ToolError("Only numbers above zero have a logarithm.")
    # math.log of a fraction: both parts may be too large for a float.
    natural = (
        math.log(number.numerator) - math.log(number.denominator) if isinstance(number, Fraction) else math.log(number)
    )
    if base is None:
        return value(natural)
    if base.number <= 0 or base.number == 1:
        raise ToolError("The base of a logarithm is above zero and isn't one.")
    result = natural / math.log(base.number)
    whole = Fraction(round(result))
    if abs(result - whole) < 1e-9 and isinstance(number, Fraction) and isinstance(base.number, Fraction):
        exact = power(Value(base.number), Value(whole)).number
        if exact == number:
            return value(whole)
    return value(result)


def trigonometry(function: Callable[[float], float], a: Value) -> Value:
    """sin, cos, tan; degrees where they were said, else radians."""
    angle = float(a.number)
    if a.unit == "degrees":
        angle = math.radians(float(a.number % 360))
    result = _float(lambda: function(angle))
    if abs(result) > 1e15:
        raise ToolError("The tangent has no value there.")
    return value(0.0 if abs(result) < 1e-15 else result)


def inverse_trigonometry(function: Callable[[float], float], a: Value) -> Value:
    """asin, acos, atan, in radians."""
    try:
        return value(function(float(a.number)))
    except ValueError:
        raise _not_real() from None


def total(values: Sequence[Value]) -> Value:
    """Their sum."""
    result = values[0]
    for one in values[1:]:
        result = add(result, one)
    return result


def product(values: Sequence[Value]) -> Value:
    """All multiplied."""
    result = values[0]
    for one in values[1:]:
        result = multiply(result, one)
    return result


def mean(values: Sequence[Value]) -> Value:
    """Their average."""
    return divide(total(values), value(len(values)))


def median(values: Sequence[Value]) -> Value:
    """The one in the middle, or the mean of the two there."""
    inside = sorted(values, key=lambda v: v.number)
    half = len(inside) // 2
    return inside[half] if len(inside) % 2 else mean(inside[half - 1 : half + 1])


def common(function: Callable[..., int], values: Sequence[Value]) -> Value:
    """The greatest common divisor or least common multiple, as `function` is."""
    return value(function(*(_whole(v, "That") for v in values)))


def rounded(function: Callable[[Real], int], a: Value) -> Value:
    """round, floor or ceil."""
    return value(function(a.number))._replace(unit=a.unit)


def half_up(number: Real) -> int:
    """Rounded as at school: 2.5 becomes 3."""
    size = math.floor(Fraction(number if number >= 0 else -number) + Fraction(1, 2))
    return size if number >= 0 else -size


def _rational_power(base: Fraction, exponent: Fraction) -> Value:
    if base < 0 and exponent.denominator % 2 == 0:
        raise _not_real()
    if exponent.denominator <= 100:
        return power(root(Value(base), exponent.denominator), Value(Fraction(exponent.numerator)))
    if base < 0:
        raise _not_real()
    return value(_float(lambda: float(base) ** float(exponent)))


def _whole_root(number: int, degree: int) -> int | None:
    if degree == 2:
        guess = math.isqrt(number)
        return guess if guess * guess == number else None
    if number.bit_length() > 1_000:
        return None
    guess = round(float(number) ** (1 / degree))
    return guess if guess**degree == number else None


def _whole(a: Value, what: str) -> int:
    if a.number != int(a.number):
        raise ToolError(f"{what} needs whole numbers.")
    return int(a.number)


def _float(work: Callable[[], float]) -> float:
    try:
        result = work()
    except (OverflowError, ZeroDivisionError):
        raise _too_large() from None
    except ValueError:
        raise _not_real() from None
    if not math.isfinite(result):
        raise _too_large()
    return result


def _too_large() -> ToolError:
    return ToolError(f"The numbers grow beyond {MOST_DIGITS:,} digits.", "I can't go that far.")


def _not_real() -> ToolError:
    return ToolError("There is no real number that fits.", "The root of a negative number, say, has none.")
