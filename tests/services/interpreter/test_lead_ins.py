"""Questions without what only leads up to them."""

from __future__ import annotations

import pytest

from benchmarks.interpreter.sets import cases, trained_on
from llmasos.services.interpreter.decoding import program_of
from llmasos.services.interpreter.interpreter import ANSWER
from llmasos.services.interpreter.lead_ins import is_greeting, without_lead_in
from llmasos.services.interpreter.sentence import read
from training.compare import plain, same
from training.files import SENTENCES


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("Out of curiosity, which bird sleeps in flight?", "which bird sleeps in flight?"),
        ("sorry to bother you, but is rust magnetic", "is rust magnetic"),
        ("Could you tell me what a kernel is", "what a kernel is"),
        ("hey, I was wondering, do snails hear", "do snails hear"),
        ("One thing I never understood: why is ice slippery", "why is ice slippery"),
        ("quick question - does salt go off", "does salt go off"),
        ("麻烦问一句，醋能除锈吗", "醋能除锈吗"),
        ("那个，我想请教一下，蜗牛有耳朵吗", "蜗牛有耳朵吗"),
    ],
)
def test_lead_ins_are_left_out(said: str, asked: str) -> None:
    assert without_lead_in(said) == asked


@pytest.mark.parametrize(
    "said",
    [
        "tell me how to bleed a radiator",
        "say it louder?",
        "sorry is a hard word",
        "问题出在哪里",
        "why, oh why",
        "hello, ",
    ],
)
def test_what_is_asked_stays(said: str) -> None:
    assert without_lead_in(said) == said


def test_a_greeting_is_no_question_of_its_own() -> None:
    assert is_greeting("Good morning!")
    assert not is_greeting("good morning vietnam")
    said = read("Good morning! Is it healthy to set three alarms?")
    text = "assistant.answer\n question: Good morning\nassistant.answer\n question: Is it healthy to set three alarms\n"
    (call,) = program_of(text, said, [{"name": "assistant.answer", "inputSchema": {"properties": {"question": {}}}}])
    assert call.args["question"] == "Is it healthy to set three alarms"


def test_questions_of_development_are_what_is_left_of_their_sentences() -> None:
    found = cases(SENTENCES.parent / "unseen" / "questions.jsonl")
    trained = trained_on()
    assert len(found) == 190
    assert not [case for case in found if plain(case.utterance) in trained]
    left = [[(ANSWER, {"question": without_lead_in(case.utterance).rstrip(" .?!。？！")})] for case in found]
    # 163 without the rule.
    assert sum(same(one, case.program) for one, case in zip(left, found, strict=True)) >= 175
