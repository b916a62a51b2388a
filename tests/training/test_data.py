"""The pure parts of making training data; nothing here needs torch."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from llmasos.core.engine.lora import rows
from llmasos.services.interpreter import notation
from training import augment, data, seal_tools, toolsets
from training.catalogue import ARGUMENTS, ENUMERATED, ordered
from training.compare import same
from training.example import Example, Turn, turn_of
from training.files import SENTENCES

TURNS = [turn for _, turn in data.sentences()]
VALUES = augment.Values(TURNS)


def spans_hold(turn: Turn) -> bool:
    """Whether every free value of a program stands in its sentence."""
    said = turn.sentence.casefold()
    return all(
        value.startswith("$") or " ".join(value.casefold().split()) in said
        for _, args in turn.calls
        for name, value in args.items()
        if name not in ENUMERATED
    )


def test_arguments_come_in_the_order_of_the_definition() -> None:
    line = {
        "utterance": "make Ida, a baker, shy",
        "program": [{"syscall": "character.create", "args": {"role": "baker", "name": "Ida", "personality": "shy"}}],
    }
    assert list(turn_of(line).calls[0][1]) == ["name", "personality", "role"]
    with pytest.raises(ValueError, match="nonsense"):
        ordered("files.read", {"nonsense": "x"})


def test_dev_lines_are_never_trained_on() -> None:
    dev = {turn.sentence for _, turn in data.sentences(dev=True)}
    assert dev
    assert len(dev & {turn.sentence for turn in TURNS}) < len(dev) / 50  # a few sentences were written twice


def test_every_sentence_names_known_syscalls() -> None:
    assert {name for turn in TURNS for name, _ in turn.calls} == set(ARGUMENTS)


def test_variations_keep_the_span_rule() -> None:
    order = random.Random(3)
    good = [turn for turn in TURNS if spans_hold(turn)]
    assert len(good) > 0.98 * len(TURNS)
    broken = [turn for turn in good if not spans_hold(augment.varied(turn, VALUES, order))]
    assert not broken


def test_a_swap_changes_the_sentence_and_the_value_alike() -> None:
    turn = Turn("open the file notes.md please", [("files.read", {"path": "notes.md"})])
    seen = {augment.swap(turn, VALUES, random.Random(seed)).sentence for seed in range(20)}
    assert len(seen) > 5
    for seed in range(20):
        changed = augment.swap(turn, VALUES, random.Random(seed))
        assert changed.sentence == f"open the file {changed.calls[0][1]['path']} please"


def test_two_commands_are_joined_and_greedy_ones_never_come_first() -> None:
    order = random.Random(1)
    light = Turn("turn on the lamp.", [("device.turn_on", {"name": "lamp"})])
    clock = Turn("What time is it?", [("system.time", {})])
    both = augment.joined(light, clock, order)
    assert both is not None
    assert [name for name, _ in both.calls] == ["device.turn_on", "system.time"]
    assert both.sentence.startswith("turn on the lamp") and both.sentence.endswith("hat time is it?")
    note = Turn("remember I like tea", [("memory.remember", {"text": "I like tea"})])
    assert augment.joined(note, clock, order) is None


def test_definitions_vary_and_answers_follow_them() -> None:
    plugins = list(toolsets.read(SENTENCES / "tools_en.jsonl"))
    strangers = [tool for tools, _ in plugins[:5] for tool in tools]
    for seed in range(30):
        tools, requests = plugins[seed % len(plugins)]
        example = toolsets.example(tools, requests, strangers, random.Random(seed))
        shown = {line.split(" - ")[0] for line in example.definitions.splitlines() if not line.startswith(" ")}
        called = {name for turn in example.turns for name, _ in turn.calls}
        assert called <= shown


def test_a_function_that_is_gone_leaves_none() -> None:
    tools = [
        {"name": name, "inputSchema": {"type": "object", "properties": {"x": {"type": "string"}}}} for name in "ab"
    ]
    requests: list[toolsets.Request] = [
        ("do a with 1", [("a", {"x": "1"})]),
        ("do b with 2", [("b", {"x": "2"})]),
    ]
    answers = {
        (turn.sentence, notation.write(turn.calls))
        for seed in range(400)
        for turn in toolsets.example(tools, requests, [], random.Random(seed)).turns
    }
    assert ("do a with 1", "none\n") in answers
    assert ("do a with 1", "a\n x: 1\n") in answers


@pytest.mark.parametrize("style", [toolsets.snake, toolsets.camel, toolsets.dotted, toolsets.kebab])
def test_names_keep_their_words(style: object) -> None:
    assert callable(style)
    assert toolsets.words(style("getHTTPStatus_code2")) == ["get", "http", "status", "code", "2"]


@pytest.mark.parametrize(
    ("kind", "value", "sentence", "expected"),
    [
        ("integer", "10000", "for 10,000 people", 10000),
        ("number", "2.5", "2.5 litres", 2.5),
        ("integer", "5", "about 15 people", None),
        ("string", "new york", "rooms in New York", "New York"),
        ("string", "Paris", "rooms in Rome", None),
        ("boolean", "True", "yes please", True),
    ],
)
def test_values_of_the_public_set_get_types_or_go(kind: str, value: str, sentence: str, expected: object) -> None:
    assert seal_tools.typed(kind, value, sentence) == expected


def test_the_prefix_is_what_stands_before_the_turn() -> None:
    example = Example([Turn("hi", [])], "f - Does.\n x: string")
    prompt, answer = example.texts()[0]
    assert example.prefix() + prompt == notation.prompt("hi", "f - Does.\n x: string")
    assert answer == "none\n<|im_end|>"
    assert Example([Turn("hi", [])]).prefix() == ""


def test_a_row_shares_definitions_and_keeps_turns_apart() -> None:
    row = rows.empty()
    rows.add(row, ([1, 2], [([3, 4], [5, 6]), ([7], [8, 6])]))
    assert row.tokens == [1, 2, 3, 4, 5, 7, 8]
    assert row.positions == [0, 1, 2, 3, 4, 2, 3]
    assert row.segments == [1, 1, 2, 2, 2, 3, 3]
    assert row.parents == [0, 0, 1, 1, 1, 1, 1]
    assert row.targets == [-1, -1, -1, 5, 6, 8, 6]


def test_packing_loses_nothing_that_fits() -> None:
    examples: list[rows.Tokenized] = [([], [([n] * (n % 9 + 1), [n, n])]) for n in range(200)]
    examples.append(([9] * 10, [([1] * 20, [2]), ([3] * 20, [4])]))
    packed = list(rows.pack(examples, 40, random.Random(0)))
    assert all(len(row) <= 40 for row in packed)
    answers = sum(target >= 0 for row in packed for target in row.targets)
    assert answers == 200 * 2 + 2


def test_values_are_compared_as_the_catalogue_says() -> None:
    left = [
        ("files.read", {"path": "the Notes.md"}),
        ("files.move", {"source": "$1", "destination": "归档 一下"}),
    ]
    right = [("files.read", {"path": '"notes.md".'}), ("files.move", {"destination": "归档", "source": "$1"})]
    assert same(left, right)
    assert not same(left, right[:1])
    assert not same([("files.read", {"path": "$1"})], [("files.read", {"path": "1"})])


def test_every_file_of_sentences_parses() -> None:
    for file in sorted(Path(SENTENCES).glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            assert isinstance(json.loads(line), dict), file
