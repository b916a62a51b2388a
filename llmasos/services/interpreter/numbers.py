"""The numbers that a sentence says, so that none can be invented: digits, words, and what units make of them.

"an hour and a half" is 1.5, and 90 where minutes are asked for; "5 %" is 5 or 0.05; 一万二 is 12000. What the model
decodes for a foreign function's number is one of these.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from llmasos.services import numerals

MOST = 40
"""Numbers of a sentence that are followed up; a longer list is taken as it stands."""

_DIGITS = re.compile(r"[-−–]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[-−–]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?|[-−–]?\.\d+")
_DOTTED = re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+,\d{1,2}(?!\d)")
"""As written on the Continent: 1.250,50."""
_SCALE = {"hundred": 100, "thousand": 1000, "grand": 1000, "k": 1000, "million": 10**6, "m": 10**6, "mio": 10**6,
          "billion": 10**9, "bn": 10**9, "trillion": 10**12, "dozen": 12, "score": 20, "lakh": 10**5, "crore": 10**7,
          "百": 100, "千": 1000, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8, "打": 12}  # fmt: skip
_SCALED = re.compile(rf"(\d+(?:\.\d+)?)[ -]?({'|'.join(sorted(_SCALE, key=len, reverse=True))})(?![a-z])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = re.compile(rf"\b({'|'.join(_MONTHS)})[a-z]*\b")
_WORDS = {
    # Counts.
    r"\b(?:an?|single|once|one|sole|solo|alone|just me|myself|1st|per|each|every)\b|一|单|每|自己|独自": (1,),
    r"\b(?:couple|pair|both|twice|double|twins?|us)\b|两|双|俩|倍": (2,),
    r"\b(?:triple|thrice|trio|cubed?|cubic|triangle)\b|仨|立方|三角": (3,),
    r"\b(?:no|none|zero|without|never|nothing|free|nil|off|empty)\b|不|没|无|零|免": (0,),
    r"\b(?:ground|cent(?:re|er)|middle|neutral|level|goalless|weightless\w*)\b|中间": (0,),
    r"\b(?:max(?:imum)?|full|fully|all the way|wide open|completely|entire(?:ly)?|whole|flat out)\b|全|最|满": (100, 1),
    r"\bas (?:loud|fast|bright|high|strong) as\b": (100, 1),
    # Parts, also of an hour, a hundred, a year.
    r"\bhalf\b|半": (0.5, 30, 50, 6),
    r"\bquarter\b|一刻|刻钟": (0.25, 15, 25, 4),
    r"\b(?:three|3)[ -]quarters?\b|三刻": (0.75, 45, 75),
    r"\bthird\b": (1 / 3, 3),
    r"\bfifth\b": (0.2, 5),
    r"\ba ?.* and a half\b": (1.5,),
    # Stretches of time, and how often they come in a year.
    r"\bhour\b|小时|钟头": (1, 60),
    r"\bday\b|天": (1, 24),
    r"\bweek\b|周|星期": (7,),
    r"\bfortnight\b|\btwo weeks\b": (2, 14),
    r"\bmonth\b|月": (30, 31),
    r"\b(?:year|annual)\b|年": (365, 12),
    r"\bdecade\b|十年": (10,),
    r"\bdaily\b": (1, 365),
    r"\bweekly\b": (1, 52),
    r"\bmonthly\b|\ba year\b": (1, 12),
    r"\bquarterly\b": (4, 3),
    r"\b(?:yearly|annually)\b": (1,),
    r"\b(?:semi-?annual(?:ly)?|half-?yearly|twice a year|biannual(?:ly)?)\b": (2, 6),
    r"\bnoon\b|\bmidday\b|中午|正午": (12,),
    r"\bmidnight\b|午夜|半夜|零点": (0, 24),
    # Directions and turns in degrees; bases and powers; a score of things.
    r"\bnorth\b": (0, 360),
    r"\beast\b": (90,),
    r"\bsouth\b": (180,),
    r"\bwest\b": (270,),
    r"\bquarter turn\b": (90, -90),
    r"\bhalf turn\b": (180, -180),
    r"\b(?:binary|squared?)\b|二进制|平方": (2,),
    r"\boctal\b|八进制": (8,),
    r"\bdecimal\b|十进制": (10,),
    r"\bhex(?:adecimal)?\b|十六进制": (16,),
    r"\bdozen\b|一打": (12,),
    r"\btenner\b": (10,),
}
"""Words that say a number without a digit; each may be read in several ways, and the model chooses."""
_LOWER = re.compile(r"([一二两三四五六七八九\d])([百千万亿块])([一二三四五六七八九\d])(?![十百千万\d])")
_UNIT = r"(?:hundred|thousand|million|billion)"
_PIECE = re.compile(rf"(\d+(?:\.\d+)?) ({_UNIT}(?: {_UNIT})?)")
_FALLING = re.compile(rf"(?:\d+(?:\.\d+)? {_UNIT}(?: {_UNIT})?(?: and)? ?){{2,}}")
_HAN = re.compile(r"[零一二两三四五六七八九十百千万亿]*[百千万亿][零一二两三四五六七八九十百千万亿]*")
_PARTS = {"third": 3, "3rd": 3, "quarter": 4, "fifth": 5, "5th": 5, "tenth": 10, "10th": 10}
_PART = re.compile(rf"(\d+)[ -]({'|'.join(_PARTS)})")
_TIME = r"hour|hr\b|minute|min\b|second|sec\b|half|quarter|小时|钟头|分|秒|点"
_LARGE = (
    r"\d ?m\b|kilo|\bk[gmw]|\b\d+k[a-z]?\b|tonne|\bton|gram|\bg\b|metre|meter|\bmm?\b|litre|liter|\bml\b|\bl\b|milli"
    r"|watt|volt|ohm|hz|pascal|mega|giga|thousand|second|克|公斤|千|吨|升|米|瓦|秒|m[abhpvw]"
)
_HUNDREDTH = r"%|per ?cent|cent|cm\b|metre|meter|\d ?m\b|point|点|hundred|half|quarter|third|块|元|分|米|成|折"
_FACTORS = (
    (60, _TIME),
    (3600, r"hour|second|小时|秒|h\b"),
    (1440, r"\bdays?\b|天"),
    (1000, _LARGE),
    (12, r"year|month|dozen|feet|foot|inch|annual|年|月|打"),
    (7, r"week|周|星期|礼拜"),
    (24, r"\bdays?\b|dozen|天"),
    (100, _HUNDREDTH),
    (10, r"mm\b|cm\b|cent|decade|折|成"),
    (3.6, r"km/h|kph|m/s"),
    (365, r"year|年"),
    (30, r"month|月"),
    (2, r"half|diameter|double|twice|couple|pair|半|两|对"),
    (50, r"两"),
    (500, r"斤"),
    (16, r"ounce|\boz\b|pound"),
    (2.54, r"inch"),
    (1609.344, r"mile"),
)
"""What a unit makes of a number, where a word of the sentence calls for it."""
_ZH_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"两": 2}
_NEGATIVE = re.compile(r"\b(?:minus|negative|below zero|sub-?zero|debit|west|south)\b|[−–-]\s?\d|负|零下")


def said(line: str, *, negative: bool = False, converted: bool = True) -> list[float]:
    """Every number that a sentence says or that its units can make of one; without doubles.

    Args:
        line: The sentence.
        negative: Whether each may be negative too ("back by four", where negative moves back).
        converted: Whether units may make others of them.
    """
    folded = line.casefold()
    plain = numerals.chinese(numerals.english(folded.replace("-", " - ") if " - " in folded else folded))
    base = list(dict.fromkeys([*_read(plain), *_read(folded), *_scaled(folded), *_scaled(plain), *_mixed(plain)]))
    for pattern, values in _WORDS.items():
        if re.search(pattern, folded):
            base += [value for value in values if value not in base]
    base += [_MONTHS.index(month) + 1.0 for month in _MONTH.findall(folded)]
    if re.search(r"\b(?:p\.?m\.?|afternoon|evening|tonight|night)\b|下午|晚|傍晚", folded):
        base += [value + 12 for value in base if 0 < value < 12]
    found = dict.fromkeys(base)
    if converted and len(base) <= MOST:
        factors = [factor for factor, unit in _FACTORS if re.search(unit, folded)]
        for value in base:
            found |= dict.fromkeys(_made(value, factors, folded))
        for one, next_ in pairwise(base):
            found |= dict.fromkeys(_joined(one, next_, factors))
        if re.search("hour|minute|小时|分", folded):
            found |= dict.fromkeys(60 + value for value in base)
    if negative or _NEGATIVE.search(folded):
        found |= dict.fromkeys(-value for value in list(found))
    found |= dict.fromkeys(abs(value) for value in list(found))
    return [value for value in found if math.isfinite(value)]


@lru_cache(maxsize=64)
def texts(line: str, *, whole: bool, negative: bool = False, converted: bool = True) -> tuple[str, ...]:
    """The numbers as JSON writes them; only the whole ones where `whole`."""
    written = (number_text(value) for value in said(line, negative=negative, converted=converted))
    # As it was written too: 21.0 is 21, but the model copies what it sees.
    found = [*written, *re.findall(r"(?<![\d.])-?(?:0|[1-9]\d*)\.0(?!\d)", line)]
    return tuple(dict.fromkeys(text for text in found if not whole or re.fullmatch(r"-?\d+", text)))


def number_text(value: float) -> str:
    """A number as JSON writes it."""
    value = round(value, 9)
    return str(int(value)) if value == int(value) and abs(value) < 10**15 else json.dumps(value)


def _read(text: str) -> list[float]:
    found = []
    for digits in _DIGITS.findall(text):
        value = float(digits.replace(",", "").replace("−", "-").replace("–", "-"))
        found += [value, abs(value)]
    for digits in _DOTTED.findall(text):
        found.append(float(digits.replace(".", "").replace(",", ".")))
    return found


def _scaled(text: str) -> list[float]:
    found = []
    for number, word in _SCALED.findall(text.replace(",", "")):
        value = float(number) * _SCALE[word]
        found += [value, value * 10**4 if word in "百千" else value]
    # 一万二 is twelve thousand, 一块二 is 1.2: a digit behind a unit counts the next lower one.
    for left, unit, right in _LOWER.findall(text):
        one, next_ = (_ZH_DIGITS.get(c) or float(c) for c in (left, right))
        found.append((one + next_ / 10) * _SCALE.get(unit, 1))
    # "two million three hundred thousand": falling scales add up.
    for run in _FALLING.findall(text):
        found.append(sum(float(n) * math.prod(_SCALE[w] for w in words.split()) for n, words in _PIECE.findall(run)))
    found += [_han(run) for run in _HAN.findall(text)]
    found += [float(_SCALE[word]) for word in re.findall(r"(?<!\d )\b(hundred|thousand|million|billion)\b", text)]
    found += [float(n) * k for n in re.findall(r"(\d(?:\.\d)?)折", text) for k in (0.1, 10)]
    found += [100 - float(n) * 10 for n in re.findall(r"(\d(?:\.\d)?)折", text)]
    return found


def _han(numeral: str) -> float:
    """A Chinese numeral with units, as it is spoken: 三万五千六 is 35600, 两亿三千万 230 million."""
    total = section = digit = 0
    last = 1
    for c in numeral:
        if c in _ZH_DIGITS:
            digit = _ZH_DIGITS[c]
            continue
        last = {"十": 10}.get(c) or _SCALE[c]
        if last < 10**4:
            section += (digit or 1) * last
        else:
            total += (section + digit or 1) * last
            section = 0
        digit = 0
    return total + section + (digit * last // 10 if last >= 100 and "零" not in numeral else digit)


def _mixed(text: str) -> list[float]:
    """Numbers with fractions: "seven and a half", "3 1/2", "two thirds", 三个半."""
    found = [float(n) + 0.5 for n in re.findall(r"(\d+)(?: [a-z]+)? and (?:a |1 )?half", text)]
    found += [float(n) + 0.5 for n in re.findall(r"(\d+)(?:个|块|点|天|小时|杯|斤|米|公里|度)?半", text)]
    found += [float(n) + 0.25 for n in re.findall(r"(\d+)(?: [a-z]+)? and a quarter", text)]
    found += [float(n) + 0.75 for n in re.findall(r"(\d+)(?: [a-z]+)? and (?:three|3) quarters", text)]
    found += [float(a) / float(b) for a, b in re.findall(r"(\d+)\s?/\s?(\d+)", text) if float(b)]
    found += [float(count) / _PARTS[part] for count, part in _PART.findall(text)]
    found += [float(b) / float(a) for a, b in re.findall(r"(\d+)分之(\d+)", text) if float(a)]
    return found


def _made(value: float, factors: list[float], line: str) -> Iterator[float]:
    """What the units of the sentence make of a number: percents, minutes of hours; the rest of a discount."""
    for factor in factors:
        yield value * factor
        yield value / factor
    if 100 in factors:
        yield from (100 - value, 1 - value / 100, 1 - value / 10)
    if re.search(r"mega|million|micro|nano|giga|兆|\bm[bw]\b|\bg[bwh]", line):
        yield from (value / 10**6, value * 10**6, value / 10**9, value * 10**9)


def _joined(one: float, next_: float, factors: list[float]) -> Iterator[float]:
    """What two numbers in a row make: "two hours and 20 minutes", "five foot ten", "one thirty-five", "two fifty"."""
    for factor in factors:
        if next_ < factor:
            yield one * factor + next_
    if 3600 in factors:
        yield one * 3600 + next_ * 60
    if 0 < one < 100 and 10 <= next_ < 100:  # "one thirty-five", "nineteen eighty-four"
        yield one * 100 + next_
    if 0 < next_ < 100:
        yield one + next_ / 100
    if 0 < next_ < 10:
        yield one + next_ / 10
