"""The numbers of a sentence: what is said, what units make of it, and nothing else."""

import time

import pytest

from llmasos.services.interpreter.numbers import said, texts


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("set it to 1,250.5", 1250.5),
        ("about 1.250,50 Euro", 1250.5),
        ("twenty-five of them", 25),
        ("half an hour", 30),
        ("an hour and a half in minutes", 90),
        ("seven and a half years", 7.5),
        ("two hours and 20 minutes", 140),
        ("5 percent", 0.05),
        ("1.8 kilowatts", 1800),
        ("at 8 pm", 20),
        ("two dozen eggs", 24),
        ("3 million people", 3_000_000),
        ("in October", 10),
        ("minus 40 degrees", -40),
        ("one thirty-five over eighty-five", 135),
        ("3 1/2 cups", 0.5),
        ("一万二", 12_000),
        ("三千五以内", 3500),
        ("一块二一瓶", 1.2),
        ("打八折", 0.8),
        ("打八折", 20),
        ("半小时", 30),
        ("两打鸡蛋", 2),
        ("三个半小时", 3.5),
        ("晚上八点", 20),
        ("1.5亿", 150_000_000),
    ],
)
def test_what_a_sentence_says(line: str, number: float) -> None:
    assert any(abs(found - number) < 1e-6 for found in said(line))


def test_what_no_computer_can_hold_is_no_number() -> None:
    assert texts("set it to 1e999 or 7", whole=False) == ("7",)


@pytest.mark.parametrize("line", ["turn on the lamp", "打开台灯", "", "🙂", "who wrote Fidelio"])
def test_a_sentence_without_numbers_says_none(line: str) -> None:
    assert said(line) == []


def test_whole_numbers_are_written_without_a_point() -> None:
    assert "1250" in texts("1250.0 metres", whole=False)
    assert "1250.0" in texts("1250.0 metres", whole=False)  # as it was written too
    assert all("." not in text for text in texts("2.5 and 7", whole=True))


def test_signs_are_only_taken_away_where_they_may_be() -> None:
    assert -4 not in said("back by 4")
    assert -4 in said("back by 4", negative=True)


def test_a_long_list_stays_quick() -> None:
    line = " ".join(str(n) for n in range(1000, 1800))
    start = time.process_time()
    found = said(line)
    assert 1799 in found and time.process_time() - start < 5  # a hang, not a benchmark
