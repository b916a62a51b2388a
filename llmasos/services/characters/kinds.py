"""Whether a memory is of somebody or something else than a question asks for: of a dog, where it asks for a cat.

Both are near to each other by meaning, so that only their names tell them apart. A word that stands for several,
"sibling", goes with each of them.
"""

from __future__ import annotations

import re

from llmasos.services.script import has_chinese

_GROUPS = (
    """dog: dog puppy pup hound; cat: cat kitten kitty; rabbit: rabbit bunny; rodent: hamster mouse rat gerbil rodent;
    bird: bird parrot budgie canary; horse: horse pony mare; fish: fish goldfish; tortoise: tortoise turtle""",
    """mother: mother mum mom mama parent; father: father dad papa parent; sister: sister sibling;
    brother: brother sibling; son: son boy child kid; daughter: daughter girl child kid; aunt: aunt; uncle: uncle;
    husband: husband partner spouse; wife: wife partner spouse; cousin: cousin; nephew: nephew; niece: niece;
    grandmother: grandmother grandma granny gran nana grandparent; grandson: grandson grandchild;
    grandfather: grandfather grandad granddad grandpa grandparent; granddaughter: granddaughter grandchild;
    neighbour: neighbour neighbor; boss: boss; friend: friend pal mate; colleague: colleague coworker;
    teacher: teacher tutor; dentist: dentist; doctor: doctor physician; vet: vet; landlord: landlord;
    therapist: therapist""",
    """car: car; bicycle: bicycle bike; motorbike: motorbike motorcycle; boat: boat ship yacht; train: train;
    plane: plane flight; bus: bus""",
)
"""Of which one has several, and asks for one: the kinds of a group, each with the words for it."""
_GROUPS_CHINESE = (
    """狗: 狗 犬 宠物; 猫: 猫 宠物; 兔: 兔 宠物; 鼠: 仓鼠 宠物; 鸟: 鹦鹉 小鸟 宠物; 鱼: 金鱼 鱼缸; 龟: 乌龟 宠物""",
    """母: 妈 母亲 父母; 父: 爸 父亲 父母; 姐: 姐 兄弟姐妹; 妹: 妹 姐妹 兄弟姐妹; 哥: 哥 兄弟 兄弟姐妹;
    弟: 弟 兄弟 兄弟姐妹; 子: 儿子 男孩 孩子; 女: 女儿 闺女 小姑娘 孩子; 夫: 丈夫 老公 爱人; 妻: 妻子 老婆 太太 爱人;
    男友: 男朋友 对象; 女友: 女朋友 对象; 祖父: 爷爷 祖父; 祖母: 奶奶 祖母; 外祖父: 外公 姥爷 外祖父;
    外祖母: 外婆 姥姥 外祖母; 叔: 叔叔 叔; 舅: 舅舅 舅; 姑: 姑姑 姑妈; 姨: 阿姨 姨妈; 侄: 侄子 侄女 外甥;
    友: 朋友; 同学: 同学 同桌; 同事: 同事; 老板: 老板 上司 领导; 邻居: 邻居 隔壁; 老师: 老师;
    牙医: 牙医 看牙; 医生: 医生 大夫; 房东: 房东""",
    """汽车: 汽车 开车 的车; 自行车: 自行车 单车; 摩托: 摩托; 船: 船; 火车: 火车 高铁; 飞机: 飞机 航班;
    公交: 公交车 巴士""",
)
"""The same in Chinese. Words aren't apart there, so of several that begin at a place the longest counts."""


def _kinds_by_word(group: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in group.split(";"):
        kind, words = row.split(":")
        for word in words.split():
            found.setdefault(word, set()).add(kind.strip())
    return found


_KINDS = [_kinds_by_word(group) for group in _GROUPS]
_KINDS_CHINESE = [_kinds_by_word(group) for group in _GROUPS_CHINESE]
_WORD_CHINESE = re.compile(
    "|".join(sorted({word for kinds in _KINDS_CHINESE for word in kinds}, key=len, reverse=True))
)
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


def of_another(question: str, memory: str) -> bool:
    """Whether a question asks for one of a group, and a memory is of others of it only."""
    chinese = has_chinese(question)
    words = _words_chinese if chinese else _words
    asked, told = words(question), words(memory)
    for kinds in _KINDS_CHINESE if chinese else _KINDS:
        wanted = [kinds[word] for word in asked if word in kinds]
        there = [kinds[word] for word in told if word in kinds]
        # "My brother's boy" is a nephew: what two of them make together isn't known here.
        if len(wanted) == 1 and there and not any(wanted[0] & one for one in there):
            return True
    return False


def _words(text: str) -> list[str]:
    """The words of a text, each also without an s at its end."""
    found = _WORD.findall(text.casefold().replace("’", "'").replace("'s", ""))
    return [word if any(word in kinds for kinds in _KINDS) else word.removesuffix("s") for word in found]


def _words_chinese(text: str) -> list[str]:
    """The words of a text that there are kinds for, each once: 妹妹 is one."""
    return list(dict.fromkeys(_WORD_CHINESE.findall(text)))
