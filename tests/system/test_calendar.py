"""`llmasos calendar` as a person types it: files in and out, and a server with a password that is piped in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.program import Program

sys.path.insert(0, str(Path(__file__).parents[1] / "services"))  # the servers that the tests of the service use
from calendar_desk import ICS, calendar, meeting, radicale

FAR = meeting(title="Planning", day="20990105")


@pytest.fixture
def carried(program: Program) -> Iterator[Program]:
    """The program whose kernel runs in another one: what is typed goes through its socket."""
    program.ok("up")
    yield program
    program.run("down")


def test_import_list_export_and_undo(carried: Program) -> None:
    program = carried
    (program.workspace / "google.ics").write_bytes((ICS / "google.ics").read_bytes())
    assert (
        program.ok("calendar", "import", "google.ics") == "Imported google.ics: 4 new, 1 cancelled by their author.\n"
    )
    assert "Nothing to import" in program.ok("calendar", "import", "google.ics")
    shown = program.ok("-c", "schedule.list when='24 December 2026'")
    assert "Christmas with the family" in shown
    assert program.ok("calendar", "export", "plan", "--from", "1 December 2026", "--to", "31 December 2026").startswith(
        "Wrote"
    )
    assert b"Christmas with the family" in (program.workspace / "plan.ics").read_bytes()
    program.ok("undo")
    assert not (program.workspace / "plan.ics").exists()
    assert "before the import of google.ics" in program.ok("undo")
    assert "Christmas" not in program.ok("-c", "schedule.list when='24 December 2026'")


def test_a_folder_is_followed(carried: Program) -> None:
    program = carried
    (program.workspace / "team").mkdir()
    (program.workspace / "team" / "a.ics").write_bytes(calendar(FAR))
    assert program.ok("calendar", "add", "team", "team") == "Following 'team': 1 event.\n"
    assert "Planning" in program.ok("-c", "schedule.list when='January 2099'")
    refused = program.run("-c", "schedule.cancel Planning")
    assert (refused.returncode, "only read here" in refused.stderr) == (1, True)
    assert "nothing has changed" in program.ok("calendar", "sync")
    assert program.json("calendar", "list", "--json")["value"]["items"][0]["name"] == "team"
    program.ok("calendar", "remove", "team")
    assert "No calendar is followed" in program.ok("calendar")


def test_a_server_is_followed_with_a_password_that_is_piped_in(carried: Program, tmp_path: Path) -> None:
    program = carried
    with radicale(tmp_path / "radicale") as server:
        assert server.send("PUT", "/ada/office/a.ics", calendar(FAR)) == 201
        address = f"{server.address}ada/office/"
        login = "ada\ns3cret-pass\n"
        nobody = program.run("calendar", "add", "work", address, "--login", stdin=login)
        assert (nobody.returncode, "asks for consent" in nobody.stderr) == (4, True)
        done = program.run("calendar", "add", "work", address, "--login", "--yes", stdin=login)
        assert (done.returncode, done.stdout) == (0, "Following 'work': 1 event.\n"), done.stderr
        assert "calendar.sync name=work" in program.ok("consents")
        assert "Planning" in program.ok("-c", "schedule.list when='January 2099'")
        assert "nothing has changed" in program.ok("calendar", "sync", "work")
    offline = program.run("calendar", "sync")
    assert (offline.returncode, "can't be reached" in offline.stderr) == (1, True)
    assert "Planning" in program.ok("-c", "schedule.list when='January 2099'")
    everything = "".join(
        program.ok(*words) for words in (["calendar", "list"], ["history"], ["log"], ["audit", "export"])
    )
    assert "s3cret-pass" not in everything + done.stdout + done.stderr
    on_disk = b"".join(path.read_bytes() for path in program.home.rglob("*") if path.is_file())
    assert b"s3cret-pass" not in on_disk


@pytest.mark.parametrize("words", [["add"], ["import"], ["export"], ["remove"], ["nonsense"], ["add", "work"]])
def test_what_is_missing_is_said(program: Program, words: list[str]) -> None:
    done = program.run("calendar", *words)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
