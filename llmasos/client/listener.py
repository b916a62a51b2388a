"""The side of the owner: other programs of the home are let in, and each gets a session of its own.

    -> {"hello": {"version", "workspace", "person", "yes"}}      <- {"welcome": {...}} or {"refused": error}
    -> {"id": 1, "do": "handle", ...}       <- {"of": 1, "event": "begun" | "before" | "after" | "words" | "read", ...}
                                            <- {"of": 1, "ask": 7, "what": "consent" | "choose" | "written" ..., ...}
    -> {"answer": 7, "value": ...}          <- {"id": 1, "done": ...} or {"id": 1, "failed": error}
    -> {"cancel": 1}                        <- {"told": {"title", ...}}

Nothing here waits for a guest but the native commands that it runs: what else is shown is sent and forgotten, a guest
that doesn't read is dropped, and one that goes away takes along only what it asked for.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from llmasos.client import codec
from llmasos.client.local import LocalClient
from llmasos.compose import Machine
from llmasos.core.base.errors import LlmasosError, ProcessKilled, UsageError
from llmasos.core.base.types import Call, Result
from llmasos.core.kernel import ipc
from llmasos.core.kernel.ipc import Connection, Message
from llmasos.core.kernel.session import Answer, Consent
from llmasos.services.interpreter.tools import read as read_tools

log = logging.getLogger(__name__)

T = TypeVar("T")
Operation = Callable[[LocalClient, Message, "GuestFront"], Awaitable[Any]]
STRANGERS = 10.0
"""Seconds that a connection has for saying hello."""
GRACE = 10.0
"""Seconds that guests' requests have for coming to an end when the owner leaves."""
_work: ContextVar[int] = ContextVar("work", default=0)
"""The id of what a guest asked for; what is shown and asked meanwhile belongs to it."""


class Listener:
    """Lets other programs of the home in.

    Args:
        machine: The kernel that they get a session with.
        end: Ends this program, if it is one that only serves; None where a person sits at it.
    """

    def __init__(self, machine: Machine, *, end: Callable[[], None] | None = None) -> None:
        self._machine = machine
        self._end = end
        self._server: asyncio.Server | None = None
        self._guests: set[asyncio.Task[None]] = set()
        self._leaving = False

    @property
    def guests(self) -> int:
        """How many programs are attached."""
        return len(self._guests)

    async def start(self) -> None:
        """Let programs in from now on. Only for who holds the home's lock."""
        server = ipc.listen(self._machine.settings.home)
        self._server = await asyncio.start_unix_server(self._met, sock=server, limit=1 << 20)

    async def stop(self) -> None:
        """Let nobody in any more; what guests have asked for is finished, then they are told to go on elsewhere."""
        self._leaving = True
        if self._server:
            self._server.close()
            await asyncio.sleep(0)  # who was let in just now becomes a guest
            (self._machine.settings.home / ipc.SOCKET).unlink(missing_ok=True)
        for guest in list(self._guests):
            guest.cancel()
        if self._guests:
            await asyncio.wait(self._guests)

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._guests.add(task)
        connection = Connection(reader, writer)
        try:
            client = await self._welcomed(connection) if connection.is_ours and not self._leaving else None
            if client:
                await _Guest(client, connection).serve()
        except asyncio.CancelledError:
            pass  # we leave; the connection's end tells it
        finally:
            self._guests.discard(task)
            with suppress(asyncio.CancelledError):
                await connection.close()

    async def _welcomed(self, connection: Connection) -> LocalClient | None:
        """The session of a guest that said a hello which we can answer."""
        try:
            async with asyncio.timeout(STRANGERS):
                message = await connection.receive()
        except TimeoutError:
            return None
        hello = message.get("hello") if message else None
        if not isinstance(hello, dict):
            return None
        if hello.get("down"):  # also from a program of another version: it is what a refusal names as the remedy
            connection.send({"down": self.end()})
            return None
        try:
            self._check(hello)
            front = GuestFront(connection, yes=bool(hello.get("yes")))
            client = LocalClient(
                self._machine,
                Path(str(hello["workspace"])),
                front,
                person=str(hello.get("person") or ""),
                resumes=bool(hello.get("resumes")),
                said=str(hello.get("said") or ""),
                program=connection.peer,
            )
        except LlmasosError as error:
            connection.send({"refused": codec.error(error)})
            return None
        connection.send(
            {
                "welcome": {
                    "boot": client.boot,
                    "person": client.session.person,
                    "problems": client.problems,
                    "glance": _glance(client),
                    "background": self._end is not None,
                }
            }
        )
        return client

    def _check(self, hello: Message) -> None:
        """Refuse whom this kernel can't serve.

        Raises:
            UsageError: Another version, or settings that only a kernel of its own could have.
        """
        settings = self._machine.settings
        mine, theirs = version("llmasos"), hello.get("version")
        if mine != theirs:
            raise UsageError(
                f"The kernel of {settings.home} is llmasos {mine}, this program is {theirs}.",
                "Leave the shells of that version and say 'llmasos down', then start again.",
            )
        if not isinstance(hello.get("workspace"), str) or "\0" in hello["workspace"]:
            raise UsageError("The other program names no workspace.", "Update both programs.")
        for name, wanted in _field(hello, "settings", dict).items() if hello.get("settings") else ():
            if str(getattr(settings, name, None)) != str(wanted):
                raise UsageError(
                    f"The kernel of {settings.home} runs with {name} {getattr(settings, name, None)}, not {wanted}.",
                    "End it first ('llmasos down', or leave its shell), or use another --home.",
                )

    def end(self) -> bool:
        """End the program, if it only serves; whether it does."""
        if self._end is None:
            return False
        asyncio.get_running_loop().call_soon(self._end)
        return True


class GuestFront:
    """The front end of a session whose person is at another program."""

    def __init__(self, connection: Connection, *, yes: bool = False) -> None:
        self.yes = yes
        self._connection = connection
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}

    async def before(self, call: Call, shown: Mapping[str, str], effect: str) -> None:
        """Sent, after the bare fact: what has begun isn't asked again, whatever becomes of this kernel."""
        self.tell("begun")
        self.tell("before", call=call.to_record(), shown=dict(shown), effect=effect)

    async def after(self, result: Result) -> None:
        """Sent."""
        self.tell("after", result=codec.result(result))

    async def words(self, piece: str) -> None:
        """Sent."""
        self.tell("words", piece=piece)

    async def written(self, piece: str) -> None:
        """Asked whether it was shown: a command waits for who reads what it writes, as in a pipe."""
        await self._ask("written", piece=piece)

    async def consent(self, question: Consent) -> Answer | None:
        """Asked."""
        return codec.to_answer(await self._ask("consent", question=codec.consent(question)))

    async def choose(self, question: str, options: Sequence[str]) -> int | None:
        """Asked."""
        answer = await self._ask("choose", question=question, options=list(options))
        return answer if isinstance(answer, int) and 0 <= answer < len(options) else None

    async def explain(self, question: str, options: Sequence[str]) -> int | str | None:
        """Asked."""
        answer = await self._ask("explain", question=question, options=list(options))
        if isinstance(answer, int) and not 0 <= answer < len(options):
            return None
        return answer if isinstance(answer, int | str) else None

    async def secret(self, question: str, *, hidden: bool = True) -> str | None:
        """Asked; the socket is this user's alone."""
        answer = await self._ask("secret", question=question, hidden=hidden)
        return answer if isinstance(answer, str) else None

    def tell(self, event: str, **what: Any) -> None:
        """Send an event."""
        self._connection.send({"of": _work.get(), "event": event, **what})

    def told(self, what: Mapping[str, Any]) -> None:
        """Tell of a reminder, whatever else goes on."""
        self._connection.send({"told": dict(what)})

    def answered(self, number: int, value: Any) -> None:
        """The person's answer to a question."""
        waiting = self._asked.get(number)
        if waiting and not waiting.done():
            waiting.set_result(value)

    async def _ask(self, what: str, **question: Any) -> Any:
        number = next(self._numbers)
        self._asked[number] = asyncio.get_running_loop().create_future()
        self._connection.send({"of": _work.get(), "ask": number, "what": what, **question})
        try:
            return await self._asked[number]
        finally:
            del self._asked[number]


class _Guest:
    """One attached program."""

    def __init__(self, client: LocalClient, connection: Connection) -> None:
        self._client = client
        self._connection = connection
        self._work: dict[int, asyncio.Task[None]] = {}
        self._interrupted: set[int] = set()
        self._leaving = False
        # One front for all of a guest's requests: a session has one person, who is asked one thing at a time.
        assert isinstance(client.session.front, GuestFront)
        self._front = client.session.front

    async def serve(self) -> None:
        """Do what the guest asks for until it goes; or until we leave, then what has begun may come to an end."""
        reading = asyncio.create_task(self._read())
        try:
            await asyncio.shield(reading)
            self._stop_work()  # the guest has gone
        finally:
            self._leaving = True  # nothing new; answers to questions are still taken
            try:
                if self._work:
                    await asyncio.wait(self._work.values(), timeout=GRACE)
                    self._stop_work()
                if self._work:
                    await asyncio.wait(self._work.values())
            finally:
                reading.cancel()
                await self._client.close()

    async def _read(self) -> None:
        while (message := await self._connection.receive()) is not None:
            self._heard(message)

    def _heard(self, message: Message) -> None:
        if isinstance(message.get("answer"), int):
            self._front.answered(message["answer"], message.get("value"))
        elif isinstance(message.get("cancel"), int):
            task = self._work.get(message["cancel"])
            if task:
                self._interrupted.add(message["cancel"])
                task.cancel()
        elif isinstance(message.get("id"), int) and message["id"] not in self._work and not self._leaving:
            task = asyncio.create_task(self._do(message["id"], message))
            self._work[message["id"]] = task
            task.add_done_callback(lambda _: self._work.pop(message["id"], None))

    def _stop_work(self) -> None:
        for task in self._work.values():
            task.cancel()

    async def _do(self, id: int, message: Message) -> None:
        client = self._client
        _work.set(id)
        try:
            operation = _OPERATIONS.get(str(message.get("do")))
            if operation is None:
                raise UsageError(f"The kernel has no operation {message.get('do')!r}.", "Update both programs.")
            answer = await operation(client, message, self._front)
            told = {"id": id, "done": answer, "cwd": client.session.cwd, "glance": _glance(client)}
        except LlmasosError as error:
            told = {"id": id, "failed": codec.error(error), "cwd": client.session.cwd}
        except ProcessKilled:
            told = {"id": id, "killed": True}
        except asyncio.CancelledError:
            leaving = id not in self._interrupted
            told = {"id": id, "cancelled": True, "leaving": leaving, "killed": not client.process.alive}
        except Exception as error:  # one guest's defect is nobody else's; the log has the traceback
            log.exception("what a guest asked for failed")
            what = f"That failed inside llmasos: {type(error).__name__}: {error}"
            told = {"id": id, "failed": codec.error(LlmasosError(what, "'llmasos doctor' shows where the log is."))}
        try:
            self._connection.send(told)
        except (LlmasosError, TypeError, ValueError) as error:  # told as such: somebody waits for it
            failed = error if isinstance(error, LlmasosError) else LlmasosError(f"The answer can't be sent: {error}")
            self._connection.send({"id": id, "failed": codec.error(failed)})


def _field(message: Message, name: str, kind: type[T]) -> T:
    """A field of a message.

    Raises:
        UsageError: It isn't there, or is something else.
    """
    value = message.get(name)
    if not isinstance(value, kind):
        raise UsageError(
            f"The other program's message {str(message.get('do', 'hello'))[:40]!r} lacks its {name}.",
            "Update both programs.",
        )
    return value


async def _handle(client: LocalClient, message: Message, front: GuestFront) -> Any:
    outcome = await client.handle(
        _field(message, "line", str),
        appended=_field(message, "appended", str),
        on_reading=lambda reading: front.tell("read", reading=codec.reading(reading)),
    )
    return codec.outcome(outcome)


async def _understand(client: LocalClient, message: Message, _: GuestFront) -> Any:
    line, appended = _field(message, "line", str), _field(message, "appended", str)
    return codec.reading(await client.understand(line, appended=appended))


async def _interpret(client: LocalClient, message: Message, _: GuestFront) -> Any:
    # Checked as a file of tools is: nothing says that the other program has done so.
    tools = read_tools(_field(message, "tools", list), "the message")
    said, only = _field(message, "said", str), _field(message, "only_tools", bool)
    return codec.reading(await client.interpret(said, tools=tools, only_tools=only))


async def _trap(client: LocalClient, message: Message, _: GuestFront) -> Any:
    call, quiet = codec.to_call(_field(message, "call", dict)), _field(message, "quiet", bool)
    return codec.result(await client.trap(call, quiet=quiet))


async def _go(client: LocalClient, message: Message, _: GuestFront) -> None:
    await client.go(_field(message, "folder", str))


async def _ready(client: LocalClient, _: Message, __: GuestFront) -> None:
    await client.ready()


async def _look(client: LocalClient, _: Message, __: GuestFront) -> None:
    """Nothing but the glance that every answer brings."""


async def _table(client: LocalClient, _: Message, __: GuestFront) -> Any:
    return [codec.row(row) for row in client.table]


async def _history(client: LocalClient, _: Message, __: GuestFront) -> Any:
    return await client.history()


async def _keep_line(client: LocalClient, message: Message, _: GuestFront) -> None:
    await client.keep_line(_field(message, "line", str))


async def _readings(client: LocalClient, _: Message, __: GuestFront) -> Any:
    return [codec.kept(one) for one in await client.readings()]


async def _forget_reading(client: LocalClient, message: Message, _: GuestFront) -> None:
    await client.forget_reading(_field(message, "reading", str))


async def _consents(client: LocalClient, _: Message, __: GuestFront) -> Any:
    return [asdict(one) for one in await client.consents()]


async def _revoke_consent(client: LocalClient, message: Message, _: GuestFront) -> Any:
    return asdict(await client.revoke_consent(_field(message, "number", int)))


async def _explain_policy(client: LocalClient, message: Message, _: GuestFront) -> Any:
    return await client.explain_policy(_field(message, "line", str), subject=_field(message, "subject", str))


async def _policy_files(client: LocalClient, _: Message, __: GuestFront) -> Any:
    return await client.policy_files()


async def _listen(client: LocalClient, _: Message, front: GuestFront) -> None:
    await client.listen(front.told)


async def _set_aside(client: LocalClient, message: Message, _: GuestFront) -> None:
    await client.set_aside(_field(message, "name", str))


_OPERATIONS: dict[str, Operation] = {
    "handle": _handle, "understand": _understand, "interpret": _interpret, "trap": _trap, "go": _go, "ready": _ready,
    "look": _look, "table": _table, "history": _history, "keep_line": _keep_line, "readings": _readings,
    "forget_reading": _forget_reading, "consents": _consents, "revoke_consent": _revoke_consent,
    "explain_policy": _explain_policy, "policy_files": _policy_files, "listen": _listen, "set_aside": _set_aside,
}  # fmt: skip


def _glance(client: LocalClient) -> dict[str, Any]:
    glance = client.glance()
    return {name: getattr(glance, name) for name in ("model", "policy", "processes", "speed", "loaded")}
