"""What the tests of words share: a person on a real kernel, and an engine that plays a script."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from llmasos.core.base.clock import MockClock
from llmasos.core.base.paths import shipped
from llmasos.core.base.types import Call, Result
from llmasos.core.engine.base import Engine
from llmasos.core.engine.scripted import Replies, ScriptedEngine
from llmasos.core.engine.slot import EngineSlot
from llmasos.core.kernel import custody
from llmasos.core.kernel.journal import Journal
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.policy import Moderation as Level
from llmasos.core.kernel.policy import Policy
from llmasos.core.kernel.process import Process, ProcessTable
from llmasos.core.kernel.scheduler import Scheduler
from llmasos.core.kernel.session import Answer, Consent, Nobody, Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import SyscallTable
from llmasos.core.kernel.trap import Caller, Kernel
from llmasos.services.characters import Characters
from llmasos.services.files import Files
from llmasos.services.language import Language, Speaker
from llmasos.services.memory import Memory
from llmasos.services.rooms import RoomService
from llmasos.services.safety import HeldBack, Moderation, Safety


class Person(Nobody):
    """Says yes, answers questions from a list, and keeps what was shown."""

    def __init__(self) -> None:
        super().__init__(yes=True)
        self.answers: list[str] = []
        self.options: list[list[str]] = []
        self.consents: list[dict[str, str]] = []
        self.streamed = ""
        self.heard = asyncio.Event()

    async def consent(self, question: Consent) -> Answer | None:
        self.consents.append(dict(question.shown))
        return "once" if self.yes else "no"

    async def choose(self, question: str, options: Sequence[str]) -> int | None:
        self.options.append(list(options))
        return list(options).index(self.answers.pop(0)) if self.answers else None

    async def words(self, piece: str) -> None:
        self.streamed += piece
        self.heard.set()


@dataclass
class Desk:
    """A person at the system."""

    kernel: Kernel
    session: Session
    shell: Process
    person: Person
    engine: Any
    speaker: Speaker
    characters: Characters
    memory: Memory
    clock: MockClock
    held: HeldBack
    levels: list[Level]
    others: dict[str, tuple[Process, Session]] = field(default_factory=dict)

    async def do(self, syscall: str, *, as_: str = "", **args: str) -> Result:
        """One call through the door."""
        shell, session = self.seat(as_) if as_ else (self.shell, self.session)
        self.clock.advance(60)
        return await self.kernel.trap(shell, session, Call(syscall, args), request=f"{syscall} {args}")

    async def ok(self, syscall: str, *, as_: str = "", **args: str) -> Any:
        """The value of a call that works."""
        result = await self.do(syscall, as_=as_, **args)
        assert result.ok, result
        return result.value

    async def error(self, syscall: str, **args: str) -> str:
        """The code of a call that doesn't."""
        result = await self.do(syscall, **args)
        assert not result.ok, result
        return result.error

    async def undo(self) -> str:
        """Take the last change back."""
        entry = self.kernel.journal.last_undoable(self.session.person, str(self.session.workspace))
        assert entry is not None, "nothing to undo"
        return await self.kernel.undo(Caller(self.kernel, self.shell, self.session, Call("system.undo")), entry)

    def seat(self, person: str) -> tuple[Process, Session]:
        """Another person's shell and session."""
        if person not in self.others:
            processes = self.kernel.processes
            shell = processes.spawn(processes.init, name=person, program="shell", subject=f"user:{person}")
            self.others[person] = shell, Session(person, self.session.workspace, Person())
        return self.others[person]

    def journal_text(self) -> str:
        """All that the journal holds."""
        return repr(self.kernel.journal.entries(1000))


@contextmanager
def open_desk(
    folder: Path,
    replies: Replies = ("Fine.",),
    *,
    engine: Engine | None = None,
    embedder: Any = None,
    level: Level = "mild",
    **options: Any,
) -> Iterator[Desk]:
    """A desk in a home, new or as it was left."""
    top, home = folder / "work", folder / "home"
    top.mkdir(exist_ok=True)
    plays = engine or ScriptedEngine(replies, **options)

    async def load() -> Engine:
        return plays

    with (
        mock.patch.object(custody, "secret_service", lambda: None),
        Store.open(home, Keyring.open(home)) as store,
    ):
        clock = MockClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
        table = SyscallTable()
        processes = ProcessTable(clock, "ada")
        plays.set_queue(Scheduler(processes, plays))
        levels: list[Level] = [level]
        held = HeldBack(store, clock)
        moderation = Moderation(lambda: levels[0], held)
        speaker = Speaker(EngineSlot(load, "scripted"), processes, seed=1, moderation=moderation)
        characters = Characters(store, clock, speaker, embedder, private=[home])
        memory = Memory(store, clock, embedder)
        for service in (
            memory,
            characters,
            RoomService(store, clock, characters),
            Language(speaker),
            Files(private=[home]),
            Safety(held),
        ):
            table.add_service(service)
        policy = Policy.load(shipped("policies") / "default.toml")
        kernel = Kernel(table, processes, policy, Journal(store, clock), store, clock)
        shell = processes.spawn(processes.init, name="shell", program="shell", subject="user:ada")
        person = Person()
        session = Session("ada", top, person)
        yield Desk(kernel, session, shell, person, plays, speaker, characters, memory, clock, held, levels)


async def in_new_process(script: str, folder: Path, salt: str) -> str:
    """What a script prints in a process of its own, whose `hash` is salted as said."""
    here = Path(__file__).parent
    path = f"{here}{os.pathsep}{here.parents[1]}"
    environment = {**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(folder), env=environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()
