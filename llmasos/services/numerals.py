"""Number words to digits, English and Chinese: "twenty-five" -> "25", "third" -> "3rd", 二十五 -> 25."""

from __future__ import annotations

import re

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fourty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_ORDINALS = [
    "zeroth",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
]
_SMALL = {word: n for n, word in enumerate(_ONES)}
_SMALL_ORDINAL = {word: n for n, word in enumerate(_ORDINALS)}
_TENS_ORDINAL = {word[:-1] + "ieth": n for word, n in _TENS.items()}

_ENGLISH = re.compile(
    rf"\b(?:(?P<hundreds>{'|'.join(_ONES[1:10])}|an?) hundred(?: and)?(?:[ -]|\b))?"
    rf"(?:(?P<tens>{'|'.join(_TENS)})(?:[ -](?P<unit>{'|'.join(_ONES[1:10])}|{'|'.join(_ORDINALS[1:10])}))?"
    rf"|(?P<tenth>{'|'.join(_TENS_ORDINAL)})"
    rf"|(?P<small>{'|'.join(sorted(_SMALL, key=len, reverse=True))})"
    rf"|(?P<nth>{'|'.join(sorted(_ORDINALS, key=len, reverse=True))}))?\b"
)

_CHINESE_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "俩": 2}
_CHINESE_UNITS = {"十": 10, "百": 100, "千": 1000}
_CHINESE = re.compile("[零〇一二两俩三四五六七八九十百千万]+")


def ordinal(number: int) -> str:
    """1 -> "1st", 12 -> "12th"."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def english(text: str) -> str:
    """A casefolded text with its English number words as digits."""
    return _ENGLISH.sub(_english, text)


def _english(match: re.Match[str]) -> str:
    parts = match.groupdict()
    if not any(parts.values()):
        return match[0]
    number = 0
    is_ordinal = False
    if parts["hundreds"]:
        number += 100 * _SMALL.get(parts["hundreds"], 1)
    if parts["tens"]:
        number += _TENS[parts["tens"]]
    if parts["unit"]:
        is_ordinal = parts["unit"] in _SMALL_ORDINAL
        number += _SMALL_ORDINAL[parts["unit"]] if is_ordinal else _SMALL[parts["unit"]]
    if parts["tenth"]:
        number, is_ordinal = number + _TENS_ORDINAL[parts["tenth"]], True
    if parts["small"]:
        number += _SMALL[parts["small"]]
    if parts["nth"]:
        number, is_ordinal = number + _SMALL_ORDINAL[parts["nth"]], True
    # A hundred is followed by a space that belongs to the next word.
    space = " " if match[0].endswith(" ") else ""
    return (ordinal(number) if is_ordinal else str(number)) + space


def chinese(text: str) -> str:
    """A text with its Chinese numerals as digits; 二零二六 is read digit by digit."""
    return _CHINESE.sub(lambda m: chinese_number(m[0]), text)


def chinese_number(numeral: str) -> str:
    """One Chinese numeral as digits; a leading 零 is kept, as in 两点零五."""
    if not any(c in "十百千万" for c in numeral):
        return "".join(str(_CHINESE_DIGITS[c]) for c in numeral)
    total = section = digit = 0
    for c in numeral:
        if c in _CHINESE_DIGITS:
            digit = _CHINESE_DIGITS[c]
        elif c in _CHINESE_UNITS:
            section += (digit or 1) * _CHINESE_UNITS[c]
            digit = 0
        else:  # 万
            total += (section + digit or 1) * 10_000
            section = digit = 0
    return str(total + section + digit)
