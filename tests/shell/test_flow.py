"""Streamed words are broken between words."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from llmasos.shell.flow import Flow


def flowed(pieces: list[str], width: int) -> str:
    flow = Flow(width)
    return "".join(map(flow.feed, pieces)) + flow.end()


def test_a_word_in_pieces_moves_to_the_next_line_whole() -> None:
    assert flowed(["The light", "house ke", "eper sleeps."], 14) == "The lighthouse\nkeeper sleeps.\n"


def test_a_word_is_written_as_soon_as_it_is_complete() -> None:
    flow = Flow(80)
    assert flow.feed("Once up") == "Once"
    assert flow.feed("on a") == " upon"


def test_chinese_breaks_anywhere_and_counts_two_cells() -> None:
    assert flowed(["明天早上", "九点"], 8) == "明天早上\n九点\n"


def test_lines_of_the_text_stay() -> None:
    assert flowed(["one\r", "\ntwo\n\n", "  three"], 80) == "one\ntwo\n\n  three\n"


def test_nothing_said_nothing_written() -> None:
    assert flowed([], 80) == ""
    assert flowed(["whole line\n"], 80) == "whole line\n"


WORDS = st.lists(st.text(alphabet="abc 明天\n", max_size=7), max_size=20)


@given(WORDS)
def test_no_word_is_lost_and_no_line_too_wide(pieces: list[str]) -> None:
    said = "".join(pieces)
    written = flowed(pieces, 150)
    assert "".join(written.split()) == "".join(said.split())
    assert all(cell_len(line) <= 150 for line in written.split("\n"))
