"""A server as the engine meets it: asked until it accepts, then heard piece by piece.

An answer is asked for again while the server is busy (429, 503), never after a piece of it was heard. What it sends is
believed in nothing: not its form, not its length, not that it ends.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain, repeat
from typing import Any

from llmasos.core.base.errors import CutOff, EngineError
from llmasos.core.base.settings import Settings
from llmasos.core.engine.base import Sampling
from llmasos.core.engine.openai import protocol
from llmasos.core.engine.openai.address import Address
from llmasos.core.engine.openai.events import EventStream
from llmasos.core.engine.openai.exchange import Answer, Broken, Exchange
from llmasos.core.engine.openai.key import Key
from llmasos.core.engine.openai.patience import LIMITS, Limits, Patience, TimeUp
from llmasos.core.engine.openai.protocol import Complaint, Delta, Message
from llmasos.core.engine.openai.trouble import only_thought, refused
from llmasos.core.engine.openai.words import count

log = logging.getLogger(__name__)

_LARGEST = 4 << 20
"""Bytes of an answer that isn't streamed."""
_BUSY = (429, 503)
_UNPAID = "insufficient_quota"
"""A 429 that no waiting helps against."""
_FILTERED = "content_filter"


class Server:
    """A model on a server.

    Args:
        address: Where it is.
        key: What lets us in.
        plainly: Whether words may go unencrypted through networks that aren't private.
        limits: How long to wait.
    """

    def __init__(self, address: Address, key: Key, *, plainly: bool = False, limits: Limits = LIMITS) -> None:
        self.address = address
        self.limits = limits
        self._key = key
        self._plainly = plainly
        self._without: set[str] = set()

    @staticmethod
    def of(settings: Settings) -> Server:
        """The server that the settings name; its model may be missing from the name.

        Raises:
            ModelError: The address or the key is none.
        """
        key = Key.read(settings.openai_key_file)
        return Server(Address.parse(settings.model), key, plainly=settings.openai_insecure)

    @property
    def key(self) -> Key:
        """What lets us in."""
        return self._key

    async def models(self, patience: Patience | None = None) -> list[str]:
        """The models that it has.

        Raises:
            EngineError: It doesn't say.
        """
        patience = patience or Patience()
        exchange = Exchange(self.address, patience, plainly=self._plainly)
        try:
            await exchange.connect(_in(self.limits.connect))
            until = _in(self.limits.connect)
            answer = await exchange.ask("GET", "/models", self._headers(), b"", until)
            body = await exchange.whole(until, _LARGEST)
            if answer.status == 200:
                return protocol.names(body)
        except (Broken, TimeUp, ValueError) as error:
            raise self._no_answer(_why(error, self.limits.connect)) from None
        finally:
            exchange.close()
        raise self._refused(answer, protocol.complaint(body))

    async def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        stop: Sequence[str],
        patience: Patience,
        schema: Mapping[str, Any] | None = None,
    ) -> AsyncGenerator[Delta, None]:
        """An answer, piece by piece; the last piece, and it alone, has `done`.

        Raises:
            EngineError: There is none.
            CutOff: It broke off after some pieces.
            Ended: The patience was ended.
        """

        def body(without: frozenset[str]) -> bytes:
            return protocol.question(self.address.name, messages, sampling, stop, schema=schema, without=without)

        exchange, answer = await self._accepted(body, patience)
        heard = thought = False
        done, spent = "", None
        # A server that ignores where it should stop is heard to four times that, counted roughly.
        room = 4 * sampling.max_tokens + 64
        try:
            async with aclosing(self._pieces(exchange, answer)) as pieces:
                async for delta in pieces:
                    done, spent = delta.done or done, delta.spent or spent
                    heard, thought = heard or bool(delta.text), thought or bool(delta.thought)
                    if delta.text or delta.thought:
                        room -= count(delta.text) + count(delta.thought)
                        yield Delta(delta.text, delta.thought)
                    if room < 0:
                        done = "length"
                        break
        except (Broken, ValueError) as error:
            raise self._broken(_why(error), heard) from None
        except protocol.Complained as error:
            words = self._key.hidden(error.complaint.words)
            raise self._broken(f"failed: {words}" if words else "failed", heard) from None
        finally:
            exchange.close()
        if done == _FILTERED:
            raise self._broken("was stopped by its filter", heard)
        if thought and not heard:
            raise only_thought(self.address, sampling.max_tokens)
        yield Delta(done="length" if done == "length" else "stop", spent=spent)

    async def _accepted(self, body: Callable[[frozenset[str]], bytes], patience: Patience) -> tuple[Exchange, Answer]:
        """Ask until the server begins an answer."""
        waited, pauses = 0.0, chain(self.limits.pauses, repeat(self.limits.pauses[-1]))
        headers = self._headers() | {"Content-Type": "application/json", "Accept": "text/event-stream"}
        while True:
            exchange = Exchange(self.address, patience, plainly=self._plainly)
            accepted, without = False, frozenset(self._without)
            try:
                await exchange.connect(_in(self.limits.connect))
                until = _in(self.limits.first)
                answer = await exchange.ask("POST", "/chat/completions", headers, body(without), until)
                accepted = answer.status == 200
                if accepted:
                    return exchange, answer
                said = await self._complaint(exchange)
            except (Broken, TimeUp) as error:
                raise self._no_answer(_why(error, self.limits.first)) from None
            finally:
                if not accepted:
                    exchange.close()
            asked = _asked_to_wait(answer)
            if answer.status in _BUSY and said.code != _UNPAID:
                # Apart from each other, so that not all who were refused come back at once.
                pause = max(asked, next(pauses) * random.uniform(0.8, 1.2))  # noqa: S311  no secret depends on it
                waited += pause
                if waited <= self.limits.retrying:
                    log.info("%s is busy (%d); it is asked again", self.address.authority, answer.status)
                    await _pause(patience, pause)
                    continue
            if name := protocol.unknown(answer.status, said, without):
                # Not with its words: they may repeat what was said.
                log.warning("%s doesn't know %s; it is asked without from now on", self.address.authority, name)
                self._without.add(name)
                continue
            has = await self._has(patience) if answer.status == 404 else ()
            raise self._refused(answer, said, has, asked)

    async def _pieces(self, exchange: Exchange, answer: Answer) -> AsyncGenerator[Delta, None]:
        """What comes; ends where the answer does."""
        kind = answer.headers.get("content-type", "").lower()
        if "event-stream" not in kind and "json" in kind:  # a server that doesn't stream
            try:
                whole = await exchange.whole(_in(self.limits.first), _LARGEST)
            except TimeUp as error:
                raise Broken(_why(error, self.limits.first)) from None
            yield protocol.piece(whole.decode("utf-8", "replace"))
            return
        if "html" in kind:
            raise ValueError("a web page")
        events, allowed, ended = EventStream(), self.limits.first, False
        left = allowed
        while True:
            # Only the waiting counts, not how long whoever listens takes; and only a token sets it back.
            began = _in(0)
            try:
                data = await exchange.read(began + left)
            except (Broken, TimeUp) as error:
                if ended:  # nothing but the bill is missing
                    return
                raise Broken(_why(error, allowed)) from None
            left -= _in(0) - began
            for said in events.finish() if data is None else events.feed(data):
                if said.strip() == "[DONE]":
                    return
                delta = protocol.piece(said)
                if delta.text or delta.thought:
                    left = allowed = self.limits.between
                if delta.done:
                    ended, left = True, self.limits.rest
                yield delta
            if data is None:
                if ended:
                    return
                raise Broken("ended before its answer did")

    async def _complaint(self, exchange: Exchange) -> Complaint:
        try:
            return protocol.complaint(await exchange.whole(_in(self.limits.rest), 65_536))
        except (Broken, TimeUp):
            return Complaint("")

    async def _has(self, patience: Patience) -> Sequence[str]:
        try:
            return await self.models(patience)
        except EngineError:
            return ()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key.value}"} if self._key.value else {}

    def _refused(self, answer: Answer, said: Complaint, has: Sequence[str] = (), asked: float = 0.0) -> EngineError:
        place = answer.headers.get("location", "")
        return refused(self.address, self._key, answer.status, said, has=has, place=place, pause=asked)

    def _broken(self, why: str, heard: bool) -> EngineError:
        if not heard:
            return self._no_answer(why)
        return CutOff(f"{self.address.authority} broke off in the middle: it {why}.", "What came is kept; ask again.")

    def _no_answer(self, why: str) -> EngineError:
        host, base = self.address.authority, self.address.base
        return EngineError(f"{host} gave no answer: it {why}.", f"Check its log, and that {base} is its address.")


def _why(error: Exception, seconds: float = 0) -> str:
    if isinstance(error, TimeUp):
        return f"said nothing for {seconds:g} seconds"
    if isinstance(error, json.JSONDecodeError):
        return "sent what isn't JSON"
    return str(error) if isinstance(error, Broken) else f"sent {error}, which isn't OpenAI's protocol"


def _asked_to_wait(answer: Answer) -> float:
    """The seconds that the server wants to be left alone for; 0 where it doesn't say."""
    said = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", said):
        return float(said)
    try:
        at = parsedate_to_datetime(said)
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


async def _pause(patience: Patience, seconds: float) -> None:
    await patience.wait(asyncio.sleep(seconds), _in(seconds + 60))


def _in(seconds: float) -> float:
    """The event loop's time in so many seconds."""
    return asyncio.get_running_loop().time() + seconds
