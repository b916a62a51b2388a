"""The tutorial, typed again: every line of its session is understood and done by the default model."""

import re
from pathlib import Path

import pytest

from tests.seat import Person, Seat

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
TYPED = re.compile(r"^❯ (.+)$", re.MULTILINE)
UNDERSTOOD = re.compile(r"^→ (?:\d  )?([a-z_]+\.[a-z_]+)", re.MULTILINE)


def session() -> list[tuple[str, list[str]]]:
    """(what is typed, the calls that the tutorial says it becomes) of every line."""
    parts = TYPED.split(TUTORIAL.read_text(encoding="utf-8"))
    return [(said, UNDERSTOOD.findall(shown)) for said, shown in zip(parts[1::2], parts[2::2], strict=True)]


def test_the_tutorial_holds_a_session():
    typed = session()
    assert len(typed) >= 12
    assert sum(bool(calls) for _, calls in typed) >= 12


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "plumber invoice.txt").write_text("Invoice of the plumber, March 2026. Total 240 euros.\n")
    (folder / "archive").mkdir()
    return folder


def test_the_session_works(real_machine, real_runner, workspace):
    seat = Seat(real_machine, real_runner, workspace, Person("once"))
    for said, calls in session():
        outcome = seat.say({"undo": "system.undo", "history": "system.history", "ps": "process.list"}.get(said, said))
        assert outcome.ok, (said, outcome.results)
        if calls:
            assert [call.syscall for call in outcome.reading.program] == calls, said
    assert (workspace / "notes" / "shopping.txt").read_text() == "buy milk and bread"
    assert (workspace / "plumber invoice.txt").is_file()  # it was moved, and undo took it back
