"""Saved contexts whose sum is right and whose description isn't: computed anew, never a crash."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmasos.core.base.errors import StateError
from llmasos.core.engine import state
from llmasos.core.engine.base import LiveSequence

GOOD = {"model": "m", "computed": 2, "usage": {"prefilled": 2, "reused": 0, "decoded": 0}}


def saved(described: bytes, tokens: int = 2) -> bytes:
    described += b" " * (-len(described) % 8)
    body = described + bytes(4 * tokens) + b"kv"
    return state._HEAD.pack(state._MAGIC, len(described), 4 * tokens, state._sum(memoryview(body))) + body


def test_what_is_written_is_read() -> None:
    sequence = LiveSequence(1)
    sequence.tokens.extend([7, 8, 9])
    read = state.read(state.write(state.front(sequence, 3, "m"), 0, lambda _: 0), "m")
    assert (read.tokens, read.computed) == ([7, 8, 9], 3)
    assert state.read(saved(json.dumps(GOOD).encode()), "m").computed == 2


@pytest.mark.parametrize(
    "more",
    [
        {"computed": 3}, {"computed": -1}, {"computed": "2"}, {"computed": None}, {"usage": {}, "computed": 9},
        {"usage": None}, {"usage": {"other": 1}}, {"usage": []}, {"model": None}, {"model": "another"},
    ],
)  # fmt: skip
def test_a_description_of_another_form_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(StateError):
        state.read(saved(json.dumps({**GOOD, **more}).encode()), "m")


@pytest.mark.parametrize("described", [b"", b"{", b"[]", b"null", b"[" * 9000, b'{"model": NaN}', b"\xff", b"{}"])
def test_a_description_that_is_none_is_refused(described: bytes) -> None:
    with pytest.raises(StateError):
        state.read(saved(described), "m")
