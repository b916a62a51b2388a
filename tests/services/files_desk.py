"""What the tests of files share: a person at a workspace, on the real kernel, store and journal."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

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
from llmasos.services.files import Files


class Person(Nobody):
    """Answers questions from a list, and keeps what was asked and shown."""

    def __init__(self) -> None:
        super().__init__(yes=True)
        self.answers: list[str] = []
        self.asked: list[tuple[str, list[str]]] = []
        self.shown: list[dict[str, str]] = []

    async def choose(self, question: str, options: Sequence[str]) -> int | None:
        self.asked.append((question, list(options)))
        return list(options).index(self.answers.pop(0)) if self.answers else None

    async def before(self, call: Call, shown: Any, effect: str) -> None:
        self.shown.append(dict(shown))


@dataclass
class Desk:
    """A person at a workspace."""

    kernel: Kernel
    process: Process
    session: Session
    person: Person
    files: Files
    top: Path
    home: Path

    def put(self, path: str, content: str | bytes = "", *, age: float = 0) -> Path:
        """A file of the person's own."""
        file = self.top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        if age:
            stamp = file.stat().st_mtime - age
            os.utime(file, (stamp, stamp))
        return file

    async def do(self, syscall: str, **args: str) -> Result:
        """One call through the door."""
        return await self.kernel.trap(self.process, self.session, Call(syscall, args))

    async def ok(self, syscall: str, **args: str) -> Any:
        """The value of a call that works."""
        result = await self.do(syscall, **args)
        assert result.ok, result
        return result.value

    async def error(self, syscall: str, **args: str) -> str:
        """The code of a call that doesn't."""
        result = await self.do(syscall, **args)
        assert not result.ok, result
        return result.error

    async def refs(self, syscall: str, **args: str) -> list[str]:
        """What a list names."""
        return [row["ref"] for row in (await self.ok(syscall, **args))["items"]]

    async def run(self, *calls: Call) -> list[Result]:
        """A program."""
        return await program.run(self.kernel, self.process, self.session, calls)

    def caller(self, call: Call | None = None) -> Caller:
        return Caller(self.kernel, self.process, self.session, call or Call("system.undo"))

    async def undo(self) -> str:
        """Take the last change back."""
        entry = self.kernel.journal.last_undoable(self.session.person, str(self.session.workspace))
        assert entry is not None, "nothing to undo"
        return await self.kernel.undo(self.caller(), entry)

    def tree(self) -> dict[str, bytes | None]:
        """All there is in the workspace: content of files, None for folders."""
        found: dict[str, bytes | None] = {}
        for path in sorted(self.top.rglob("*")):
            name = str(path.relative_to(self.top))
            if path.is_symlink():
                found[name] = str(path.readlink()).encode()
            else:
                found[name] = None if path.is_dir() else path.read_bytes()
        return found


@contextmanager
def open_desk(tmp_path: Path, **options: Any) -> Iterator[Desk]:
    """A desk in a fresh home."""
    top, home = tmp_path / "work", tmp_path / "home"
    top.mkdir()
    with (
        mock.patch.object(custody, "secret_service", lambda: None),
        Store.open(home, Keyring.open(home)) as store,
    ):
        clock = MockClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
        table = SyscallTable()
        files = Files(private=[home], **options)
        table.add_service(files)
        processes = ProcessTable(clock, "ada")
        policy = Policy("test", (Rule("all", "allow"),))
        kernel = Kernel(table, processes, policy, Journal(store, clock), store, clock)
        shell = processes.spawn(processes.init, name="shell", program="shell", subject="user:ada")
        person = Person()
        yield Desk(kernel, shell, Session("ada", top, person), person, files, top, home)
