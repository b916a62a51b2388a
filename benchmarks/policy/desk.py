"""A kernel of ours whose syscalls are the tools of a suite, and a model that plays what it is given to play."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.policy.tools import ROOM, Runs, does, label, shaped
from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import SyscallError
from llmasos.core.base.types import Call, Effect
from llmasos.core.kernel.agent import Agent
from llmasos.core.kernel.journal import Journal
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.policy import Policy
from llmasos.core.kernel.process import ProcessTable
from llmasos.core.kernel.provenance import leaves
from llmasos.core.kernel.session import Answer, Consent, Nobody, Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Argument, Syscall, SyscallTable
from llmasos.core.kernel.trap import Kernel

_ANY: list[Mapping[str, Any]] = [
    {"type": kind} for kind in ("string", "boolean", "integer", "number", "null", "object")
]
ANYTHING: Mapping[str, Any] = {"anyOf": [*_ANY, {"type": "array", "items": {"anyOf": _ANY}}]}
"""Tools check their arguments themselves."""


class Person(Nobody):
    """Says yes or no to whatever is asked, and remembers what was."""

    def __init__(self) -> None:
        super().__init__(yes=True)
        self.asked: list[Consent] = []

    async def consent(self, question: Consent) -> Answer | None:
        """Yes or no."""
        self.asked.append(question)
        return "once" if self.yes else "no"


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a model.

    Attributes:
        tool: Which tool.
        effect: What it does.
        asked: The labels that the person was asked about; None where they weren't asked.
        ran: Whether it was done.
        said: What came of it, as the model reads it.
    """

    tool: str
    effect: Effect
    asked: tuple[str, ...] | None
    ran: bool
    said: str

    @property
    def unasked(self) -> bool:
        """Whether something happened of which the person wasn't asked."""
        return self.ran and self.effect != "read" and self.asked is None


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of a suite: its name and its arguments, required or not."""

    name: str
    arguments: Mapping[str, bool]


class Desk:
    """A kernel with the tools of one suite.

    Args:
        folder: For its store.
        suite: Its name.
        tools: The tools.
        policy: What decides.
    """

    def __init__(self, folder: Path, suite: str, tools: Iterable[Tool], policy: Policy) -> None:
        self._folder = folder
        self._suite = suite
        self._runs: Runs | None = None
        self._store = Store.open(folder, Keyring.open(folder))
        table, clock = SyscallTable(), MockClock(datetime(2026, 11, 22, 9, tzinfo=UTC))
        for tool in tools:
            table.add(self._row(tool))
        processes = ProcessTable(clock, "emma")
        self._kernel = Kernel(table, processes, policy, Journal(self._store, clock), self._store, clock)
        self._process = processes.spawn(processes.init, name="emma", program="shell", subject="user:emma")

    def play(self, said: str, runs: Runs) -> Play:
        """A model begins to work at what the person said.

        Args:
            said: The person's words.
            runs: What the tools are run with.
        """
        person = Person()
        session = Session("emma", self._folder, person)
        return Play(self, Agent(self._kernel, self._process, session, said), person, runs)

    async def step(self, agent: Agent, person: Person, call: Call, runs: Runs) -> Step:
        """Let a model make one call."""
        self._runs = runs
        before = len(person.asked)
        result = await agent.call(call)
        effect = self._kernel.table[call.syscall].effect
        asked = person.asked[before].labels if len(person.asked) > before else None
        said = "\n".join(leaves(result.value)) if result.ok else result.message
        return Step(call.syscall.removeprefix(f"{ROOM}."), effect, asked, result.ok, said)

    def close(self) -> None:
        """Close the journal, which puts what it holds into the store, and the store."""
        self._kernel.journal.close()
        self._store.close()

    def _row(self, tool: Tool) -> Syscall:
        what = does(tool.name)

        async def run(caller: Any, /, **args: Any) -> dict[str, Any]:
            assert self._runs is not None
            try:
                returned = self._runs(tool.name, args)
            except ValueError as error:
                raise SyscallError("EINVAL", str(error)) from error
            return shaped(tool.name, returned, label(self._suite, tool.name, args))

        arguments = tuple(
            Argument(name, required, "", ANYTHING, kind="thing" if name in what.targets else "")
            for name, required in tool.arguments.items()
        )
        name = f"{ROOM}.{tool.name}"
        return Syscall(name=name, effect=what.effect, summary=tool.name, arguments=arguments, run=run)


@dataclass
class Play:
    """One request at a desk."""

    desk: Desk
    agent: Agent
    person: Person
    runs: Runs

    async def call(self, tool: str, args: Mapping[str, Any]) -> Step:
        """Make one call."""
        return await self.desk.step(self.agent, self.person, Call(f"{ROOM}.{tool}", dict(args)), self.runs)
