"""Chinese words for repeating: 每周一三五, 每个工作日, 每月3号, 隔天."""

from __future__ import annotations

import re

from llmasos.core.base.errors import SyscallError
from llmasos.services.schedule import chinese
from llmasos.services.schedule.parts import Unit
from llmasos.services.schedule.rrule import (
    DAYS,
    EXAMPLES,
    FREQUENCIES,
    Fields,
    RepeatRule,
    entering,
    interval,
    month_day,
    month_days,
)

RULES: list[RepeatRule] = []
rule = entering(RULES)
_CIRCLED = "①②③④⑤⑥⑦"


@rule(r"每(?:1个|个)?月的?(?:第(\d)个|(最后)(?:1个)?)周([①-⑦])")
def _zh_nth(m: re.Match[str]) -> Fields:
    return {"FREQ": "MONTHLY", "BYDAY": f"{-1 if m[2] else m[1]}{DAYS[_CIRCLED.index(m[3])]}"}


@rule(r"每(?:1个|个)?月的?(?:底|末|最后1?天|最后1日)")
def _zh_month_end(m: re.Match[str]) -> Fields:
    return {"FREQ": "MONTHLY", "BYMONTHDAY": "-1"}


@rule(r"每(?:1|个|1个)?月初")
def _zh_month_start(m: re.Match[str]) -> Fields:
    return {"FREQ": "MONTHLY", "BYMONTHDAY": "1"}


@rule(r"每(?:隔)?(\d+)?个?月的?(\d{1,2}[日号]?(?:[和、,]\d{1,2}[日号]?)*[日号])")
def _zh_monthly(m: re.Match[str]) -> Fields:
    days = [int(d) for d in re.findall(r"\d+", m[2])]
    return {"FREQ": "MONTHLY", **interval(m[1]), **month_days(days)}


@rule(r"每(?:1)?年的?(\d{1,2})月(\d{1,2})[日号]?")
def _zh_yearly(m: re.Match[str]) -> Fields:
    if int(m[1]) == 2 and int(m[2]) == 29:
        return {"FREQ": "YEARLY", "BYMONTH": "2", **month_day(29)}
    if not 1 <= int(m[1]) <= 12 or not 1 <= int(m[2]) <= 31:
        raise SyscallError("EINVAL", f"{m[0]!r} is no day of the year.", EXAMPLES)
    return {"FREQ": "YEARLY", "BYMONTH": m[1], "BYMONTHDAY": m[2]}


@rule(
    r"(隔周的?|隔(?=周[①-⑦])|每隔?(\d+)?个?(?:周|星期|礼拜)的|每逢|每隔?(\d+)?个?|逢)(周[①-⑦](?:[1-7①-⑦、,和]|周(?=[①-⑦]))*)"
)
def _zh_weekly(m: re.Match[str]) -> Fields:
    days = {_CIRCLED.index(c) if c in _CIRCLED else int(c) - 1 for c in re.findall("[①-⑦1-7]", m[4])}
    number = "2" if m[1].startswith("隔") else m[2] or m[3]
    return {"FREQ": "WEEKLY", **interval(number), "BYDAY": ",".join(DAYS[d] for d in sorted(days))}


@rule(r"每(?:1)?天|每日|天天|日日|每(?=早|晚|晨|夜|个?(?:早上|晚上|上午|下午|中午))个?")
def _zh_daily(m: re.Match[str]) -> Fields:
    return {"FREQ": "DAILY"}


@rule(r"每?隔(1)?(天|日|周|个?星期|个?礼拜|个?月|年)(?!的?[①-⑦\d])")
def _zh_alternate(m: re.Match[str]) -> Fields:
    # 隔天 and 每隔一天 are every other day.
    return {"FREQ": FREQUENCIES[chinese.UNITS[m[2].removeprefix("个")[0]]], "INTERVAL": "2"}


@rule(r"每(?:隔|过)?(\d+|半)?个?(分钟|小时|钟头|天|周|星期|礼拜|月|季度|年)")
def _zh_every(m: re.Match[str]) -> Fields:
    if m[2] == "季度":
        return {"FREQ": "MONTHLY", "INTERVAL": str(3 * int(m[1] or 1))}
    unit = chinese.UNITS[m[2][0]]
    if m[1] == "半":
        half: dict[Unit, Fields] = {
            "hour": {"FREQ": "MINUTELY", "INTERVAL": "30"},
            "day": {"FREQ": "HOURLY", "INTERVAL": "12"},
            "year": {"FREQ": "MONTHLY", "INTERVAL": "6"},
        }
        return half.get(unit, {"FREQ": "DAILY", "INTERVAL": "15"})
    return {"FREQ": FREQUENCIES[unit], **interval(m[1])}
