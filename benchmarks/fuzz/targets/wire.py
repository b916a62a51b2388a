"""What comes over sockets: frames of attached programs, and what OpenAI-compatible servers answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from importlib.metadata import version
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock

from benchmarks.fuzz.mutate import Bytes, Json
from benchmarks.fuzz.target import Target
from llmasos.client import listener
from llmasos.client.base import Glance
from llmasos.client.listener import GuestFront, Listener
from llmasos.core.base.errors import EngineError, LlmasosError
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call, Result
from llmasos.core.engine.base import Sampling
from llmasos.core.engine.openai.address import Address
from llmasos.core.engine.openai.events import EventStream
from llmasos.core.engine.openai.exchange import Exchange
from llmasos.core.engine.openai.key import Key
from llmasos.core.engine.openai.patience import Limits, Patience
from llmasos.core.engine.openai.server import Server
from llmasos.core.kernel.ipc import Connection
from llmasos.core.kernel.syscall import SyscallTable
from llmasos.services.interpreter.reading import Reading
from llmasos.services.outcome import Outcome

_CALL = {"syscall": "files.read", "args": {"path": "a"}, "references": []}
_HELLO = {
    "version": version("llmasos"), "workspace": "/", "person": "ada", "yes": True, "resumes": False,
    "settings": {"policy": "default", "seed": -1},
}  # fmt: skip
_ASKED: tuple[dict[str, Any], ...] = (
    {"id": 1, "do": "handle", "line": "files.read a", "appended": ""},
    {"id": 2, "do": "understand", "line": "read a", "appended": "text"},
    {"id": 3, "do": "interpret", "said": "read a", "tools": [{"name": "f", "inputSchema": {}}], "only_tools": True},
    {"id": 4, "do": "trap", "call": _CALL, "quiet": False}, {"id": 5, "do": "go", "folder": "~"},
    {"id": 6, "do": "ready"}, {"id": 7, "do": "look"}, {"id": 8, "do": "table"}, {"id": 9, "do": "history"},
    {"id": 10, "do": "keep_line", "line": "x"}, {"id": 11, "do": "readings"}, {"id": 12, "do": "forget_reading", "reading": "1"},
    {"id": 13, "do": "consents"}, {"id": 14, "do": "revoke_consent", "number": 1}, {"id": 15, "do": "policy_files"},
    {"id": 16, "do": "explain_policy", "line": "x", "subject": "user:ada"}, {"id": 17, "do": "listen"},
    {"id": 18, "do": "set_aside", "name": "Mira"}, {"cancel": 1}, {"answer": 1, "value": "once"},
    {"answer": 2, "value": {"pattern": "files.*", "seconds": 60}}, {"hello": {"down": True}},
)  # fmt: skip


class _Client:
    """Stands for a session: does nothing of what it is asked, with arguments of the types that a session needs."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.process = SimpleNamespace(alive=True)
        self.session = SimpleNamespace(cwd="", front=_[2], person="ada")
        self.boot, self.problems, self.table = "1", [], SyscallTable()

    async def handle(self, line: str, *, appended: str, on_reading: Callable[[Reading], None]) -> Outcome:
        on_reading(Reading((), 1.0))
        return Outcome(await self.understand(line, appended=appended), (), "call")

    async def understand(self, line: str, *, appended: str) -> Reading:
        _text(line, appended)
        return Reading((), 1.0)

    async def interpret(self, said: str, *, tools: Any, only_tools: bool) -> Reading:
        _text(said)
        for tool in tools:
            _text(tool["name"])
        return Reading((), 1.0)

    async def trap(self, call: Call, *, quiet: bool) -> Result:
        _text(call.syscall, *call.args, *call.references)
        return Result(call)

    async def go(self, folder: str) -> None:
        _text(folder)

    async def keep_line(self, line: str) -> None:
        _text(line)

    async def forget_reading(self, id: str) -> None:
        _text(id)

    async def set_aside(self, name: str) -> None:
        _text(name)

    async def revoke_consent(self, number: int) -> Any:
        raise LlmasosError(f"There is no consent {int(number)}.")

    async def explain_policy(self, line: str, *, subject: str) -> Mapping[str, Any]:
        _text(line, subject)
        return {}

    async def policy_files(self) -> Mapping[str, Any]:
        return {}

    async def ready(self) -> None: ...

    async def history(self) -> list[str]:
        return []

    async def readings(self) -> list[Any]:
        return []

    async def consents(self) -> list[Any]:
        return []

    async def listen(self, hear: Any) -> None: ...

    async def close(self) -> None: ...

    def glance(self) -> Glance:
        return Glance("m", "default", 1, 0.0, True)


def _text(*words: str) -> None:
    for word in words:
        word.casefold()


class _Connection(Connection):
    """A connection whose other end has sent all that it will."""

    def __init__(self, data: bytes) -> None:
        reader = asyncio.StreamReader(limit=1 << 20)
        reader.feed_data(data)
        reader.feed_eof()
        super().__init__(reader, mock.Mock())
        self.sent: list[Any] = []

    @property
    def is_ours(self) -> bool:
        return True

    @property
    def peer(self) -> int:
        return 0

    def send(self, message: Any) -> None:
        json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
        self.sent.append(message)

    async def close(self) -> None: ...


class Frames(Target):
    """The frames of programs that attach to a kernel: from the first byte to the session that is asked."""

    name = "frames"
    share = 10
    refuses = False

    def __init__(self, folder: Path) -> None:
        self._json = Json(
            [{"hello": _HELLO}, *_ASKED], ("id", "do", "of", "down", *(one.get("do", "x") for one in _ASKED))
        )
        super().__init__(folder, self._json)
        machine: Any = SimpleNamespace(settings=Settings(home=folder))
        self._listener = Listener(machine, end=lambda: None)
        self._runner = asyncio.Runner()

    def make(self, rng: Random) -> bytes:
        """A hello that is mostly right, and some requests."""
        hello = json.dumps({"hello": _HELLO}).encode() if rng.random() < 0.8 else self._json(rng)
        out = b""
        for body in (hello, *(self._json(rng) for _ in range(rng.randrange(5)))):
            size = (
                len(body) if rng.random() < 0.98 else rng.choice((0, len(body) - 1, len(body) + 1, rng.getrandbits(32)))
            )
            out += (size & 0xFFFFFFFF).to_bytes(4, "big") + body
        return out

    def run(self, data: bytes) -> None:
        """Each request has one answer; nothing else comes of it."""
        self._runner.run(self._met(data))

    def close(self) -> None:
        """End the loop."""
        self._runner.close()

    async def _met(self, data: bytes) -> None:
        connection = _Connection(data)
        with (
            mock.patch.object(listener, "LocalClient", _Client),
            mock.patch.object(listener.log, "exception", _is_a_defect),
            mock.patch.object(listener, "Connection", lambda *_: connection),
            mock.patch.object(GuestFront, "tell", lambda *_, **__: None),
        ):
            await self._listener._met(None, None)  # type: ignore[arg-type]  # the connection is there already
            assert not self._listener.guests


def _is_a_defect(*_: object) -> None:
    raise  # where an exception is being handled


_DELTA = {
    "id": "c",
    "object": "chat.completion.chunk",
    "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": None}],
}
_WHOLE = {
    "choices": [
        {"message": {"role": "assistant", "content": "Hi", "reasoning_content": "hm"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
}
_SAID: tuple[Any, ...] = (
    _DELTA, _WHOLE, {"choices": [], "usage": _WHOLE["usage"]}, {"choices": [{"delta": {}, "finish_reason": "length"}]},
    {"error": {"message": "Loading", "code": 503, "param": None}}, {"object": "error", "message": "no"},
    {"detail": [{"loc": ["body", "seed"], "msg": "extra"}]}, {"data": [{"id": "qwen3"}, {"id": "llama"}]},
)  # fmt: skip


_LIMITS = Limits(connect=5, first=5, between=5, rest=0.05, retrying=0.01, pauses=(0.001,))


class Replies(Target):
    """Answers of OpenAI-compatible servers: HTTP, event streams, pieces, errors, lists of models."""

    name = "replies"
    share = 3
    expected = (EngineError,)

    def __init__(self, folder: Path) -> None:
        self._json = Json(_SAID, ("choices", "delta", "content", "finish_reason", "usage", "error", "message", "data"))
        events = b"".join(b"data: %b\n\n" % json.dumps(said).encode() for said in _SAID[:4]) + b"data: [DONE]\n\n"
        self._bytes = Bytes(
            [events, b": ping\r\n\r\nevent: x\r\ndata: {}\rdata: 1\n\n"], [b"data: ", b"\r\n\r\n", b"[DONE]"]
        )
        self._whole = [json.dumps(said).encode() for said in _SAID[:4]]
        super().__init__(folder, self._json)
        self._address = Address.parse("openai:http://127.0.0.1:1/v1/m")
        self._runner = asyncio.Runner()

    def make(self, rng: Random) -> bytes:
        """A whole answer, head and body."""
        streams = rng.random() < 0.6
        if streams and rng.random() < 0.7:
            end = rng.choice((b"\n\n", b"\n\n", b"\r\n\r\n", b"\r\r", b"\n"))
            said = [
                self._json(rng) if rng.random() < 0.3 else rng.choice(self._whole) for _ in range(rng.randrange(1, 5))
            ]
            body = b"".join(b"data: " + one.replace(b"\n", b" ") + end for one in said) + b"data: [DONE]" + end
        else:
            body = self._bytes(rng) if streams else self._json(rng)
        kind = b"text/event-stream" if streams else rng.choice((b"application/json", b"text/html", b"text/plain"))
        status = rng.choice((200,) * 8 + (400, 401, 404, 413, 422, 429, 500, 503, 302, 100, 999))
        head = [b"HTTP/1.1 %d OK" % status, b"Content-Type: " + kind]
        if rng.random() < 0.3:
            head.append(b"Content-Length: %d" % len(body))
        elif rng.random() < 0.3:
            head.append(b"Transfer-Encoding: chunked")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        if rng.random() < 0.1:
            head.append(
                b"Retry-After: "
                + rng.choice((b"1", b"99999999", b"Fri, 31 Dec 9999 23:59:59 GMT", self._bytes.piece(rng)))
            )
        whole = b"\r\n".join(head) + b"\r\n\r\n" + body
        return self._bytes.edited(rng, whole) if rng.random() < 0.15 else whole

    def run(self, data: bytes) -> None:
        """What is heard, or an error of the engine; the same events however the bytes are cut."""
        whole, cut = EventStream(), EventStream()
        try:
            heard = [*whole.feed(data), *whole.finish()]
        except ValueError:
            pass
        else:
            step = 1 + len(data) % 7
            if len(data) <= 3000:
                pieces = [data[at : at + step] for at in range(0, len(data), step)]
                assert [said for piece in pieces for said in cut.feed(piece)] + cut.finish() == heard
        self._runner.run(self._asked(data))

    def close(self) -> None:
        """End the loop."""
        self._runner.close()

    async def _asked(self, data: bytes) -> None:
        async def connect(exchange: Exchange, _: float) -> None:
            exchange._reader = asyncio.StreamReader()
            exchange._reader.feed_data(data)
            exchange._reader.feed_eof()
            exchange._writer = mock.Mock()
            exchange._writer.drain = _nothing

        # A new one each time: it remembers what a server didn't know.
        server = Server(self._address, Key("sk-secret", "a test"), limits=_LIMITS)
        with mock.patch.object(Exchange, "connect", connect):
            said = [{"role": "user", "content": "Hello!"}]
            if len(data) % 4 == 0:
                for name in await server.models():
                    assert name == name.strip() and len(name) <= 301
                return
            async for delta in server.stream(said, Sampling(max_tokens=40), (), Patience()):
                assert isinstance(delta.text, str)


def _nothing() -> Coroutine[Any, Any, None]:
    return asyncio.sleep(0)


TARGETS: tuple[type[Target], ...] = (Frames, Replies)
