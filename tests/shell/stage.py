"""A system for tests of the shell: real kernel and store, a few syscalls, readings by script."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from rich.console import Console

from llmasos.client.local import LocalClient
from llmasos.compose import HISTORY_FILE, HISTORY_PURPOSE, Bell, Machine
from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import ModelError, SyscallError
from llmasos.core.base.paths import shipped
from llmasos.core.base.types import Call
from llmasos.core.base.values import done, items, text
from llmasos.core.kernel.journal import Journal
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.policy import Policy
from llmasos.core.kernel.process import Process, ProcessTable
from llmasos.core.kernel.replay import Recorder
from llmasos.core.kernel.sealed_log import SealedLog
from llmasos.core.kernel.session import Nobody, Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Kind, SyscallTable, inverse, syscall
from llmasos.core.kernel.trap import Caller, Kernel
from llmasos.services.interpreter.reading import Reading
from llmasos.services.processes import Processes
from llmasos.services.requests import Requests
from llmasos.services.system import System

if TYPE_CHECKING:
    from llmasos.services.interpreter.interpreter import Interpreter


class Things:
    """A service with one call of each kind."""

    def __init__(self) -> None:
        self.lamps: list[str] = []
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()

    @syscall("files.read", effect="read")
    async def read(self, caller: Caller, path: Annotated[str, Kind("path")]) -> dict[str, Any]:
        """Show a file.

        Args:
            path: Which file.
        """
        return text((caller.session.workspace / path).read_text(), source="file", ref=path)

    @syscall("device.list", effect="read")
    async def list(self, caller: Caller) -> dict[str, Any]:
        """Known devices."""
        return items("device", [{"ref": name} for name in ("study lamp", "desk lamp", "heater")], ["ref"])

    @syscall("device.turn_on", effect="external")
    async def turn_on(self, caller: Caller, name: Annotated[str, Kind("device")]) -> dict[str, Any]:
        """Switch on.

        Args:
            name: Which device.
        """
        self.lamps.append(name)
        return done(f"Turned on {name}.", ref=name)

    @syscall("tasks.add", effect="write")
    async def add(self, caller: Caller, title: str, priority: Literal["low", "high"] | None = None) -> dict[str, Any]:
        """To-do item.

        Args:
            title: What to do.
            priority: How urgent.
        """
        caller.prepare("tasks.remove", {"title": title})
        return done(f"Added {title!r}.", ref=title)

    @inverse("tasks.remove")
    async def take_back(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Drop what was added."""
        return f"Dropped {payload['title']!r}."

    @syscall("content.write", effect="read")
    async def write(self, caller: Caller, topic: str) -> dict[str, Any]:
        """Story, poem.

        Args:
            topic: What about.
        """
        for piece in ("The light", "house sle", "eps."):
            await caller.session.front.words(piece)
        return text("The lighthouse sleeps.", source="model")

    @syscall("system.run", effect="write", spoken=False)
    async def run(self, caller: Caller, command: str) -> dict[str, Any]:
        """Run a native command; here it only writes.

        Args:
            command: Which.
        """
        for piece in ("", "one\n", "  tw", "o\x1b[2J"):
            await caller.session.front.written(piece)
        caller.prepare("tasks.remove", {"title": command})
        code = len(command)
        return {
            **text("one\n  two\x1b[2J", source="system", note=f"exit code {code}" if code > 2 else ""),
            "exit": code,
        }

    @syscall("tasks.wait", effect="write")
    async def wait(self, caller: Caller) -> dict[str, Any]:
        """Take long."""
        self.started.set()
        await self.go_on.wait()
        return done("Waited.")

    @syscall("tasks.which", effect="read")
    async def which(self, caller: Caller) -> dict[str, Any]:
        """Ask which."""
        return done(await caller.choose("Which lamp?", ["study lamp", "desk lamp", "heater"]))

    @syscall("tasks.break", effect="read")
    async def fail(self, caller: Caller) -> dict[str, Any]:
        """Fail."""
        raise SyscallError("ENOENT", "There is no file x.txt.", "Did you mean y.txt?")


class Slot:
    """An engine slot that loads when it is told to."""

    def __init__(self) -> None:
        self.loaded: Any = None
        self.ready = asyncio.Event()
        self.error: ModelError | None = None

    async def get(self) -> Any:
        await self.ready.wait()
        if self.error:
            raise self.error
        self.loaded = SimpleNamespace(stats=lambda: {"tokens_per_second": 142.4})
        return self.loaded


@dataclass
class Stage:
    """The parts that tests look at."""

    machine: Machine
    things: Things
    readings: dict[str, Reading]
    slot: Slot
    client: LocalClient
    workspace: Path
    home: Path

    @property
    def process(self) -> Process:
        return self.client.process

    @property
    def session(self) -> Session:
        return self.client.session


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    home, workspace = folder / "home", folder / "work"
    home.mkdir(exist_ok=True)
    workspace.mkdir(exist_ok=True)
    clock = MockClock(datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
    keyring = Keyring.open(home)
    with Store.open(home, keyring) as store:
        table, things, slot = SyscallTable(), Things(), Slot()
        processes = ProcessTable(clock, "ada")
        for service in (things, Processes(), System(dict, Recorder(store, clock, processes))):
            table.add_service(service)
        policy = Policy.load(shipped("policies") / "default.toml")
        kernel = Kernel(table, processes, policy, Journal(store, clock), store, clock)
        readings: dict[str, Reading] = {}

        async def interpret(said: str, **_: object) -> Reading:
            return readings.get(said, Reading((), 0.2))

        bell = Bell()

        async def listen(hear: Callable[[Any], None], *, person: str = "") -> Callable[[], None]:
            return bell.add(hear)

        interpreter = cast("Interpreter", SimpleNamespace(interpret=interpret))
        machine = SimpleNamespace(
            settings=SimpleNamespace(home=home, model="smollm2"),
            person="ada",
            kernel=kernel,
            interpreter=interpreter,
            requests=Requests(kernel, interpreter),
            keyring=keyring,
            problems=[],
            bell=bell,
            listen=listen,
            history=SealedLog(home / HISTORY_FILE, keyring.derive(HISTORY_PURPOSE)),
            speech=Slot(),
            interpreting=slot,
            files=SimpleNamespace(watch=lambda session: None),
        )
        machine.session = partial(Machine.session, machine)

        async def stays() -> None:
            """The tests end the machine."""

        client = LocalClient(cast("Machine", machine), workspace, Nobody(), closing=stays)
        yield Stage(cast("Machine", machine), things, readings, slot, client, workspace, home)


def reading(*calls: Call, ms: float = 120.0) -> Reading:
    return Reading(calls, 0.94, ms=ms)


def console(width: int = 80) -> Console:
    """A console that remembers what was printed, wherever the tests run."""
    return Console(width=width, record=True, file=io.StringIO(), color_system=None, markup=False)
