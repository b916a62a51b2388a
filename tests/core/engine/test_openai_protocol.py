"""What servers say, in forms that no server should say it in."""

from __future__ import annotations

import json

import pytest

from llmasos.core.engine.openai import protocol

DEEP = "[" * 800 + "]" * 800


@pytest.mark.parametrize("body", [DEEP, f'{{"data": {DEEP}}}', '{"data": NaN}', "[" * 100_000, '{"data": 1e999}', "1"])
def test_a_list_of_models_that_is_none(body: str) -> None:
    with pytest.raises(ValueError):
        protocol.names(body.encode())


@pytest.mark.parametrize("detail", [DEEP, '{"a":' * 800 + "1" + "}" * 800, "[" * 100_000, '{"x": "y"}', '["\\ud800"]'])
@pytest.mark.parametrize("field", ["message", "detail", "code", "param"])
def test_a_complaint_of_any_form_is_one_line(field: str, detail: str) -> None:
    said = protocol.complaint(f'{{"error": {{"{field}": {detail}}}}}'.encode())
    for line in (said.words, said.code, said.parameter):
        assert "\n" not in line and len(line) <= 301


@pytest.mark.parametrize("nested", [DEEP, '{"choices":' * 800 + "1" + "}" * 800])
def test_a_piece_that_is_nested_too_deeply(nested: str) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        protocol.piece(nested)


@pytest.mark.parametrize("choices", [{}, {"0": 1}, "x", 7, None, []])
def test_choices_that_are_no_list_beside_a_bill(choices: object) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    assert protocol.piece(json.dumps({"choices": choices, "usage": usage})).text == ""


def test_a_piece_is_a_piece() -> None:
    said = {"choices": [{"delta": {"content": "Hi"}, "finish_reason": None}]}
    assert protocol.piece(json.dumps(said)).text == "Hi"
