"""What a line says of somebody, by rule; relations; and what was never told."""

import pytest

from llmasos.services.characters.events import Event
from llmasos.services.characters.facts import asks_what_was_told, frame, supersedes
from llmasos.services.characters.relations import promises, relations

OWN = "0" * 16


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("My dog's name is Max.", "My dog is called Rex."),
        ("I moved to Porto.", "I live in Lisbon."),
        ("I am 35 years old.", "I'm 34."),
        ("My favourite colour is teal.", "My favourite colour is red."),
        ("The meeting has been moved to five.", "The meeting is at three."),
        ("I drive a Fiat now.", "I drive a Volvo."),
        ("I have a new one, my passport expires in 2031.", "My passport expires in 2029."),
        ("我搬到成都了。", "我住在厦门。"),
        ("我的手表现在放在床头。", "我的手表放在抽屉里。"),
        ("我的狗叫豆豆。", "我的狗叫旺财。"),
        ("其实我今年三十六岁。", "我今年二十九岁。"),
        ("其实我穿四十码的鞋。", "我穿三十八码的鞋。"),
        ("我换号了，我的手机尾号是8071。", "我的手机尾号是3345。"),
        ("我的老板现在姓孙。", "我的老板姓赵。"),
    ],
)
def test_the_newer_one_holds(new: str, old: str) -> None:
    assert supersedes(new, old)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("My cat is called Tom.", "My dog is called Rex."),
        ("My dog is old.", "My dog is brown."),
        ("My sister lives in Bergen now.", "My brother lives in Oslo."),
        ("My sister now lives in Porto.", "I live in Lisbon."),
        ("I have a new one, my passport expires in 2031.", "I have a new one, my laptop is a MacBook."),
        ("I like coffee.", "I like tea."),
        ("My dog ran away.", "My dog is called Rex."),
        ("我的猫叫胡椒。", "我的狗叫旺财。"),
        ("我有两个姐姐。", "我有三个弟弟。"),
        ("我妹妹三十岁。", "我今年二十九岁。"),
    ],
)
def test_both_hold(new: str, old: str) -> None:
    assert not supersedes(new, old)


def test_frames() -> None:
    assert frame("my dog is called Rex") == frame("Actually, my dog's name is Max") == "dog name"
    assert frame("我支持申花队。") == frame("我现在支持国安队了。") == "i support"
    assert frame("It rained.") == ""


@pytest.mark.parametrize(
    "line",
    [
        "What is my dog called?", "Where do I live?", "When is my birthday?", "Do you remember my sister?", "How old am I?",
        "What did I tell you about the boat?", "Which city is my home in?", "Who looks after my teeth?",
        "How high up is my flat?", "How fast did I run?", "To whom do I owe money?", "Which country do I dream of?", "我的狗叫什么？", "我住在哪里？",
        "What do I want to become?", "When do I sing in the choir?", "What don't I eat?", "How do I earn my money?", "Who taught me chess?",
        "When will my sofa be delivered?", "What can my parrot say?", "Where can my second key be found?", "What is the name of the man I married?",
        "How do I get to my lessons?", "What do we call our baby?", "At what time of the week do I buy groceries?", "我妈妈怎么了？",
        "When will I see the doctor?", "Which subject will I be tested in?", "On which day will I get married?",
        "Where will I be working next month?", "你知道我的狗叫什么吗？", "你还记得我住在哪里吗？", "我会哪种乐器？", "我怎么去公司？",
        "我哥哥住在罗马吗？", "我什么时候要去看医生？", "我要还小陈多少钱？", "谁给我看牙？", "我有姐姐吗？", "我的母亲还上班吗？", "我姥爷以前干什么工作？",
        "我没带钥匙的时候怎么进门？",
    ],
)  # fmt: skip
def test_questions_for_what_only_the_person_can_have_told(line: str) -> None:
    assert asks_what_was_told(line)


@pytest.mark.parametrize(
    "line",
    [
        "What should I cook?", "What do you like?", "How are you?", "Can you help me with my homework?", "What do you think of my plan?",
        "Tell me a story.", "I live in Lisbon.", "What can I do about my back?", "Where are you from?", "How do I bake bread?",
        "How high is the tower?", "How fast should I run?", "How do I come home quickly?",
        "How do I get to the station?", "Which way do I go?", "What do I do now?", "What do I do if it rains?", "Where do I buy stamps?",
        "When do we leave?", "What are we waiting for?", "Who will win, my team or yours?", "What happens if I open the door?",
        "What do I owe you?", "What do people say about me?", "Who is that man looking at me?", "Why am I always so tired?", "我们去哪里？",
        "Will you come to my party?", "What will you bring to my party?", "When will you visit me?", "What will I do now?",
        "What will happen to me?", "How will I ever finish this?", "Who will help me?", "Will I win?", "我该怎么办？", "你喜欢什么？",
        "你喜欢我吗？", "你为什么不理我？", "你什么时候来看我？", "我今天好看吗？", "我会死吗？", "我要买什么？", "我为什么总是这么累？",
        "我们什么时候出发？", "教我怎么游泳？", "我怎么了？", "我说得对吗？", "我住在里斯本。", "怎么烤面包？",
    ],
)  # fmt: skip
def test_questions_for_something_else(line: str) -> None:
    assert not asks_what_was_told(line)


def event(number: int, speaker: str, text: str, at: str = "2026-03-01T12:00:00+00:00") -> Event:
    return Event(number, at, speaker, text, frozenset({OWN, "ada"}))


def test_relations_grow_with_talk_days_and_kind_words() -> None:
    def level(*events: Event) -> int:
        return relations(OWN, events)["ada"].closeness

    lines = [event(n, "ada", "It rained all day.") for n in range(1, 21)]
    days = [event(n, "ada", "It rained all day.", f"2026-03-{n:02d}T12:00:00+00:00") for n in range(1, 21)]
    kind = [event(n, "ada", "Thank you, my dear friend.") for n in range(1, 21)]
    assert 1 == level(lines[0]) < level(*lines) < level(*kind)
    assert level(*lines) < level(*days)
    assert level(*[event(n, "ada", "You are a stupid liar.") for n in range(1, 200)]) == 2
    assert level(*(kind * 20)) == 4


def test_promises_are_kept_for_both_sides() -> None:
    known = relations(
        OWN, [event(1, "ada", "Nice. I'll bring you the book tomorrow."), event(2, OWN, "I promise to wait.")]
    )
    assert (known["ada"].promised, known["ada"].owed) == (["I'll bring you the book tomorrow."], ["I promise to wait."])
    for line in ("I will if I can tomorrow?", "Maybe I'll come tomorrow.", "I'll have soup.", "It will rain tomorrow."):
        assert promises(line) == []
