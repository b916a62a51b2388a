"""Hostile arguments at every syscall of the live table (after xv6's user/usertests.c): always an answer, never a crash.

Parametrised from the table, so that a new syscall is thrown at from the day it exists.
"""

from __future__ import annotations

import asyncio
import shutil
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmasos.compose import compose
from llmasos.core.base.errors import Errno, ProcessKilled
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call, Result
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.process import State
from llmasos.core.kernel.syscall import Syscall
from tests.catalogue import live_rows
from tests.seat import Person, Seat, tree
from tests.usertests.hostile import LONG, OTHERS, SECRET, TEXTS, traversals

ALL = sorted(live_rows())
CODES = set(typing.get_args(Errno))
GOOD = {
    "path": "notes.md", "source": "notes.md", "destination": "copy.md", "content": "words", "query": "notes", "when": "tomorrow",
    "name": "Alice", "text": "It rains.", "expression": "1+1", "pid": "1", "language": "Chinese", "value": "50%",
}  # fmt: skip
"""A harmless value for each argument; 'thing' for all others."""


@dataclass
class Ground:
    """A machine, somebody at it, and what lies outside."""

    seat: Seat
    outside: Path
    elsewhere: Path
    before: dict[str, bytes | None]

    def throw(self, name: str, args: Mapping[str, Any], *, consent: bool = True) -> Result:
        """One call; checks what must hold of any answer."""
        self.seat.person.answer = "once" if consent else None
        result = self.seat.trap(Call(name, dict(args)))
        self.check(result)
        if not consent and name in live_rows() and live_rows()[name].effect in ("final", "external"):
            assert not result.ok, "nobody consented"
        return result

    def check(self, result: Result) -> None:
        """What must hold after any call."""
        if result.ok:
            assert result.value is not None and not result.error
        else:
            assert result.error in CODES
            assert result.error != "EIO" or "defect" not in result.message, result.message
            assert result.message.strip() and len(result.message) < 4000, "the message is for people"
        assert SECRET not in repr(result.value) + result.message
        self.sane()

    def furnish(self) -> None:
        """A workspace with a file, links that lead out, and a character."""
        for path in self.seat.workspace.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        self.seat.put("notes.md", "Notes on notes.\n")
        (self.seat.workspace / "link-out").symlink_to(self.outside)
        (self.seat.workspace / "link-secret.txt").symlink_to(self.outside / "secret.txt")
        self.seat.do("character.create", name="Alice")

    def sane(self) -> None:
        """The process table is in order."""
        processes = self.seat.machine.kernel.processes
        pids = {process.pid for process in processes}
        assert processes.init.alive and processes.init.pid == 1
        assert self.seat.process.alive and self.seat.process.state is not State.STOPPED
        for process in processes:
            assert process.parent in pids | {0}
            assert not process.tasks, "no call is running now"
        assert self.seat.do("process.list").ok

    def untouched(self) -> None:
        """Nothing outside was made, changed or removed."""
        assert tree(self.outside) == self.before
        assert tree(self.elsewhere) == {}


@contextmanager
def a_ground(top: Path) -> Iterator[Ground]:
    """A machine whose working folder is neither home nor workspace."""
    workspace, outside, elsewhere = top / "workspace", top / "outside", top / "elsewhere"
    for folder in (workspace, outside, elsewhere, outside / "sub"):
        folder.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    (outside / "sub" / "card.json").write_text(SECRET)
    with asyncio.Runner() as runner, pytest.MonkeyPatch.context() as patch:
        patch.chdir(elsewhere)
        settings = Settings(home=top / "home", owner="ada", seed=1)
        machine = runner.run(compose(settings, engines=ScriptedEngines()))
        ground = Ground(Seat(machine, runner, workspace, Person()), outside, elsewhere, tree(outside))
        yield ground
        runner.run(machine.close())
        expected = {"workspace", "outside", "elsewhere", "home", "home.anchor.jsonl"}
        assert {path.name for path in top.iterdir()} == expected
        ground.untouched()


@pytest.fixture(scope="module")
def shared_ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """One machine for many throws: what one leaves behind, the next one meets."""
    with a_ground(tmp_path_factory.mktemp("usertests")) as ground:
        yield ground


@pytest.fixture
def ground(shared_ground: Ground) -> Iterator[Ground]:
    """The shared machine with something for the harmless values to name; the canaries are looked at after each test."""
    shared_ground.furnish()
    yield shared_ground
    shared_ground.untouched()


@pytest.fixture
def fresh_ground(tmp_path: Path) -> Iterator[Ground]:
    """A machine for one test: megabytes in its store would slow down all others."""
    with a_ground(tmp_path) as ground:
        ground.furnish()
        yield ground


def good(row: Syscall) -> dict[str, Any]:
    """Harmless arguments."""
    return {a.name: a.schema["enum"][0] if "enum" in a.schema else GOOD.get(a.name, "thing") for a in row.arguments}


@pytest.mark.parametrize("name", ALL)
def test_text(ground: Ground, name: str) -> None:
    row = live_rows()[name]
    values = TEXTS | traversals(ground.outside, ground.seat.workspace)
    for argument in row.arguments:
        for value in values.values():
            ground.throw(name, good(row) | {argument.name: value})
    for value in values.values():
        ground.throw(name, {argument.name: value for argument in row.arguments})


@pytest.mark.parametrize("name", ALL)
def test_other_types(ground: Ground, name: str) -> None:
    row = live_rows()[name]
    for argument in row.arguments:
        for value in OTHERS.values():
            result = ground.throw(name, good(row) | {argument.name: value})
            if argument.schema.get("type") == "string":
                assert result.error in ("EINVAL", "E2BIG"), f"{argument.name} took {type(value).__name__}"


@pytest.mark.parametrize("name", [name for name in ALL if any(a.is_text for a in live_rows()[name].arguments)])
def test_long_text(fresh_ground: Ground, name: str) -> None:
    row = live_rows()[name]
    for argument in row.arguments:
        for value in LONG.values():
            result = fresh_ground.throw(name, good(row) | {argument.name: value})
            if len(value) > 4 * 1024 * 1024:
                assert result.error in ("E2BIG", "EINVAL")


@pytest.mark.parametrize("name", ALL)
def test_missing_and_unknown(ground: Ground, name: str) -> None:
    row = live_rows()[name]
    for argument in row.arguments:
        if argument.required:
            result = ground.throw(name, {k: v for k, v in good(row).items() if k != argument.name})
            assert result.error == "EINVAL" and argument.name in result.message
    for unknown in ("more", "self", "caller", "__class__", "", "a\0b", "\ud800", "x" * 100_000, "名字"):
        assert ground.throw(name, good(row) | {unknown: "1"}).error == "EINVAL"
    assert ground.throw(name, good(row) | {1: "1"}).error == "EINVAL"  # type: ignore[dict-item]


@pytest.mark.parametrize("name", [name for name in ALL if live_rows()[name].effect in ("final", "external")])
def test_without_consent(ground: Ground, name: str) -> None:
    row = live_rows()[name]
    journal = ground.seat.machine.kernel.journal
    last = [entry.id for entry in journal.entries(limit=1)]
    for value in (TEXTS | traversals(ground.outside, ground.seat.workspace)).values():
        for argument in row.arguments:
            ground.throw(name, good(row) | {argument.name: value}, consent=False)
    for said in ("no", None):
        ground.seat.person.answer = said  # type: ignore[assignment]
        assert ground.seat.trap(Call(name, good(row))).error in ("EACCES", "EAGAIN", "ENOENT", "EINVAL")
    assert [entry.id for entry in journal.entries(limit=1)] == last, "nothing was intended without consent"


@pytest.mark.parametrize("name", [name for name in ALL if live_rows()[name].arguments])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(data=st.data())
def test_any_text(ground: Ground, name: str, data: st.DataObject) -> None:
    row = live_rows()[name]
    anything = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=60)
    args = {a.name: data.draw(st.one_of(anything, st.just(GOOD.get(a.name, "thing"))), a.name) for a in row.arguments}
    ground.throw(name, args)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "files",
        "files.",
        ".read",
        "files.read.",
        "FILES.READ",
        "files.__class__",
        "a\0.b",
        "\ud800",
        "$1",
        "..",
        "猫.读",
        "x" * 5_000_000,
    ],
)
def test_unknown_syscalls(ground: Ground, name: str) -> None:
    assert ground.throw(name, {}).error == "ENOSYS"


@pytest.mark.parametrize("name", [None, 7, b"files.read", ["files.read"], {"a": 1}])
def test_names_that_are_no_text(ground: Ground, name: Any) -> None:
    assert ground.throw(name, {}).error == "ENOSYS"


@pytest.mark.parametrize("name", ["process.show", "process.stop", "process.resume", "process.kill"])
def test_dead_and_impossible_pids(ground: Ground, name: str) -> None:
    table = ground.seat.machine.kernel.processes
    child = table.spawn(table.init, name="gone", program="job")
    ground.seat.wait(table.kill(child.pid))
    for pid in (child.pid, 0, -1, 2**31, 2**63 - 1):
        assert ground.throw(name, {"pid": pid}).error == "ESRCH"
    for pid in (2**63, -(10**400), 1.5):
        assert ground.throw(name, {"pid": pid}).error == "EINVAL"
    if name != "process.show":
        for pid in (1, ground.seat.process.pid):
            assert ground.throw(name, {"pid": pid}).error in ("EPERM", "EINVAL"), "init and the shell carry the others"


def test_a_killed_process_gets_no_answer(ground: Ground) -> None:
    seat = Seat(ground.seat.machine, ground.seat.runner, ground.seat.workspace)
    seat.wait(seat.machine.kernel.processes.exit(seat.process, -9))
    with pytest.raises(ProcessKilled):
        seat.trap(Call("files.list"))
    ground.sane()
