"""Hygiene: what must not be said is taken out, and what was let through is never taken back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmasos.services.language.hygiene import Hygiene, Manners

ALICE = Manners(name="Alice", person="Sam", in_character=True)


def spoken(text: str, manners: Manners = ALICE, *, finished: bool = True, size: int = 3) -> str:
    hygiene = Hygiene(manners)
    out = ""
    for at in range(0, len(text), size):
        out += hygiene.feed(text[at : at + size])
    out += hygiene.end(finished=finished)
    assert out == hygiene.said or not hygiene.said.strip()
    return out.strip()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello there. How are you?", "Hello there. How are you?"),
        ("Alice: Hello there.", "Hello there."),
        ("Hello.\nSam: Hi Alice!\nAlice: Nice.", "Hello."),
        ("Hello.\nUser: what now", "Hello."),
        ("Well, hello. Sam: Hi!", "Well, hello."),
        ("My name is Emma. I like tea.", ""),
        ("Good day. I'm Sarah. Bye.", "Good day."),
        ("I'm Alice. I'm happy.", "I'm Alice. I'm happy."),
        ("As an AI language model, I can't feel. I like tea.", "I like tea."),
        ("I am a real human. I like tea.", "I like tea."),
        ("Hello, Alice! I like tea.", "I like tea."),
        ('"I like tea." ', "I like tea."),
        ("I like tea very much. I like tea very much. And more.", "I like tea very much."),
        ("💌💖👋🏼💬🔄🎉", ""),
        ("Yes!", "Yes!"),
        ("你好。我叫小红。", "你好。"),
    ],
)
def test_what_is_said(text: str, said: str) -> None:
    assert spoken(text) == said


def test_the_assistant_may_say_what_a_character_may_not() -> None:
    assert spoken("As an AI, I can't feel.", Manners()) == "As an AI, I can't feel."


def test_a_sentence_that_was_cut_off_goes() -> None:
    assert spoken("I like tea. And I also like the", finished=False) == "I like tea."
    assert spoken("I also like the col", finished=False) == "I also like the…"


def test_a_sentence_said_before_is_not_said_again() -> None:
    manners = Manners(name="Alice", person="Sam", said=["I love the sea so much."])
    assert spoken("Oh. I love the sea so much! Bye.", manners) == "Oh."


def test_loops_end() -> None:
    text = "I was there " + "and then we went on and on again " * 40
    assert len(spoken(text, finished=False)) < 60


def test_what_was_said_is_what_came_out_blank_lines_too() -> None:
    assert spoken("00\n\nSam: hello") == "00"


def test_only_so_many_sentences() -> None:
    assert spoken("One is here. Two is here. Three is here.", Manners(sentences=2)) == "One is here. Two is here."


@given(st.text(), st.integers(1, 7))
def test_pieces_make_no_difference(text: str, size: int) -> None:
    assert spoken(text, size=size) == spoken(text, size=max(1, len(text)))


@given(st.text())
def test_the_person_is_never_spoken_for(text: str) -> None:
    assert "Sam: " not in spoken(f"{text}\nSam: hello")
