"""A session with the kernel in another program: what is asked goes through the home's socket (listener.py)."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Coroutine, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llmasos.client import codec
from llmasos.client.base import Client, Glance, Hear
from llmasos.core.base.errors import LlmasosError, ProcessKilled
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call, Result
from llmasos.core.kernel import ipc
from llmasos.core.kernel.ipc import Connection, Message
from llmasos.core.kernel.session import FrontEnd, Session
from llmasos.core.kernel.syscall import SyscallTable
from llmasos.services.interpreter.reading import Kept, Reading
from llmasos.services.outcome import OnReading, Outcome

FRESH = 1.0
"""Seconds for which a glance is kept."""
CANCELLING = 5.0
"""Seconds that the kernel gets to say how far a cancelled request came."""


class KernelGone(LlmasosError):
    """The program that owned the home has ended.

    Attributes:
        begun: Whether an effect of the request had begun; where none had, it can be asked again.
    """

    begun = False


class RemoteClient:
    """As `Client`; made by `RemoteClient.meet`."""

    def __init__(
        self,
        settings: Settings,
        chosen: Mapping[str, Any],
        session: Session,
        connection: Connection,
        welcome: Mapping[str, Any],
    ) -> None:
        self.session = session
        self.home = settings.home
        self.owner = connection.peer
        self.in_background = bool(welcome["background"])
        self.table = SyscallTable()
        self.problems = list(welcome["problems"])
        self.recovery_code = None
        self._settings, self._chosen = settings, chosen
        self._connection = connection
        self._glance, self._looked = Glance(**welcome["glance"]), time.monotonic()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._begun: set[int] = set()
        self._on_reading: dict[int, OnReading] = {}
        self._hear: Hear | None = None
        self._gone = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._question: asyncio.Future[Any] | None = None
        self._events: asyncio.Queue[Message | None] = asyncio.Queue()
        self._start(self._receive())
        self._start(self._show())

    @staticmethod
    async def meet(
        settings: Settings, chosen: Mapping[str, Any], workspace: Path, front: FrontEnd, *, resumes: bool = False
    ) -> RemoteClient | None:
        """A session with the kernel that owns the home; None where there is none.

        Args:
            settings: Of this program.
            chosen: Those of them that the person chose, which the kernel must share.
            workspace: The folder that `files.*` sees.
            front: Who is shown and asked things.
            resumes: Whether it goes on with the conversation of the session before.

        Raises:
            LlmasosError: It can't serve us; the message says why and what to do.
        """
        connection = await ipc.connect(settings.home)
        if connection is None:
            return None
        hello = {
            "version": version("llmasos"), "workspace": str(workspace), "person": settings.owner,
            "yes": settings.yes, "settings": dict(chosen), "resumes": resumes,
        }  # fmt: skip
        connection.send({"hello": hello})
        answer = await connection.receive()
        if answer is None:
            await connection.close()
            return None
        if "refused" in answer:
            await connection.close()
            raise codec.to_error(answer["refused"])
        session = Session(str(answer["welcome"]["person"]), workspace, front)
        return RemoteClient(settings, chosen, session, connection, answer["welcome"])

    async def handle(self, line: str, *, appended: str = "", on_reading: OnReading | None = None) -> Outcome:
        """Understand a line and do it."""
        return codec.to_outcome(await self._ask("handle", on_reading, line=line, appended=appended))

    async def understand(self, line: str, *, appended: str = "") -> Reading:
        """The program that a line means."""
        return codec.to_reading(await self._ask("understand", line=line, appended=appended))

    async def interpret(
        self, said: str, *, tools: Sequence[Mapping[str, Any]] = (), only_tools: bool = False
    ) -> Reading:
        """The program of a sentence beside functions that are known only for it."""
        found = await self._ask("interpret", said=said, tools=list(tools), only_tools=only_tools)
        return codec.to_reading(found)

    async def trap(self, call: Call, *, quiet: bool = False) -> Result:
        """Make one call."""
        return codec.to_result(await self._ask("trap", call=call.to_record(), quiet=quiet))

    async def go(self, folder: str) -> None:
        """Change the current folder."""
        await self._ask("go", folder=folder)

    async def ready(self) -> None:
        """Wait until sentences can be read."""
        await self._ask("ready")

    def glance(self) -> Glance:
        """What a toolbar shows: what was known last, and a look for the next time."""
        if time.monotonic() - self._looked > FRESH and not self._gone.is_set():
            self._looked = time.monotonic()
            self._start(self._look())
        return self._glance

    async def history(self) -> list[str]:
        """The lines that were typed."""
        return list(await self._ask("history"))

    async def keep_line(self, line: str) -> None:
        """Keep a line."""
        await self._ask("keep_line", line=line)

    async def readings(self) -> list[Kept]:
        """What the person's own sentences mean."""
        return [codec.to_kept(one) for one in await self._ask("readings")]

    async def forget_reading(self, id: str) -> None:
        """Remove one."""
        await self._ask("forget_reading", reading=id)

    async def listen(self, hear: Hear) -> None:
        """Hear of reminders."""
        self._hear = hear
        await self._ask("listen")

    async def set_aside(self, name: str) -> None:
        """Make room for a character."""
        await self._ask("set_aside", name=name)

    async def sibling(self, front: FrontEnd) -> Client:
        """Another session, by a connection of its own."""
        other = await RemoteClient.meet(self._settings, self._chosen, self.session.workspace, front)
        if other is None:
            raise self._parted(begun=False)
        return other

    async def load_table(self) -> None:
        """Fetch the live syscalls, for help and completion; a single request needs none."""
        for row in await self._ask("table"):
            self.table.add(codec.to_row(row))

    async def down(self) -> bool:
        """End the program that owns the home, where nobody sits at it; whether it does."""
        return bool(await self._ask("down"))

    async def close(self) -> None:
        """End the session."""
        await self._connection.close()
        for task in list(self._tasks):
            task.cancel()

    async def lost(self) -> None:
        """Wait until the kernel has gone."""
        await self._gone.wait()

    # The conversation

    async def _ask(self, what: str, on_reading: OnReading | None = None, /, **args: Any) -> Any:
        number = next(self._numbers)
        if self._gone.is_set():
            raise self._parted(begun=False)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        if on_reading:
            self._on_reading[number] = on_reading
        self._connection.send({"id": number, "do": what, **args})
        try:
            return self._read(await asyncio.shield(answer))
        except asyncio.CancelledError:
            await self._cancelled(number, answer)
            raise
        finally:
            self._waiting.pop(number, None)
            self._on_reading.pop(number, None)
            self._begun.discard(number)

    async def _cancelled(self, number: int, answer: asyncio.Future[Message]) -> None:
        """Tell the kernel, and wait for what the request has come to, so that it can be shown."""
        self._connection.send({"cancel": number})
        if self._question:
            self._question.cancel()
        if not answer.done():
            await asyncio.wait([answer], timeout=CANCELLING)

    def _read(self, message: Message) -> Any:
        if "cwd" in message:
            self.session.cwd = message["cwd"]
        if "glance" in message:
            self._glance, self._looked = Glance(**message["glance"]), time.monotonic()
        if message.get("killed"):
            raise ProcessKilled(0)
        if message.get("leaving"):
            raise self._parted(begun=message["id"] in self._begun)
        if message.get("cancelled"):
            raise asyncio.CancelledError
        if "failed" in message:
            raise codec.to_error(message["failed"])
        return message["done"]

    async def _look(self) -> None:
        try:
            await self._ask("look")
        except LlmasosError:
            return  # told to whoever asks for more than a glance

    async def _receive(self) -> None:
        while (message := await self._connection.receive()) is not None:
            if "id" in message:
                # In order: what a request showed stands before what came of it.
                await self._events.join()
                waiting = self._waiting.get(message["id"])
                if waiting and not waiting.done():
                    waiting.set_result(message)
            else:
                self._events.put_nowait(message)
        self._gone.set()
        for number, waiting in self._waiting.items():
            if not waiting.done():
                waiting.set_exception(self._parted(begun=number in self._begun))
                waiting.exception()

    async def _show(self) -> None:
        """Show events one after another, apart from receiving: a question waits for its answer."""
        while (message := await self._events.get()) is not None:
            try:
                await self._shown(message)
            finally:
                self._events.task_done()

    async def _shown(self, message: Message) -> None:
        front, number = self.session.front, message["of"]
        match message.get("event") or message.get("what"):
            case "before":
                self._begun.add(number)
                await front.before(Call.from_record(message["call"]), message["shown"], message["effect"])
            case "after":
                await front.after(codec.to_result(message["result"]))
            case "words":
                await front.words(message["piece"])
            case "read":
                if number in self._on_reading:
                    self._on_reading[number](codec.to_reading(message["reading"]))
            case "told":
                if self._hear:
                    self._hear(message["told"])
            case "consent":
                await self._asked(message, front.consent(codec.to_consent(message["question"])))
            case "choose":
                await self._asked(message, front.choose(message["question"], message["options"]))
            case "explain":
                await self._asked(message, front.explain(message["question"], message["options"]))

    async def _asked(self, message: Message, question: Coroutine[Any, Any, Any]) -> None:
        """Put a question; who interrupts it interrupts the request."""
        self._question = asyncio.ensure_future(question)
        try:
            await asyncio.wait([self._question])
            if self._question.cancelled():
                self._connection.send({"cancel": message["of"]})
            else:
                self._connection.send({"answer": message["ask"], "value": self._question.result()})
        finally:
            self._question.cancel()
            self._question = None

    def _parted(self, *, begun: bool) -> KernelGone:
        remedy = "Look whether it was done: 'history' tells." if begun else "Say it again."
        error = KernelGone(f"The program that owned {self.home} (process {self.owner}) has ended meanwhile.", remedy)
        error.begun = begun
        return error

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
