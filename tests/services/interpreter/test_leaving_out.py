"""What is left out of a foreign call: an optional argument that takes what another one has already."""

from typing import Any

import pytest

from llmasos.core.base.types import Call
from llmasos.services.interpreter.decoding import without_repeated

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
