"""Chinese time words as rules, beside the English ones: 下周二 3pm is read by both.

Numerals are digits by now, weekdays circled digits (周三 -> 周③, or 周三十点 couldn't be read).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from llmasos.services import numerals
from llmasos.services.schedule.english import offset, reach
from llmasos.services.schedule.festivals import lunar_day
from llmasos.services.schedule.parts import PartOfDay, Parts, Rule, Unit, entering

RULES: list[Rule] = []
rule = entering(RULES)

_CIRCLED = "①②③④⑤⑥⑦"
_SIMPLIFIED = str.maketrans(
    "點週後號鐘兩個這禮從間內農曆開時發會現將來過兒節剛歲陰幾",
    "点周后号钟两个这礼从间内农历开时发会现将来过儿节刚岁阴几",
)
UNITS: dict[str, Unit] = {
    "秒": "second",
    "分": "minute",
    "小": "hour",
    "钟": "hour",
    "天": "day",
    "日": "day",
    "周": "week",
    "星": "week",
    "礼": "week",
    "月": "month",
    "年": "year",
}
UNIT = r"(?:秒钟?|分钟?|小时|钟头|天|周|个?星期|个?礼拜|个月|年)"
AMOUNT = rf"(?:\d+(?:\.\d+)?个?半?|半个?)多?(?:{UNIT}|(?<=个)月)(?:半(?!年|月|天))?"
DURATION = rf"{AMOUNT}(?:零?{AMOUNT})*"


def normalised(text: str) -> str:
    """A phrase with simplified characters, digits and marked weekdays."""
    text = text.translate(_SIMPLIFIED)
    text = re.sub(r"(?<=[\u4e00-\u9fff])\s+(?=[\u4e00-\u9fff\d])|(?<=\d)\s+(?=[\u4e00-\u9fff])", "", text)
    text = re.sub("(周|星期|礼拜)([一二三四五六日天]|[1-7](?![\\d年月日号点:天周小个]))", _circled, text)
    return numerals.chinese(text)


def _circled(match: re.Match[str]) -> str:
    index = "一二三四五六日".find(match[2].replace("天", "日"))
    return "周" + _CIRCLED[index if index >= 0 else int(match[2]) - 1]


def durations(text: str) -> list[tuple[float, Unit]]:
    """The amounts of a matched `DURATION`."""
    found: list[tuple[float, Unit]] = []
    for number, half, lone, unit, more in re.findall(
        rf"(?:(\d+(?:\.\d+)?)个?(半?)|(半)个?)多?({UNIT}|(?<=个)月)(半(?!年|月|天))?", text
    ):
        name = UNITS[unit.removeprefix("个")[0]]
        amount = float(number or 0) + (0.5 if half or lone or more else 0)
        # Half a month or year has no exact length: 15 days, 6 months. Half a day is 12 hours.
        if amount % 1 and name in ("day", "week", "month", "year"):
            smaller: dict[Unit, tuple[float, Unit]] = {
                "day": (24, "hour"),
                "week": (7, "day"),
                "month": (30, "day"),
                "year": (12, "month"),
            }
            factor, smaller_unit = smaller[name]
            found.append((amount * factor, smaller_unit))
        else:
            found.append((amount, name))
    return found


def _shift(word: str) -> int:
    if word[0] in "上下":
        return (-1 if word[0] == "上" else 1) * (2 if word[:2] in ("上上", "下下") else 1)
    return 0


@rule(r"(?:农历|阴历|旧历)?(正|冬|腊|\d{1,2})月初?(\d{1,2})(?=.*)|(?:农历|阴历)(\d{1,2})月(\d{1,2})")
def _lunar(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    is_lunar = m[0][0] in "农阴旧正冬腊" or "初" in m[0]
    if not is_lunar:
        return False
    month = {"正": 1, "冬": 11, "腊": 12}.get(m[1] or m[3]) or int(m[1] or m[3])
    parts.festival = lunar_day(month, int(m[2] or m[4]))
    return True


@rule(r"(\d{4})年(?:(\d{1,2})月份?(?:(\d{1,2})[日号]?)?)?")
def _year_month_day(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.year = int(m[1])
    parts.month = int(m[2]) if m[2] else None
    parts.day = int(m[3]) if m[3] else None


@rule(r"(大前|去|今|明|后|前)年")
def _year(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.years = {"大前": -3, "前": -2, "去": -1, "今": 0, "明": 1, "后": 2}[m[1]]


@rule(rf"(?:在|过|再过)?({DURATION})(?:之后|以后|过后|后|开外)")
def _after(m: re.Match[str], parts: Parts, now: datetime) -> None:
    offset(parts, now, durations(m[1]), 1)


@rule(rf"(?:再过|过)({DURATION})")
def _in(m: re.Match[str], parts: Parts, now: datetime) -> None:
    offset(parts, now, durations(m[1]), 1)


@rule(rf"({DURATION})(?:之前|以前|前)")
def _ago(m: re.Match[str], parts: Parts, now: datetime) -> None:
    offset(parts, now, durations(m[1]), -1)


@rule(rf"(?:接下来|未来|今后|往后|以后)(?:的|这)?({DURATION})(?:之内|以内|内|里)?|({DURATION})(?:之内|以内|内)")
def _within(m: re.Match[str], parts: Parts, now: datetime) -> None:
    reach(parts, now, durations(m[1] or m[2]), 1)


@rule(rf"(?:最近|过去|近)(?:的|这)?({DURATION})(?:之内|以内|内|里)?")
def _lately(m: re.Match[str], parts: Parts, now: datetime) -> None:
    reach(parts, now, durations(m[1]), -1)


@rule(r"(大后|大前|今|明|后|前|昨)(?:天|日|儿个?)")
def _day(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.on = now.date() + timedelta(days={"大前": -3, "前": -2, "昨": -1, "今": 0, "明": 1, "后": 2, "大后": 3}[m[1]])


@rule(r"(今|明|昨|后|当)(?=早|晚|晨|夜|午)")
def _short_day(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.on = now.date() + timedelta(days={"昨": -1, "今": 0, "当": 0, "明": 1, "后": 2}[m[1]])


@rule(r"第(\d)个(?:周([①-⑦])|周末)|第(\d)个(周)?")
def _nth(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.nth = int(m[1] or m[3])
    if m[2]:
        parts.weekday = _CIRCLED.index(m[2])
    elif m[1]:
        parts.weekend = True


@rule(r"(下下|上上|下|上|本|这|当)(?:一|1)?个?(?:周|星期|礼拜)(?![①-⑦末])")
def _week(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.weeks = _shift(m[1])


@rule(r"(下下|上上|下|上|本|这|这个)?(?:一|1)?个?周([①-⑦])")
def _weekday(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.weekday = _CIRCLED.index(m[2])
    if m[1]:
        parts.weeks = _shift(m[1])


@rule(r"(下下|上上|下|上|本|这)?个?周末")
def _weekend(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.weekend = True
    parts.shift = _shift(m[1]) if m[1] else 0


@rule(r"(下下|上上|下|上|本|这|当)(?:1)?个?月份?(?:的)?(?:(\d{1,2})[日号]|(?=底|初|末|中|[上下]旬)|(?!\d))")
def _month(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.months = _shift(m[1])
    parts.day = int(m[2]) if m[2] else None


@rule(r"(\d{1,2})月份?的?(?:(\d{1,2})(?:[日号]|(?![\d点:时个])))?")
def _month_day(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if parts.month is not None:
        return False
    parts.month = int(m[1])
    parts.day = int(m[2]) if m[2] else None
    return 1 <= parts.month <= 12


@rule(r"(\d{1,2})[日号]")
def _day_of_month(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if parts.day is not None:
        return False
    parts.day = int(m[1])
    return True


@rule(r"年(底|末|初)")
def _edge_of_year(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.edge = "start" if m[1] == "初" else "end"
    parts.years = parts.years or 0


@rule(r"月?(底|末|初|中旬|上旬|下旬)")
def _edge_of_month(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.edge = {"底": "end", "末": "end", "下旬": "end", "初": "start", "上旬": "start", "中旬": "middle"}[m[1]]  # type: ignore[assignment]
    if parts.month is None and parts.months is None and parts.years is None:
        parts.months = 0


@rule(r"(上|下)半(年|个?月)")
def _half(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.edge = "first half" if m[1] == "上" else "second half"
    if m[2] == "年" and parts.years is None and parts.year is None:
        parts.years = 0
    elif m[2] != "年" and parts.month is None and parts.months is None:
        parts.months = 0


@rule(r"第?([1-4])季度?")
def _quarter(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.stretch = (int(m[1]) * 3 - 2, 3)


@rule(r"(下|上|本|这)个?季度")
def _this_quarter(m: re.Match[str], parts: Parts, now: datetime) -> None:
    current = (now.month - 1) // 3 + _shift(m[1])
    parts.year, parts.stretch = now.year + current // 4, (current % 4 * 3 + 1, 3)


@rule(r"(春|夏|秋|冬)[天季]")
def _season(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.stretch = ({"春": 3, "夏": 6, "秋": 9, "冬": 12}[m[1]], 3)


@rule(r"剩下的?(?:日子|时间|几天)?|剩余的?")
def _rest(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.edge = "rest"


@rule(r"同1?(?:个)?时间|同样(?:的)?时间|同时")
def _same_time(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.same_time = True


# Clock times


@rule(r"差(?:(\d{1,2})分钟?|(\d)刻钟?)(?:到)?(\d{1,2})点|(\d{1,2})点差(?:(\d{1,2})分|(\d)刻)")
def _lacking(m: re.Match[str], parts: Parts, now: datetime) -> None:
    hour = int(m[3] or m[4])
    lacking = int(m[1] or m[5] or 0) or 15 * int(m[2] or m[6])
    parts.hour, parts.minute = divmod(hour * 60 - lacking, 60)


@rule(r"(\d{1,2})(?:点钟?|时(?!候))(?:(半)|(\d)刻|(?:过|零)?(\d{1,2})分?(?!钟|小|个|天|号|日|月)|整)?")
def _clock(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    hour = int(m[1])
    minute = 30 if m[2] else 15 * int(m[3]) if m[3] else int(m[4] or 0)
    if hour > 24 or minute > 59 or parts.hour is not None:
        return False
    parts.hour, parts.minute = hour, minute
    parts.certain = hour > 12 or hour == 0
    return True


_PARTS: dict[str, PartOfDay] = {
    "凌晨": "dawn",
    "清晨": "dawn",
    "清早": "dawn",
    "一早": "morning",
    "1早": "morning",
    "早上": "morning",
    "早晨": "morning",
    "早间": "morning",
    "上午": "morning",
    "午饭": "lunch",
    "午后": "afternoon",
    "中午": "noon",
    "正午": "noon",
    "下午": "afternoon",
    "傍晚": "dusk",
    "黄昏": "dusk",
    "晚上": "tonight",
    "夜晚": "tonight",
    "晚间": "tonight",
    "夜里": "night",
    "夜间": "night",
    "深夜": "night",
    "半夜": "midnight",
    "午夜": "midnight",
    "零点": "midnight",
    "早": "morning",
    "晚": "tonight",
    "晨": "morning",
    "夜": "night",
}


@rule("|".join(sorted(_PARTS, key=len, reverse=True)))
def _part(m: re.Match[str], parts: Parts, now: datetime) -> bool:
    if parts.part is not None:
        return False
    parts.part = _PARTS[m[0]]
    return True


@rule(r"(之前|以前|前)|(之后|以后|后)|(以来|起|开始)|(为止|截止)|^自|^从")
def _bound(m: re.Match[str], parts: Parts, now: datetime) -> None:
    parts.bound = "by" if m[1] else "after" if m[2] else "until" if m[4] else "since"


FILLER = re.compile(r"那[天时]|这会儿?|左右|大概|差不多|大约|期间|时候|正好|准时|[的在于份约吧了呢啊请,。、!?~\s]")
"""What may be left over."""
