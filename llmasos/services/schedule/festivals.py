"""Days that go by a name: Christmas Eve, Good Friday, 除夕, 国庆."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

from dateutil.easter import easter  # type: ignore[import-untyped]  # ships no types

from llmasos.services.schedule import lunar

Festival = Callable[[int], tuple[date, date]]
"""Year -> first and last day."""


def _fixed(month: int, day: int, days: int = 1) -> Festival:
    return lambda year: (date(year, month, day), date(year, month, day) + timedelta(days=days - 1))


def _easter(offset: int, days: int = 1) -> Festival:
    return lambda year: (
        easter(year) + timedelta(days=offset),
        easter(year) + timedelta(days=offset + days - 1),
    )


def lunar_day(month: int, day: int, days: int = 1) -> Festival:
    """A day of the lunar year that begins in a year."""
    return lambda year: (
        lunar.solar(year, month, day),
        lunar.solar(year, month, day) + timedelta(days=days - 1),
    )


def _before_new_year(year: int) -> tuple[date, date]:
    day = lunar.new_year(year) - timedelta(days=1)
    return day, day


def _qingming(year: int) -> tuple[date, date]:
    # Right from 2000 to 2099; the sun enters 15 degrees on the 4th or 5th of April.
    day = date(year, 4, int((year % 100) * 0.2422 + 4.81) - (year % 100) // 4)
    return day, day


FESTIVALS: list[tuple[re.Pattern[str], Festival]] = [
    (re.compile(pattern), festival)
    for pattern, festival in [  # longer names first: "christmas eve" holds "christmas"
        (r"除夕夜?|大年三十|chinese new year'?s eve", _before_new_year),
        (r"春节|过年|大年初一|正月初一|spring festival|(?:chinese|lunar) new year", lunar_day(1, 1)),
        (r"christmas eve|xmas eve|平安夜|圣诞前夜", _fixed(12, 24)),
        (r"boxing day", _fixed(12, 26)),
        (r"christmas(?: day)?|xmas|圣诞节?", _fixed(12, 25)),
        (r"new year'?s eve|跨年夜?", _fixed(12, 31)),
        (r"new year(?:'?s)?(?: day)?|元旦节?", _fixed(1, 1)),
        (r"valentine'?s(?: day)?|情人节", _fixed(2, 14)),
        (r"women'?s day|妇女节|三八节", _fixed(3, 8)),
        (r"april fools'?(?: day)?|愚人节", _fixed(4, 1)),
        (r"halloween|万圣节(?:前夜)?", _fixed(10, 31)),
        (r"good friday|耶稣受难日", _easter(-2)),
        (r"easter monday", _easter(1)),
        (r"easter (?:holidays?|weekend)|复活节假期", _easter(-2, 4)),
        (r"easter(?: sunday)?|复活节", _easter(0)),
        (r"whit monday|pentecost monday", _easter(50)),
        (r"pentecost|whitsun", _easter(49)),
        (r"元宵节?|lantern festival", lunar_day(1, 15)),
        (r"清明节?", _qingming),
        (r"端午节?|dragon boat festival", lunar_day(5, 5)),
        (r"七夕节?", lunar_day(7, 7)),
        (r"中秋节?|mid-autumn festival", lunar_day(8, 15)),
        (r"重阳节?", lunar_day(9, 9)),
        (r"劳动节|五一(?:节|假期|期间)?|may day", _fixed(5, 1)),
        (r"儿童节|六一", _fixed(6, 1)),
        (r"教师节", _fixed(9, 10)),
        (r"国庆(?:节)?(?:长?假期?|期间)|十一(?:长假|假期|期间|黄金周)", _fixed(10, 1, 7)),
        (r"国庆节?", _fixed(10, 1)),
        (r"双十一|双11", _fixed(11, 11)),
    ]
]
