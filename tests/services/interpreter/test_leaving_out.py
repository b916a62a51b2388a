"""What was said once goes to one argument of a foreign call."""

from typing import Any

import pytest

from llmasos.core.base.types import Call
from llmasos.services.interpreter.once import spread, without_repeated

STAIRS = {
    "name": "stairs.plan",
    "inputSchema": {
        "properties": {
            "rise": {"type": "number"},
            "steps": {"type": "integer"},
            "note": {"type": "string"},
            "place": {"type": "string"},
            "kind": {"type": "string", "enum": ["hall", "cellar"]},
        },
        "required": ["rise", "place"],
    },
}


def left(line: str, args: dict[str, Any]) -> dict[str, Any]:
    (call,) = without_repeated((Call("stairs.plan", args),), [STAIRS], line)
    return call.args


@pytest.mark.parametrize(
    ("line", "args", "kept"),
    [
        ("1500 high in the hall", {"rise": 1500, "steps": 1500, "place": "hall"}, ["rise", "place"]),
        ("15 high with fifteen steps", {"rise": 15, "steps": 15, "place": "x"}, ["rise", "steps", "place"]),
        ("2 high, a pair", {"rise": 2, "steps": 2, "place": "x"}, ["rise", "steps", "place"]),
        ("in the great hall", {"rise": 3, "note": "great hall", "place": "hall"}, ["rise", "place"]),
        ("the hall, oh the hall", {"rise": 3, "note": "the hall", "place": "hall"}, ["rise", "note", "place"]),
        ("in the hall", {"rise": 3, "place": "hall", "kind": "hall"}, ["rise", "place", "kind"]),
        ("in the hallway", {"rise": 3, "place": "hallway", "note": "hall"}, ["rise", "place", "note"]),
    ],
)
def test_what_was_said_once_is_taken_once(line: str, args: dict[str, Any], kept: list[str]) -> None:
    assert list(left(line, args)) == kept


DILUTION = {
    "name": "dilute",
    "inputSchema": {
        "properties": {
            "stock": {"type": "number"},
            "target": {"type": "number"},
            "bottles": {"type": "integer"},
            "length_cm": {"type": "number"},
            "team": {"type": "string"},
        },
        "required": ["stock", "target", "bottles", "length_cm", "team"],
    },
}


@pytest.mark.parametrize(
    ("line", "args", "sure", "spread_out"),
    [
        # The less certain one gets what is left.
        (
            "12 molar stock to 0.3 molar, please",
            {"stock": 0.3, "target": 0.3},
            [0.4, 0.9],
            {"stock": 12, "target": 0.3},
        ),
        ("from twelve to 0.3", {"target": 0.3, "stock": 0.3}, [0.4, 0.9], {"target": 12, "stock": 0.3}),
        # Not where it was said twice, is meant for both, or several are left, or none.
        ("12 to 5 with 5", {"stock": 5, "target": 5}, [0.4, 0.9], {"stock": 5, "target": 5}),
        ("both at 5, by 12", {"stock": 5, "target": 5}, [0.4, 0.9], {"stock": 5, "target": 5}),
        ("12 or 13 to 5", {"stock": 5, "target": 5}, [0.4, 0.9], {"stock": 5, "target": 5}),
        ("just 5", {"stock": 5, "target": 5}, [0.4, 0.9], {"stock": 5, "target": 5}),
        # What the argument can't be isn't left for it.
        ("0.7 into 5", {"bottles": 5, "stock": 5}, [0.4, 0.9], {"bottles": 5, "stock": 5}),
        ("5 for 12 minutes", {"length_cm": 5, "stock": 5}, [0.4, 0.9], {"length_cm": 5, "stock": 5}),
        # A text isn't what a number is.
        ("give team Alpha 10 bottles", {"team": "Alpha 10", "bottles": 10}, [1, 1], {"team": "Alpha", "bottles": 10}),
        ("team Alpha 10 gets 12", {"team": "Alpha 10", "bottles": 12}, [1, 1], {"team": "Alpha 10", "bottles": 12}),
        ("Alpha 10, 10 bottles", {"team": "Alpha 10", "bottles": 10}, [1, 1], {"team": "Alpha 10", "bottles": 10}),
        ("10 bottles", {"team": "10", "bottles": 10}, [1, 1], {"team": "10", "bottles": 10}),
    ],
)
def test_a_number_that_was_said_once_is_in_one_place(
    line: str, args: dict[str, Any], sure: list[float], spread_out: dict[str, Any]
) -> None:
    (call,) = spread((Call("dilute", args),), [DILUTION], sure, line)
    assert call.args == spread_out


def test_a_number_of_another_call_is_taken() -> None:
    calls = (Call("dilute", {"stock": 5, "target": 5}), Call("dilute", {"bottles": 12}))
    assert spread(calls, [DILUTION], [0.4, 0.9, 1], "12 and 5") == calls


def test_the_catalogue_is_left_alone() -> None:
    calls = (Call("timer.start", {"minutes": 5, "hours": 5}),)
    assert spread(calls, [DILUTION], [0.4, 0.9], "12 and 5") == calls
