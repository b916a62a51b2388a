"""A model on an OpenAI-compatible server as an engine: the same kernel over it, as far as that goes.

The server takes conversations and gives text. So a sequence here is its text, in tokens of our own (words.py); each
request reads the messages back from it and sends them all. Forks, saved states and prefixes are copies of text: they
cost nothing and save nothing, except what the server keeps by itself. What needs the server's own tokens isn't there,
and says so: grammars, probabilities, replay.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from llmasos.core.base.errors import CutOff, EngineError
from llmasos.core.engine.base import (
    GREEDY,
    Capabilities,
    Choice,
    Constraint,
    Generated,
    LiveSequence,
    Piece,
    RunQueue,
    Sampling,
)
from llmasos.core.engine.fifo import Fifo
from llmasos.core.engine.ledger import Ledger, Place
from llmasos.core.engine.openai import words
from llmasos.core.engine.openai.beginning import Beginning, added, asking_for
from llmasos.core.engine.openai.patience import Ended, Patience
from llmasos.core.engine.openai.protocol import Delta, Message, Spent
from llmasos.core.engine.openai.server import Server
from llmasos.core.engine.openai.trouble import only_thought
from llmasos.core.engine.text import TextStream
from llmasos.core.engine.turns import Turns

CELLS, SEQUENCES = 65_536, 64
"""Of text that is kept here; what the server can read at once is its own affair."""
_TRIES = 2
"""How often the server is asked to choose before it is told that it can't."""


class OpenAIEngine:
    """A model on a server.

    Args:
        server: Where it is.
        n_ctx: Tokens of text that all sequences together may hold.
        n_seq: Sequences that can be open at once.
    """

    capabilities = Capabilities(grammar=False, log_probs=False, replay=False)

    def __init__(self, server: Server, *, n_ctx: int = CELLS, n_seq: int = SEQUENCES) -> None:
        address = server.address
        self.name = address.name
        self.n_ctx = n_ctx
        self.lanes = 1
        self.bytes_per_token = 48
        self.fingerprint = f"openai {address.base} {address.name}"
        self.alive = True
        self.on_generated: Callable[[Generated], None] | None = None
        """Never told: what a server writes isn't decided by what is known here."""
        self._server = server
        self._ledger = Ledger(self.fingerprint, n_ctx=n_ctx, n_seq=n_seq)
        self._asking: dict[int, Patience] = {}
        self._running = 0
        # Who may ask the server next, and whose words may be taken: both are the kernel's to say.
        self._starts = Turns(Fifo(), room=lambda: server.limits.requests - self._running)
        self._turns = Turns(Fifo())
        self._counts = dict.fromkeys(
            ("steps", "decoded", "prefilled", "prefix_hits", "prefix_misses", "prefix_tokens_saved"), 0
        )
        self._speed = 0.0

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """Tokens of our own, up to four bytes each; `special` reads ChatML's markers as such."""
        return words.tokenize(text, special=special)

    def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of token ids; broken UTF-8 is replaced."""
        return words.detokenize(tokens)

    def constrain(self, lark: str) -> Constraint:
        """Nothing: the server's tokens aren't known here.

        Raises:
            EngineError: Always.
        """
        raise EngineError(
            f"{self.name} is on a server and can't be held to a grammar.",
            "Let it choose among options, or use a model on this machine.",
        )

    async def open(self, owner: int = 0) -> LiveSequence:
        """A new, empty sequence.

        Raises:
            EngineError: All sequences are in use.
        """
        return self._ledger.open(owner)

    async def generate(
        self,
        sequence: LiveSequence,
        prompt: Sequence[int],
        *,
        sampling: Sampling = GREEDY,
        constraint: Constraint | None = None,
        stop: Sequence[str] = (),
    ) -> AsyncIterator[Piece]:
        """Append a prompt to a sequence, send the server all of it, and stream its answer.

        `max_tokens` are the server's tokens; those of the pieces are ours.

        Raises:
            EngineError: The sequence is closed or busy, the context is full, a grammar was asked for, or the server
                gave no answer; says why, and what to do.
            CutOff: It broke off in the middle.
        """
        if constraint is not None:
            self.constrain(constraint.source)
        place = self._ledger.enter(sequence)
        start = len(sequence.tokens)
        try:
            self._read(place, prompt)
            messages, opening = words.conversation(sequence.tokens)
            beginning, text, done, empty = Beginning(opening), TextStream(stop), "", True
            asked = self._asked(place, asking_for(messages, opening), sampling, stop)
            async with aclosing(asked) as deltas:
                async for delta in deltas:
                    said = beginning.feed(delta.text) + (beginning.finish() if delta.done else "")
                    tokens = words.tokenize(said)
                    self._ledger.append(place, tokens)
                    out = text.feed(said.encode("utf-8", "replace"))
                    done = "stop" if text.stopped else delta.done
                    out += text.finish() if done else ""
                    empty = empty and not said
                    if done and empty and beginning.thought:
                        raise only_thought(self._server.address, sampling.max_tokens)
                    yield Piece(out, tuple(tokens), (0.0,) * len(tokens), done)
                    if done:
                        return
        except CutOff:
            raise
        except EngineError:
            self._ledger.cut(place, start)
            raise
        finally:
            place.busy = False

    async def choose(self, sequence: LiveSequence, prompt: Sequence[int], options: Sequence[str]) -> Choice:
        """The option that the server names; it is asked again once where it names none. The sequence stays as it was.

        A server that knows `response_format` is held to the options by it.

        Raises:
            EngineError: There are no options, it names none of them, or as for `generate`.
        """
        if not options or not all(options):
            raise EngineError("There must be options, none of them empty.")
        place = self._ledger.enter(sequence)
        start = len(sequence.tokens)
        try:
            self._read(place, prompt)
            messages, opening = words.conversation(sequence.tokens)
            messages = added(messages, _question(options, opening))
            most = 2 * max(map(words.count, options)) + 32
            for _ in range(_TRIES):
                said = ""
                asked = self._asked(place, messages, replace(GREEDY, max_tokens=most), (), _schema(options))
                async with aclosing(asked) as deltas:
                    async for delta in deltas:
                        said += delta.text
                index = _chosen(said, options)
                if index is not None:
                    return Choice(index, tuple(0.0 if at == index else -math.inf for at in range(len(options))))
                wrong = {"role": "user", "content": f"That is none of them. {_question(options, '')}"}
                messages = [*messages, {"role": "assistant", "content": said or "…"}, wrong]
        finally:
            self._ledger.cut(place, start)
            place.busy = False
        where = f"{self.name} at {self._server.address.authority}"
        raise EngineError(
            f"{where} chose none of the {len(options)} options.", "Choose yourself, or ask another model."
        )

    async def prefill(self, sequence: LiveSequence, prompt: Sequence[int]) -> None:
        """Append a prompt without generating; the server reads it with the next request.

        Raises:
            EngineError: The sequence is closed or busy, or the context is full.
        """
        place = self._ledger.enter(sequence)
        try:
            self._read(place, prompt)
        finally:
            place.busy = False

    async def keep_prefix(self, prompt: Sequence[int]) -> None:
        """Nothing: what a server keeps is its own affair."""

    async def fork(self, sequence: LiveSequence, owner: int = 0) -> LiveSequence:
        """A copy of the text that goes its own way.

        Raises:
            EngineError: The sequence is closed, or all are in use.
        """
        return self._ledger.fork(sequence, owner)

    async def save(self, sequence: LiveSequence) -> bytes:
        """The sequence's text.

        Raises:
            EngineError: The sequence is closed or busy.
        """
        return self._ledger.save(sequence)

    async def restore(self, state: bytes | memoryview, owner: int = 0) -> LiveSequence:
        """A sequence from a saved text.

        Raises:
            StateError: It was for another server or model, or is damaged.
            EngineError: There is no room.
        """
        return self._ledger.restore(state, owner)

    async def cut(self, sequence: LiveSequence, length: int) -> None:
        """Forget what a sequence holds behind its first tokens.

        Raises:
            EngineError: The sequence is closed or busy.
        """
        self._ledger.cut_idle(sequence, length)

    async def close(self, sequence: LiveSequence) -> None:
        """Free the sequence; a request that is under way ends, and its connection."""
        if self._ledger.close(sequence):
            patience = self._asking.get(sequence.id)
            if patience:
                patience.end()
            for turns in (self._starts, self._turns):
                turns.drop(sequence, _closed(sequence))

    def promise(self, owner: int, cells: int, prompt: Sequence[int] = ()) -> int | None:
        """Promise cells; how many are left then, None where that can't be just now."""
        return self._ledger.promises.give(owner, cells)

    def release(self, owner: int) -> None:
        """End a promise."""
        self._ledger.promises.end(owner)

    def beside(self, owner: int, sequence: LiveSequence) -> bool:
        """There is one account of cells."""
        return True

    def set_queue(self, queue: RunQueue) -> None:
        """Whom to ask who may ask the server, and whose words may be taken."""
        self._starts.queue = self._turns.queue = queue
        self.wake()

    def wake(self) -> None:
        """The queue's answer has changed: ask it again."""
        self._starts.wake()
        self._turns.wake()

    def stats(self) -> dict[str, float]:
        """Counters, as the contract names them; of prefixes, what the server said it hadn't read anew."""
        return {
            "sequences": len(self._ledger),
            "cells_used": self._ledger.used,
            "cells": self.n_ctx,
            "tokens_per_second": self._speed,
            "prefix_cells": 0,
            **self._counts,
        }

    async def shutdown(self) -> None:
        """End all requests with their connections."""
        self.alive = False
        self._ledger.stopped = True
        for place in self._ledger:
            await self.close(place.live)
        await asyncio.sleep(0)  # for connections to go

    def _read(self, place: Place, prompt: Sequence[int]) -> None:
        if not place.live.tokens and not prompt:
            raise EngineError("An empty sequence needs a prompt.")
        words.detokenize(prompt)  # raises for what is no token
        self._ledger.append(place, prompt)

    async def _asked(
        self,
        place: Place,
        messages: Sequence[Message],
        sampling: Sampling,
        stop: Sequence[str],
        schema: Mapping[str, Any] | None = None,
    ) -> AsyncGenerator[Delta, None]:
        """The server's answer, each piece when the queue lets it through, with account of what it costs."""
        sequence, began = place.live, time.monotonic()
        await self._starts.turn(sequence)
        self._running += 1
        patience = self._asking[sequence.id] = Patience()
        bill = _Bill(len(sequence.tokens))
        try:
            async with aclosing(self._server.stream(messages, sampling, stop, patience, schema)) as deltas:
                async for delta in deltas:
                    await self._turns.turn(sequence)
                    if not bill.written and schema is None:
                        self._turns.begun(began)
                    self._charge(sequence, bill.add(delta))
                    self._counts["steps"] += 1
                    yield delta
        except Ended:
            raise _closed(sequence) from None
        finally:
            self._running -= 1
            self._starts.wake()
            self._asking.pop(sequence.id, None)
            self._enter(sequence, bill)

    def _charge(self, sequence: LiveSequence, tokens: int) -> None:
        if tokens > 0:
            self._turns.charge(sequence, tokens)
        elif tokens:  # the estimate was too high; steps that were measured already stay as they are
            self._turns.queue.charge(sequence, tokens)

    def _enter(self, sequence: LiveSequence, bill: _Bill) -> None:
        """What a request has cost, in the accounts."""
        if not bill.begun:
            return
        sequence.usage.prefilled += bill.prompt
        sequence.usage.reused += bill.cached
        sequence.usage.decoded += bill.written
        self._counts["prefilled"] += bill.prompt
        self._counts["decoded"] += bill.written
        self._counts["prefix_hits" if bill.cached else "prefix_misses"] += 1
        self._counts["prefix_tokens_saved"] += bill.cached
        seconds = time.monotonic() - bill.begun
        self._speed = bill.written / seconds if seconds > 0 else self._speed


class _Bill:
    """What a request costs: counted roughly while it goes on, put right by what the server says at the end.

    Args:
        prompt: Tokens of the prompt, counted here.
    """

    def __init__(self, prompt: int) -> None:
        self.prompt, self.cached, self.written = prompt, 0, 0
        self.begun = 0.0
        """When the first piece came (time.monotonic); 0 before."""

    def add(self, delta: Delta) -> int:
        """Take a piece; the tokens to charge for it, fewer than none where too many were."""
        charged = 0
        if not self.begun:
            self.begun, charged = time.monotonic(), self.prompt
        tokens = words.count(delta.text) + words.count(delta.thought)
        self.written += tokens
        return charged + tokens + (self._settle(delta.spent) if delta.spent else 0)

    def _settle(self, spent: Spent) -> int:
        charged = self.prompt + self.written
        self.prompt, self.cached, self.written = spent.prompt - spent.cached, spent.cached, spent.written
        return self.prompt + self.written - charged


def _closed(sequence: LiveSequence) -> EngineError:
    return EngineError(f"The sequence {sequence.id} was closed.")


def _question(options: Sequence[str], opening: str) -> str:
    begun = f"What you would go on from: {opening.strip()}\n" if opening.strip() else ""
    listed = "\n".join(f"- {option}" for option in options)
    return f"{begun}Choose exactly one of these, and write it word for word and nothing else:\n{listed}"


def _schema(options: Sequence[str]) -> Mapping[str, Any]:
    choice = {"type": "string", "enum": list(options)}
    return {"type": "object", "properties": {"choice": choice}, "required": ["choice"], "additionalProperties": False}


def _chosen(said: str, options: Sequence[str]) -> int | None:
    """The option that was named, in JSON or plainly; None where it is none of them."""
    plain = said.strip()
    try:
        read = json.loads(plain)
        plain = str(read["choice"]) if isinstance(read, dict) else str(read)
    except (ValueError, KeyError, RecursionError):
        pass
    trimmed = plain.strip().strip("-*\"'“”`. ").casefold()
    for index, option in enumerate(options):
        if plain == option or trimmed == option.strip("-*\"'“”`. ").casefold():
            return index
    return None
