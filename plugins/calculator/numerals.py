"""Numbers in words: nine hundred and thirty, two and a half, three quarters; 一万二, 十二点五."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from .arithmetic import Value

_UNITS = {"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
_UNITS |= {"nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15}
_UNITS |= {"sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80}
_TENS |= {"ninety": 90, "fourty": 40, "ninty": 90}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_MULTIPLES = {"hundred": 100, "dozen": 12}
_PARTS = {
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
}
_PARTS |= {"tenth": 10, "eleventh": 11, "twelfth": 12, "hundredth": 100, "thousandth": 1000}
_PARTS |= {part + "s": number for part, number in _PARTS.items()} | {"half": 2, "halves": 2}

_DIGITS = {char: number for number, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_SMALL = {"十": 10, "百": 100, "千": 1000}
_LARGE = {"万": 10**4, "亿": 10**8}
_CHINESE = re.compile(r"[零〇一二两三四五六七八九十百千万亿]+(?:点[零〇一二三四五六七八九]+)?")
_CHINESE_SCALE = re.compile(r"[百千万亿]+(?!分之)")


def english(words: Sequence[str]) -> tuple[Value, int] | None:
    """The number that the words begin with, and how many of them it takes."""
    total, group, used, last = Fraction(0), Fraction(0), 0, ""
    while used < len(words):
        word, following = words[used], words[used + 1] if used + 1 < len(words) else ""
        if word in _UNITS:
            if last in ("unit", "point") or (last == "tens" and not 1 <= _UNITS[word] <= 9):
                break
            group, last = group + _UNITS[word], "unit"
        elif word in _TENS:
            if last in ("unit", "tens", "point"):
                break
            group, last = group + _TENS[word], "tens"
        elif word in _MULTIPLES:
            group, last = (group if last else Fraction(1)) * _MULTIPLES[word], "scale"
        elif word in _SCALES:
            group = group if group or not last else Fraction(1)
            total, group, last = total + (group or 1) * _SCALES[word], Fraction(0), "scale"
        elif word == "point" and _UNITS.get(following, 10) < 10:
            digits = ""
            while used + 1 < len(words) and _UNITS.get(words[used + 1], 10) < 10:
                digits += str(_UNITS[words[used + 1]])
                used += 1
            group, last = group + Fraction(int(digits), 10 ** len(digits)), "point"
        elif not (
            (word == "and" and last == "scale" and (following in _UNITS or following in _TENS))
            or (word in ("a", "an") and not last and (following in _MULTIPLES or following in _SCALES))
        ):
            break
        used += 1
    if last:
        return after_number(total + group, words, used)
    article = int(bool(words) and words[0] in ("a", "an"))
    if len(words) > article and words[article] in _PARTS:
        below = _PARTS[words[article]]
        return Value(Fraction(1, below), ordinal=below if below > 2 else 0, share=True), article + 1
    return None


def after_number(number: Fraction, words: Sequence[str], used: int = 0) -> tuple[Value, int]:
    """What words add to a number before them: 3 million, 3 quarters, 3 and a half.

    Returns:
        The whole, and how many words are used.
    """
    while used < len(words) and (scale := (_SCALES | _MULTIPLES).get(words[used])):
        number, used = number * scale, used + 1
    rest = list(words[used : used + 4])
    if rest and rest[0] in _PARTS and number.denominator == 1 and rest[1:2] not in (["root"], ["power"]):
        return Value(number / _PARTS[rest[0]], share=True), used + 1
    if len(rest) > 2 and rest[0] == "and" and rest[2] in _PARTS and rest[3:4] != ["of"]:
        above = 1 if rest[1] in ("a", "an") else _UNITS.get(rest[1])
        if above:
            return Value(number + Fraction(above, _PARTS[rest[2]])), used + 3
    return Value(number), used


def chinese(text: str, start: int) -> tuple[Value, int] | None:
    """The number at a place of the text, and where it ends."""
    match = _CHINESE.match(text, start)
    if not match or match[0][0] in "万亿":
        return None
    whole, _, decimals = match[0].partition("点")
    number = _chinese_whole(whole)
    if decimals:
        number += Fraction(int("".join(str(_DIGITS[c]) for c in decimals)), 10 ** len(decimals))
        number, end = chinese_scale(number, text, match.end())
        return Value(number), end
    return Value(number), match.end()


def chinese_scale(number: Fraction, text: str, start: int) -> tuple[Fraction, int]:
    """3万, 1.5亿: a number times the units after it, and where they end."""
    match = _CHINESE_SCALE.match(text, start)
    if not match:
        return number, start
    for char in match[0]:
        number *= (_SMALL | _LARGE)[char]
    return number, match.end()


def _chinese_whole(text: str) -> Fraction:
    if all(char in _DIGITS for char in text):  # 二零二五 is read digit by digit
        return Fraction(int("".join(str(_DIGITS[char]) for char in text)))
    total = section = digit = 0
    unit, before = 1, ""
    for char in text:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char in _SMALL:
            unit = _SMALL[char]
            section += (digit or (0 if before in _DIGITS and before else 1)) * unit
            digit = 0
        else:
            unit = _LARGE[char]
            section += digit
            # 亿 multiplies all before it (一万亿), 万 only its own section.
            total, section = ((total + section) * unit, 0) if unit == 10**8 else (total + section * unit, 0)
            digit = 0
        before = char
    if digit and len(text) > 1 and text[-2] not in _DIGITS and unit > 10:
        digit *= unit // 10  # 一万二 is 12,000, 三百五 is 350
    return Fraction(total + section + digit)
