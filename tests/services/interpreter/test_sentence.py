"""Sentences: one line for the model, and the way back to what was said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmasos.services.interpreter import sentence
from llmasos.services.interpreter.sentence import GAP, HEAD, TAIL


def test_one_line_without_control_characters():
    assert sentence.read("  move\ta\r\n to \x07b  ").line == "move a to b"


def test_a_value_gets_its_line_breaks_back():
    said = sentence.read("summarize this:\n\nfirst line\nsecond   line")
    assert said.original("first line second line") == "first line\nsecond   line"


def test_a_long_text_is_bounded_and_comes_back_whole():
    body = "\n".join(f"paragraph {n} about the harbour" for n in range(900))
    said = sentence.read(f"summarize this:\n\n{body}")
    assert len(said.line) <= HEAD + TAIL + len(GAP) + 2
    value = said.line.removeprefix("summarize this: ")
    assert said.original(value) == body


@given(st.text(max_size=3000))
def test_any_text_is_read(text):
    said = sentence.read(text)
    assert "\n" not in said.line
    assert len(said.line) <= HEAD + TAIL + len(GAP) + 2


@pytest.mark.parametrize("value", ["", " ", "not in it"])
def test_a_value_that_is_not_there_stays_as_it_is(value):
    assert sentence.read("hello there").original(value) == value


@pytest.mark.parametrize(
    ("said", "about"),
    [
        ("summarize this: the sea is wide", True),
        ("translate the following into German: good night", True),
        ("把下面的话翻译成英文：晚安", True),
        ("what is it about\n\nDear team, ...", True),
        ("remind me at 9: call Bob", False),
        ("delete a.txt and read b.txt", False),
        ("turn this off", False),
    ],
)
def test_a_sentence_that_brings_a_text(said, about):
    assert sentence.read(said).is_about_text is about
