"""Processes that belong to something lasting come back with the next kernel, as they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import StoreError, SyscallError
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.process import Lasting, Process, ProcessTable, State
from llmasos.core.kernel.roster import KIND, Roster
from llmasos.core.kernel.store import Store


@pytest.fixture
def started(store: Store, clock: MockClock) -> Callable[[], ProcessTable]:
    """A kernel's table, as a new kernel would have it."""

    def start() -> ProcessTable:
        table = ProcessTable(clock, "ada")
        Roster(store, table)
        return table

    return start


def character(table: ProcessTable, name: str, **more: object) -> Process:
    return table.spawn(
        table.init, name=name, program="character", subject=f"character:{name}", owner="ada",
        lasting=Lasting(f"id of {name}", f"key of {name}"), **more,  # type: ignore[arg-type]
    )  # fmt: skip


def seen(table: ProcessTable) -> list[tuple[int, str, State]]:
    return [(process.pid, process.name, process.state) for process in table if process.pid > 1]


async def test_they_come_back_under_their_pids(started: Callable[[], ProcessTable]) -> None:
    table = started()
    table.spawn(table.init, name="ada", program="shell")
    alice = character(table, "Alice", priority="interactive", weight=2.0)
    bob = character(table, "Bob")
    table.spawn(alice, name="words", program="words")
    table.stop(bob.pid)

    again = started()
    assert seen(again) == [(3, "Alice", State.WAITING), (4, "Bob", State.STOPPED)]
    back = again.of("character", "id of Alice")
    assert back is not None
    for name in ("pid", "boot", "owner", "subject", "program", "priority", "weight", "started", "began", "lasting"):
        assert getattr(back, name) == getattr(alice, name)
    assert back.boot == table.boot != again.boot
    assert again.spawn(again.init, name="new", program="shell").pid == 5, "no pid is given twice"
    again.resume(bob.pid)
    assert seen(started())[1] == (4, "Bob", State.WAITING)


async def test_what_ended_stays_away(started: Callable[[], ProcessTable], store: Store) -> None:
    table = started()
    alice, bob = character(table, "Alice"), character(table, "Bob")
    await table.kill(alice.pid)
    await table.exit(bob)
    assert table.of("character", "id of Alice") is None
    assert store.count(KIND) == 0
    assert seen(started()) == []


async def test_it_goes_with_the_key_of_what_it_belongs_to(started: Callable[[], ProcessTable], store: Store) -> None:
    table = started()
    character(table, "Alice")
    character(table, "Bob")
    store.shred("key of Alice")
    assert [name for _, name, _ in seen(started())] == ["Bob"]


async def test_whose_parent_has_gone_is_inits(started: Callable[[], ProcessTable]) -> None:
    table = started()
    shell = table.spawn(table.init, name="ada", program="shell")
    parent = table.spawn(shell, name="app", program="app", lasting=Lasting("app", "person"))
    table.spawn(parent, name="helper", program="app", lasting=Lasting("helper", "person"))
    again = started()
    assert [(process.name, process.parent) for process in again if process.pid > 1] == [("app", 1), ("helper", 3)]


async def test_one_that_becomes_another_program_comes_back_as_that(started: Callable[[], ProcessTable]) -> None:
    table = started()
    alice = character(table, "Alice")
    await table.exec(alice, name="poet", program="poet")
    assert table.of("character", "id of Alice") is None
    assert table.of("poet", "id of Alice") is alice
    assert [(p.name, p.program) for p in started() if p.pid > 1] == [("poet", "poet")]


async def test_what_cannot_be_written_down_is_not_done(
    started: Callable[[], ProcessTable], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = started()
    alice = character(table, "Alice")

    def full(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(store, "put", full)
        with pytest.raises(StoreError):
            character(table, "Bob")
        with pytest.raises(StoreError):
            table.stop(alice.pid)
        patched.setattr(store, "delete", full)
        await table.exit(alice)  # its cells are freed all the same
    assert seen(table) == []
    assert not alice.alive


def test_a_pid_that_is_taken_is_not_given_again(started: Callable[[], ProcessTable]) -> None:
    table = started()
    alice = character(table, "Alice")
    with pytest.raises(SyscallError, match="already"):
        table.readmit(alice)


def test_nothing_of_it_can_be_read(home: Path, clock: MockClock, canaries: Callable[[Path], list[str]]) -> None:
    with Store.open(home, Keyring.open(home)) as store:
        table = ProcessTable(clock, "ada")
        Roster(store, table)
        character(table, "Canary7391")
        assert store.count(KIND) == 1
        assert canaries(home) == []
    assert canaries(home) == []
