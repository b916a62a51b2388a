"""Text as it streams: whole characters, no stop strings."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from llmasos.core.engine.text import TextStream


def fed(stream: TextStream, data: bytes, cuts: list[int]) -> list[str]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [stream.feed(data[start:end]) for start, end in pairwise(edges)]
    return [*pieces, stream.finish()]


@given(st.text(), st.lists(st.integers(0, 500)))
def test_any_cut_gives_the_same_text(text: str, cuts: list[int]) -> None:
    pieces = fed(TextStream(), text.encode(), cuts)
    assert "".join(pieces) == text


STOPS = st.lists(st.text("abX\n", min_size=1, max_size=4), max_size=3)


@given(st.text("abX\n"), STOPS, st.lists(st.integers(0, 99)))
def test_stop_strings_never_show(text: str, stop: list[str], cuts: list[int]) -> None:
    stream = TextStream(stop)
    said = "".join(fed(stream, text.encode(), cuts))
    # Where two stop strings overlap, cuts decide which is seen first; neither is ever said.
    assert text.startswith(said)
    assert not any(end in said for end in stop)
    assert stream.stopped == any(end in text for end in stop)
    if not stream.stopped:
        assert said == text


def test_half_a_character_at_the_end_is_replaced() -> None:
    stream = TextStream()
    assert stream.feed("日".encode()[:2]) == ""
    assert stream.finish() == "\ufffd"


def test_broken_bytes_are_replaced_at_once() -> None:
    assert TextStream().feed(b"a\xffb") == "a\ufffdb"
