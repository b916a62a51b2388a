"""What a typed answer means."""

import pytest

from llmasos.core.base.types import Call
from llmasos.core.kernel.session import Consent, Lasting
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
    ("typed", "meant"),
    [
        ("a", Lasting()),
        ("Always", Lasting()),
        ("总是", Lasting()),
        ("1h", Lasting("", 3600.0)),
        ("30m", Lasting("", 1800.0)),
        ("2 d", Lasting("", 172800.0)),
        ("3小时", Lasting("", 10800.0)),
        ("a device.* name=lamp*", Lasting("device.* name=lamp*")),
        ("1h device.* name='study lamp'", Lasting("device.* name='study lamp'", 3600.0)),
        ("1H device.turn_* name=Lamp", Lasting("device.turn_* name=Lamp", 3600.0)),
        ("y", "once"),
        ("", "no"),
        ("0h", None),
        ("9999d", None),
        ("1x", None),
        ("hour", None),
        ("a lamp*", None),
        ("a files.*", None),
        ("a device.* lamp", None),
        ("a 'open", None),
        ("another", None),
    ],
)
def test_an_answer_that_lasts(typed: str, meant: object) -> None:
    assert questions.answer(typed, about="device.turn_on") == meant
    if isinstance(meant, Lasting):
        assert questions.answer(typed) is None, "where none was offered it is no answer"


def test_consent_shows_the_pattern_that_would_last_and_where_it_comes_from() -> None:
    call = Call("device.turn_on", {"name": "lamp"})
    question = Consent(
        call, {"name": "study lamp"}, "external", "ask-external", "app:social", "device.turn_on name='study lamp'",
        ("web",), "The rate 2/minute of the rule 'lamps' is used up; again in 42 s.",
    )  # fmt: skip
    assert shown(questions.consent(question)) == (
        "? device.turn_on  acts outside · wanted by app:social · from web\n"
        "  name  study lamp\n"
        "  y once   s every device.turn_on in this session   n no   rule ask-external\n"
        "  a always   1h for a time   device.turn_on name='study lamp'\n"
        "  The rate 2/minute of the rule 'lamps' is used up; again in 42 s."
    )
    assert questions.prompt(question) == "Do it? [y/s/a/1h/N] "


def test_what_is_final_offers_nothing_that_lasts() -> None:
    question = Consent(Call("memory.forget"), {}, "final", "r", "user:ada")
    assert "always" not in shown(questions.consent(question)) and questions.prompt(question) == "Do it? [y/N] "


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
        "? device.turn_on  acts outside · wanted by character:Alice\n  y once"
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
