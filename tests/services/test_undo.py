"""Taking back and doing again, by number and by count."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmasos.core.base.types import Call
from llmasos.core.kernel.session import Session
from tests.seat import Person, Seat


def _add(seat: Seat, *titles: str) -> None:
    for title in titles:
        seat.ok("tasks.add", title=title)


def _entry(seat: Seat, title: str) -> int:
    rows = seat.ok("system.history")["items"]
    return next(row["id"] for row in rows if f"title={title}" in row["call"])


def test_several_at_once_newest_first(seat: Seat) -> None:
    _add(seat, "one", "two", "three")
    seat.ok("system.undo", what="2")
    assert seat.refs("tasks.list") == ["one"]
    assert seat.error("system.undo", what="2") == "ENOENT"
    assert seat.refs("tasks.list") == ["one"], "nothing was taken back in part"


def test_one_by_its_number(seat: Seat) -> None:
    _add(seat, "one", "two", "three")
    seat.ok("system.undo", what=f"#{_entry(seat, 'two')}")
    assert seat.refs("tasks.list") == ["one", "three"]
    again = seat.do("system.undo", what=f"#{_entry(seat, 'two')}")
    assert again.error == "ESTALE" and "already" in again.message


def test_what_changed_since_is_refused_and_possible_later(seat: Seat) -> None:
    seat.put("a.md", "one")
    seat.ok("files.write", path="a.md", content="two")
    first = seat.ok("system.history")["items"][0]["id"]
    seat.ok("files.write", path="a.md", content="three")
    refused = seat.do("system.undo", what=f"#{first}")
    assert refused.error == "ESTALE" and "since" in refused.message
    seat.ok("system.undo")
    seat.ok("system.undo", what=f"#{first}")
    assert (seat.workspace / "a.md").read_text() == "one"


@pytest.mark.parametrize("what", ["0", "#0", "x", "-1", "1.5", "#", "9999999999"])
def test_no_number(seat: Seat, what: str) -> None:
    assert seat.error("system.undo", what=what) == "EINVAL"


def test_an_entry_that_is_not_there(seat: Seat) -> None:
    assert seat.error("system.undo", what="#77") == "ENOENT"


def test_another_workspace_and_another_person_are_left_alone(seat: Seat, tmp_path: Path) -> None:
    _add(seat, "one")
    number = f"#{_entry(seat, 'one')}"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    seat.session = Session("ada", elsewhere, Person())
    assert seat.error("system.undo") == "ENOENT"
    assert seat.error("system.undo", what=number) == "EACCES"
    seat.session = Session("bob", seat.workspace, Person())
    assert seat.error("system.undo", what=number) == "ENOENT"


def test_done_again_in_the_order_of_before(seat: Seat) -> None:
    _add(seat, "one", "two", "three")
    seat.ok("system.undo", what="2")
    seat.ok("system.redo")
    assert seat.refs("tasks.list") == ["one", "two"]
    seat.ok("system.redo")
    assert seat.refs("tasks.list") == ["one", "two", "three"]
    assert seat.error("system.redo") == "ENOENT"
    seat.ok("system.undo")
    assert seat.refs("tasks.list") == ["one", "two"]


def test_what_cannot_be_done_again_says_why(seat: Seat) -> None:
    _add(seat, "one")
    seat.ok("system.undo")
    _add(seat, "one")
    refused = seat.do("system.redo")
    assert refused.error == "ESTALE" and "one" in refused.message


def test_what_a_background_job_did_is_no_change_of_the_persons_own(seat: Seat) -> None:
    _add(seat, "mine")
    kernel = seat.machine.kernel
    job = kernel.processes.spawn(kernel.processes.init, name="job", program="job", subject="user:ada", owner="ada")
    seat.wait(kernel.trap(job, seat.session, Call("tasks.add", {"title": "the job's"})))
    seat.ok("system.undo")
    assert seat.refs("tasks.list") == ["the job's"]


def test_preview_names_all_that_goes(seat: Seat) -> None:
    _add(seat, "one", "two")
    shown: list[dict[str, str]] = []

    async def before(call: Call, values: dict[str, str], effect: str) -> None:
        shown.append(values)

    seat.person.before = before  # type: ignore[method-assign, assignment]
    seat.ok("system.undo", what="2")
    assert "title=one" in shown[0]["takes back"] and "title=two" in shown[0]["takes back"]


@pytest.mark.parametrize(("line", "args"), [("undo", {}), ("undo 3", {"what": "3"}), ("undo #41", {"what": "#41"})])
def test_as_a_habit(line: str, args: dict[str, str]) -> None:
    from llmasos.services.interpreter.explicit import habit

    assert habit(line, lambda _: False) == (Call("system.undo", args),)
    assert habit("undo the last rename", lambda _: False) is None
    assert habit("redo", lambda _: False) == (Call("system.redo"),)


def test_redo_means_the_folder_that_it_was_said_in(seat: Seat) -> None:
    seat.put("notes.md", "top")
    seat.put("sub/notes.md", "below")
    seat.session.cwd = "sub"
    seat.ok("files.delete", path="notes.md")
    seat.ok("system.undo")
    seat.session.cwd = ""
    seat.ok("system.redo")
    assert (seat.workspace / "notes.md").exists() and not (seat.workspace / "sub" / "notes.md").exists()


def test_what_a_job_changed_since_can_be_put_right_in_order(seat: Seat) -> None:
    seat.put("a.md", "one")
    seat.ok("files.write", path="a.md", content="mine")
    mine = seat.ok("system.history")["items"][0]["id"]
    kernel = seat.machine.kernel
    job = kernel.processes.spawn(kernel.processes.init, name="job", program="job", subject="user:ada", owner="ada")
    seat.wait(kernel.trap(job, seat.session, Call("files.write", {"path": "a.md", "content": "the job's"})))
    assert seat.error("system.undo") == "ESTALE"
    theirs = next(row["id"] for row in seat.ok("system.history")["items"] if row["call"].startswith("files.write"))
    seat.ok("system.undo", what=f"#{theirs}")
    seat.ok("system.undo", what=f"#{mine}")
    assert (seat.workspace / "a.md").read_text() == "one"
