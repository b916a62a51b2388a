"""A result as a person reads it: 351, 409.5, 0.3333333333 (1/3)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

from .arithmetic import Real, Value

_DIGITS = 10
"""Significant digits of what doesn't come out even."""

_WIDEST = 40
"""Digits of a whole number that are still read as one; above that, in powers of ten."""

_LONGEST_EXACT = 15
"""Significant digits of decimals that come out even and are shown whole."""

_LARGEST_DENOMINATOR = 10_000


def shown(result: Value, notes: Iterable[str] = ()) -> str:
    """The number, then in brackets what helps to judge it."""
    number = result.number
    if result.percent:
        return _with(_text(number * 100) + "%", notes)
    text = _text(number)
    if isinstance(number, Fraction) and not _ends(number) and number.denominator <= _LARGEST_DENOMINATOR:
        return _with(text, [f"{number.numerator}/{number.denominator}", *notes])
    return _with(text, notes)


def _with(text: str, notes: Iterable[str]) -> str:
    inside = "; ".join(dict.fromkeys(notes))
    return f"{text} ({inside})" if inside else text


def _text(number: Real) -> str:
    if isinstance(number, float):
        return _approximate(Fraction(number))
    if number.denominator == 1:
        whole = str(number.numerator)
        return whole if len(whole) <= _WIDEST else _scientific(number)
    if _ends(number):
        exact = _exact_decimal(number)
        if len(exact) <= 2 * _DIGITS and len(exact.strip("-0.").replace(".", "")) <= _LONGEST_EXACT:
            return exact
    return _approximate(number)


def _ends(number: Fraction) -> bool:
    """Whether its decimals end: no prime but 2 and 5 divides the denominator."""
    rest = number.denominator
    rest >>= (rest & -rest).bit_length() - 1
    while rest % 5 == 0:
        rest //= 5
    return rest == 1


def _exact_decimal(number: Fraction) -> str:
    places = 0
    rest = number.denominator
    while 10**places % rest:
        places += 1
        if places > _WIDEST:
            return "0" * (_WIDEST + 1)
    digits = str(abs(number.numerator) * 10**places // rest).rjust(places + 1, "0")
    return "-" * (number < 0) + digits[:-places] + "." + digits[-places:]


def _approximate(number: Fraction) -> str:
    if not number:
        return "0"
    exponent = _exponent(number)
    if not -7 <= exponent < 15:
        return _scientific(number)
    # All digits before the point are shown, even where they are more than the significant ones.
    places = max(_DIGITS - 1 - exponent, 4 if exponent >= _DIGITS - 4 else 0)
    rounded = Fraction(round(number * 10**places), 10**places)
    if rounded.denominator == 1:
        return str(rounded.numerator)
    return _exact_decimal(rounded)


def _scientific(number: Fraction) -> str:
    """`1.5e+40`: what the calculator reads as well."""
    exponent = _exponent(number)
    scale = _DIGITS - 1 - exponent
    digits = round(number * 10**scale) if scale >= 0 else round(number / 10**-scale)
    if len(str(abs(digits))) > _DIGITS:  # 9.99... was rounded up
        digits, exponent = digits // 10, exponent + 1
    mantissa = str(abs(digits))
    tail = mantissa[1:].rstrip("0")
    return "-" * (number < 0) + mantissa[0] + ("." + tail if tail else "") + f"e{exponent:+d}"


def _exponent(number: Fraction) -> int:
    number = abs(number)
    guess = math.floor(math.log10(number.numerator) - math.log10(number.denominator))
    for exponent in (guess + 1, guess, guess - 1):
        if number >= Fraction(10) ** exponent:
            return exponent
    return guess - 2
