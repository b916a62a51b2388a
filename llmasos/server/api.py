"""The paths there are, and what is done at each."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmasos.core.base.errors import LlmasosError, ProcessKilled
from llmasos.core.base.types import Result
from llmasos.core.engine.embed import DIMENSIONS
from llmasos.core.kernel.session import Nobody
from llmasos.server import answers, asking, trouble
from llmasos.server.access import Access
from llmasos.server.answers import Completion
from llmasos.server.trouble import Trouble, invalid
from llmasos.server.wire import Gone, Head, Reply
from llmasos.services.language.served import Served

log = logging.getLogger(__name__)

HEALTH, MODELS, CHAT, EMBEDDINGS = "/health", "/v1/models", "/v1/chat/completions", "/v1/embeddings"
_METHODS = {HEALTH: "GET", MODELS: "GET", CHAT: "POST", EMBEDDINGS: "POST"}
_ENDED = Trouble(500, "The process of this request was ended by the person whose machine this is.", "ended")
_DEFECT = Trouble(500, "The request failed here; this is a defect of the server.", "failed")


class Api:
    """Answers requests.

    Args:
        served: Asks the kernel.
        access: Who is let in.
        speakers: Models that talk, as in `catalogue`.
        embedder: What the model that makes vectors is called.
    """

    def __init__(self, served: Served, access: Access, speakers: Mapping[str, str], embedder: str) -> None:
        self._served = served
        self._access = access
        self._speakers = speakers
        self._embedder = embedder
        self._created = int(time.time())

    def check(self, head: Head) -> None:
        """Refuse what isn't let in, isn't there, or isn't JSON, before its body is read."""
        self._access.check(head.headers, needs_key=head.path != HEALTH)
        method = _METHODS.get(MODELS if head.path.startswith(f"{MODELS}/") else head.path)
        if method is None:
            raise Trouble(404, f"There is no {head.path[:80]!r} here. There are: {', '.join(_METHODS)}.", "not_found")
        if head.method != method:
            raise Trouble(405, f"{head.path[:80]} takes {method}.", "method_not_allowed", allow=method)
        # A page of a browser may send anything else anywhere without asking first (Fetch standard, CORS).
        kind = head.headers.get("content-type", "").partition(";")[0].strip().lower()
        if method == "POST" and kind != "application/json":
            raise Trouble(415, "The body must be sent as 'Content-Type: application/json'.", "unsupported_media_type")

    async def answer(self, head: Head, body: bytes, reply: Reply) -> None:
        """Answer a request that was let in."""
        started, status = time.perf_counter(), 0
        try:
            await self._answer(head, body, reply)
            status = reply.status
        except Gone:
            raise
        except (ProcessKilled, Exception) as error:  # noqa: BLE001  who asked is told, and other requests go on
            told = _told(error)
            status = told.status
            if not reply.status:
                raise told from None
            # It has begun: what is wrong comes as an event, and no [DONE].
            await reply.event(json.dumps(told.body(), ensure_ascii=False))
            await reply.end()
        finally:
            # Of a path with a name in it only the beginning: the rest is whatever the client wrote.
            path = head.path if head.path in _METHODS else f"{MODELS}/..."
            log.info("%s %s: %s, %.3f s", head.method, path, status or "left", time.perf_counter() - started)

    async def _answer(self, head: Head, body: bytes, reply: Reply) -> None:
        if head.path == HEALTH:
            await reply.json({"status": "ok"})
        elif head.path == MODELS:
            await reply.json(answers.models([*self._speakers, self._embedder], self._created))
        elif head.path == CHAT:
            await self._chat(body, reply)
        elif head.path == EMBEDDINGS:
            await self._embed(body, reply)
        else:
            name = head.path.removeprefix(f"{MODELS}/")
            if name not in (*self._speakers, self._embedder):
                raise _no_model(name, [*self._speakers, self._embedder])
            await reply.json(answers.model(name, self._created))

    async def _chat(self, body: bytes, reply: Reply) -> None:
        wanted = asking.chat(body)
        name = wanted.asked.model
        if name not in self._speakers:
            raise _no_model(name, self._speakers)
        asked = replace(wanted.asked, model=self._speakers[name])
        completion = Completion(name)
        if not wanted.streams:
            await reply.json(completion.whole(_value(await self._served.chat(asked, Nobody()))))
            return
        front = _Chunks(reply, completion)
        value = _value(await self._served.chat(asked, front))
        await front.words("")
        await front.write(completion.chunk({}, answers.finished(value)))
        if wanted.tells_usage:
            await front.write(completion.cost(value))
        await reply.event("[DONE]")
        await reply.end()

    async def _embed(self, body: bytes, reply: Reply) -> None:
        wanted = asking.embeddings(body)
        if wanted.model != self._embedder:
            raise _no_model(wanted.model, [self._embedder])
        if wanted.dimensions not in (None, DIMENSIONS):
            raise invalid("dimensions", f"Vectors have {DIMENSIONS} dimensions here.")
        value = _value(await self._served.embed(wanted.texts, Nobody()))
        await reply.json(answers.vectors(value["vectors"], wanted.model, packed=wanted.packed))


class _Chunks(Nobody):
    """Writes pieces as they come; who reads slowly slows its own model."""

    def __init__(self, reply: Reply, completion: Completion) -> None:
        super().__init__()
        self._reply = reply
        self._completion = completion

    async def words(self, piece: str) -> None:
        """A piece; the role goes before the first one."""
        if not self._reply.status:
            await self.write(self._completion.chunk({"role": "assistant", "content": "", "refusal": None}))
        if piece:
            await self.write(self._completion.chunk({"content": piece}))

    async def write(self, chunk: Mapping[str, Any]) -> None:
        """One chunk."""
        try:
            await self._reply.event(json.dumps(chunk, ensure_ascii=False))
        except Gone:
            # The call that speaks has no error: nobody wants it any more.
            raise asyncio.CancelledError from None


def _value(result: Result) -> Mapping[str, Any]:
    if not result.ok:
        raise trouble.of_result(result)
    value: Mapping[str, Any] = result.value
    return value


def _told(error: BaseException) -> Trouble:
    """What a client hears of an error: never a traceback, and nothing of a prompt."""
    if isinstance(error, Trouble):
        return error
    if isinstance(error, ProcessKilled):
        # The task was cancelled to end the process, not this answer.
        if task := asyncio.current_task():
            task.uncancel()
        return _ENDED
    if isinstance(error, LlmasosError):
        return Trouble(500, str(error), "failed")
    log.error("a request failed: %s", type(error).__name__)
    return _DEFECT


def _no_model(name: str, there: Any) -> Trouble:
    what = f"There is no model {name[:80]!r} here. There are: {', '.join(there)}."
    return Trouble(404, what, "model_not_found", "model")
