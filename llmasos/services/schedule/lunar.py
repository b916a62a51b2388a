"""The Chinese lunar calendar, 2000 to 2080: 农历九月初三, 除夕, 中秋.

Its months follow new moons and solar terms and can't be had by a short formula, so each year is a row of a
table: days from 1 January to the first lunar day (bits 17 up), the leap month or 0 (bits 13-16), and from
bit 0 for each month in turn whether it has 30 days and not 29. Two independent implementations, lunardate and
LunarCalendar on PyPI, agree with it on each day.
"""

from __future__ import annotations

from datetime import date, timedelta

FIRST_YEAR = 2000
_TABLE = """
460693 2e952b 54052b 3e0a5b 2a555a 4e056a 38fb55 600ba4 4a0b49 32ba93 580a95 42052d 2c8aad 500ab5
3d35aa 6205d2 4c0da5 36dd4a 5c0d4a 460c95 30952e 540556 3e0ab5 2a55b2 5006d2 38cea5 5e0725 48064b
32ac97 560cab 42055a 2c6ad6 520b69 3d7752 620b52 4c0b25 36da4b 5a0a4b 4404ab 2ea55b 5405ad 3e0b6a
2a5b52 500d92 3afd25 5e0d25 480a55 32b4ad 5804b6 4005b5 2c6daa 520ec9 3f1e92 620e92 4c0d26 36ca56
5a0a57 440556 2e86d5 540755 400749 286e93 4e0693 38f52b 5e052b 460a5b 32b55a 58056a 420b65 2c974a
520b4a 3d1a95 620a95 4a052d 34caad 5a0ab5 4605aa 2e8ba5 540da5 400d4a 2a7c95
"""
_YEARS = [int(row, 16) for row in _TABLE.split()]


def new_year(year: int) -> date:
    """The first day of a lunar year.

    Raises:
        ValueError: The year isn't in the table.
    """
    return date(year, 1, 1) + timedelta(days=_row(year) >> 17)


def solar(year: int, month: int, day: int) -> date:
    """The solar date of a lunar one; a leap month is passed over.

    Raises:
        ValueError: There is no such day, or the year isn't in the table.
    """
    row = _row(year)
    leap = row >> 13 & 15
    place = month - 1 + (1 if leap and month > leap else 0)
    lengths = [29 + (row >> i & 1) for i in range(13)]
    if not 1 <= month <= 12 or not 1 <= day <= lengths[place]:
        raise ValueError(f"the lunar year {year} has no day {month}/{day}")
    return new_year(year) + timedelta(days=sum(lengths[:place]) + day - 1)


def _row(year: int) -> int:
    if not FIRST_YEAR <= year < FIRST_YEAR + len(_YEARS):
        raise ValueError(f"the lunar year {year} isn't in the table")
    return _YEARS[year - FIRST_YEAR]
