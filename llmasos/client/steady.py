"""A session that outlives the program which carries the kernel: where that ends, it goes on with the next one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from llmasos.client.base import Client, Glance, Hear
from llmasos.client.remote import KernelGone
from llmasos.core.base.errors import LlmasosError
from llmasos.core.base.types import Call, Result
from llmasos.core.kernel.grant import Grant
from llmasos.core.kernel.session import FrontEnd, Session
from llmasos.core.kernel.syscall import SyscallTable
from llmasos.services.interpreter.reading import Kept, Reading
from llmasos.services.outcome import OnReading, Outcome

T = TypeVar("T")
Again = Callable[[FrontEnd, bool], Awaitable[Client]]
"""Opens the next session, for a front end; whether the person may be asked for a passphrase."""

log = logging.getLogger(__name__)

ENDED = "The program that carried the system has ended."
TAKEN_OVER = f"{ENDED} This one carries it now."
GOES_ON = f"{ENDED} Another one carries it now."


class SteadyClient:
    """As `Client`, over one session after another.

    Args:
        first: The session to begin with.
        again: Opens the next one.
    """

    def __init__(self, first: Client, again: Again) -> None:
        self._client = first
        self._again = again
        self._renewing = asyncio.Lock()
        self._closed = False
        self._hear: Hear | None = None
        self._watching: asyncio.Task[None] | None = None
        self._loading: asyncio.Task[None] | None = None

    @property
    def session(self) -> Session:
        """The person, the workspace, the folder they are in."""
        return self._client.session

    @property
    def home(self) -> Path:
        """The folder of all state."""
        return self._client.home

    @property
    def table(self) -> SyscallTable:
        """The live syscalls."""
        return self._client.table

    @property
    def problems(self) -> list[str]:
        """What a person should know after start."""
        return self._client.problems

    @property
    def recovery_code(self) -> str | None:
        """Of a home that was made just now."""
        return self._client.recovery_code

    @property
    def boot(self) -> str:
        """Which kernel it is."""
        return self._client.boot

    @property
    def owner(self) -> int:
        """The process id of the program that owns the home; 0 where it is this one."""
        return self._client.owner

    async def handle(self, line: str, *, appended: str = "", on_reading: OnReading | None = None) -> Outcome:
        """Understand a line and do it; once more where the kernel ended before anything of it was done."""
        return await self._through(lambda c: c.handle(line, appended=appended, on_reading=on_reading))

    async def understand(self, line: str, *, appended: str = "") -> Reading:
        """The program that a line means."""
        return await self._through(lambda c: c.understand(line, appended=appended))

    async def interpret(
        self, said: str, *, tools: Sequence[Mapping[str, Any]] = (), only_tools: bool = False
    ) -> Reading:
        """The program of a sentence beside functions that are known only for it."""
        return await self._through(lambda c: c.interpret(said, tools=tools, only_tools=only_tools))

    async def trap(self, call: Call, *, quiet: bool = False) -> Result:
        """Make one call."""
        return await self._through(lambda c: c.trap(call, quiet=quiet))

    async def go(self, folder: str) -> None:
        """Change the current folder."""
        await self._through(lambda c: c.go(folder))

    async def ready(self) -> None:
        """Wait until sentences can be read."""
        await self._through(lambda c: c.ready())

    def glance(self) -> Glance:
        """What a toolbar shows."""
        return self._client.glance()

    async def history(self) -> list[str]:
        """The lines that were typed."""
        return await self._through(lambda c: c.history())

    async def keep_line(self, line: str) -> None:
        """Keep a line."""
        await self._through(lambda c: c.keep_line(line))

    async def readings(self) -> list[Kept]:
        """What the person's own sentences mean."""
        return await self._through(lambda c: c.readings())

    async def forget_reading(self, id: str) -> None:
        """Remove one."""
        await self._through(lambda c: c.forget_reading(id))

    async def consents(self) -> Sequence[Grant]:
        """What the person has consented to for longer than once."""
        return await self._through(lambda c: c.consents())

    async def revoke_consent(self, number: int) -> Grant:
        """End one of them."""
        return await self._through(lambda c: c.revoke_consent(number))

    async def explain_policy(self, line: str, *, subject: str = "") -> Mapping[str, Any]:
        """What policy would decide about each call that a line means, and why."""
        return await self._through(lambda c: c.explain_policy(line, subject=subject))

    async def policy_files(self) -> Mapping[str, Any]:
        """The policy in force."""
        return await self._through(lambda c: c.policy_files())

    async def listen(self, hear: Hear) -> None:
        """Hear of reminders, whichever program rings."""
        self._hear = hear
        await self._through(lambda c: c.listen(hear))
        self._keep_watching()

    async def set_aside(self, name: str) -> None:
        """Make room for a character."""
        await self._through(lambda c: c.set_aside(name))

    async def sibling(self, front: FrontEnd, *, said: str = "") -> Client:
        """Another session; it ends with the kernel that it is with."""
        return await self._through(lambda c: c.sibling(front, said=said))

    async def load_table(self) -> None:
        """Fetch the live syscalls."""
        await self._through(lambda c: c.load_table())

    async def close(self) -> None:
        """End the session."""
        self._closed = True
        for task in (self._watching, self._loading):
            if task:
                task.cancel()
                await asyncio.wait([task])
        async with self._renewing:
            await self._client.close()

    async def lost(self) -> None:
        """For ever: it goes on."""
        await asyncio.Event().wait()

    async def _through(self, operation: Callable[[Client], Awaitable[T]]) -> T:
        client = self._client
        try:
            return await operation(client)
        except KernelGone as gone:
            if self._closed:
                raise
            try:
                await self._renew(client)
            except LlmasosError:
                if gone.begun:
                    raise gone from None  # that it may have been done matters more
                raise
            if gone.begun or self._client.boot == client.boot:  # the same one: it dropped us
                raise
            return await operation(self._client)

    async def _renew(self, old: Client, *, may_ask: bool = True) -> None:
        async with self._renewing:
            if self._client is not old or self._closed:
                return  # somebody else did
            new = await self._again(old.session.front, may_ask)
            try:
                if old.session.cwd:
                    with suppress(LlmasosError):  # the folder may be gone
                        await new.go(f"~/{old.session.cwd}")
                if old.table.rows:
                    await new.load_table()
                if self._hear:
                    await new.listen(self._hear)
                    self._hear({"note": GOES_ON if new.owner else TAKEN_OVER})
                    self._loading = asyncio.create_task(_loaded(new))  # before the next sentence needs it
            except BaseException:
                await new.close()
                raise
            self._client = new
            await old.close()
            if self._hear:
                self._keep_watching()

    def _keep_watching(self) -> None:
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """Notice at once, so that reminders ring on, and not at the next line."""
        while not self._closed:
            client = self._client
            await client.lost()
            try:
                # Not while the person types: a passphrase is asked for at the next line.
                await self._renew(client, may_ask=False)
            except LlmasosError as error:
                log.warning("the kernel is gone: %s", error)
                if self._hear:
                    self._hear({"note": f"{ENDED} {error}"})
                return  # said again to whoever asks for something


async def _loaded(client: Client) -> None:
    with suppress(LlmasosError):  # said again to whoever asks for something
        await client.ready()
