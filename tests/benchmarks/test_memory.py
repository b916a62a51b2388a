"""The benches of characters run, in a small size, and their judges can tell good from bad."""

import pytest

from benchmarks.characters.cast import asked, card, people
from benchmarks.characters.hygiene import failures
from benchmarks.memory.facts import HALVES, facts
from benchmarks.memory.fillers import fillers
from benchmarks.memory.killed import kills
from benchmarks.memory.leaks import leaks
from benchmarks.memory.recall import CHINESE, answered, recalled
from llmasos.services.script import has_chinese


async def test_a_planted_fact_is_found_after_some_turns() -> None:
    found = await recalled(1, "test", after=(1, 10))
    right = [there for half in HALVES for there in found.near[10, half]]
    assert len(right) == len(facts())
    assert sum(right) >= 0.9 * len(right), found.misses


async def test_corrections_and_what_was_never_told() -> None:
    said = await answered(1, "test", between=5)
    for values in (said.newest, said.abstained):
        right = [one for half in HALVES for one in values[half]]
        assert sum(right) >= 0.85 * len(right), said.wrong


async def test_the_same_in_chinese() -> None:
    planted = facts(f"facts{CHINESE}")
    assert len(planted) >= 40 and len({fact.statement for fact in planted}) == len(planted)
    assert all(has_chinese(text) for fact in planted for text in (fact.said(0), fact.near, fact.far, fact.corrected(1)))
    said = await answered(1, "test", between=5, files=CHINESE)
    for values, share in ((said.told, 0.85), (said.abstained, 0.85), (said.told_far, 0.5)):
        right = [one for half in HALVES for one in values[half]]
        assert sum(right) >= share * len(right), said.wrong


def test_kills() -> None:
    found = kills(1, "test")
    assert found.same == [True]
    assert found.lost == 0


async def test_no_leaks_and_canaries_where_they_belong() -> None:
    found = await leaks(80, "test")
    assert found.leaked == []
    assert found.known > 10
    assert found.prompts > 30


def test_what_is_said_in_between_is_never_the_same() -> None:
    lines = fillers("x")
    some = [next(lines) for _ in range(1_000)]
    assert len(set(some)) == 1_000
    chinese = fillers("x", f"fillers{CHINESE}")
    few = [next(chinese) for _ in range(60)]
    assert len(set(few)) == 60 and all(map(has_chinese, few))
    assert not any("{" in line for line in some)


def test_the_true_answer_is_in_the_card_and_the_others_are_not() -> None:
    for one, wrong in asked("x"):
        own = card(people()[one.whose]).data["description"]
        (value,) = (v for v in people()[one.whose].values() if one.options[0].endswith(f" {v}."))
        assert f" {value}." in own
        for option in one.options:
            assert not any(option.endswith(f" {v}.") for v in people()[wrong].values()), option


@pytest.mark.parametrize(
    ("reply", "what"),
    [
        ("", "empty"), ("As an AI language model, I can't.", "talks of being a model"), ("I am a human.", "claims to be human"),
        ("My name is Bob.", "wrong name"), ("Fine. ada: and you?", "speaks for the person"), ("Hello <|im_end|>", "markers"),
        ("word " * 200 + ".", "too long"), ("I like the sea so much. " * 4, "loops"), ("I was walking along the", "ends in the middle"),
        ("今天天气很好，我们去散步吧。", "other script"),
    ],
)  # fmt: skip
def test_the_judge_of_hygiene_sees(reply: str, what: str) -> None:
    assert what in failures(reply, "Alba Winter", [])


@pytest.mark.parametrize(
    "reply", ["I'm well, thank you.", "Call me Alba, please!", "I'm not human. I'm Alba, a character played by an AI."]
)
def test_the_judge_lets_good_replies_pass(reply: str) -> None:
    assert failures(reply, "Alba Winter", []) == []
