"""English words to time: phrase, weekday and start (a day alone is all-day), end; each checked by hand."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from llmasos.services.schedule import words

NOW = datetime(2026, 11, 18, 10, 0, tzinfo=ZoneInfo("Europe/Berlin"))  # a Wednesday

TABLE = """
tomorrow at 9 | Thu 2026-11-19 09:00
tomorrow at 9am | Thu 2026-11-19 09:00
Thursday at 4pm | Thu 2026-11-19 16:00
next Friday | Fri 2026-11-27
in 55 minutes | Wed 2026-11-18 10:55
3 June from 14:00 to 15:30 | Thu 2027-06-03 14:00 | 2027-06-03 15:30
half past six | Wed 2026-11-18 18:30
noon | Wed 2026-11-18 12:00
tonight | Wed 2026-11-18 20:00
this evening at 8 | Wed 2026-11-18 20:00
the day after tomorrow | Fri 2026-11-20
end of the month | Mon 2026-11-30
Monday morning | Mon 2026-11-23 09:00
today at 18:00 | Wed 2026-11-18 18:00
at 4 | Wed 2026-11-18 16:00
at seven | Wed 2026-11-18 19:00
at ten | Wed 2026-11-18 22:00
10:30 | Wed 2026-11-18 10:30
4:30 | Wed 2026-11-18 16:30
4:30 pm | Wed 2026-11-18 16:30
16h | Wed 2026-11-18 16:00
5 o'clock | Wed 2026-11-18 17:00
7.30pm | Wed 2026-11-18 19:30
quarter to six | Wed 2026-11-18 17:45
quarter past three tomorrow | Thu 2026-11-19 15:15
twenty to five | Wed 2026-11-18 16:40
ten minutes before midnight | Wed 2026-11-18 23:50
half six | Wed 2026-11-18 18:30
six thirty | Wed 2026-11-18 18:30
at 6 thirty | Wed 2026-11-18 18:30
Friday 12:30 | Fri 2026-11-20 12:30
Friday at noon | Fri 2026-11-20 12:00
Friday at midnight | Sat 2026-11-21 00:00
Sat 11am | Sat 2026-11-21 11:00
next Wednesday, 7 in the evening | Wed 2026-11-25 19:00
next Tuesday at 2 | Tue 2026-11-24 14:00
this Sunday | Sun 2026-11-22
Wednesday | Wed 2026-11-25
Wednesday at 4pm | Wed 2026-11-18 16:00
Wednesday at 8am | Wed 2026-11-25 08:00
wed | Wed 2026-11-25
Thursday evening | Thu 2026-11-19 19:00
Saturday night | Sat 2026-11-21 21:00
tomorrow morning | Thu 2026-11-19 09:00
tomorrow afternoon at 3 | Thu 2026-11-19 15:00
tomorrow after lunch | Thu 2026-11-19 13:00
9 tomorrow | Thu 2026-11-19 09:00
tmrw at 5pm | Thu 2026-11-19 17:00
tommorow at noon | Thu 2026-11-19 12:00
firday at 3pm | Fri 2026-11-20 15:00
the 21st | Sat 2026-11-21
1st | Tue 2026-12-01
24th at 6:20am | Tue 2026-11-24 06:20
Saturday the 21st at 14:00 | Sat 2026-11-21 14:00
3 December | Thu 2026-12-03
3rd of December at 10am | Thu 2026-12-03 10:00
December 3rd, 2027 | Fri 2027-12-03
Dec 31 | Thu 2026-12-31
14 Nov | Sun 2027-11-14
8 June 19:30 | Tue 2027-06-08 19:30
4 December, 8:40 | Fri 2026-12-04 08:40
2027-01-15 | Fri 2027-01-15
2027-01-15T16:00 | Fri 2027-01-15 16:00
2026-12-24 18:30 | Thu 2026-12-24 18:30
24.12. | Thu 2026-12-24
24.12.2026 at 18:30 | Thu 2026-12-24 18:30
24/12 | Thu 2026-12-24
12/24 | Thu 2026-12-24
Friday 4 December | Fri 2026-12-04
June | Tue 2027-06-01 | 2027-07-01
next month | Tue 2026-12-01 | 2027-01-01
in two weeks | Wed 2026-12-02
in a week | Wed 2026-11-25
in a fortnight | Wed 2026-12-02
in an hour | Wed 2026-11-18 11:00
in half an hour | Wed 2026-11-18 10:30
in an hour and a half | Wed 2026-11-18 11:30
in 2 and a half hours | Wed 2026-11-18 12:30
in a quarter of an hour | Wed 2026-11-18 10:15
in 90 mins | Wed 2026-11-18 11:30
in 2h | Wed 2026-11-18 12:00
in 1h30m | Wed 2026-11-18 11:30
in 2 hours and 15 minutes | Wed 2026-11-18 12:15
in 3 days | Sat 2026-11-21
in 3 days at 9am | Sat 2026-11-21 09:00
two weeks from now | Wed 2026-12-02
three months from now | Thu 2027-02-18
12 minutes | Wed 2026-11-18 10:12
a week from Friday | Fri 2026-11-27
two days after Christmas | Sun 2026-12-27
Christmas Eve at noon | Thu 2026-12-24 12:00
New Year's Eve at 23:30 | Thu 2026-12-31 23:30
Easter Monday | Mon 2027-03-29
the day before Easter | Sat 2027-03-27
tomorrow from 9 till 11 | Thu 2026-11-19 09:00 | 2026-11-19 11:00
from 2 to 4 this afternoon | Wed 2026-11-18 14:00 | 2026-11-18 16:00
Thursday between 1 and 3 | Thu 2026-11-19 13:00 | 2026-11-19 15:00
Monday 9-11 | Mon 2026-11-23 09:00 | 2026-11-23 11:00
tomorrow 3-5pm | Thu 2026-11-19 15:00 | 2026-11-19 17:00
Friday 11 to 1pm | Fri 2026-11-20 11:00 | 2026-11-20 13:00
tonight from 22:00 to 1:00 | Wed 2026-11-18 22:00 | 2026-11-19 01:00
from 3 to 5 December | Thu 2026-12-03 | 2026-12-06
from the 3rd to the 9th of August | Tue 2027-08-03 | 2027-08-10
Saturday and Sunday | Sat 2026-11-21 | 2026-11-23
next weekend | Sat 2026-11-28 | 2026-11-30
this weekend | Sat 2026-11-21 | 2026-11-23
next week | Mon 2026-11-23 | 2026-11-30
next week Tuesday half past three | Tue 2026-11-24 15:30
the first Monday of next month | Mon 2026-12-07
last Friday of December | Fri 2026-12-25
tomorrow 18:00 UTC | Thu 2026-11-19 19:00
tomorrow at 9 New York time | Thu 2026-11-19 15:00
tomorrow at 3pm EST | Thu 2026-11-19 21:00
by Friday | Fri 2026-11-20
before noon tomorrow | Thu 2026-11-19 12:00
end of next week | Sun 2026-11-29
beginning of March | Mon 2027-03-01
mid January | Mon 2027-01-11
end of the year | Thu 2026-12-31
eod | Wed 2026-11-18 17:00
spring | Mon 2027-03-01 | 2027-06-01
Q1 | Fri 2027-01-01 | 2027-04-01
morgen um 9 Uhr | Thu 2026-11-19 09:00
demain à 15h | Thu 2026-11-19 15:00
mañana a las 10 | Thu 2026-11-19 10:00
le 3 juin à 14h | Thu 2027-06-03 14:00
at 0:30 | Thu 2026-11-19 00:30
12am tomorrow | Thu 2026-11-19 00:00
12pm tomorrow | Thu 2026-11-19 12:00
12:15 am Friday | Fri 2026-11-20 00:15
from Friday 18:00 to Sunday | Fri 2026-11-20 18:00 | 2026-11-23 00:00
in 1h30 | Wed 2026-11-18 11:30
"""


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]


@pytest.mark.parametrize("row", rows(TABLE), ids=lambda row: row[0])
def test_when(row: list[str]) -> None:
    found = words.when(row[0], NOW)
    seen = f"{found.start:%a %Y-%m-%d %H:%M}" if found.timed else f"{found.start:%a %Y-%m-%d}"
    assert seen == row[1]
    end = "" if found.end is None else f"{found.end:%Y-%m-%d %H:%M}" if found.timed else f"{found.end:%Y-%m-%d}"
    assert end == (row[2] if len(row) > 2 else "")
