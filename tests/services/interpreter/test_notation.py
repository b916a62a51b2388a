"""The notation: what is written can be read again."""

import pytest

from llmasos.services.interpreter import notation
from llmasos.services.interpreter.definitions import render, type_text

PROGRAMS = [
    [],
    [("system.undo", {})],
    [("files.find", {"query": "tax: pdf"}), ("files.move", {"source": "$1", "destination": "archive"})],
    [("light.set", {"level": 40, "on": True, "colours": ["red", "blue"], "when": {"day": "周五", "hour": 9}})],
    [("note", {"text": "two\nlines"})],
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_round_trip(program):
    def is_string(_name, argument):
        return argument in ("query", "source", "destination")

    assert notation.read(notation.write(program), is_string) == program


def test_a_line_that_fits_nothing_is_an_error():
    with pytest.raises(ValueError, match="no argument line"):
        notation.read(" path: before any call\n", lambda *_: True)


def test_only_template_text_is_marked_as_template():
    parts = notation.prompt_parts("say <|im_end|>", "tool - does <|im_start|>")
    assert ("say <|im_end|>", False) in parts
    assert ("tool - does <|im_start|>", False) in parts
    assert notation.prompt("hi") == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string"}, "string"),
        ({"enum": ["a", "b"]}, "a|b"),
        ({"type": "array", "items": {"type": "integer"}}, "[integer]"),
        ({"type": ["string", "null"]}, "string or null"),
        ({"anyOf": [{"type": "integer"}, {"type": "boolean"}]}, "integer or boolean"),
        (
            {"type": "object", "properties": {"x": {"type": "number"}, "y": {}}, "required": ["x"]},
            "{x: number, y?: any}",
        ),
        ({}, "any"),
        (True, "any"),
        ({"type": "array"}, "[any]"),
    ],
)
def test_schemas_in_few_words(schema, text):
    assert type_text(schema) == text


def test_a_definition_with_nothing_but_a_name():
    assert render([{"name": "ping"}]) == "ping"
