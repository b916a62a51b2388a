"""Summaries made of the text's own sentences."""

import pytest

from llmasos.services.language import extract

ENGLISH = """# The lighthouse project

Dr. Gray met the council on 3 Feb. at 9 a.m. to speak about the lighthouse. The weather was fine.
The council wants to repair the lighthouse and to open it for visitors next summer.
Repairing the lighthouse costs 40,000 euros, of which the council pays half. Coffee was served.
Visitors would pay 3.50 euros each. Somebody lost an umbrella. Is that enough?
Mr. Hale thinks that visitors of the lighthouse could bring 20,000 euros a year to the council.

- The umbrella is blue.
- The next meeting is in May.
"""
CHINESE = """会议纪要

今天下午公司召开了年度预算会议。大家先喝了茶。财务部提出明年的预算要减少百分之十，主要减少出差的预算！
市场部认为预算减少会影响明年的销售。窗外下着雨。会议决定：预算减少百分之五，由财务部在周五以前修改预算表。谁带了伞？
"""


def test_sentences() -> None:
    found = extract.sentences(ENGLISH)
    assert found[0] == "Dr. Gray met the council on 3 Feb. at 9 a.m. to speak about the lighthouse."
    assert "Visitors would pay 3.50 euros each." in found and found[-1] == "The next meeting is in May."
    assert extract.sentences('"Go!" she said. Then “Stop.” Then nothing…') == [
        '"Go!" she said.',
        "Then “Stop.”",
        "Then nothing…",
    ]
    assert extract.sentences("他说：“走吧！”然后走了。真的？是的。") == [
        "他说：“走吧！”",
        "然后走了。",
        "真的？",
        "是的。",
    ]


def test_markup_goes_and_names_stay() -> None:
    assert extract.sentences("The _old_ name was `my_file_2.txt`, **not** __this__.") == [
        "The old name was my_file_2.txt, not this."
    ]


def test_english() -> None:
    summary = extract.summarize(ENGLISH)
    assert summary == extract.summarize(ENGLISH)
    title, body = summary.split("\n\n")
    assert title == "The lighthouse project"
    assert len(extract.sentences(body)) <= 5
    assert "repair the lighthouse" in body
    for noise in ("Coffee", "weather", "umbrella", "enough?"):
        assert noise not in body


def test_chinese() -> None:
    title, body = extract.summarize(CHINESE).split("\n\n")
    assert title == "会议纪要" and "预算会议" in body and " " not in body
    assert "喝了茶" not in body and "下着雨" not in body and "谁带了伞" not in body


@pytest.mark.parametrize(
    ("text", "summary"),
    [("", ""), ("  \n ", ""), ("One line.", "One line."), ("just words", "just words"), ("---\n***", "")],
)
def test_little(text: str, summary: str) -> None:
    assert extract.summarize(text) == summary


def test_every_sentence_is_the_texts_own() -> None:
    body = extract.summarize(ENGLISH).split("\n\n")[1]
    flat = " ".join(ENGLISH.split())
    assert all(sentence in flat for sentence in extract.sentences(body))


def test_much() -> None:
    long = "word " * 50_000
    assert len(extract.summarize(long)) < 500
    assert len(extract.sentences(extract.summarize("This is one. " * 20_000))) <= 5
