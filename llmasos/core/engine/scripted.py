"""An engine that plays a script, for tests: ours and other people's. Imports no llama.cpp."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np

from llmasos.core.base.errors import EngineError
from llmasos.core.engine import bytes_tokenizer as vocabulary
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
from llmasos.core.engine.text import TextStream
from llmasos.core.engine.turns import Turns

Replies = Sequence[str] | Callable[[str], str]
"""What it says: one reply a request, the last one again and again; or a function of the text so far."""

Chooser = Callable[[str, Sequence[str]], int]
"""Which option it takes: (text so far, options) -> index."""


class ScriptedEngine:
    """Plays replies byte by byte, keeps accounts as a real engine, asks the run queue before every token.

    A constraint is held: forced tokens are taken, the reply's next byte where it is allowed, and otherwise
    the end or the first allowed byte.

    Args:
        replies: What it says.
        choose: Which option it takes; the first one where None.
        n_ctx: Cells for all sequences together.
        n_seq: Sequences that can be open at once.
        name: What it is called.
    """

    capabilities = Capabilities()

    def __init__(
        self,
        replies: Replies = ("ok",),
        *,
        choose: Chooser | None = None,
        n_ctx: int = 65536,
        n_seq: int = 64,
        name: str = "scripted",
    ) -> None:
        self.name = name
        self.n_ctx = n_ctx
        self.lanes = 1
        self.bytes_per_token = 4
        self.fingerprint = name
        self.alive = True
        self.on_generated: Callable[[Generated], None] | None = None
        self.requests: list[str] = []
        """The text that each `generate` saw, for tests to look at."""
        self._replies = replies
        self._played = 0
        self._choose = choose or (lambda _text, _options: 0)
        self._ledger = Ledger(name, n_ctx=n_ctx, n_seq=n_seq)
        self._prefixes: list[list[int]] = []
        self._turns = Turns(Fifo())
        self._counts = dict.fromkeys(
            ("steps", "decoded", "prefilled", "prefix_hits", "prefix_misses", "prefix_tokens_saved"), 0
        )

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """One token a byte; `special` reads `<|im_start|>`, `<|im_end|>` and `<|endoftext|>` as markers."""
        return vocabulary.tokenize(text, special=special)

    def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of token ids; broken UTF-8 is replaced."""
        return vocabulary.detokenize(tokens)

    def constrain(self, lark: str) -> Constraint:
        """A fresh constraint from a Lark grammar.

        Raises:
            EngineError: The grammar is wrong.
        """
        return vocabulary.constrain(lark)

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
        """Append a prompt to a sequence and play the next reply.

        Raises:
            EngineError: The sequence is closed or busy, or the context is full.
        """
        asked = time.monotonic()
        place = self._ledger.enter(sequence)
        start = len(sequence.tokens)
        read = start + len(prompt)
        try:
            await self._read(place, prompt)
            text = TextStream(stop)
            seen = self.detokenize(sequence.tokens)
            self.requests.append(seen)
            script = list(self._reply(seen).encode())
            written = 0
            done = ""
            while not done:
                await self._turns.turn(sequence)
                if not written:
                    self._turns.begun(asked)
                self._counts["steps"] += 1
                room = max(0, sampling.max_tokens - written)
                tokens = self._next_tokens(script, constraint)
                cut = len(tokens) > room
                tokens = tokens[:room]
                ended = not tokens or tokens[-1] in vocabulary.ENDS
                tokens = [token for token in tokens if token not in vocabulary.ENDS]
                self._ledger.append(place, tokens)
                self._counts["decoded"] += len(tokens)
                sequence.usage.decoded += len(tokens)
                written += len(tokens)
                out = "".join(text.feed(vocabulary.piece(token)) for token in tokens)
                finished = constraint is not None and bool(tokens) and constraint.finished()
                if text.stopped or (not cut and (finished or ended)):
                    done = "stop"
                elif written >= sampling.max_tokens:
                    done = "length"
                if done:
                    out += text.finish()
                self._turns.charge(sequence, max(1, len(tokens)))
                yield Piece(out, tuple(tokens), (0.0,) * len(tokens), done)
        except EngineError:
            self._ledger.cut(place, start)
            raise
        finally:
            place.busy = False
            if self.on_generated and len(sequence.tokens) > read:
                grammar = constraint.source if constraint else ""
                before, after = tuple(sequence.tokens[:read]), tuple(sequence.tokens[read:])
                self.on_generated(Generated(sequence.owner, before, after, sampling, grammar, tuple(stop)))

    async def choose(self, sequence: LiveSequence, prompt: Sequence[int], options: Sequence[str]) -> Choice:
        """The option that the rule takes; the sequence is left as it was.

        Raises:
            EngineError: There are no options, or as for `generate`.
        """
        if not options or not all(options):
            raise EngineError("There must be options, none of them empty.")
        place = self._ledger.enter(sequence)
        start = len(sequence.tokens)
        try:
            await self._read(place, prompt)
            index = self._choose(self.detokenize(sequence.tokens), options)
        finally:
            self._ledger.cut(place, start)
            place.busy = False
        return Choice(index, tuple(-0.1 if at == index else -5.0 for at in range(len(options))))

    async def prefill(self, sequence: LiveSequence, prompt: Sequence[int]) -> None:
        """Append a prompt without generating.

        Raises:
            EngineError: As for `generate`.
        """
        place = self._ledger.enter(sequence)
        try:
            await self._read(place, prompt)
        finally:
            place.busy = False

    async def keep_prefix(self, prompt: Sequence[int]) -> None:
        """Remember a beginning; prompts that share it count as hits."""
        if list(prompt) not in self._prefixes:
            self._prefixes.append(list(prompt))

    async def fork(self, sequence: LiveSequence, owner: int = 0) -> LiveSequence:
        """A copy that goes its own way and shares cells.

        Raises:
            EngineError: The sequence is closed, or all are in use.
        """
        return self._ledger.fork(sequence, owner)

    async def save(self, sequence: LiveSequence) -> bytes:
        """The sequence's state.

        Raises:
            EngineError: The sequence is closed or busy.
        """
        return self._ledger.save(sequence)

    async def restore(self, state: bytes | memoryview, owner: int = 0) -> LiveSequence:
        """A sequence from a saved state.

        Raises:
            StateError: The state is of another engine or damaged.
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
        """Free the sequence and its cells; closing twice is fine."""
        if self._ledger.close(sequence):
            self._turns.drop(sequence, EngineError(f"The sequence {sequence.id} was closed."))

    def promise(self, owner: int, cells: int, prompt: Sequence[int] = ()) -> int | None:
        """Promise cells; how many are left then, None where that can't be just now."""
        return self._ledger.promises.give(owner, cells)

    def release(self, owner: int) -> None:
        """End a promise."""
        self._ledger.promises.end(owner)

    def beside(self, owner: int, sequence: LiveSequence) -> bool:
        """There is one pool."""
        return True

    def set_queue(self, queue: RunQueue) -> None:
        """Whom to ask what runs."""
        self._turns.queue = queue
        self.wake()

    def wake(self) -> None:
        """The queue's answer has changed: ask it again."""
        self._turns.wake()

    def stats(self) -> dict[str, float]:
        """Counters, as the contract names them."""
        return {
            "sequences": len(self._ledger),
            "cells_used": self._ledger.used,
            "cells": self.n_ctx,
            "tokens_per_second": 0.0,
            "prefix_cells": 0,
            **self._counts,
        }

    async def shutdown(self) -> None:
        """Fail whoever waits and free everything."""
        self._ledger.stopped = True
        for place in self._ledger:
            await self.close(place.live)

    async def _read(self, place: Place, prompt: Sequence[int]) -> None:
        live = place.live
        if not live.tokens and not prompt:
            raise EngineError("An empty sequence needs a prompt.")
        for token in prompt:
            vocabulary.piece(token)  # raises for what is no token
        reused = 0
        if not live.tokens:
            reused = max((_common(prefix, prompt) for prefix in self._prefixes), default=0)
            self._counts["prefix_hits" if reused else "prefix_misses"] += 1
            self._counts["prefix_tokens_saved"] += reused
        self._ledger.append(place, prompt)
        live.usage.reused += reused
        live.usage.prefilled += len(prompt) - reused
        self._counts["prefilled"] += len(prompt) - reused
        if prompt:
            await self._turns.turn(live)
            self._turns.charge(live, len(prompt) - reused)

    def _reply(self, seen: str) -> str:
        if callable(self._replies):
            return self._replies(seen)
        index = min(self._played, len(self._replies) - 1)
        self._played += 1
        return self._replies[index] if self._replies else ""

    def _next_tokens(self, script: list[int], constraint: Constraint | None) -> list[int]:
        """The next token, and what a constraint forces; takes from the script what it used."""
        wanted = script[0] if script else vocabulary.END
        if constraint is None:
            del script[:1]
            return [wanted]
        forced = constraint.forced()
        if forced:
            for token in forced:
                constraint.consume(token)
            if script[: len(forced)] == forced:
                del script[: len(forced)]
            return forced
        allowed = constraint.mask()
        if allowed[wanted]:
            del script[:1]
            token = wanted
        else:
            token = vocabulary.END if allowed[vocabulary.END] else int(np.argmax(allowed))
        if token not in vocabulary.ENDS:
            constraint.consume(token)
        return [token]


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count
