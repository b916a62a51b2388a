"""Who speaks next in a room."""

import random
from collections import Counter

import pytest

from llmasos.services.rooms.turns import MOST, Member, addressed, answering, following, next_in_talk

ALICE = Member("a", ("Alice",), 0.5)
BRAM = Member("b", ("Old Bram", "Bram"), 0.5)
XUE = Member("x", ("小雪",), 0.5)
ROOM = [ALICE, BRAM, XUE]


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        ("Bram, how is the sea?", "b"),
        ("How is the sea, Bram?", "b"),
        ("What does old bram think?", "b"),
        ("Hey Alice, tell Bram a story", "a"),  # spoken to, not only mentioned
        ("Alice, what do you think of Bram?", "a"),
        ("What do you think of Bram, Alice?", "a"),
        ("I saw Alice and Bram yesterday", "ab"),
        ("Bram and Alice should sing", "ba"),
        ("Hello everyone!", "abx"),
        ("大家好", "abx"),
        ("小雪，你今天好吗？", "x"),
        ("Bramble jam is good", ""),
        ("Malice is bad", ""),
        ("What a day", ""),
    ],
)
def test_who_is_spoken_to(line: str, ids: str) -> None:
    assert "".join(addressed(line, ROOM)) == ids


def test_you_means_who_answered_last() -> None:
    for seed in range(20):
        assert answering("And what did you do then?", ROOM, "b", random.Random(seed)) == ["b"]
    assert {tuple(answering("And what did you do?", ROOM, "gone", random.Random(s))) for s in range(50)} != {("b",)}


def test_talkative_ones_answer_more_and_somebody_always_does() -> None:
    shy, loud = Member("s", ("Shy",), 0.05), Member("l", ("Loud",), 0.9)
    count: Counter[str] = Counter()
    for seed in range(400):
        answers = answering("What a day.", [shy, loud], "", random.Random(seed))
        assert 1 <= len(answers) <= 2
        assert len(set(answers)) == len(answers)
        count.update(answers)
    assert count["l"] > 5 * count["s"] > 0


def test_the_same_dice_give_the_same_order() -> None:
    orders = {tuple(answering("Well.", ROOM, "", random.Random("seed 3"))) for _ in range(10)}
    assert len(orders) == 1


def test_all_of_a_large_room_do_not_answer() -> None:
    crowd = [Member(str(n), (f"Nr{n}",), 1.0) for n in range(8)]
    assert len(answering("Hello everyone!", crowd, "", random.Random(1))) == MOST


def test_after_a_reply() -> None:
    # Whom it speaks to comes next, then those who still wait, and nobody twice.
    assert following("Alice, tell them!", "b", ["b", "x"], ["b"], ROOM) == (True, "a")
    assert following("I don't know.", "b", ["b", "x"], ["b"], ROOM) == (False, "x")
    assert following("Alice, you said that.", "b", ["b"], ["a", "b"], ROOM) == (False, "")
    assert following("Good night everyone.", "b", ["b"], ["b"], ROOM) == (False, "")


def test_nobody_answers_itself_in_a_talk() -> None:
    speaker = "a"
    for seed in range(100):
        speaker, last = next_in_talk("Well, well.", speaker, ROOM, random.Random(seed)), speaker
        assert speaker != last
    assert next_in_talk("Bram, your turn.", "a", ROOM, random.Random(1)) == "b"
    assert next_in_talk("I am alone.", "a", [ALICE], random.Random(1)) == ""
