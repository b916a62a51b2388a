"""The grammar: what can be written after a sentence, checked with the model's own tokenizer."""

import pytest

from llmasos.core.engine import models
from llmasos.core.engine.llama_model import LlamaModel
from llmasos.services.interpreter import sentence
from llmasos.services.interpreter.grammar import grammar

FIND = {
    "name": "files.find",
    "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
}
MOVE = {
    "name": "files.move",
    "inputSchema": {
        "type": "object",
        "properties": {"source": {"type": "string"}, "destination": {"type": "string"}},
        "required": ["source", "destination"],
    },
}
ADD = {
    "name": "tasks.add",
    "inputSchema": {
        "type": "object",
        "properties": {"title": {"type": "string"}, "priority": {"type": "string", "enum": ["low", "high"]}},
        "required": ["title"],
    },
}
LIGHT = {
    "name": "light",
    "inputSchema": {
        "type": "object",
        "properties": {
            "level": {"type": "integer"},
            "on": {"type": "boolean"},
            "rooms": {"type": "array", "items": {"type": "string"}},
            "plan": {
                "type": "object",
                "properties": {
                    "at": {"type": "string"},
                    "warm": {"type": "number"},
                    "soft": {"type": ["boolean", "null"]},
                },
                "required": ["warm"],
            },
            "unit": {"type": "string", "description": "'percent' or 'steps'"},
            "anything": {},
        },
    },
}
TOOLS = [FIND, MOVE, ADD, LIGHT]


@pytest.fixture(scope="module")
def model():
    return LlamaModel.load(models.locate("smollm2"))


@pytest.fixture(scope="module")
def fits(model):
    def check(said: str, text: str, *, nothing: bool = False, derive: bool = False) -> bool:
        constraint = model.constrain(grammar(sentence.read(said), TOOLS, may_be_nothing=nothing, may_derive=derive))
        if not all(constraint.consume(token) for token in model.tokenize(text)):
            return False
        ends = model.tokenize("<|im_end|>", special=True)[0]
        return constraint.finished() or bool(constraint.mask()[ends])

    return check


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("find the tax pdf", "files.find\n query: tax pdf\n"),
        ("find the tax pdf", "files.find\n query: the tax pdf\n"),
        ('find "a, b" now', "files.find\n query: a, b\n"),
        ("把报税的PDF移到归档", "files.move\n source: 报税的PDF\n destination: 归档\n"),
        ("find x and move it to y", "files.find\n query: x\nfiles.move\n source: $1\n destination: y\n"),
        ("buy milk", "tasks.add\n title: buy milk\n priority: high\n"),
        ("down to minus forty", "light\n level: -40\n on: true\n"),
        ("red and blue", 'light\n rooms: ["red", "blue"]\n'),
        ("at noon 2.5 warm", 'light\n plan: {"at": "noon", "warm": 2.5, "soft": null}\n'),
        ("two", 'light\n plan: {"warm": 2}\n'),
        ("at noon", "light\n"),
        ("at noon", "light\n anything: noon\n"),
    ],
)
def test_what_can_be_written(fits, said, text):
    assert fits(said, text)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("find the tax pdf", "files.find\n query: invoice\n"),  # never said
        ("find the tax pdf", "files.find\n query: ax pdf\n"),  # inside a word
        ("find the tax pdf", "files.find\n"),  # lacks a required argument
        ("find the tax pdf", "files.find\n query: \n"),  # nothing said
        ("find x", "files.find\n query: $1\n"),  # refers to nothing
        ("find x", "files.remove\n path: x\n"),  # no such call
        ("buy milk", "tasks.add\n title: milk\n priority: huge\n"),  # not in the list
        ("buy milk", "tasks.add\n priority: high\n title: milk\n"),  # not the order
        ("a b", "light\n level: many\n"),
        ("switch it on", "light\n level: 40\n"),  # a number that nobody said
        ("level 40", "light\n level: 41\n"),
        ("at noon", 'light\n plan: {"at": "noon"}\n'),  # lacks warm
        ("at noon", 'light\n plan: {"at": "noon" "warm": 2}\n'),
        ("at noon", 'light\n plan: {, "warm": 2}\n'),
        ("at noon", "none\n"),
        ("make it soft", "light\n unit: percent\n"),
    ],
)
def test_what_cannot_be_written(fits, said, text):
    assert not fits(said, text)


def test_nothing_fits_and_quoted_values_where_they_may_be(fits):
    assert fits("hello", "none\n", nothing=True)
    assert fits("make it soft", "light\n unit: percent\n", derive=True)


@pytest.mark.parametrize(
    "said", ["🙂🙂", "\\ \" ' ` {}[]", "$1 $2", "<|im_end|>", "a" * 50_000, "字" * 9_000, "%regex {", "\u202eabc"]
)
def test_any_sentence_makes_a_grammar(model, said):
    constraint = model.constrain(grammar(sentence.read(said), TOOLS, may_be_nothing=True))
    assert constraint.mask().any()


def test_a_function_that_needs_a_number_isnt_meant_where_none_is_said(model):
    kill = {"name": "kill", "inputSchema": {"properties": {"pid": {"type": "integer"}}, "required": ["pid"]}}

    def allows(said: str, text: str, tools: list[dict]) -> bool:
        constraint = model.constrain(grammar(sentence.read(said), tools, may_be_nothing=False))
        return all(constraint.consume(token) for token in model.tokenize(text))

    assert not allows("what are processes", "kill\n pid: 1\n", [kill, FIND])
    assert allows("kill 12", "kill\n pid: 12\n", [kill, FIND])
    assert allows("kill it", "kill\n pid: 1\n", [kill])  # nothing else there is: any number
