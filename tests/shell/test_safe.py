"""Nothing shown can steer the terminal."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from llmasos.shell.safe import one_line, safe, shortened


def test_escape_sequences_and_direction_marks_are_shown_not_obeyed() -> None:
    assert safe("\x1b[2Jgone \x9b1m \u202efdp.exe") == "\ufffd[2Jgone \ufffd1m \ufffdfdp.exe"


def test_line_ends_and_tabs_stay() -> None:
    assert safe("a\r\nb\rc\td") == "a\nb\nc\td"


def test_one_line() -> None:
    assert one_line("  two\nlines\t and \x07") == "two lines and \ufffd"


def test_shortened_counts_cells() -> None:
    assert shortened("short", 10) == "short"
    assert shortened("a longer line", 8) == "a longe…"
    assert shortened("明天早上九点提醒我", 8) == "明天早…"
    assert shortened("x" * 1000, 5) == "xxxx…"


@given(st.text(), st.integers(2, 30))
def test_shortened_never_takes_more(text: str, cells: int) -> None:
    assert cell_len(shortened(text, cells)) <= cells
    assert "\x1b" not in shortened(text, cells)
