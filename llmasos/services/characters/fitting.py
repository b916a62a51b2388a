"""Which memory answers a question in Chinese, by rule: what stands out, beside what sort of thing is asked for.

The tiny model, which weighs English ones (weighing.py), learned English. What stands out counts here, and how far
ahead of the next one it is. A memory that has no number where one is asked for, or no time, counts less; one that
speaks of the same matter in other words counts more (航班 where 飞机 is asked for).

Weights and bound were chosen on sentences that are in no figure, and on the half of those that was looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from llmasos.services.memory.retrieval import Hit

AHEAD = 0.3
"""What being ahead of the next one counts, where standing out counts 1."""
OTHER_SORT = -0.03
"""What it counts where something of another sort is asked for."""
SAME_MATTER = 0.03
"""What the same matter in other words counts."""
ANSWERS = 0.069
"""From which sum on a memory answers a question."""

_NUMBER = "[0-9０-９零〇一二三四五六七八九十百千万两半]"
_SORTS = tuple(
    (re.compile(asked), re.compile(told))
    for asked, told in (
        (
            "什么时候|何时|几点|哪一?天|哪一?年|几月|星期几|周几|礼拜几|多久",
            rf"{_NUMBER}(?:点|月|日|号|年|岁|天|周|个?小时|分)|星期|周[一二三四五六日末]|礼拜|[今明后昨前]天|[今明去前后]年"
            "|[上下]个?(?:月|周|星期)|早上|清晨|上午|中午|下午|傍晚|晚上|夜里|凌晨|春|夏|秋|冬|节",
        ),
        ("几(?![点月乎])|多[少大高长重远快宽深]|第几|尾号|哪一?天", _NUMBER),
    )
)
"""Questions for a number or a time, and what is in all that answers them. A password needn't be a number."""
_ANY = re.compile("密码|口令|暗号")
_MATTERS = tuple(
    re.compile("|".join(words.split()))
    for words in """
    住 搬 家在 城市
    职业 工作 上班 谋生 挣钱 赚钱 打工 行业 哪一?行 是做 当
    婚 成亲 喜事
    飞机 航班 起飞
    火车 高铁 车票
    考试 测验 要考 备考
    名字 叫 称呼 姓
    医院 医生 大夫 看病
    生日 出生
    睡 上床
    起床 醒 闹钟
    汽车 开车 的车 开的
    自行车 单车 骑
    菜 吃 口味 食物 拿手
    喝 饮料
    爱好 喜欢 爱 偏爱 空闲 休息
    怕 吓
    念 读 学 专业 上大学 年级
    老家 出身 哪里人 人。
    钱 欠 还 租 花 攒 存
    鞋 脚 码
    岁 年纪 年龄 多大
    手机 电话 号码
    租 房东
    球 队
    旅游 旅行 玩
    长大 童年 小时候
    通勤 上班 去公司 上学
    网 无线 密码
    疼 病 过敏 不能吃 碰不得
    丢 落在 忘在 找不到
    牙 看牙
    """.strip().splitlines()
)
"""Words that stand for the same matter, a line for each."""


def answering(question: str, hits: Sequence[Hit]) -> list[Hit]:
    """Those of some memories that answer a question, best first.

    Args:
        question: What is asked, in Chinese.
        hits: What was found by meaning; each says how far it stands out.
    """
    worth = [fit(question, hit, hits) for hit in hits]
    order = sorted(range(len(hits)), key=lambda at: -worth[at])
    return [hits[at] for at in order if worth[at] >= ANSWERS]


def of_its_sort_first(question: str, hits: Sequence[Hit]) -> list[Hit]:
    """Hits as they stand, but last those that have no number or no time where a Chinese question asks for one."""
    return sorted(hits, key=lambda hit: of_another_sort(question, hit.item.text))


def fit(question: str, hit: Hit, hits: Sequence[Hit]) -> float:
    """How well one of some memories fits a question."""
    above = hit.above or 0.0
    ahead = above - max((other.above or 0.0 for other in hits if other is not hit), default=0.0)
    return (
        above
        + AHEAD * ahead
        + OTHER_SORT * of_another_sort(question, hit.item.text)
        + SAME_MATTER * same_matter(question, hit.item.text)
    )


def of_another_sort(question: str, memory: str) -> bool:
    """Whether a number or a time is asked for and the memory has none."""
    if _ANY.search(question):
        return False
    return any(asked.search(question) and not told.search(memory) for asked, told in _SORTS)


def same_matter(question: str, memory: str) -> bool:
    """Whether both speak of the same matter, in the same words or in others."""
    return any(words.search(question) and words.search(memory) for words in _MATTERS)
