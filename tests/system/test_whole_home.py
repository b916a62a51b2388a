"""A home as a whole, by the program itself: an older copy of it, backups, wiping, and everything as open files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.system.program import Program

CANARY = "Zaubernuss4711"


def fill(program: Program) -> None:
    """Something in each place where a person's words are kept."""
    lines = [
        f"memory.remember 'the {CANARY} is under the mat'",
        f"tasks.add 'water the {CANARY}'",
        f"schedule.add 'meet {CANARY}' 'on 3 March 2031 at 9:00'",
        f"character.create {CANARY} personality=friendly",
        f"files.write {CANARY}.md 'a note'",
        f"files.delete {CANARY}.md",
    ]
    program.ok("--yes", stdin="\n".join(lines) + "\n")


def places(folder: Path) -> list[str]:
    """Where the canary stands: in the bytes of a file, or in a name."""
    found = []
    for path in folder.rglob("*"):
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        if CANARY in path.name or any(CANARY.encode(code) in data for code in ("utf-8", "utf-16-le")):
            found.append(str(path))
    return found


@pytest.fixture
def temporary(tmp_path: Path, program: Program) -> Path:
    """The program's folder for temporary files, of this test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    program.environment = {"TMPDIR": str(folder)}
    return folder


def test_an_older_copy_of_the_store_opens_read_only_until_it_is_accepted(program: Program) -> None:
    program.ok("-c", "tasks.add 'one'")
    older = {path.name: path.read_bytes() for path in program.home.glob("store.db*")}
    program.ok("-c", "tasks.add 'two'")
    for path in program.home.glob("store.db*"):
        path.unlink()
    for name, data in older.items():
        (program.home / name).write_bytes(data)
    for _ in range(3):
        stopped = program.run("-c", "tasks.add 'three'")
        assert stopped.returncode == 1
        assert "The store isn't what it was: the store is older than the one that was signed" in stopped.stderr
    shown = program.ok("-c", "tasks.list")
    assert "one" in shown
    assert "three" not in shown
    found = program.run("audit", "verify")
    assert found.returncode == 1
    assert "older than the one that was signed" in found.stderr
    program.ok("audit", "accept")
    program.ok("-c", "tasks.add 'three'")
    assert "whole" in program.ok("audit", "verify")
    assert "accepted by the person: the store is older" in program.ok("audit", "show")


def test_a_backup_is_tried_out_and_put_back(program: Program, tmp_path: Path) -> None:
    fill(program)
    said = program.ok("backup", str(tmp_path))
    (file,) = tmp_path.glob("*.llmasos-backup")
    assert "keys aren't in it" in said
    assert places(tmp_path) == []
    program.ok("-c", "tasks.add 'after the backup'")
    assert "can be restored" in program.ok("backup", "verify", str(file))

    refused = program.run("restore", str(file))
    assert refused.returncode == 2
    assert "There is a home" in refused.stderr
    program.ok("--yes", "-c", f"character.delete {CANARY}")
    said = program.ok("restore", str(file), "--replace")
    assert "stays erased" in said
    (aside,) = program.home.parent.glob("home.before-*")
    assert aside.name in said
    # No false alarm: it is signed as what it is, and writing goes on.
    listed = program.ok(stdin="tasks.add 'after the restore'\ntasks.list\ncharacter.list\n")
    assert CANARY in listed
    assert "after the restore" in listed
    assert "after the backup" not in listed
    assert CANARY not in program.ok("-c", "character.list")  # shredded: an older backup doesn't bring it back
    assert "whole" in program.ok("audit", "verify")
    assert "restored from a backup" in program.ok("audit", "show")


def test_a_backup_with_keys_serves_another_machine(program: Program, tmp_path: Path) -> None:
    fill(program)
    file = tmp_path / "with.backup"
    assert "Keep few of them" in program.ok("backup", str(file), "--with-keys")
    elsewhere = tmp_path / "elsewhere" / "home"
    elsewhere.mkdir(parents=True)
    # Its key file isn't in it; nobody is there to type the recovery code.
    stopped = program.run("restore", str(file), "--into", str(elsewhere))
    assert stopped.returncode == 4
    assert list(elsewhere.parent.iterdir()) == [elsewhere]
    shutil.copy(program.home / "keyring.key", elsewhere)
    assert "can be read again" in program.ok("restore", str(file), "--into", str(elsewhere))
    assert CANARY in program.ok("--home", str(elsewhere), "-c", "tasks.list")


def test_a_damaged_backup_leaves_the_home_alone(program: Program, tmp_path: Path) -> None:
    program.ok("-c", "tasks.add 'one'")
    file = tmp_path / "one.backup"
    program.ok("backup", str(file))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    for command in (["backup", "verify", str(file)], ["restore", str(file), "--replace"]):
        found = program.run(*command)
        assert found.returncode == 1
        assert "damaged" in found.stderr
    assert "one" in program.ok("-c", "tasks.list")
    assert list(program.home.parent.glob("home.*")) == [program.home.with_name("home.anchor.jsonl")]


def test_a_backup_while_the_kernel_runs(program: Program, tmp_path: Path) -> None:
    program.ok("up")
    try:
        program.ok("-c", "tasks.add 'one'")
        program.ok("backup", str(tmp_path / "one.backup"))
        stopped = program.run("restore", str(tmp_path / "one.backup"), "--replace")
        assert stopped.returncode == 2
        assert "A program carries this home" in stopped.stderr
        assert program.run("wipe", "--yes").returncode == 2
        program.ok("-c", "tasks.add 'two'")
    finally:
        program.ok("down")
    assert "can be restored" in program.ok("backup", "verify", str(tmp_path / "one.backup"))


def test_wiping_leaves_nothing(program: Program, temporary: Path, tmp_path: Path) -> None:
    fill(program)
    program.ok("backup", str(tmp_path / "one.backup"))
    program.ok("restore", str(tmp_path / "one.backup"), "--replace")
    secret = (program.home / "keyring.key").read_bytes().strip()
    asked = program.run("wipe")
    assert asked.returncode == 4
    assert (program.home / "store.db").exists()
    (program.home / "of somebody else.txt").write_text("kept")
    said = program.ok("wipe", "--yes")
    assert "of somebody else.txt" in said
    assert [path.name for path in program.home.iterdir()] == ["of somebody else.txt"]
    assert list(program.home.parent.glob("home.*")) == []  # neither its anchor nor the home that was set aside
    assert places(temporary) == []
    assert places(program.home.parent) == []
    assert not any(secret in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert program.run("wipe", "--yes").returncode == 2
    program.ok("-c", "tasks.list")  # and a new one begins


def test_everything_as_open_files(program: Program, tmp_path: Path) -> None:
    fill(program)
    folder = tmp_path / "exported"
    program.ok("export", str(folder))
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"memory.json", "task.json", "event.json", "journal.json", "character.json", "calendar.ics"} <= names
    (memory,) = json.loads((folder / "memory.json").read_text())
    assert memory["value"]["text"] == f"the {CANARY} is under the mat"
    assert "vector" not in memory["value"]
    card = json.loads((folder / f"characters/{CANARY}.json").read_text())
    assert card["data"]["name"] == CANARY
    calendar = (folder / "calendar.ics").read_bytes().decode()
    assert f"SUMMARY:meet {CANARY}\r\n" in calendar
    assert "20310303T090000" in calendar
    assert oct((folder / "memory.json").stat().st_mode & 0o777) == "0o600"
    assert program.run("export", str(folder)).returncode == 2


def test_new_keys(program: Program, tmp_path: Path) -> None:
    fill(program)
    program.ok("backup", str(tmp_path / "before.backup"))
    shown = json.loads(program.ok("keys", "--json"))
    assert (shown["subjects"], shown["versions"], shown["unfinished"]) == (2, [1, 1], False)
    assert 0 < shown["seals_at_most"] < 1000
    key = (program.home / "keyring.key").read_bytes()
    said = program.ok("keys", "rotate", "--data")
    code = said.strip().splitlines()[-1]
    assert len(code.split("-")) == 8
    assert (program.home / "keyring.key").read_bytes() != key
    shown = json.loads(program.ok("keys", "--json"))
    assert (shown["versions"], shown["unfinished"]) == ([2, 2], False)
    assert CANARY in program.ok("-c", "tasks.list")
    assert "can be restored" in program.ok("backup", "verify", str(tmp_path / "before.backup"))
    program.ok("up")
    try:
        assert program.run("keys", "rotate").returncode == 2
    finally:
        program.ok("down")


def test_a_session_without_memory_leaves_nothing(program: Program, temporary: Path, tmp_path: Path) -> None:
    program.ok("-c", "tasks.add 'of before'")
    before = {path: path.read_bytes() for path in program.home.rglob("*") if path.is_file()}
    lines = [
        f"memory.remember 'the {CANARY} is under the mat'",
        f"tasks.add 'water the {CANARY}'",
        f"files.write note.md 'about {CANARY}'",
        "memory.recall mat",
        "tasks.list",
        "undo",
    ]
    done = program.run("--no-memory", stdin="\n".join(lines) + "\n")
    assert done.returncode == 0, done.stderr
    assert "This session keeps nothing" in done.stderr
    assert f"{CANARY} is under the mat" in done.stdout
    assert "of before" not in done.stdout  # it begins empty
    assert list(temporary.iterdir()) == []
    assert {path: path.read_bytes() for path in program.home.rglob("*") if path.is_file()} == before
    assert places(tmp_path) == []
    assert CANARY not in program.ok(stdin="tasks.list\nmemory.recall mat\nsystem.history\n")
    assert program.run("--no-memory", "up").returncode == 2


def test_what_a_killed_session_without_memory_leaves_can_be_read_by_nobody(
    program: Program, temporary: Path, tmp_path: Path
) -> None:
    process = program.start("--no-memory")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"tasks.add 'water the {CANARY}'\n")
    process.stdin.flush()
    assert CANARY in process.stdout.readline()
    process.kill()
    process.communicate()
    (left,) = temporary.iterdir()
    assert (left / "store.db").exists()
    assert places(tmp_path) == []
    stopped = program.run("--home", str(left), "-c", "tasks.list")
    assert stopped.returncode == 1
    assert "Nothing here can be read" in stopped.stderr
