"""Words about repeating -> an RRULE and what is left of the phrase."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from llmasos.core.base.errors import SyscallError
from llmasos.services.schedule import recurrence, repeats

NOW = datetime(2026, 11, 18, 10, 0, tzinfo=ZoneInfo("Europe/Berlin"))  # a Wednesday

TABLE = """
every Monday | FREQ=WEEKLY;BYDAY=MO |
every Monday at 7am | FREQ=WEEKLY;BYDAY=MO | at 7am
every weekday at 8 | FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR | at 8
weekdays | FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR |
monday to friday | FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR |
daily | FREQ=DAILY |
every day at 20:00 | FREQ=DAILY | at 20:00
every 3 days | FREQ=DAILY;INTERVAL=3 |
every other day | FREQ=DAILY;INTERVAL=2 |
every second day | FREQ=DAILY;INTERVAL=2 |
every two weeks | FREQ=WEEKLY;INTERVAL=2 |
fortnightly | FREQ=WEEKLY;INTERVAL=2 |
biweekly on Tuesday | FREQ=WEEKLY;INTERVAL=2;BYDAY=TU |
every other Friday | FREQ=WEEKLY;INTERVAL=2;BYDAY=FR |
every other week on Tuesday | FREQ=WEEKLY;INTERVAL=2;BYDAY=TU |
every morning | FREQ=DAILY | morning
each evening at 9 | FREQ=DAILY | evening at 9
every Thursday night | FREQ=WEEKLY;BYDAY=TH | night
Wednesdays | FREQ=WEEKLY;BYDAY=WE |
Mondays and Thursdays | FREQ=WEEKLY;BYDAY=MO,TH |
every Monday, Wednesday and Friday | FREQ=WEEKLY;BYDAY=MO,WE,FR |
every mon and thu at 6pm | FREQ=WEEKLY;BYDAY=MO,TH | at 6pm
every weekend | FREQ=WEEKLY;BYDAY=SA,SU |
weekly | FREQ=WEEKLY |
weekly on Friday at 5pm | FREQ=WEEKLY;BYDAY=FR | at 5pm
once a week | FREQ=WEEKLY |
monthly | FREQ=MONTHLY |
monthly on the 3rd | FREQ=MONTHLY;BYMONTHDAY=3 |
every month on the 31st | FREQ=MONTHLY;BYMONTHDAY=-1 |
every month on the 30th | FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1 |
on the 1st and 15th of each month | FREQ=MONTHLY;BYMONTHDAY=1,15 |
every 15th | FREQ=MONTHLY;BYMONTHDAY=15 |
every first Monday of the month | FREQ=MONTHLY;BYDAY=1MO |
the last Friday of every month | FREQ=MONTHLY;BYDAY=-1FR |
every 2nd Tuesday of the month at noon | FREQ=MONTHLY;BYDAY=2TU | at noon
the last weekday of every month | FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1 |
end of every month | FREQ=MONTHLY;BYMONTHDAY=-1 |
quarterly | FREQ=MONTHLY;INTERVAL=3 |
yearly | FREQ=YEARLY |
every year on 9 November | FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=9 |
every 4 July | FREQ=YEARLY;BYMONTH=7;BYMONTHDAY=4 |
every year on 29 February | FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1 |
every hour | FREQ=HOURLY |
every 90 minutes | FREQ=MINUTELY;INTERVAL=90 |
every half hour | FREQ=MINUTELY;INTERVAL=30 |
every day for two weeks | FREQ=DAILY;UNTIL=20261202T095959 |
daily until 3 December | FREQ=DAILY;UNTIL=20261203T235959 |
every Monday 10 times | FREQ=WEEKLY;BYDAY=MO;COUNT=10 |
at 09:15 daily starting Monday | FREQ=DAILY | at 09:15 starting monday
每天 | FREQ=DAILY |
每天早上八点 | FREQ=DAILY | 早上8点
每晚十点 | FREQ=DAILY | 晚10点
每早七点 | FREQ=DAILY | 早7点
天天 | FREQ=DAILY |
每周一 | FREQ=WEEKLY;BYDAY=MO |
每个星期一 | FREQ=WEEKLY;BYDAY=MO |
每礼拜天 | FREQ=WEEKLY;BYDAY=SU |
每周一三五 | FREQ=WEEKLY;BYDAY=MO,WE,FR |
每周一、周三 | FREQ=WEEKLY;BYDAY=MO,WE |
每周一到周五早上七点半 | FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR | 早上7点半
每个工作日 | FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR |
工作日每天 | FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR |
每周末 | FREQ=WEEKLY;BYDAY=SA,SU |
每两周 | FREQ=WEEKLY;INTERVAL=2 |
隔周五 | FREQ=WEEKLY;INTERVAL=2;BYDAY=FR |
每两周的周五 | FREQ=WEEKLY;INTERVAL=2;BYDAY=FR |
隔天 | FREQ=DAILY;INTERVAL=2 |
每隔一天 | FREQ=DAILY;INTERVAL=2 |
每三天 | FREQ=DAILY;INTERVAL=3 |
每月3号 | FREQ=MONTHLY;BYMONTHDAY=3 |
每个月15号 | FREQ=MONTHLY;BYMONTHDAY=15 |
每月10号和25号 | FREQ=MONTHLY;BYMONTHDAY=10,25 |
每月最后一天 | FREQ=MONTHLY;BYMONTHDAY=-1 |
每个月底 | FREQ=MONTHLY;BYMONTHDAY=-1 |
每月第一个周一 | FREQ=MONTHLY;BYDAY=1MO |
每月最后一个周五 | FREQ=MONTHLY;BYDAY=-1FR |
每季度 | FREQ=MONTHLY;INTERVAL=3 |
每年 | FREQ=YEARLY |
每年11月9号 | FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=9 |
每两个小时 | FREQ=HOURLY;INTERVAL=2 |
每半小时 | FREQ=MINUTELY;INTERVAL=30 |
每十五分钟 | FREQ=MINUTELY;INTERVAL=15 |
每周三共五次 | FREQ=WEEKLY;BYDAY=WE;COUNT=5 |
"""


@pytest.mark.parametrize(
    "row", [line.split("|") for line in TABLE.strip().splitlines()], ids=lambda row: row[0].strip()
)
def test_words(row: list[str]) -> None:
    text, rule, rest = (cell.strip() for cell in row)
    found = repeats.repeat(text, NOW)
    assert (found.rule, found.rest) == (rule, rest)
    assert recurrence.next_after(found.rule, NOW, NOW) is not None


@pytest.mark.parametrize(
    "text", ["every blue moon", "now and then", "", "偶尔", "every 0 days", "every 3 seconds", "每月40号"]
)
def test_what_is_no_repetition_is_refused_with_examples(text: str) -> None:
    with pytest.raises(SyscallError) as error:
        repeats.repeat(text, NOW)
    assert error.value.code == "EINVAL"
    assert "every Monday" in error.value.remedy


@pytest.mark.parametrize(
    "text", ["tomorrow at 9", "Thursday", "明天早上九点", "3 June", "next week", "周五", "in 2 hours", "noon"]
)
def test_a_plain_time_repeats_nothing(text: str) -> None:
    assert repeats.find(text, NOW) is None


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,WE", "every Mon, Wed"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", "every 2 weeks on Fri"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "every weekday"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "every month on last Fri"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "every month on the last day"),
        ("FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1", "every month on day 30"),
        ("FREQ=DAILY;COUNT=3", "every day, 3 times"),
        ("FREQ=DAILY;UNTIL=20261203T235959", "every day until 3 Dec 2026"),
    ],
)
def test_a_rule_in_words(rule: str, said: str) -> None:
    assert recurrence.said(rule) == said
