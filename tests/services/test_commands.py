"""`!command` through a whole system: typed, run, shown, taken back."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmasos import compose as composing
from llmasos.compose import Machine, compose
from llmasos.core.base.errors import UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call, Result
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.policy import Policy, Rule
from llmasos.services.commands import keeping, service, survey
from llmasos.services.commands.service import Commands
from llmasos.services.commands.typed import typed
from tests.core.kernel.launchers import CONFINES, Poorer
from tests.seat import Person, Seat, tree

pytestmark = pytest.mark.skipif(not CONFINES, reason="this machine can't confine commands")


class Reader(Person):
    """Reads along."""

    def __init__(self, answer: Any = "once") -> None:
        super().__init__(answer)
        self.read = ""
        self.pieces = 0
        self.heard = asyncio.Event()

    async def written(self, piece: str) -> None:
        self.read += piece
        self.pieces += 1
        self.heard.set()

    async def hears(self, word: str) -> None:
        while word not in self.read:
            self.heard.clear()
            await self.heard.wait()


@pytest.fixture
def desk(seat: Seat) -> Seat:
    """A person with some things in the workspace, none of them new."""
    seat.person = seat.session.front = Reader()
    seat.put("kept.txt", "kept\n")
    seat.put("box/one.txt", "one\n")
    seat.put("box/里/two.txt", "two\n")
    seat.put("empty", "")
    (seat.workspace / "link").symlink_to("kept.txt")
    for path in sorted(seat.workspace.rglob("*"), reverse=True):
        os.utime(path, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
    return seat


def ran(seat: Seat, command: str) -> Result:
    """What came of a command that ran."""
    (result,) = seat.say(f"!{command}").results
    assert result.ok, result
    return result


def is_hidden(seat: Seat) -> bool:
    """Whether commands have a root folder of their own here."""
    return seat.wait(seat.machine.launcher.commands()).hidden


def blobs(seat: Seat) -> int:
    """Pre-images in the store."""
    return int(seat.machine.kernel.store._db.one("SELECT count(DISTINCT token) FROM blobs")[0])


def looks(folder: Path) -> dict[str, tuple[int, int]]:
    """Kind and mode of all there is, and when files were changed."""
    found = {}
    for path in folder.rglob("*"):
        about = path.lstat()
        found[str(path.relative_to(folder))] = (about.st_mode, about.st_mtime_ns if stat.S_ISREG(about.st_mode) else 0)
    return found


# Running


def test_it_runs_in_the_current_folder_and_shows_what_it_writes(desk: Seat) -> None:
    desk.session.cwd = "box"
    result = ran(desk, "cat one.txt | tr a-z A-Z; ls ../kept.txt; echo oops >&2")
    assert result.value["text"] == desk.person.read == "ONE\n../kept.txt\noops\n"
    assert result.value["exit"] == 0 and result.value["note"] == "" and not result.undoable


@pytest.mark.parametrize(("command", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("nothing-such 2> /dev/null", 127)])
def test_its_exit_code_is_told(desk: Seat, command: str, code: int) -> None:
    result = ran(desk, command)
    assert (result.value["exit"], result.value["note"]) == (code, f"exit code {code}")


def test_quotes_and_lines_are_the_shells(desk: Seat) -> None:
    assert ran(desk, """  for x in "a  b" 'c $x'; do\n  echo "$x"\ndone  """).value["text"] == "a  b\nc $x\n"


def test_what_it_writes_is_kept_up_to_a_limit_and_shown_whole(desk: Seat) -> None:
    result = ran(desk, "head -c 3000000 /dev/zero | tr '\\0' x")
    assert len(result.value["text"]) == 1 << 20
    assert desk.person.read == "x" * 3_000_000
    assert "only the first 1 MB are kept" in result.value["note"]


def test_characters_come_whole_and_bytes_that_are_no_text_too(desk: Seat) -> None:
    result = ran(desk, r"printf '\344\275\240'; sleep 0.1; printf '\345\245'; sleep 0.1; printf '\275\377\n'")
    assert desk.person.read.encode(errors="surrogateescape") == "你好".encode() + b"\xff\n"
    assert result.value["text"] == "你好\ufffd\n"


def test_it_may_not_take_for_ever(desk: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = desk.machine.kernel.table["system.run"].run.__self__  # type: ignore[attr-defined]
    assert isinstance(commands, Commands)
    monkeypatch.setattr(commands, "_seconds", 0.3)
    result = ran(desk, "echo x > new; sleep 600")
    assert result.value["exit"] == 124 and "stopped after 0.3 seconds" in result.value["note"]
    assert result.undoable, "and what it had changed is known"


def test_it_sees_neither_the_home_nor_the_trash(desk: Seat) -> None:
    if not is_hidden(desk):
        pytest.skip("it isn't run there")
    home = desk.machine.settings.home
    desk.put(".llmasos-trash/x/large", "large")
    desk.session.workspace = desk.workspace.parent  # the home lies in it, and the audit log's second place
    ran(desk, f"rm -rf {home}; mv {home} x; rm -f {home}.anchor* {home.parent}/*.jsonl; true")
    assert (home / "keyring.key").exists()
    assert desk.do("tasks.add", title="milk").ok, "the audit log is what it was"
    result = ran(desk, f"ls -A {home}; cat {home}/keyring.key; ls -A {desk.workspace}/.llmasos-trash; echo over")
    assert [line for line in result.value["text"].splitlines() if "cat:" not in line][-1] == "over"
    assert "keyring.key" not in result.value["text"].replace(f"{home}/keyring.key", "")
    assert not result.undoable
    desk.session.workspace = desk.workspace
    assert "large" not in ran(desk, "ls -R .llmasos-trash").value["text"]


@pytest.mark.parametrize("place", ["/", "/usr", "/tmp", "home"])
def test_some_places_are_no_workspace_for_a_command(desk: Seat, place: str) -> None:
    desk.session.workspace = desk.machine.settings.home if place == "home" else Path(place)
    (result,) = desk.say("!echo x").results
    assert result.error == "EPERM" and "may change all of its workspace" in result.message


async def test_where_it_cant_be_confined_nothing_is_even_kept(
    home: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poorer = type("Poorer", (Poorer,), {"machine": "no-landlock"})
    monkeypatch.setattr(composing, "Launcher", poorer)
    monkeypatch.setattr(keeping, "_sealed", lambda *_: pytest.fail("sealed for nothing"))
    (workspace / "kept.txt").write_text("kept")
    for unconfined in (False, True):
        settings = Settings(home=home, owner="ada", unconfined_commands=unconfined)
        machine = await compose(settings, engines=ScriptedEngines())
        process, session = machine.session(workspace, Reader())
        try:
            assert any("commands run unconfined" in problem for problem in machine.problems) is unconfined
            if unconfined:
                monkeypatch.undo()
            outcome = await machine.requests.handle(process, session, "!echo x > new")
            assert outcome.results[0].error == ("" if unconfined else "EPERM")
            assert (workspace / "new").exists() is unconfined
            assert machine.launcher.commands_enforced == "none"
        finally:
            await machine.close()


# Only where it is typed


def test_what_counts_as_typed() -> None:
    assert typed("  !ls -la ") == "ls -la"
    assert typed("! ls") == "ls"
    assert typed("what is in here!") is None
    with pytest.raises(UsageError):
        typed(" ! ")


def test_it_is_run_for_nobody_who_did_not_type_it(desk: Seat) -> None:
    written = (
        lambda: desk.do("system.run", command="echo x > new"),
        lambda: desk.say("system.run 'echo x > new'").results[0],
        lambda: desk.wait(
            desk.machine.kernel.trap(
                desk.process, desk.session, Call("system.run", {"command": "echo x > new"}), request="!echo y"
            )
        ),
    )
    for way in written:
        result = way()
        assert result.error == "EPERM" and "only run where a person types it" in result.message
    assert not (desk.workspace / "new").exists()


def test_neither_a_job_nor_redo_runs_one(desk: Seat) -> None:
    for line in ("in the background !echo x > new", "!echo x > new &"):
        if line.startswith("!"):  # the shell's own: it ends with the command
            assert ran(desk, line).undoable in (True, False)
            (desk.workspace / "new").unlink(missing_ok=True)
            continue
        with pytest.raises(UsageError, match="not in the background"):
            desk.say(line)
    ran(desk, "echo x > new")
    desk.ok("system.undo")
    assert desk.error("system.redo") == "ESTALE"
    assert not (desk.workspace / "new").exists()


def test_no_sentence_means_it(desk: Seat) -> None:
    row = desk.machine.kernel.table["system.run"]
    assert not row.spoken and not row.examples


@pytest.mark.parametrize("subject", ["app:social", "plugin:x", "character:Alice", "user:ada"])
def test_policy_decides(desk: Seat, subject: str) -> None:
    if subject == "user:ada":
        desk.machine.kernel.policy = Policy("test", (Rule("none", "deny", syscall=("system.run",)),))
    desk.process.subject = subject
    (result,) = desk.say("!echo x > new").results
    assert result.error == "EACCES" and "denied by the rule" in result.message
    assert not (desk.workspace / "new").exists()


def test_nothing_is_piped_into_it(desk: Seat) -> None:
    requests = desk.machine.requests
    with pytest.raises(UsageError, match="piped in"):
        desk.wait(requests.handle(desk.process, desk.session, "!cat", appended="words"))


def test_a_dry_run_only_tells(desk: Seat) -> None:
    reading, way = desk.wait(desk.machine.requests.understand(desk.session, "!echo x > new"))
    assert (way, reading.program) == ("call", (Call("system.run", {"command": "echo x > new"}),))
    assert not (desk.workspace / "new").exists()


# Taking it back

CHANGES = {
    "a new file": "echo new > new.txt",
    "new folders": "mkdir -p a/b && echo x > a/b/c && ln -s c a/b/d && mkfifo a/pipe",
    "a changed file": "echo more >> kept.txt",
    "a file changed in place": "printf K | dd of=kept.txt conv=notrunc status=none",
    "a changed file with its old time": "cp -p kept.txt old; printf K | dd of=kept.txt conv=notrunc status=none; "
    "touch -r old kept.txt; rm old",
    "a file that became empty": ": > kept.txt",
    "an empty file that was filled": "echo x > empty",
    "a deleted file": "rm kept.txt empty",
    "a deleted folder": "rm -r box",
    "a moved folder": "mv box crate && mv crate/one.txt .",
    "other links": "ln -sfn box link; ln -s nowhere dangling",
    "a link instead of a file": "rm kept.txt; ln -s empty kept.txt",
    "a folder instead of a file": "rm kept.txt; mkdir -p kept.txt/x; echo x > kept.txt/y",
    "a file instead of a folder": "rm -r box; echo x > box",
    "modes": "chmod 600 kept.txt; chmod 500 box; chmod 755 empty",
    "a locked folder": "echo x > box/里/two.txt; rm box/one.txt; chmod 000 box",
    "all at once": "rm -r *; echo x > box; mkdir link",
    "strange names": "echo x > $'new\\nline' 2>/dev/null; echo x > \"$(printf 'by\\377te')\"; echo x > '-rf'",
}


NEED_MODES = ("modes", "a locked folder", "a changed file with its old time")


@pytest.mark.parametrize("change", CHANGES)
def test_what_it_changed_is_taken_back(desk: Seat, change: str) -> None:
    if change in NEED_MODES and not is_hidden(desk):
        pytest.skip("modes and times aren't changed there")
    before, looked = tree(desk.workspace), looks(desk.workspace)
    result = ran(desk, CHANGES[change])
    assert result.undoable and "'undo' takes it back" in result.value["note"]
    assert (tree(desk.workspace), looks(desk.workspace)) != (before, looked)
    assert "Took back what the command changed" in desk.ok("system.undo")["message"]
    assert tree(desk.workspace) == before
    assert looks(desk.workspace) == looked
    assert not list(desk.workspace.glob(".llmasos-*"))


def test_what_changed_nothing_is_nothing_to_take_back(desk: Seat) -> None:
    desk.ok("files.write", path="mine.txt", content="mine")
    for command in ("ls -laR; cat kept.txt", "touch kept.txt", "cp kept.txt x; rm x", "echo x > $HOME/x"):
        result = ran(desk, command)
        assert not result.undoable and "undo" not in result.value["note"]
    assert "mine.txt" in desk.ok("system.undo")["message"]
    assert not (desk.workspace / "mine.txt").exists()


def test_several_are_taken_back_in_turn(desk: Seat) -> None:
    before = tree(desk.workspace)
    for command in ("echo 1 > kept.txt", "echo 2 > kept.txt; mkdir d", "mv kept.txt d/"):
        ran(desk, command)
    desk.ok("system.undo", what="3")
    assert tree(desk.workspace) == before


@pytest.mark.parametrize(
    ("command", "spoil"),
    [
        ("echo 2 > kept.txt", lambda top: (top / "kept.txt").write_text("mine")),
        ("echo 2 > new", lambda top: (top / "new").write_text("mine")),
        ("echo 2 > new", lambda top: (top / "new").unlink() or (top / "new").mkdir()),
        ("mkdir new; echo 2 > new/x", lambda top: (top / "new/mine").write_text("mine")),
        ("mkdir new; echo 2 > new/x", lambda top: (top / "new/x").write_text("mine")),
        ("rm kept.txt", lambda top: (top / "kept.txt").write_text("mine")),
        ("rm -r box", lambda top: (top / "box").write_text("mine")),
        ("rm -r box", lambda top: (top / "box").mkdir() or (top / "box/one.txt").write_text("mine")),
        ("rm link", lambda top: (top / "link").symlink_to("mine")),
        ("chmod 600 kept.txt", lambda top: (top / "kept.txt").chmod(0o640)),
    ],
)
def test_what_changed_since_stays(desk: Seat, command: str, spoil: Callable[[Path], Any]) -> None:
    ran(desk, f"{command}; echo x > beside")
    spoil(desk.workspace)
    before, looked = tree(desk.workspace), looks(desk.workspace)
    result = desk.do("system.undo")
    assert result.error == "ESTALE" and "nothing was done" in result.message
    assert (tree(desk.workspace), looks(desk.workspace)) == (before, looked)


def test_what_is_back_already_stands_in_nobodys_way(desk: Seat) -> None:
    before = tree(desk.workspace)
    ran(desk, "rm -r box; echo x > new; echo y > kept.txt")
    (desk.workspace / "new").unlink()
    (desk.workspace / "box").mkdir()
    desk.ok("system.undo")
    assert tree(desk.workspace) == before


def test_an_undo_that_was_cut_off_is_finished_by_the_next(desk: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(desk.workspace)
    ran(desk, "rm -r box kept.txt; mkdir -p new/x; echo y > new/x/y; echo z > empty")
    entry = desk.machine.kernel.journal.last_undoable("ada", str(desk.workspace))
    assert entry
    real = service.effects.write_atomic
    left = [2]

    def fails(*args: Any, **options: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(5, "the power went")
        real(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(service.effects, "write_atomic", fails)
        assert desk.do("system.undo").error
    assert tree(desk.workspace) != before
    desk.ok("system.undo", what=f"#{entry.id}")
    assert tree(desk.workspace) == before


async def test_interrupted_it_ends_and_is_taken_back(machine: Machine, workspace: Path) -> None:
    reader = Reader()
    process, session = machine.session(workspace, reader)
    (workspace / "kept.txt").write_text("kept")
    work = asyncio.create_task(
        machine.requests.handle(process, session, "!rm kept.txt; echo x > new; echo go; sleep 600")
    )
    await reader.hears("go")
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert tree(workspace) == {"new": b"x\n"}
    result = await machine.kernel.trap(process, session, Call("system.undo"))
    assert result.ok and tree(workspace) == {"kept.txt": b"kept"}


async def test_a_killed_shell_takes_its_command_along(machine: Machine, workspace: Path) -> None:
    reader = Reader()
    process, session = machine.session(workspace, reader)
    work = asyncio.create_task(machine.requests.handle(process, session, "!echo go; sleep 600; echo x > new"))
    await reader.hears("go")
    await machine.kernel.processes.exit(process, 1)
    with pytest.raises(BaseException, match="was killed"):
        await work
    assert tree(workspace) == {}


# Keeping


def test_more_than_can_be_kept_asks(desk: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "THINGS", 3)
    desk.person.answer = None
    (result,) = desk.say("!echo x > new").results
    assert result.error == "EAGAIN" and "more than 3 files" in result.message
    desk.person.answer = "no"
    assert desk.say("!echo x > new").results[0].error == "EACCES"
    assert not (desk.workspace / "new").exists()
    desk.person.answer = "session"
    asked = len(desk.person.consents)
    for _ in range(2):
        result = ran(desk, "echo x > new")
        assert not result.undoable and "can't be undone: there are more than 3 files" in result.value["note"]
    assert len(desk.person.consents) == asked + 1
    question = desk.person.consents[-1]
    assert question.shown == {"command": "echo x > new"} and "can't be undone" in question.note
    assert desk.error("system.undo") == "ENOENT"


def test_too_large_files_ask_as_well(desk: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "BYTES", 1 << 20)
    desk.put("large", "x" * (1 << 20))
    desk.person.answer = None
    assert desk.say("!true").results[0].error == "EAGAIN"


def test_what_it_makes_may_be_more_than_can_be_kept(desk: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "THINGS", 20)
    before = tree(desk.workspace)
    assert ran(desk, "mkdir many; i=0; while [ $i -lt 100 ]; do echo $i > many/$i; i=$((i + 1)); done").undoable
    desk.ok("system.undo")
    assert tree(desk.workspace) == before


def test_files_are_sealed_once(desk: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed: list[str] = []
    real = keeping._sealed

    def counted(store: Any, place: Any) -> Any:
        sealed.append(place.shown)
        return real(store, place)

    monkeypatch.setattr(keeping, "_sealed", counted)
    for path in desk.workspace.rglob("*"):  # so long ago that their stamps can be relied on
        os.utime(path, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
    monkeypatch.setattr(keeping, "UNSURE", -(10**18))
    ran(desk, "true")
    assert sorted(sealed) == ["box/one.txt", "box/里/two.txt", "empty", "kept.txt"]
    sealed.clear()
    ran(desk, "cat kept.txt; ls")
    assert sealed == ["empty"], "which costs nothing"
    ran(desk, "echo more >> kept.txt")
    sealed.clear()
    ran(desk, "true")
    assert sorted(sealed) == ["empty", "kept.txt"]


def test_no_pre_image_is_kept_longer_than_needed(desk: Seat) -> None:
    ran(desk, "true")
    assert blobs(desk) == 3, "one for each file that isn't empty"
    ran(desk, "echo 2 > kept.txt; rm -r box")
    assert blobs(desk) == 3, "all of them needed by undo"
    ran(desk, "true")
    assert blobs(desk) == 4, "and the new one"
    desk.ok("system.undo")
    ran(desk, "true")
    assert blobs(desk) == 3
    other = desk.workspace.parent / "other"
    other.mkdir()
    (other / "x").write_text("x")
    desk.session.workspace = other
    ran(desk, "true")
    assert blobs(desk) == 1, "another workspace's are gone"


def test_pre_images_are_sealed(desk: Seat) -> None:
    desk.put("secret.txt", "Canary7391")
    ran(desk, "rm secret.txt")
    for path in desk.machine.settings.home.rglob("*"):
        if path.is_file():
            assert b"Canary7391" not in path.read_bytes(), path


def test_two_at_a_time(machine: Machine, desk: Seat) -> None:
    """Each keeps what was there; what both saw change, both can take back in turn."""
    before = tree(desk.workspace)

    async def both() -> None:
        requests = desk.machine.requests
        first = requests.handle(desk.process, desk.session, "!echo 1 > one; sleep 0.3; rm kept.txt")
        second = requests.handle(desk.process, desk.session, "!sleep 0.1; echo 2 > two")
        for outcome in await asyncio.gather(first, second):
            assert outcome.ok

    desk.wait(both())
    assert {"one", "two"} <= set(tree(desk.workspace))
    while not desk.do("system.undo").error:
        pass
    assert set(before) <= set(tree(desk.workspace))


def test_a_workspace_of_an_unreadable_file_asks(desk: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise survey.UnkeptError("kept.txt can't be read (Permission denied)")

    monkeypatch.setattr(keeping, "_sealed", refuse)
    desk.person.answer = None
    (result,) = desk.say("!true").results
    assert result.error == "EAGAIN" and "kept.txt can't be read" in result.message


def test_a_workspace_that_goes_away_meanwhile_is_told(desk: Seat) -> None:
    place = desk.workspace.parent / "short-lived"
    place.mkdir()
    (place / "x").write_text("x")
    desk.session.workspace = place

    async def gone() -> Result:
        work = asyncio.create_task(desk.machine.requests.handle(desk.process, desk.session, "!echo go; sleep 0.5"))
        assert isinstance(desk.person, Reader)
        await desk.person.hears("go")
        shutil.move(place, place.with_name("moved"))
        return (await work).results[0]

    result = desk.wait(gone())
    assert result.error == "ENOENT" and "can't be entered" in result.message


# The record


def test_the_history_and_the_audit_log_have_it(desk: Seat) -> None:
    ran(desk, "echo x > new")
    row = desk.ok("system.history")["items"][0]
    assert (row["call"], row["said"]) == ("system.run command=echo x > new", "!echo x > new")
    enforced = desk.machine.launcher.commands_enforced
    assert enforced.startswith("landlock ") and "seccomp" in enforced
