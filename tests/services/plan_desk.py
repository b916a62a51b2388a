"""What the tests of schedule, tasks and devices share: a person, a clock, the real kernel, store, journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

from llmasos.core.base.clock import MockClock
from llmasos.core.base.types import Call, Result
from llmasos.core.kernel import custody, program
from llmasos.core.kernel.journal import Journal
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.policy import Policy, Rule
from llmasos.core.kernel.process import Process, ProcessTable
from llmasos.core.kernel.session import Nobody, Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import SyscallTable
from llmasos.core.kernel.trap import Caller, Kernel
from llmasos.services.devices import Devices
from llmasos.services.schedule import Schedule
from llmasos.services.tasks import Tasks

NOW = datetime(2026, 11, 18, 10, 0, tzinfo=ZoneInfo("Europe/Berlin"))  # a Wednesday


class Person(Nobody):
    """Answers questions from a list, and keeps what was asked and shown."""

    def __init__(self) -> None:
        super().__init__(yes=True)
        self.answers: list[str] = []
        self.asked: list[list[str]] = []
        self.shown: list[dict[str, str]] = []

    async def choose(self, question: str, options: Sequence[str]) -> int | None:
        self.asked.append(list(options))
        return list(options).index(self.answers.pop(0)) if self.answers else None

    async def before(self, call: Call, shown: Any, effect: str) -> None:
        self.shown.append(dict(shown))


@dataclass
class Desk:
    """A person with a calendar, a list and a home."""

    kernel: Kernel
    process: Process
    session: Session
    person: Person
    clock: MockClock
    store: Store
    schedule: Schedule
    rung: list[dict[str, Any]] = field(default_factory=list)

    async def do(self, syscall: str, **args: str) -> Result:
        return await self.kernel.trap(self.process, self.session, Call(syscall, args))

    async def ok(self, syscall: str, **args: str) -> Any:
        result = await self.do(syscall, **args)
        assert result.ok, result
        return result.value

    async def error(self, syscall: str, **args: str) -> str:
        result = await self.do(syscall, **args)
        assert not result.ok, result
        return result.error

    async def rows(self, syscall: str, **args: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = (await self.ok(syscall, **args))["items"]
        return found

    async def run(self, *calls: Call) -> list[Result]:
        return await program.run(self.kernel, self.process, self.session, calls)

    async def undo(self) -> str:
        entry = self.kernel.journal.last_undoable(self.session.person, str(self.session.workspace))
        assert entry is not None, "nothing to undo"
        return await self.kernel.undo(Caller(self.kernel, self.process, self.session, Call("system.undo")), entry)

    def anew(self) -> Schedule:
        """The schedule of the next program of this home."""
        return Schedule(self.store, self.clock, self.rung.append)


@contextmanager
def open_desk(tmp_path: Path, now: datetime = NOW) -> Iterator[Desk]:
    """A desk in a fresh home."""
    with (
        mock.patch.object(custody, "secret_service", lambda: None),
        Store.open(tmp_path / "home", Keyring.open(tmp_path / "home")) as store,
    ):
        clock = MockClock(now)
        rung: list[dict[str, Any]] = []
        schedule = Schedule(store, clock, rung.append)
        table = SyscallTable()
        for service in (schedule, Tasks(store, clock), Devices(store, clock)):
            table.add_service(service)
        processes = ProcessTable(clock, "ada")
        policy = Policy("test", (Rule("all", "allow"),))
        kernel = Kernel(table, processes, policy, Journal(store, clock), store, clock)
        shell = processes.spawn(processes.init, name="shell", program="shell", subject="user:ada")
        person = Person()
        yield Desk(kernel, shell, Session("ada", tmp_path, person), person, clock, store, schedule, rung)
