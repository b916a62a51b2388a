"""Kits: functions and requests as text; what training makes of them."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from llmasos.services.interpreter import definitions, notation
from training import augment, data, kits, toolsets
from training.example import Turn, turn_of
from training.files import SENTENCES

FILES = sorted(SENTENCES.glob("kits/*.txt"))


def written(folder: Path, text: str) -> Path:
    file = folder / "kit.txt"
    file.write_text(text, encoding="utf-8")
    return file


KIT = """## Bees
hive.feed - Feed a hive.
 hive: string - Name or number
 litres?: number
 with?: {kind: cane|beet, warm?: boolean}

> 2.5 litres for hive 7
hive.feed
 hive: hive 7
 litres: 2.5

> do bees sleep
none
"""


def test_a_kit_is_read_as_tools_and_requests(tmp_path: Path) -> None:
    (kit,) = kits.read(written(tmp_path, KIT))
    assert kit.requests == [
        ("2.5 litres for hive 7", [("hive.feed", {"hive": "hive 7", "litres": 2.5})]),
        ("do bees sleep", []),
    ]
    assert definitions.render(kit.tools) == "\n".join(KIT.splitlines()[1:5])
    assert list(kits.problems(kit)) == []


@pytest.mark.parametrize(
    "text",
    ["string", "[integer]", "a|b|c", "string or null", "{x: number, y?: [string]}", "[{a: 1|2|3}]", "[[number]]"],
)
def test_types_come_back_as_they_were_written(text: str) -> None:
    assert definitions.type_text(kits.parse_type(text)) == text


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("hive.feed\n", ":1:"),  # outside a kit
        ("## A\nf\n x: strin\n", ":3:.*unknown type"),
        ("## A\nf\n x: string\n> hi\ng\n", ":5:.*no function 'g'"),
        ("## A\nf\n x: string\n> hi\nf\n y: 1\n", ":6:.*no argument 'y'"),
        ("## A\nf\n x: integer\n> hi\nf\n x: two\n", ":6:"),
        ("## A\nf\n> hi\nf\nnone\n", ":5:.*stands alone"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(kits.KitError, match=match):
        kits.read(written(tmp_path, text))


def test_wrong_types_and_missing_arguments_are_problems(tmp_path: Path) -> None:
    text = "## A\nf\n x: integer\n y: string\n> set 2.5 there\nf\n x: 2.5\n"
    (kit,) = kits.read(written(tmp_path, text))
    told = [what for error, what in kits.problems(kit) if error]
    assert any("needs y" in what for what in told) and any("2.5" in what for what in told)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_kits_that_train_are_right(file: Path) -> None:
    found = kits.read(file)
    assert len(found) > 50
    assert [what for kit in found for error, what in kits.problems(kit) if error] == []


def test_the_unseen_kits_are_right_and_never_trained_on() -> None:
    unseen = [kit for file in (SENTENCES.parent / "unseen").glob("kits*.txt") for kit in kits.read(file)]
    assert len(unseen) > 60
    assert [what for kit in unseen for error, what in kits.problems(kit) if error] == []
    trained = {sentence for file in FILES for kit in kits.read(file) for sentence, _ in kit.requests}
    assert not trained & {sentence for kit in unseen for sentence, _ in kit.requests}


def test_other_numbers_stand_in_the_same_places(tmp_path: Path) -> None:
    (kit,) = kits.read(written(tmp_path, KIT))
    tools = {tool["name"]: tool for tool in kit.tools}
    seen = set()
    for seed in range(40):
        sentence, calls = toolsets.varied(*kit.requests[0], tools, random.Random(seed))
        value = calls[0][1]["litres"]
        assert re.fullmatch(rf"{value} litres for hive 7", sentence, re.IGNORECASE)
        seen.add(value)
    assert len(seen) > 5


def test_alone_or_beside_the_catalogue_is_said() -> None:
    assert definitions.render([{"name": "ping"}], only=True) == "only:\nping"


def test_what_was_before_stands_in_the_prompt_and_not_in_the_answer() -> None:
    line = {
        "before": [
            {"utterance": "what is on today", "program": [{"syscall": "schedule.list", "args": {"when": "today"}}]}
        ],
        "utterance": "and tomorrow?",
        "program": [{"syscall": "schedule.list", "args": {"when": "tomorrow"}}],
    }
    turn = turn_of(line)
    assert turn.prompt() == notation.prompt(
        "and tomorrow?", before=[("what is on today", "schedule.list\n when: today\n")]
    )
    assert turn.prompt().count("<|im_start|>user") == 2


def test_a_made_up_word_is_explained_by_the_exchange_before() -> None:
    turns = [turn for _, turn in data.sentences() if not turn.before]
    values = augment.Values(turns)
    turn = Turn(
        "please dim the hall lamp to 40 percent", [("device.set", {"name": "hall lamp", "value": "40 percent"})]
    )
    made_up = 0
    for seed in range(30):
        shown = augment.shown(turn, values, random.Random(seed))
        (before,) = shown.before
        assert before.calls[0][0] == "device.set"
        new = set(shown.sentence.split()) & set(before.sentence.split()) - set(turn.sentence.split())
        made_up += bool(new)
        for name, value in shown.calls[0][1].items():
            assert value in shown.sentence, (name, shown)
    assert made_up > 10


def test_a_pass_holds_follow_ups_tools_and_both_kinds_of_offers() -> None:
    (examples,) = data.build(data.Mixture(passes=1, seed=4, share=0.02, whole=("dialogue_en",)), None)
    sources = {example.source for example in examples}
    assert {"catalogue", "joined", "dialogue", "tools"} <= sources
    tools = [example for example in examples if example.source == "tools"]
    alone = sum(example.definitions.startswith("only:\n") for example in tools) / len(tools)
    assert 0.45 < alone < 0.65
    json.dumps([example.texts() for example in examples[:50]])
