"""Units: which one an argument wants, and what a number that was said with another one is in it.

"a slab 0.2 metres thick" for `thickness_cm` is 20 and nothing else. So where a definition names its unit, a number said
with a unit can't be taken for what it isn't: 0.2 and the 10 of "10 minutes" are no centimetres.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from llmasos.services import numerals
from llmasos.services.interpreter.numbers import number_text, texts


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: what it measures, and how many of that dimension's base unit it is."""

    dimension: str
    size: float


_SPELLINGS = {
    ("length", 1): "m metre metres meter meters 米",
    ("length", 0.01): "cm centimetre centimetres centimeter centimeters 厘米 公分",
    ("length", 0.001): "mm millimetre millimetres millimeter millimeters 毫米",
    ("length", 1000): "km kilometre kilometres kilometer kilometers kilometres 公里 千米",
    ("length", 0.0254): "inch inches",
    ("length", 0.3048): "ft foot feet 英尺",
    ("length", 1609.344): "mi mile miles 英里",
    ("mass", 1): "kg kgs kilo kilos kilogram kilograms kilogramme kilogrammes 公斤 千克",
    ("mass", 0.5): "斤",
    ("mass", 0.001): "g gr gram grams gramme grammes 克",
    ("mass", 0.000001): "mg milligram milligrams milligramme milligrammes 毫克",
    ("mass", 1000): "t tonne tonnes 吨",
    ("time", 0.001): "ms millisecond milliseconds 毫秒",
    ("time", 1): "s sec secs second seconds 秒 秒钟",
    ("time", 60): "min mins minute minutes 分钟",
    ("time", 3600): "h hr hrs hour hours 小时 个小时 钟头 个钟头",
    ("time", 86400): "day days 天",
    ("time", 604800): "week weeks 周 星期 个星期 礼拜 个礼拜",
    ("span", 1): "month months 个月",
    ("span", 12): "year years 年",
    ("volume", 1): "l litre litres liter liters 升",
    ("volume", 0.01): "cl centilitre centilitres centiliter centiliters",
    ("volume", 0.001): "ml millilitre millilitres milliliter milliliters 毫升",
    ("volume", 1000): "m3 m³",
    ("area", 1): "m2 m² sqm",
    ("power", 1): "w watt watts 瓦",
    ("power", 1000): "kw kilowatt kilowatts 千瓦",
    ("power", 1000000): "mw megawatt megawatts",
    ("energy", 1): "wh watt-hours",
    ("energy", 1000): "kwh kilowatt-hour kilowatt-hours",
    ("charge", 1): "mah",
    ("charge", 1000): "ah",
    ("current", 1): "ma milliamp milliamps",
    ("current", 1000): "a amp amps ampere amperes",
    ("voltage", 1): "v volt volts 伏",
    ("frequency", 1): "hz hertz",
    ("frequency", 1000): "khz kilohertz",
    ("frequency", 1000000): "mhz megahertz",
    ("pressure", 1): "pa pascal pascals",
    ("pressure", 1000): "kpa",
    ("pressure", 100): "hpa mbar",
    ("pressure", 100000): "bar",
    ("data", 0.001): "kb",
    ("data", 1): "mb megabyte megabytes",
    ("data", 1000): "gb gigabyte gigabytes gig gigs",
    ("data", 1000000): "tb terabyte terabytes",
    ("speed", 1): "kmh kph km/h",
    ("speed", 3.6): "m/s mps",
    ("share", 1): "% percent pct percentage 百分之",
}
_UNITS = {word: Unit(*unit) for unit, words in _SPELLINGS.items() for word in words.split()}
_FRACTION = Unit("share", 100)
_AMBIGUOUS = frozenset(
    ["m", "s", "g", "t", "l", "h", "w", "a", "v", "min", "second", "mi", "pa", "day", "mw", "ma", "foot"]
)
"""As often something else ("5 m" are millions, "2 a day" no amperes): they can't rule a number out."""
_NAMED = frozenset(word for word in _UNITS if len(word) > 1 or word == "m") - {"mi", "min", "foot", "second", "bar"}
"""Spellings that an argument's name may end in."""
_WORD = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_PER = (
    r"(?!(?: ?/| ?·|-| per\b| an?\b| each\b| every\b| squared?\b| cubed?\b| weekly\b| daily\b| hourly\b|每)|[a-z²³\d])"
)
"""Behind a unit: it is no part of a larger one, as in metres per second."""
_MENTION = re.compile(
    rf"百分之(?P<hundredths>\d+(?:\.\d+)?)"
    rf"|(?<![a-z\d.,])[-−–]?(?P<number>\d+(?:,\d{{3}})*(?:\.\d+)?)[ -]?(?:(?P<unit>{_WORD}){_PER}|(?P<share>per cent))"
)
_SPEEDS = (
    (re.compile(r"\bkilomet(?:re|er)s? (?:per|an) hour\b|\bkm per hour\b|公里每小时", re.IGNORECASE), "km/h"),
    (re.compile(r"\bmet(?:re|er)s? (?:per|a) second\b|\bm per second\b|米每秒", re.IGNORECASE), "m/s"),
)
_IN = re.compile(rf"(?:\bin|\(|\bof|,|\bor)\s*({_WORD}){_PER}", re.IGNORECASE)
_BEGINS = re.compile(rf"({_WORD}){_PER}", re.IGNORECASE)
_AS_FRACTION = re.compile(
    r"\b0(?:\.0)?\s?(?:to|and|-|–|\.\.|…)\s?1(?:\.0)?\b(?!\d)|\bfraction\b|as a decimal", re.IGNORECASE
)
_MANY = re.compile(r"\b(?:hundreds|thousands|millions) of\b", re.IGNORECASE)
_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_TOGETHER = re.compile(
    r"\bhalf\b|\bquarter|\bthird|\b(?:fif|5)th|\btenth|\band an? |半|刻|分之|一个钟|点|号|每(?:秒|分|小时|天|周|月|年)"
    r"|\bto\s\d|\bpast\b|\bpm\b|\bam\b|\bo'clock\b|\bdozen\b|\btimes\b|\bpoint \d|\bhours? and\b|\d:\d"
    r"|\d (?:hundred|thousand|million)|\b(?:an?|every|the|coming|per) (?:hour|minute|second|metre|meter|kilo|litre)"
    rf"|\d ?(?:{_WORD}) ?\d"
)
"""Words that make a number of several: which unit it is in isn't plain then."""


def of_argument(name: str, schema: Mapping[str, Any], names: tuple[str, ...]) -> Unit | None:
    """The unit that an argument wants; None where its definition doesn't say.

    Args:
        name: The argument.
        schema: Its schema.
        names: All arguments of the function: where one of them is the unit, a number stays as it was said.
    """
    described = schema.get("description")
    described = _shortened(described) if isinstance(described, str) else ""
    parts = [part.casefold() for part in _PARTS.findall(name)]
    if _MANY.search(described) or "per" in parts or {"per", "week", "day", "hour", "min"} & set(parts[:-1]):
        return None
    found = {_UNITS[word.casefold()] for word in _IN.findall(described)}
    begins = _BEGINS.match(described)
    if begins and (begins[0] == described or begins[0].casefold() not in _AMBIGUOUS):
        found.add(_UNITS[begins[1].casefold()])
    if parts and parts[-1] in _NAMED and not (parts[0] == "km" and described):
        found.add(_UNITS[parts[-1]])
        names = ()
    if _AS_FRACTION.search(described) and all(unit.dimension == "share" for unit in found):
        return _FRACTION
    if any("unit" in other.casefold() for other in names):
        return None
    return found.pop() if len(found) == 1 else None


def numbers_in(line: str, unit: Unit, *, whole: bool, negative: bool = False) -> tuple[str, ...]:
    """The numbers that a sentence says for an argument in a unit, as JSON writes them.

    What was said with a unit of that kind is converted; what was said with a unit of another kind is left out; what was
    said without one may be anything that numbers.py makes of it.

    Args:
        line: The sentence.
        unit: What the argument wants.
        whole: Only whole numbers.
        negative: Whether each may be negative too.
    """
    if _TOGETHER.search(_plain(line)):
        return texts(line, whole=whole, negative=negative)
    rest, made = _measured(line, unit)
    found = [number_text(value) for value in made]
    if negative:
        found += [f"-{text}" for text in found]
    # Where something was measured, what stands beside it is no measure that needs converting.
    found = [text for text in found if not whole or "." not in text]
    found += texts(rest, whole=whole, negative=negative, converted=not made)
    return tuple(dict.fromkeys(found)) or texts(line, whole=whole, negative=negative)


@lru_cache(maxsize=64)
def _measured(line: str, unit: Unit) -> tuple[str, tuple[float, ...]]:
    """The sentence without what was said with a unit, and what of that the argument can be."""
    text = _plain(line)
    made: list[float] = []
    before: tuple[int, Unit] | None = None

    def taken(match: re.Match[str]) -> str:
        nonlocal before
        word = "%" if match["share"] or match["hundredths"] else match["unit"] or ""
        measure = _UNITS.get(word)
        if measure is None:
            return match[0]
        if measure.dimension != unit.dimension:
            kin = {measure.dimension, unit.dimension} == {"time", "span"}
            return match[0] if kin or word in _AMBIGUOUS else " "
        value = float((match["hundredths"] or match["number"]).replace(",", "")) * measure.size / unit.size
        # "two hours and 20 minutes", "1 m 80 cm"
        if before and match.start() - before[0] < len(" and ") + 1 and measure.size < before[1].size:
            made.append(made[-1] + value)
        made.append(value)
        before = match.end(), measure
        return " "

    rest = _MENTION.sub(taken, text)
    return rest, tuple(made)


def _plain(line: str) -> str:
    """A sentence in lower case, its numbers in digits."""
    return _shortened(numerals.chinese(numerals.english(line.casefold())))


def _shortened(text: str) -> str:
    """Units of several words as one."""
    for pattern, short in _SPEEDS:
        text = pattern.sub(short, text)
    return text.replace("watt hours", "watt-hours")
