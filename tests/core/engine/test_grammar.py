"""Constraints over the real vocabulary: spans of a given text, in English and Chinese."""

from __future__ import annotations

import json

import pytest

from llmasos.core.engine.llama import LlamaModel

ENGLISH = "find the dentist invoice from March"
CHINESE = "提醒我明天早上给张伟打电话"


def span(kind: str, text: str) -> str:
    return f'start: "query: " value "\\n"\nvalue: %regex {json.dumps({kind: text}, ensure_ascii=False)}\n'


def takes(model: LlamaModel, lark: str, text: str) -> bool:
    constraint = model.constrain(lark)
    for token in model.tokenize(text):
        if not constraint.mask()[token]:
            assert not constraint.consume(token)
            return False
        assert constraint.consume(token)
    return constraint.finished()


@pytest.mark.parametrize(
    ("said", "valid"),
    [
        ("dentist invoice", True),
        ("find the dentist invoice from March", True),
        ("dent", False),
        ("Dentist", False),
        ("invoice dentist", False),
        ("doctor", False),
    ],
)
def test_words_of_a_sentence(model: LlamaModel, said: str, valid: bool) -> None:
    assert takes(model, span("substring_words", ENGLISH), f"query: {said}\n") is valid


@pytest.mark.parametrize(("said", "valid"), [("明天早上", True), ("张伟", True), ("早晨", False), ("张明", False)])
def test_characters_of_a_sentence(model: LlamaModel, said: str, valid: bool) -> None:
    # Most of these characters are two or three tokens of single bytes.
    assert takes(model, span("substring_chars", CHINESE), f"query: {said}\n") is valid


def test_forced_tokens_are_the_models_own(model: LlamaModel) -> None:
    constraint = model.constrain('start: "schedule.create\\n when: " /[a-z]+/')
    forced = constraint.forced()
    # The blank before the value stays open: it may be part of the value's first token.
    assert model.detokenize(forced) == "schedule.create\n when:"
    assert forced == model.tokenize("schedule.create\n when:")


def test_a_very_long_sentence(model: LlamaModel) -> None:
    sentence = " ".join(f"word{number}" for number in range(12_000))
    assert len(sentence) > 100_000
    assert takes(model, span("substring_words", sentence), "query: word7000 word7001\n")


def test_the_end_is_allowed_where_the_text_may_end(model: LlamaModel) -> None:
    constraint = model.constrain('start: "a" "b"?')
    assert not any(constraint.mask()[end] for end in model.end_tokens)
    assert constraint.consume(model.tokenize("a")[0])
    assert any(constraint.mask()[end] for end in model.end_tokens)
    assert not constraint.finished()
    assert constraint.consume(model.tokenize("b")[0])
    assert constraint.finished()
