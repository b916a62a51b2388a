"""Number words to digits."""

from __future__ import annotations

import pytest

from llmasos.services import numerals


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("seven", "7"),
        ("twenty-five", "25"),
        ("twenty five minutes", "25 minutes"),
        ("twenty fifth", "25th"),
        ("third of may", "3rd of may"),
        ("thirtieth", "30th"),
        ("a hundred and five", "105"),
        ("two hundred", "200"),
        ("three hundred degrees", "300 degrees"),
        ("one or two", "1 or 2"),
        ("someone often", "someone often"),
        ("a dog", "a dog"),
    ],
)
def test_english(text: str, digits: str) -> None:
    assert numerals.english(text) == digits


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("九点", "9点"),
        ("十", "10"),
        ("十五", "15"),
        ("二十", "20"),
        ("二十五", "25"),
        ("两百度", "200度"),
        ("一百零五", "105"),
        ("一千二百", "1200"),
        ("两万三千", "23000"),
        ("二〇二七年", "2027年"),
        ("两点零五", "2点05"),
        ("没有数字", "没有数字"),
    ],
)
def test_chinese(text: str, digits: str) -> None:
    assert numerals.chinese(text) == digits


@pytest.mark.parametrize(
    ("number", "word"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (22, "22nd")],
)
def test_ordinals(number: int, word: str) -> None:
    assert numerals.ordinal(number) == word
