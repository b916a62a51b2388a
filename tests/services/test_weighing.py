"""Which memory answers a question, as a tiny model weighs it: what each makes likelier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from talk_desk import Desk, open_desk
from test_standing_out import Near

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.base import Choice, LiveSequence
from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.services.characters import fitting, weighing
from llmasos.services.characters.kinds import of_another
from llmasos.services.characters.prompt import DONT_KNOW, DONT_KNOW_CHINESE
from llmasos.services.memory.retrieval import FAR, Hit, Item

STOVE, DOG = "I feed my stove at noon.", "My dog is called Rex."
QUESTION = "What name did I give the puppy?"


class Knows(ScriptedEngine):
    """A tiny model to which some words make some others likelier.

    Args:
        pairs: Those.
        name: What it is called.
        fails: Whether it can't choose.
    """

    def __init__(self, *pairs: tuple[str, str], name: str = "smollm2", fails: bool = False) -> None:
        super().__init__(["Hm."], name=name)
        self._pairs, self._fails = pairs, fails
        self.asked = 0

    async def choose(self, sequence: LiveSequence, prompt: Sequence[int], options: Sequence[str]) -> Choice:
        if self._fails:
            raise EngineError("All sequences are in use.")
        self.asked += 1
        text = self.detokenize(prompt)
        likely = [any(one in text and other in option for one, other in self._pairs) for option in options]
        # A mean over tokens, which are bytes: all in all 10 nats, or 40.
        nats = [10.0 if there else 40.0 for there in likely]
        return Choice(0, tuple(-nat / len(option.encode()) for nat, option in zip(nats, options, strict=True)))


@contextmanager
def told(folder: Path, engine: ScriptedEngine, stove: float = FAR - 0.04, dog: float = FAR - 0.05) -> Iterator[Desk]:
    """Somebody who told Alice of a stove and a dog; the stove is the nearer to every question."""
    with open_desk(folder, engine=engine, embedder=Near({"stove": stove, "dog": dog}, 0.70)) as desk:
        yield desk


async def asked(desk: Desk, question: str = QUESTION) -> str:
    await desk.ok("character.create", name="Alice")
    for line in (STOVE, DOG, *(f"On day {n} it rained a lot." for n in range(20))):
        await desk.ok("character.remember", name="Alice", text=line)
    return str((await desk.ok("character.chat", name="Alice", message=question))["text"])


async def test_it_answers_with_what_the_question_makes_likelier(tmp_path: Path) -> None:
    with told(tmp_path, Knows(("dog", "puppy"), ("puppy", "dog"))) as desk:
        assert await asked(desk) == f'You told me: "{DOG}"'


@pytest.mark.parametrize("pairs", [(), (("dog", "puppy"),), (("puppy", "kennel"),)])
async def test_what_makes_nothing_much_likelier_is_no_answer(
    tmp_path: Path, pairs: tuple[tuple[str, str], ...]
) -> None:
    with told(tmp_path, Knows(*pairs), stove=0.76, dog=0.76) as desk:
        answer = await asked(desk)
        assert (answer == DONT_KNOW) is (pairs != (("dog", "puppy"),)), "one side alone makes it 30 nats likelier"


async def test_what_is_likely_after_anything_counts_for_nothing(tmp_path: Path) -> None:
    engine = Knows(("dog", "puppy"), (weighing._PLAIN, "puppy"), ("puppy", "dog"), (weighing._PLAIN_QUESTION, "dog"))
    with told(tmp_path, engine) as desk:
        assert await asked(desk) == DONT_KNOW
        assert engine.asked > 0


async def test_what_stands_out_plainly_needs_no_model(tmp_path: Path) -> None:
    engine = Knows()
    with told(tmp_path, engine, stove=0.84) as desk:
        assert await asked(desk) == f'You told me: "{STOVE}"'
        assert engine.asked == 0


async def test_where_it_cannot_say_what_stands_out_decides(tmp_path: Path) -> None:
    with told(tmp_path, Knows(fails=True), stove=0.79) as desk:
        assert await asked(desk) == f'You told me: "{STOVE}"'


@pytest.mark.parametrize(
    ("question", "name"), [("我的狗叫什么？", "smollm2"), (QUESTION, "qwen-7b"), ("It rains.", "smollm2")]
)
async def test_who_is_not_asked(tmp_path: Path, question: str, name: str) -> None:
    """Chinese, which the tiny one doesn't know; a larger one, which reads the memories itself; and no question."""
    engine = Knows(("dog", "puppy"), ("puppy", "dog"), name=name)
    with told(tmp_path, engine) as desk:
        await asked(desk, question)
        assert engine.asked == 0


async def test_a_dog_is_no_parrot_however_near_it_is(tmp_path: Path) -> None:
    with told(tmp_path, Knows(), stove=0.74, dog=0.85) as desk:
        assert await asked(desk, "What is my parrot called?") == DONT_KNOW
        answer = await desk.ok("character.chat", name="Alice", message="What is my puppy called?")
        assert answer["text"] == f'You told me: "{DOG}"'


@pytest.mark.parametrize(
    ("question", "memory", "other"),
    [
        ("What is my cat's name?", "My dog is called Rex.", True),
        ("What did I name my puppy?", "My dog is called Rex.", False),
        ("Where does my sister live?", "My brother lives in Cork.", True),
        ("Where does my sibling live?", "My brother lives in Cork.", False),
        ("What do my kids play?", "My son plays chess.", False),
        ("When does my flight leave?", "My train leaves at nine.", True),
        ("How old is my brother's boy?", "My nephew is seven.", False),
        ("Where did I meet my husband?", "I met Oscar in Prague.", False),
        ("What does my mum cook?", "My sister and my mother cook fish.", False),
        ("Who is my boss?", "My bosses are Ann and Jim.", False),
        ("What bus do I take?", "I take the number 9 bus.", False),
        ("What does my sister-in-law run?", "My brother runs a shop.", False),
        ("我的猫叫什么？", "我的狗叫旺财。", True),
        ("我给小狗取了什么名字？", "我的狗叫旺财。", False),
        ("我妹妹住在哪里？", "我哥哥住在武汉。", True),
        ("我的母亲在哪里上班？", "我妈妈在银行上班。", False),
        ("我爱人有什么爱好？", "我丈夫喜欢下棋。", False),
        ("我的兄弟做哪一行？", "我弟弟在银行上班。", False),
        ("我几点的飞机？", "我的火车九点开。", True),
        ("我女朋友学什么？", "我最好的朋友是小曼。", True),
        ("谁给我看牙？", "我的牙医是林大夫。", False),
    ],
)
def test_of_whom_a_memory_is(question: str, memory: str, other: bool) -> None:
    assert of_another(question, memory) is other


HOUSE, STAMPS = "我在厦门有一套房子。", "我收集旧邮票。"


async def in_chinese(folder: Path, question: str, *lines: str, near: dict[str, float], name: str = "smollm2") -> str:
    with open_desk(folder, engine=Knows(name=name), embedder=Near(near, 0.74)) as desk:
        await desk.ok("character.create", name="阿岚")
        for line in (*lines, *(f"第{number}天下了很大的雨。" for number in range(20))):
            await desk.ok("character.remember", name="阿岚", text=line)
        return str((await desk.ok("character.chat", name="阿岚", message=question))["text"])


@pytest.mark.parametrize(
    ("question", "lines", "near", "answer"),
    [
        # The same matter in other words is worth more than standing out alone.
        ("我的职业是什么？", ("我是做会计的。", STAMPS), {"会计": 0.845, "邮票": 0.85}, "我是做会计的。"),
        ("我坐几点的飞机？", ("我的航班七点起飞。", HOUSE), {"航班": 0.845, "房子": 0.85}, "我的航班七点起飞。"),
        # No number, no time: of another sort than what is asked for.
        ("我的腰围是多少？", (STAMPS,), {"邮票": 0.82}, DONT_KNOW_CHINESE),
        ("我什么时候搬家？", (STAMPS,), {"邮票": 0.82}, DONT_KNOW_CHINESE),
        # Two that stand out alike: neither is meant.
        ("我的秘密是什么？", (STAMPS, HOUSE), {"邮票": 0.815, "房子": 0.815}, DONT_KNOW_CHINESE),
        ("我的秘密是什么？", (STAMPS, HOUSE), {"邮票": 0.82, "房子": 0.75}, STAMPS),
    ],
)
async def test_in_chinese_rules_weigh(
    tmp_path: Path, question: str, lines: tuple[str, ...], near: dict[str, float], answer: str
) -> None:
    said = await in_chinese(tmp_path, question, *lines, near=near)
    assert said == (answer if answer == DONT_KNOW_CHINESE else f"你告诉过我：“{answer}”")


def test_what_has_no_time_stands_behind_where_one_is_asked_for() -> None:
    hits = [
        Hit(Item(str(n), text, n, ""), score=1.0 - n / 10, relevance=0.5, complete=False)
        for n, text in enumerate(("我的牙医现在是郑医生。", "我改到星期四去看医生了。", "我星期六休息。"))
    ]
    order = fitting.of_its_sort_first("我什么时候要去看医生？", hits)
    assert [hit.item.order for hit in order] == [1, 2, 0]
    assert fitting.of_its_sort_first("我的牙医是谁？", hits) == hits
    assert fitting.of_its_sort_first("When do I see the doctor?", hits) == hits


def test_sorts_and_matters() -> None:
    assert fitting.of_another_sort("我的房租是多少？", "我的房东是老马。")
    assert not fitting.of_another_sort("我的房租是多少？", "我的房租是三千块。")
    assert not fitting.of_another_sort("我的密码是多少？", "我的密码是青山绿水。")
    assert fitting.of_another_sort("我什么时候结婚？", "我和小曼结婚。")
    assert not fitting.of_another_sort("我的狗叫什么？", "我的狗叫旺财。")
    assert fitting.same_matter("我的职业是什么？", "我是做会计的。")
    assert not fitting.same_matter("我的职业是什么？", STAMPS)


async def test_who_somebody_is_a_fan_of_is_no_question_for_their_name(tmp_path: Path) -> None:
    assert "你是ada" not in await in_chinese(tmp_path, "我是谁的球迷？", STAMPS, near={})
