"""Lorebooks: what triggers an entry, what lasts, what fits, and cards made to hurt."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from talk_desk import Desk, open_desk

from llmasos.services.characters.card import Card
from llmasos.services.characters.lorebook import Book, read, written
from llmasos.services.characters.triggers import compile_pattern, occurs


def book(*rows: dict[str, Any], **more: Any) -> Book:
    return read({"entries": [{"insertion_order": n, "enabled": True, **row} for n, row in enumerate(rows)], **more})


def told(book: Book, *lines: str, said: int = 1, since: dict[str, int] | None = None, **options: Any) -> list[str]:
    return book.told(lines, said, since or {}, **options).texts


DRAGON = {"keys": ["dragon", "wyrm"], "content": "It sleeps under the hill."}


def test_a_key_brings_it_up_and_other_words_do_not() -> None:
    for line in ("Is there a dragon?", "the WYRM!", "dragon"):
        assert told(book(DRAGON), line) == ["It sleeps under the hill."]
    for line in ("Nothing.", "dragonfly", ""):
        assert told(book(DRAGON), line) == []


def test_parts_of_words_and_chinese() -> None:
    parts = book({**DRAGON, "extensions": {"match_whole_words": False}})
    assert told(parts, "a dragonfly") == ["It sleeps under the hill."]
    assert told(book({"keys": ["龙"], "content": "它在山下睡觉。"}), "你见过龙吗？") == ["它在山下睡觉。"]


def test_case() -> None:
    strict = book({**DRAGON, "keys": ["Rex"], "case_sensitive": True})
    assert told(strict, "Rex is here") != []
    assert told(strict, "rex is here") == []


@pytest.mark.parametrize(
    ("logic", "hill_only", "both", "neither"),
    [(0, True, True, False), (3, False, True, False), (2, False, False, True), (1, True, False, True)],
)
def test_secondary_keys(logic: int, hill_only: bool, both: bool, neither: bool) -> None:
    one = book(
        {**DRAGON, "selective": True, "secondary_keys": ["hill", "fire"], "extensions": {"selectiveLogic": logic}}
    )
    assert bool(told(one, "a dragon on the hill")) is hill_only
    assert bool(told(one, "a dragon, the hill, and fire")) is both
    assert bool(told(one, "a dragon")) is neither
    assert told(one, "the hill and the fire") == []


def test_it_looks_as_far_back_as_the_card_says() -> None:
    lines = ("a dragon", "one", "two", "three")
    assert told(book(DRAGON, scan_depth=3), *lines) == []
    assert told(book(DRAGON, scan_depth=4), *lines) != []
    assert told(book({**DRAGON, "extensions": {"scan_depth": 1}}, scan_depth=4), *lines) == []
    assert told(book({**DRAGON, "content": "@@scan_depth 4\nIt sleeps."}, scan_depth=1), *lines) == ["It sleeps."]


def test_constant_ones_are_always_there_and_in_the_stable_part() -> None:
    fixed = book({"keys": [], "content": "The sea is near.", "constant": True}, DRAGON)
    assert [entry.content for entry in fixed.constant] == ["The sea is near."]
    assert told(fixed, "Hello") == []
    assert [entry.content for entry in book({"keys": [], "content": "@@activate\nThe sea."}).constant] == ["The sea."]


def test_switched_off_and_broken_entries_are_left_out() -> None:
    broken = [
        {**DRAGON, "enabled": False},
        {"keys": ["dragon"]},
        {"keys": "dragon", "content": "no list"},
        {"content": 5},
    ]
    assert told(book(*broken), "dragon") == []
    for raw in (None, [], "x", {"entries": 5}, {"entries": ["x", None]}):
        assert read(raw).entries == ()


def test_what_was_triggered_triggers_more_but_not_for_ever() -> None:
    chain = [{"keys": [f"k{n}"], "content": f"This names k{n + 1}."} for n in range(8)]
    assert len(told(book(*chain), "k0")) == 1
    assert len(told(book(*chain, recursive_scanning=True), "k0")) == 4  # itself and three rounds
    stop = [{**chain[0], "extensions": {"prevent_recursion": True}}, *chain[1:]]
    assert len(told(book(*stop, recursive_scanning=True), "k0")) == 1
    deaf = [chain[0], {**chain[1], "extensions": {"exclude_recursion": True}}]
    assert len(told(book(*deaf, recursive_scanning=True), "k0")) == 1


def test_order_and_room() -> None:
    three = book(
        {"keys": ["sea"], "content": "a" * 100, "insertion_order": 3, "priority": 1},
        {"keys": ["sea"], "content": "b" * 100, "insertion_order": 2, "priority": 9},
        {"keys": ["sea"], "content": "c" * 100, "insertion_order": 1, "priority": 5},
    )
    assert [text[0] for text in told(three, "the sea")] == ["c", "b", "a"]
    assert [text[0] for text in told(three, "the sea", room=220)] == ["c", "b"]
    assert [text[0] for text in told(three, "the sea", room=120)] == ["b"]
    small = book({"keys": ["sea"], "content": "x" * 100}, token_budget=10)
    assert told(small, "the sea") == []


def test_sticky_cooldown_and_delay() -> None:
    one = book({**DRAGON, "id": 7, "extensions": {"sticky": 2, "cooldown": 3}})
    assert told(one, "Hello", said=12, since={"7": 10}) != []  # still there
    assert told(one, "Hello", said=13, since={"7": 10}) == []
    assert told(one, "dragon", said=14, since={"7": 10}) == []  # cooling down
    assert told(one, "dragon", said=16, since={"7": 10}) != []
    assert one.told(["Hello"], 12, {"7": 10}).fresh == frozenset()
    assert one.told(["dragon"], 16, {"7": 10}).fresh == {"7"}
    late = book({**DRAGON, "extensions": {"delay": 5}})
    assert told(late, "dragon", said=4) == []
    assert told(late, "dragon", said=5) != []


def group(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"keys": ["dragon"], "content": "abc"[n], "extensions": {"group": "mood, x", **row}}
        for n, row in enumerate(rows)
    ]


def test_of_a_group_one_is_told_drawn_from_the_seed_by_weight() -> None:
    three = book(*group({}, {}, {}), {"keys": ["dragon"], "content": "alone"})
    drawn = [told(three, "a dragon", seed=str(n)) for n in range(60)]
    assert all(len(texts) == 2 and texts[-1] == "alone" for texts in drawn)
    assert {texts[0] for texts in drawn} == {"a", "b", "c"}
    assert drawn == [told(three, "a dragon", seed=str(n)) for n in range(60)]
    heavy = book(*group({"group_weight": 1}, {"group_weight": 9_999}))
    assert sum(told(heavy, "a dragon", seed=str(n)) == ["b"] for n in range(60)) > 55
    nothing = book(*group({"group_weight": 0}, {"group_weight": 0}))
    assert len(told(nothing, "a dragon")) == 1


def test_what_comes_first_in_a_group() -> None:
    override = {"group_override": True}
    assert {*(told(book(*group(override, {}, {})), "a dragon", seed=str(n))[0] for n in range(20))} == {"a"}
    assert told(book(*group(override, override)), "a dragon") == ["b"], "the higher order"
    sticky = book(*group({"sticky": 5}, {"group_override": True}))
    assert told(sticky, "a dragon", said=3, since={"0": 2}) == ["a"], "it is still there"


def test_what_was_not_chosen_triggers_nothing_and_groups_hold_in_recursion() -> None:
    rows = group({"group_override": True}, {})
    rows[0]["content"], rows[1]["content"] = "A bear.", "A wolf."
    more = {"keys": ["wolf"], "content": "It howls."}
    other = {"keys": ["bear"], "content": "It growls.", "extensions": {"group": "x"}}
    assert told(book(*rows, more, other, recursive_scanning=True), "a dragon") == ["A bear."]
    other["extensions"] = {}
    assert told(book(*rows, more, other, recursive_scanning=True), "a dragon") == ["A bear.", "It growls."]


def test_probability_is_drawn_from_the_seed() -> None:
    half = book({**DRAGON, "extensions": {"probability": 50, "useProbability": True}})
    drawn = [bool(told(half, "dragon", seed=str(n))) for n in range(200)]
    assert drawn == [bool(told(half, "dragon", seed=str(n))) for n in range(200)]
    assert 60 < sum(drawn) < 140
    assert told(book({**DRAGON, "extensions": {"probability": 0}}), "dragon") == []


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|aa)+b", r"(\w+)\1", "a*a*b", "(?=a)b", "a?" * 30, "x" * 300, "[", "(a{2,}){3,}", ".*.*=.*"],
)
def test_patterns_that_could_run_away_never_match(pattern: str) -> None:
    assert compile_pattern(pattern, case=False) is None
    found = book({"keys": [pattern], "content": "x", "use_regex": True})
    assert found.refused == (pattern,)
    assert told(found, "a" * 2_000) == []


def test_patterns_that_can_not_do() -> None:
    assert occurs("/drag[oi]n\\b/i", "The Dragon!", case=True, pattern=False, whole=True)
    assert occurs("colou?r (?:red|blue)", "my color blue", case=False, pattern=True, whole=True)
    assert occurs("dragon.*fire", "a dragon breathes fire", case=False, pattern=True, whole=True)
    assert not occurs("/Dragon/", "the dragon", case=False, pattern=False, whole=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = (
    "keys",
    "secondary_keys",
    "content",
    "extensions",
    "selective",
    "insertion_order",
    "priority",
    "use_regex",
    "id",
)


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON)), st.text(max_size=60))
def test_nonsense_is_no_crash_and_survives_in_the_card(entries: list[dict[str, Any]], line: str) -> None:
    raw = {"entries": entries, "x_more": 1}
    read(raw).told([line], 3, {})
    card = Card({"name": "Mira", "character_book": raw})
    assert card.book is card.book
    assert Card.from_text(card.to_text()).data["character_book"] == raw


def test_lore_of_a_program() -> None:
    made = read(written(["The sea is near.", {"keys": "dragon, wyrm", "content": "It sleeps."}]))
    assert [entry.content for entry in made.constant] == ["The sea is near."]
    assert told(made, "a wyrm") == ["It sleeps."]


async def create(desk: Desk, *rows: dict[str, Any], **more: Any) -> None:
    card = {"spec": "chara_card_v2", "data": {"name": "Mira", "character_book": {"entries": list(rows), **more}}}
    path = desk.session.workspace / "mira.json"
    path.write_text(json.dumps(card))
    await desk.ok("character.import", path="mira.json")


async def test_in_a_prompt_it_stands_beside_the_line_and_the_stable_part_stays(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        await create(
            desk,
            {**DRAGON, "content": "{{char}} fears the dragon, {{user}}."},
            {"keys": [], "content": "The sea is near.", "constant": True},
        )
        await desk.ok("character.chat", name="Mira", message="Hello!")
        plain = desk.engine.requests[-1]
        assert "dragon" not in plain
        assert "The sea is near." in plain.partition("<|im_end|>")[0]
        await desk.ok("character.chat", name="Mira", message="Is there a dragon?")
        assert desk.engine.requests[-1].endswith(
            "user\n(Mira fears the dragon, ada.)\nIs there a dragon?<|im_end|>\n<|im_start|>assistant\n"
        )
        assert desk.engine.requests[-1].partition("<|im_end|>")[0] == plain.partition("<|im_end|>")[0]


async def test_what_lasts_lasts_over_a_restart(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        await create(desk, {**DRAGON, "extensions": {"sticky": 3}}, scan_depth=1)
        await desk.ok("character.chat", name="Mira", message="Is there a dragon?")
    with open_desk(tmp_path) as desk:
        await desk.ok("character.chat", name="Mira", message="And what else?")
        assert "It sleeps under the hill." in desk.engine.requests[-1].rpartition("user\n")[2]
        await desk.ok("character.chat", name="Mira", message="And then?")
        assert "It sleeps" not in desk.engine.requests[-1].rpartition("user\n")[2]


async def test_one_is_told_of_patterns_that_never_match(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        card = {
            "data": {
                "name": "Mira",
                "character_book": {"entries": [{"keys": ["(a+)+"], "content": "x", "use_regex": True}]},
            }
        }
        (desk.session.workspace / "mira.json").write_text(json.dumps(card))
        assert "never match" in (await desk.ok("character.import", path="mira.json"))["note"]
