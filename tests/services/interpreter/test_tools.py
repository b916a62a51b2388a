"""Definitions of others that hold what no token can write: taken without it, and nothing of theirs breaks the grammar."""

from __future__ import annotations

from typing import Any

import llguidance
import pytest

from llmasos.core.base.errors import UsageError
from llmasos.core.engine.grammar import compile_lark
from llmasos.services.interpreter import sentence, tools
from llmasos.services.interpreter.grammar import grammar

HALF = "\ud800"


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {HALF: {"type": "string"}, "a": {"type": "integer"}}, "required": [HALF]},
        {"properties": {"a": {"enum": [HALF, "x"]}}}, {"properties": {"a": {"enum": [[HALF], {"k": HALF}]}}},
        {"properties": {"a": {"const": HALF}}}, {"properties": {"a": {"type": "string", "description": f"'{HALF}' or 'b'"}}},
        {"properties": {"a": {"type": "object", "properties": {HALF: {"type": "string"}}}}},
        {"properties": {"a": {"type": "string", "default": HALF, "examples": [HALF]}}, "description": HALF},
    ],
)  # fmt: skip
def test_half_a_character_in_a_schema(schema: dict[str, Any]) -> None:
    read = tools.read([{"name": "f", "description": HALF, "inputSchema": schema}], "the file")
    lark = grammar(sentence.read("set 7 to x"), read, may_be_nothing=True, may_derive=True)
    tokenizer = llguidance.LLTokenizer("byte")
    assert compile_lark(tokenizer, lark, tokenizer.vocab_size).mask().any()


def test_half_a_character_in_a_name() -> None:
    with pytest.raises(UsageError, match="Tool 1 of the file is wrong: name"):
        tools.read([{"name": HALF}], "the file")
