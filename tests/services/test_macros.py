"""Macros: what is filled in, that it is the same again, and that nobody's words are read as one."""

import re
from datetime import UTC, datetime

import pytest

from llmasos.services.characters.macros import Moment, fill

NOW = Moment("seed", datetime(2026, 3, 1, 9, 5, tzinfo=UTC))


def filled(text: str, moment: Moment = NOW) -> str:
    return fill(text, char="Mira", user="Sam", moment=moment)


def test_names_times_and_comments() -> None:
    assert filled("{{char}} {{USER}} <BOT> <user>") == "Mira Sam Mira Sam"
    assert filled("{{time}} {{isodate}} {{weekday}}") == "09:05 2026-03-01 Sunday"
    assert filled("a{{// not\nthis}}b{{comment: nor this}}c{{newline}}d{{reverse:abc}}") == "abc\ndcba"
    assert filled("{{time}}", Moment()) == "{{time}}"


def test_what_is_drawn_is_the_same_again_and_differs_from_place_to_place() -> None:
    text = " ".join(["{{random:a,b,c,d,e,f}}"] * 30)
    assert filled(text) == filled(text)
    assert len(set(filled(text).split())) > 3
    assert filled(text) != filled(text, Moment("other"))
    assert filled(r"{{random:x\,y}}") == "x,y"
    assert filled("{{pick::one::two}}") in ("one", "two")


@pytest.mark.parametrize(("dice", "least", "most"), [("d6", 1, 6), ("20", 1, 20), ("3d4+2", 5, 14), ("2d6-1", 1, 11)])
def test_dice(dice: str, least: int, most: int) -> None:
    rolls = [int(filled(f"{{{{roll:{dice}}}}}", Moment(str(n)))) for n in range(200)]
    assert least <= min(rolls) < max(rolls) <= most


@pytest.mark.parametrize(
    "odd", ["{{roll:1000d6}}", "{{roll:0}}", "{{roll:x}}", "{{unknown}}", "{{}}", "{{time:x}}", "a < b", "{{"]
)
def test_what_is_no_macro_stays(odd: str) -> None:
    assert filled(odd) == odd


def test_a_name_is_not_read_as_a_macro() -> None:
    assert fill("Hello {{user}}", char="x", user="{{char}} {{roll:6}}") == "Hello {{char}} {{roll:6}}"


def test_many_macros_take_no_time_to_speak_of() -> None:
    assert len(re.findall("Mira", filled("{{char}}" * 20_000))) == 20_000
