"""What every syscall owes: its place in the catalogue, and words that explain it."""

from __future__ import annotations

import re

import pytest

from tests.catalogue import broken_promises, live_rows

EXPLAINED = sorted(live_rows())


def test_the_catalogue_is_kept() -> None:
    assert broken_promises() == []


@pytest.mark.parametrize("name", EXPLAINED)
def test_is_explained(name: str) -> None:
    row = live_rows()[name]
    assert len(row.summary) > 8 and row.summary.endswith("."), "help and docs show the summary"
    assert len(row.examples) >= 2 or not row.spoken, "examples feed help, retrieval and training"
    assert len(set(row.examples)) == len(row.examples)
    silent = [argument.name for argument in row.arguments if len(argument.description) < 3]
    assert not silent, "each argument is described"
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", row.name)


def test_chinese_is_spoken_from_the_first_day() -> None:
    lacking = [
        row.name
        for row in live_rows().values()
        if row.spoken and not any(re.search("[\u4e00-\u9fff]", e) for e in row.examples)
    ]
    assert lacking == []
