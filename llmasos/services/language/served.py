"""The model for programs outside, by the kernel's door: `model.chat` and `model.embed`.

They stand in no table of syscalls: no sentence means them, and no plugin may ask for them. But they are trapped like
any other call: policy decides about the subject `server`, and they are in the audit log. A conversation is a process;
its context stays until it is used again or newer ones take its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.types import Call, Result
from llmasos.core.engine.base import Sampling
from llmasos.core.engine.embed import Embedder
from llmasos.core.kernel.process import Process
from llmasos.core.kernel.session import FrontEnd, Session
from llmasos.core.kernel.syscall import Argument, Syscall
from llmasos.core.kernel.trap import Caller, Kernel
from llmasos.services.language.context import Message
from llmasos.services.language.speech import SAMPLING, Speaker
from llmasos.services.language.verbatim import Verbatim

SUBJECT = "server"
"""Who asks, as policy rules name it."""
CHAT, EMBED = "model.chat", "model.embed"
IDLE = 16
"""Conversations that are kept for their next turn; the longest unused ones end."""

_OBJECT: Mapping[str, Any] = {"type": "object"}
_LIST: Mapping[str, Any] = {"type": "array", "items": _OBJECT}
_TEXTS: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a program wants said.

    Attributes:
        messages: The conversation.
        sampling: How tokens are drawn.
        stop: Strings that end the reply.
        form: A grammar that it keeps to; empty for none.
        model: Another model than the speaker's, by name.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = SAMPLING
    stop: tuple[str, ...] = ()
    form: str = ""
    model: str = ""


@dataclass(eq=False)
class _Idle:
    process: Process
    model: str
    messages: tuple[Message, ...]


class Served:
    """One server's requests.

    Args:
        kernel: Whose door they come through.
        speaker: The model's voice.
        embedder: Makes vectors.
        person: For whom the server runs.
    """

    def __init__(self, kernel: Kernel, speaker: Speaker, embedder: Embedder, person: str) -> None:
        self._kernel = kernel
        self._speaker = speaker
        self._embedder = embedder
        self._person = person
        self._idle: list[_Idle] = []
        """The least recently used first."""
        self._chat = _row(CHAT, "Go on with a conversation.", self._say, messages=_LIST, options=_OBJECT)
        self._embed = _row(EMBED, "Make vectors of texts.", self._vectors, texts=_TEXTS)
        self.process = kernel.processes.spawn(
            kernel.processes.init, name="server", program="server", subject=SUBJECT, owner=person
        )

    async def chat(self, asked: Asked, front: FrontEnd) -> Result:
        """The reply to a conversation, streamed to the front end as it comes.

        Returns:
            Its value is a `Verbatim` as JSON, with the whole text.

        Raises:
            ProcessKilled: Somebody ended its process.
        """
        process = await self._taken(asked)
        keeps = False
        try:
            options = {**asdict(asked.sampling), "stop": list(asked.stop), "form": asked.form, "model": asked.model}
            args = {"messages": [asdict(message) for message in asked.messages], "options": options}
            result = await self._trapped(process, front, Call(CHAT, args), self._chat)
            keeps = result.ok and not asked.model
            if keeps:
                said = Message("assistant", result.value["text"])
                self._idle.append(_Idle(process, asked.model, (*asked.messages, said)))
            return result
        finally:
            if not keeps:
                await self._end(process)
            while len(self._idle) > IDLE:
                await self._end(self._idle.pop(0).process)

    async def embed(self, texts: Sequence[str], front: FrontEnd) -> Result:
        """Vectors of texts; the value's `vectors` are an array of shape (texts, 384).

        Raises:
            ProcessKilled: Somebody ended its process.
        """
        process = self._spawned("embed")
        try:
            return await self._trapped(process, front, Call(EMBED, {"texts": list(texts)}), self._embed)
        finally:
            await self._end(process)

    async def close(self) -> None:
        """End the server's process and those of its conversations."""
        while self._idle:
            await self._end(self._idle.pop().process)
        await self._kernel.processes.exit(self.process)

    async def _trapped(self, process: Process, front: FrontEnd, call: Call, row: Syscall) -> Result:
        session = Session(self._person, Path("/"), front)
        return await self._kernel.trap(process, session, call, row=row)

    async def _say(self, caller: Caller, *, messages: list[Mapping[str, str]], options: Mapping[str, Any]) -> Any:
        said = [Message(message["role"], message["content"]) for message in messages]  # type: ignore[arg-type]
        words = [message.content for message in said if message.role == "user"]
        aid = self._speaker.moderation.aid(words[-1], words[:-1][-3:]) if words else None
        if aid:
            await caller.session.front.words(str(aid))
            return asdict(Verbatim(str(aid), "stop"))
        rest = dict(options)
        stop, form, model = rest.pop("stop"), rest.pop("form"), rest.pop("model")
        whole, last = "", Verbatim("")
        parts = self._speaker.verbatim(caller.process, said, Sampling(**rest), stop=stop, form=form, model=model)
        async with aclosing(parts):
            async for last in parts:
                whole += last.text
                if last.text:
                    await caller.session.front.words(last.text)
        return asdict(replace(last, text=whole))

    async def _vectors(self, caller: Caller, *, texts: list[str]) -> Any:
        return {"model": self._embedder.name, "vectors": await self._embedder.embed(texts, "passage")}

    async def _taken(self, asked: Asked) -> Process:
        """The process of the longest conversation that these messages go on with; else a new one."""
        for one in [one for one in self._idle if not one.process.alive]:  # somebody killed it
            self._idle.remove(one)
            await self._end(one.process)
        going_on = [
            one for one in self._idle
            if one.model == asked.model and one.messages == asked.messages[: len(one.messages)]
        ]  # fmt: skip
        if not going_on:
            return self._spawned("chat")
        found = max(going_on, key=lambda one: len(one.messages))
        self._idle.remove(found)
        return found.process

    def _spawned(self, name: str) -> Process:
        if not self.process.alive:
            raise SyscallError("ESRCH", "The server's process was ended.", "Start 'llmasos serve' again.")
        return self._kernel.processes.spawn(self.process, name=name, program="server")

    async def _end(self, process: Process) -> None:
        await self._kernel.processes.exit(process)
        if self.process.alive:
            await self._kernel.processes.wait(self.process, process.pid)


def _row(name: str, summary: str, run: Any, **schemas: Mapping[str, Any]) -> Syscall:
    arguments = tuple(Argument(argument, True, "", schema) for argument, schema in schemas.items())
    return Syscall(name, "read", summary, arguments, run, spoken=False, source=__file__)
