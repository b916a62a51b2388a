"""Summaries of long files, piece by piece."""

from pathlib import Path

from files_desk import open_desk

from llmasos.services.files import pieces
from llmasos.services.files.documents import Part

SENTENCES = ("The harbour was closed because of the storm. " * 12, "The museum opened a new hall for old ships. " * 12)


def test_a_short_text_is_one_summary() -> None:
    assert pieces.summarize(pieces.of_text("# Trip\n\nWe leave on Monday.\n\n# Back\n\nWe return on Friday.")) == (
        "Trip\n\nWe leave on Monday. We return on Friday."
    )
    assert pieces.summarize([]) == ""


def test_a_long_text_is_summarized_below_its_headings() -> None:
    text = "\n\n".join(
        f"# Chapter {n}\n\n{SENTENCES[n % 2] * 5}Only chapter {n} tells of number {n}." for n in range(1, 7)
    )
    said = pieces.summarize(pieces.of_text(text)).split("\n\n")
    assert len(said) >= 5
    assert said[0].startswith("Chapter 1, lines 1 to ") and "harbour" in said[1] + said[0]


def test_a_long_text_without_headings_is_summarized_by_lines() -> None:
    text = "\n".join(f"Line {n} is about the lighthouse and its {n} visitors." for n in range(1, 501))
    said = pieces.summarize(pieces.of_text(text)).split("\n\n")
    assert len(said) == pieces.PIECES
    assert said[0].startswith("lines 1 to 50: Line ") and said[-1].startswith("lines 451 to 500: Line ")


def test_pages_are_put_together() -> None:
    parts = [Part(f"page {n}", f"Page {n} tells of the sea. " * 30) for n in range(1, 41)]
    said = pieces.summarize(parts).split("\n\n")
    assert len(said) <= pieces.PIECES + 1 and said[0].startswith("pages 1 to 4: Page 1 tells")


async def test_as_a_syscall(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        desk.put("book.md", "\n\n".join(f"# Part {n}\n\n{SENTENCES[n % 2] * 6}" for n in range(8)))
        value = await desk.ok("files.summarize", path="book.md")
        assert "Part 3, lines " in value["text"] and value["source"] == "file"
