"""What a typed answer means."""

import pytest

from llmasos.core.base.types import Call
from llmasos.core.kernel.session import Consent
from llmasos.shell import questions
from tests.shell.test_views import shown

LAMPS = ["study lamp", "desk lamp", "heater", "lamp"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("y", "once"), ("YES", "once"), ("好。", "once"), ("s", "session"), ("", "no"), ("hm", None)],
)
def test_answer(typed: str, meant: str | None) -> None:
    assert questions.answer(typed) == meant


@pytest.mark.parametrize(
    ("typed", "index"),
    [("1", 0), ("4", 3), ("5", None), ("0", None), ("heat", 2), ("DESK", 1), ("lamp", 3), ("amp", None)],
)
def test_picked(typed: str, index: int | None) -> None:
    assert questions.picked(typed, LAMPS) == index


def test_consent_shows_exactly_what_will_go() -> None:
    call = Call("memory.forget", {"query": "everything about Bob"})
    what = {"erases": "Bob's number is 555\nBob likes tea", "count": "2"}
    assert shown(questions.consent(Consent(call, what, "final", "ask-final", "user:ada"))) == (
        "? memory.forget  can't be taken back\n"
        "  erases  Bob's number is 555\n"
        "          Bob likes tea\n"
        "  count   2\n"
        "  y once   n no   rule ask-final"
    )


def test_consent_says_who_wants_it_when_it_is_not_the_person() -> None:
    question = Consent(Call("device.turn_on"), {}, "external", "r", "character:Alice")
    assert shown(questions.consent(question)).startswith(
        "? device.turn_on  acts outside, can't be taken back · wanted by character:Alice\n  y once"
    )


def test_options_are_numbered_and_many_are_cut() -> None:
    few = shown(questions.options("Which lamp?", LAMPS[:2]))
    assert few == "? Which lamp?\n  1  study lamp\n  2  desk lamp"
    many = shown(questions.options("Which?", [f"thing {n}" for n in range(40)]))
    assert many.endswith("  30  thing 29\n      10 more; a word of one chooses it too")


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("2", 1),
        ("files.delete path=notes.md", 0),
        ("no", 2),
        ("n", 2),
        ("不", 2),
        ("neither", 2),
        ("delete my notes", "delete my notes"),
        ("7", None),
        ("?", None),
        ("x", None),
    ],
)
def test_an_explanation_is_a_number_a_no_or_other_words(typed: str, answer: object) -> None:
    options = ["files.delete path=notes.md", "files.read path=diary.md", "neither"]
    assert questions.explained(typed, options) == answer
