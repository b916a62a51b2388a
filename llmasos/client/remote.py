"""A session with the kernel in another program: what is asked goes through the home's socket (listener.py)."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llmasos.client import codec
from llmasos.client.base import Client, Glance, Hear
from llmasos.core.base.errors import LlmasosError, ProcessKilled
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call, Result
from llmasos.core.kernel import ipc
from llmasos.core.kernel.grant import Grant
from llmasos.core.kernel.ipc import Connection, Message
from llmasos.core.kernel.session import Consent, FrontEnd, Session
from llmasos.core.kernel.syscall import SyscallTable
from llmasos.services.interpreter.reading import Kept, Reading
from llmasos.services.outcome import OnReading, Outcome

log = logging.getLogger(__name__)

FRESH = 1.0
"""Seconds for which a glance is kept."""
SILENT = 15.0
"""Seconds that an owner may take to answer a hello."""
CANCELLING = 5.0
"""Seconds that the kernel gets to say how far a cancelled request came."""


class KernelGone(LlmasosError):
    """The program that owned the home has ended.

    Attributes:
        begun: Whether an effect of the request had begun; where none had, it can be asked again.
    """

    begun = False


@dataclass
class _Request:
    """What was asked, until it is answered.

    Attributes:
        on_reading: Told what a sentence was read as.
        messages: Events and questions in order, the answer last; None where the kernel has gone.
        begun: Whether an effect of it has begun.
        answered: Whether the answer is there.
    """

    on_reading: OnReading | None = None
    messages: asyncio.Queue[Message | None] = field(default_factory=asyncio.Queue)
    begun: bool = False
    answered: bool = False


async def answered(connection: Connection, home: Path) -> Message | None:
    """The owner's answer to a hello; the connection is closed where there is none.

    Raises:
        LlmasosError: The owner is there and says nothing, as one that was stopped.
    """
    try:
        async with asyncio.timeout(SILENT):
            answer = await connection.receive()
    except TimeoutError:
        owner = connection.peer
        await connection.close()
        raise LlmasosError(
            f"Process {owner} carries the kernel of {home} and doesn't answer.", "Let it go on, or end it."
        ) from None
    if answer is None:
        await connection.close()
    return answer


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
        self.boot = str(welcome["boot"])
        self.owner = connection.peer
        self.in_background = bool(welcome["background"])
        self.table = SyscallTable()
        self.problems = list(welcome["problems"])
        self.recovery_code = None
        self._settings, self._chosen = settings, chosen
        self._connection = connection
        self._glance, self._looked = Glance(**welcome["glance"]), time.monotonic()
        self._numbers = itertools.count(1)
        self._requests: dict[int, _Request] = {}
        self._hear: Hear | None = None
        self._gone = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._start(self._receive())

    @staticmethod
    async def meet(
        settings: Settings,
        chosen: Mapping[str, Any],
        workspace: Path,
        front: FrontEnd,
        *,
        resumes: bool = False,
        said: str = "",
    ) -> RemoteClient | None:
        """A session with the kernel that owns the home; None where there is none.

        Args:
            settings: Of this program.
            chosen: Those of them that the person chose, which the kernel must share.
            workspace: The folder that `files.*` sees.
            front: Who is shown and asked things.
            resumes: Whether it goes on with the conversation of the session before.
            said: What the person asked a model for that makes this session's calls; empty where they make them.

        Raises:
            LlmasosError: It can't serve us; the message says why and what to do.
        """
        connection = await ipc.connect(settings.home)
        if connection is None:
            return None
        hello = {
            "version": version("llmasos"), "workspace": str(workspace), "person": settings.owner,
            "yes": settings.yes, "settings": dict(chosen), "resumes": resumes, "said": said,
        }  # fmt: skip
        connection.send({"hello": hello})
        answer = await answered(connection, settings.home)
        if answer is None:
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

    async def consents(self) -> Sequence[Grant]:
        """What the person has consented to for longer than once."""
        return [Grant(**one) for one in await self._ask("consents")]

    async def revoke_consent(self, number: int) -> Grant:
        """End one of them."""
        return Grant(**await self._ask("revoke_consent", number=number))

    async def explain_policy(self, line: str, *, subject: str = "") -> Mapping[str, Any]:
        """What policy would decide about each call that a line means, and why."""
        found: Mapping[str, Any] = await self._ask("explain_policy", line=line, subject=subject)
        return found

    async def policy_files(self) -> Mapping[str, Any]:
        """The policy in force."""
        found: Mapping[str, Any] = await self._ask("policy_files")
        return found

    async def listen(self, hear: Hear) -> None:
        """Hear of reminders."""
        self._hear = hear
        await self._ask("listen")

    async def set_aside(self, name: str) -> None:
        """Make room for a character."""
        await self._ask("set_aside", name=name)

    async def sibling(self, front: FrontEnd, *, said: str = "") -> Client:
        """Another session, by a connection of its own."""
        other = await RemoteClient.meet(self._settings, self._chosen, self.session.workspace, front, said=said)
        if other is None:
            raise self._parted(begun=False)
        return other

    async def load_table(self) -> None:
        """Fetch the live syscalls, for help and completion; a single request needs none."""
        for row in await self._ask("table"):
            self.table.add(codec.to_row(row))

    async def close(self) -> None:
        """End the session."""
        await self._connection.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def lost(self) -> None:
        """Wait until the kernel has gone."""
        await self._gone.wait()

    # The conversation

    async def _ask(self, what: str, on_reading: OnReading | None = None, /, **args: Any) -> Any:
        """Ask the kernel; what it shows and asks meanwhile is shown and asked here, by whoever waits."""
        number = next(self._numbers)
        if self._gone.is_set():
            raise self._parted(begun=False)
        request = self._requests[number] = _Request(on_reading)
        try:
            self._connection.send({"id": number, "do": what, **args})
            while True:
                message = await request.messages.get()
                if message is None:
                    raise self._parted(begun=request.begun)
                if "id" in message:
                    return self._read(message, request)
                await self._shown(message, request)
        except KernelGone:
            raise
        except BaseException:  # Ctrl-C, or a front end that can't show it: the kernel needn't go on
            await self._cancelled(number, request)
            raise
        finally:
            del self._requests[number]

    async def _cancelled(self, number: int, request: _Request) -> None:
        """Tell the kernel that nobody waits any more, and see the request end, for a while."""
        if request.answered or self._gone.is_set():
            return
        self._connection.send({"cancel": number})
        with suppress(TimeoutError):
            async with asyncio.timeout(CANCELLING):
                while (message := await request.messages.get()) is not None and "id" not in message:
                    pass

    def _read(self, message: Message, request: _Request) -> Any:
        request.answered = True
        if "cwd" in message:
            self.session.cwd = message["cwd"]
        if "glance" in message:
            self._glance, self._looked = Glance(**message["glance"]), time.monotonic()
        if message.get("killed"):
            raise ProcessKilled(0)
        if message.get("leaving"):
            raise self._parted(begun=request.begun)
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
        try:
            while (message := await self._connection.receive()) is not None:
                if "told" in message:
                    self._tell(message["told"])
                    continue
                request = self._requests.get(int(message.get("id") or message.get("of") or 0))
                if request is None:
                    continue
                request.begun = request.begun or message.get("event") == "begun"
                request.messages.put_nowait(message)
        finally:
            self._gone.set()
            for request in self._requests.values():
                request.messages.put_nowait(None)

    def _tell(self, told: Mapping[str, Any]) -> None:
        try:
            if self._hear:
                self._hear(told)
        except Exception:  # what can't be shown must not end the conversation
            log.exception("a reminder can't be shown")

    async def _shown(self, message: Message, request: _Request) -> None:
        front = self.session.front
        match message.get("event") or message.get("what"):
            case "before":
                await front.before(Call.from_record(message["call"]), message["shown"], message["effect"])
            case "after":
                await front.after(codec.to_result(message["result"]))
            case "words":
                await front.words(message["piece"])
            case "read":
                if request.on_reading:
                    request.on_reading(codec.to_reading(message["reading"]))
            case "consent":
                await self._asked(message, _consented(front, codec.to_consent(message["question"])))
            case "choose":
                await self._asked(message, front.choose(message["question"], message["options"]))
            case "explain":
                await self._asked(message, front.explain(message["question"], message["options"]))
            case "written":
                await self._asked(message, front.written(message["piece"]))
            case "secret":
                await self._asked(message, front.secret(message["question"], hidden=message["hidden"]))

    async def _asked(self, message: Message, question: Coroutine[Any, Any, Any]) -> None:
        """Put a question to the person; it is taken away where nobody is left who wants the answer."""
        asking = asyncio.ensure_future(question)
        going = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait([asking, going], return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                self._connection.send({"answer": message["ask"], "value": asking.result()})
        finally:
            going.cancel()
            asking.cancel()
            await asyncio.wait([asking, going])  # a prompt gives the keyboard back

    def _parted(self, *, begun: bool) -> KernelGone:
        remedy = "Look whether it was done: 'history' tells." if begun else "Say it again."
        error = KernelGone(f"The program that owned {self.home} (process {self.owner}) has ended meanwhile.", remedy)
        error.begun = begun
        return error

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _consented(front: FrontEnd, question: Consent) -> Any:
    """The person's answer, as it goes through the socket."""
    return codec.answer(await front.consent(question))
