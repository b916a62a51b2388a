"""A session with a kernel that runs in this program."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmasos.client.base import Client, Glance, Hear
from llmasos.client.explaining import explained
from llmasos.compose import Machine
from llmasos.core.base.errors import NotUnderstood, StoreError
from llmasos.core.base.types import Call, Result
from llmasos.core.kernel.agent import Agent
from llmasos.core.kernel.grant import Grant
from llmasos.core.kernel.policy import LivePolicy
from llmasos.core.kernel.session import FrontEnd, Nobody, Session
from llmasos.core.kernel.trap import Caller
from llmasos.services.files import cd
from llmasos.services.interpreter.reading import Kept, Reading
from llmasos.services.outcome import OnReading, Outcome

log = logging.getLogger(__name__)

Closing = Callable[[], Awaitable[None]]


class LocalClient:
    """As `Client`.

    Args:
        machine: The composed system.
        workspace: The folder that `files.*` sees.
        front: Who is shown and asked things.
        person: Who it is; the machine's person where empty.
        resumes: Whether it goes on with the conversation of the session before.
        said: What the person asked a model for that makes this session's calls; empty where they make them.
        program: The process id of the program where the person sits; 0 for this one.
        closing: What ends with the session, where this program's own session carries the rest.
    """

    owner = 0

    def __init__(
        self,
        machine: Machine,
        workspace: Path,
        front: FrontEnd,
        *,
        person: str = "",
        resumes: bool = False,
        said: str = "",
        program: int = 0,
        closing: Closing | None = None,
    ) -> None:
        self.machine = machine
        self.process, self.session = machine.session(workspace, front, person=person, resumes=resumes, program=program)
        self._agent = Agent(machine.kernel, self.process, self.session, said) if said else None
        self.home = machine.settings.home
        self.boot = machine.kernel.boot
        self.table = machine.kernel.table
        self.problems = [*machine.problems, *filter(None, [machine.kernel.policy.problem])]
        # Shown to who made the home, not to those who come later.
        self.recovery_code = machine.keyring.created_recovery_code if closing else None
        self._closing = closing
        self._deafen: Callable[[], None] | None = None

    async def handle(self, line: str, *, appended: str = "", on_reading: OnReading | None = None) -> Outcome:
        """Understand a line and do it."""
        requests = self.machine.requests
        return await requests.handle(self.process, self.session, line, appended=appended, on_reading=on_reading)

    async def understand(self, line: str, *, appended: str = "") -> Reading:
        """The program that a line means."""
        reading, _ = await self.machine.requests.understand(self.session, line, appended=appended)
        return reading

    async def interpret(
        self, said: str, *, tools: Sequence[Mapping[str, Any]] = (), only_tools: bool = False
    ) -> Reading:
        """The program of a sentence beside functions that are known only for it."""
        return await self.machine.interpreter.interpret(said, tools=tools, only_tools=only_tools)

    async def trap(self, call: Call, *, quiet: bool = False) -> Result:
        """Make one call."""
        if self._agent:
            return await self._agent.call(call)
        mine = self.session
        session = Session(mine.person, mine.workspace, Nobody(), cwd=mine.cwd) if quiet else mine
        return await self.machine.kernel.trap(self.process, session, call, request="" if quiet else str(call))

    async def go(self, folder: str) -> None:
        """Change the current folder."""
        cd(self.session, folder or "~", (self.home,))

    async def ready(self) -> None:
        """Wait until sentences can be read."""
        await self.machine.interpreting.get()

    def glance(self) -> Glance:
        """What a toolbar shows."""
        machine = self.machine
        engines = [slot.loaded for slot in (machine.speech, machine.interpreting) if slot.loaded]
        return Glance(
            model=machine.settings.model,
            policy=machine.kernel.policy.name,
            processes=sum(process.alive for process in machine.kernel.processes),
            speed=next((s for e in engines if (s := e.stats().get("tokens_per_second", 0.0)) > 0), 0.0),
            loaded=machine.interpreting.loaded is not None,
        )

    async def history(self) -> list[str]:
        """The lines that were typed."""
        lines: list[str] = []
        try:
            lines.extend(self.machine.history.lines())
        except StoreError as error:  # a file that was tampered with is no reason to have no prompt
            log.warning("the history is cut short: %s", error)
        return lines

    async def keep_line(self, line: str) -> None:
        """Keep a line."""
        try:
            self.machine.history.append(line)
        except StoreError as error:
            log.warning("a line isn't in the history: %s", error)

    async def readings(self) -> list[Kept]:
        """What the person's own sentences mean."""
        return self.machine.kept.of(self.session.person)

    async def forget_reading(self, id: str) -> None:
        """Remove one."""
        self.machine.kept.remove(self.session.person, id)

    async def consents(self) -> Sequence[Grant]:
        """What the person has consented to for longer than once."""
        return self.machine.kernel.consents.of(self.session.person)

    async def revoke_consent(self, number: int) -> Grant:
        """End one of them."""
        return self.machine.kernel.consents.revoke(self.session.person, number)

    async def explain_policy(self, line: str, *, subject: str = "") -> Mapping[str, Any]:
        """What policy would decide about each call that a line means, and why."""
        reading = await self.understand(line)
        if not reading.program:
            raise NotUnderstood("I don't know what to do with that.", "Say it in other words, or write the call out.")
        mine = self.session
        # Nobody is asked which of several things is meant: it is only an explanation.
        quiet = Session(mine.person, mine.workspace, Nobody(), cwd=mine.cwd, state=dict(mine.state))
        caller = Caller(self.machine.kernel, self.process, quiet, reading.program[0])
        return await explained(caller, reading, subject)

    async def policy_files(self) -> Mapping[str, Any]:
        """The policy in force, and where its rules come from."""
        policy = self.machine.kernel.policy
        files: list[dict[str, Any]] = []
        if isinstance(policy, LivePolicy):
            policy.follow()
            for source in policy.sources.used():
                count = sum(f"{rule.where}:".startswith(f"{source.path}:") for rule in policy.rules)
                files.append({"tier": source.tier, "path": str(source.path), "rules": count})
        return {
            "policy": self.machine.settings.policy, "name": policy.name, "files": files, "problem": policy.problem,
            "moderation": policy.moderation,
        }  # fmt: skip

    async def listen(self, hear: Hear) -> None:
        """Hear of reminders."""
        if self._deafen is None:
            self._deafen = await self.machine.listen(hear, person=self.session.person)

    async def set_aside(self, name: str) -> None:
        """Make room for a character, for who may create one."""
        kernel, subject = self.machine.kernel, self.process.subject
        decision = kernel.policy.decide(subject, "character.create", "write", {"name": name}, rates=kernel.rates)
        if decision.verdict == "allow":
            await self.machine.characters.set_aside(self.session.person, name)

    async def sibling(self, front: FrontEnd, *, said: str = "") -> Client:
        """Another session."""
        return LocalClient(self.machine, self.session.workspace, front, person=self.session.person, said=said)

    async def load_table(self) -> None:
        """Nothing: it is there."""

    async def close(self) -> None:
        """End the session, and what ends with it."""
        try:
            if self._deafen:
                self._deafen()
                self._deafen = None
            self.machine.kernel.consents.ended(self.session)
            if self._agent:
                await self._agent.close()
            await self.machine.kernel.processes.exit(self.process)
        finally:
            if self._closing:
                await self._closing()

    async def lost(self) -> None:
        """For ever: it ends with this program."""
        await asyncio.Event().wait()
