"""The real engine: many sequences on llama.cpp contexts, asyncio outside and one thread a context inside."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import itertools
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import numpy as np

from llmasos.core.base.errors import EngineError
from llmasos.core.engine import state as saved_state
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
from llmasos.core.engine.batcher import Batcher
from llmasos.core.engine.busy import BusyTime
from llmasos.core.engine.context import N_OUTPUTS, Context
from llmasos.core.engine.idle import has_spare_core
from llmasos.core.engine.lane import Lane, call, outcome
from llmasos.core.engine.llama_model import LlamaModel
from llmasos.core.engine.places import Places
from llmasos.core.engine.sequences import Sequences
from llmasos.core.engine.streams import Streams
from llmasos.core.engine.unified import Unified
from llmasos.core.engine.work import Channel, Choose, Generate, Prefill, Work

__all__ = ["LlamaEngine", "LlamaModel"]

T = TypeVar("T")
_KEPT = 8
"""Prefixes that a lane keeps at most."""
_SCRATCH = 16
"""Options that are scored together, where sequences share a pool of cells."""
FURTHER_NICE = 10
"""How much less urgent lanes beside the first are: the interpreter, which has a thread of its own and a person who
waits, gets most of the core that it shares with one of them."""
_living: weakref.WeakSet[LlamaEngine] = weakref.WeakSet()


class LlamaEngine:
    """Lanes on a loaded model: each has a thread, a context and its share of the cells, and a sequence lives in one.

    Several engines can share a model, each with its own adapter. A sequence lives where its owner was promised cells,
    or where its first request was put (places.py). What a lane has computed for other prompts (prefix.py) it alone
    knows.

    The cells of a lane are one pool (unified.py), which is right for few cells, short sequences and shared beginnings;
    or `streams` sequences have their own (streams.py), which is right for many long conversations.

    The constructor blocks for some 50 ms a lane while llama.cpp reserves the cells; inside an event loop use
    `create`.

    Args:
        model: The loaded model; stays in memory while the engine lives.
        n_ctx: KV cells for all sequences together; each lane has an equal share, or each of the `streams`, rounded up
            to a multiple of 256.
        n_seq: Sequences that can be open at once.
        streams: Sequences that have something computed at once, each with cells of its own; rounded up to as many in
            each lane. 0 for one pool of cells a lane.
        threads: Threads of a step; 0 for one, which is best where cores are few or busy (docs/engine.md).
        lanes: How many steps can be computed side by side.
        brisk: Take a second thread in every step that finds a core to spare, for requests that somebody waits for.
        adapter: A LoRA adapter's GGUF file.
        name: What the engine is called in statistics and messages.

    Raises:
        ModelError: The adapter is missing, broken, or for another model.
        EngineError: The context can't be made.
    """

    def __init__(
        self,
        model: LlamaModel,
        *,
        n_ctx: int = 4096,
        n_seq: int = 16,
        streams: int = 0,
        threads: int = 0,
        lanes: int = 1,
        brisk: bool = False,
        adapter: Path | None = None,
        name: str = "",
    ) -> None:
        self.model = model
        self.name = name or model.info.name
        self.threads = threads or 1
        self.lanes = lanes
        self._n_seq = n_seq
        self.capabilities = Capabilities(own_cells=bool(streams))
        self._busy = BusyTime()
        self._numbers = itertools.count(1)
        self._lanes: list[Lane] = []
        try:
            for number in range(lanes):
                self._lanes.append(self._lane(number, n_ctx, streams, brisk, adapter))
        except BaseException:
            self.stop()
            raise
        context = self._lanes[0].batcher.sequences.context
        self.n_ctx = self._lanes[0].batcher.sequences.longest
        self.bytes_per_token = context.bytes_per_token
        self.fingerprint = _fingerprint(context)
        self._places = Places(self._lanes, n_seq, self.fingerprint)
        self.on_generated: Callable[[Generated], None] | None = None
        _living.add(self)
        self._lanes[0].batcher.call(model.warm)

    def _lane(self, number: int, n_ctx: int, streams: int, brisk: bool, adapter: Path | None) -> Lane:
        if streams:
            # As many in each lane: llama.cpp takes no state from a context that has more streams, or fewer.
            ids = -(-streams // self.lanes)
            cells = ids * -(-n_ctx // streams)
        else:
            ids, cells = self._n_seq + _KEPT + _SCRATCH, -(-n_ctx // self.lanes)

        def spare() -> bool:
            """A core that the others of us don't need, either: between two steps they look as if they rested."""
            others = (lane.batcher.working for lane in self._lanes[:number] + self._lanes[number + 1 :])
            return not any(others) and has_spare_core()

        def make() -> Context:
            return Context(
                self.model,
                n_ctx=cells,
                n_sequences=ids,
                streams=bool(streams),
                small_keys=bool(streams),  # there are many cells, and texts hardly differ (docs/decisions.md)
                threads=self.threads,
                brisk=spare if brisk else None,
                adapter=adapter,
            )

        def layout(context: Context) -> Sequences:
            # All sequences may be in one lane: a place costs nothing, cells do.
            if streams:
                return Streams(context, n_streams=ids, n_open=self._n_seq, n_kept=_KEPT)
            return Unified(context, n_open=self._n_seq, n_kept=_KEPT, n_scratch=_SCRATCH)

        batcher = Batcher(
            make,
            layout=layout,
            name=f"engine {self.name}" + (f" {number + 1}" if number else ""),
            busy=self._busy,
            nice=FURTHER_NICE if number else 0,
        )
        return Lane(batcher, _fingerprint(batcher.sequences.context))

    @classmethod
    async def create(
        cls,
        model: LlamaModel,
        *,
        n_ctx: int = 4096,
        n_seq: int = 16,
        streams: int = 0,
        threads: int = 0,
        lanes: int = 1,
        brisk: bool = False,
        adapter: Path | None = None,
        name: str = "",
    ) -> LlamaEngine:
        """The constructor, in a thread."""

        def make() -> LlamaEngine:
            return cls(
                model,
                n_ctx=n_ctx,
                n_seq=n_seq,
                streams=streams,
                threads=threads,
                lanes=lanes,
                brisk=brisk,
                adapter=adapter,
                name=name,
            )

        return await asyncio.to_thread(make)

    @property
    def alive(self) -> bool:
        """Whether it serves requests; a lane that has died fails those that ran there, and the others go on."""
        return any(lane.alive for lane in self._lanes)

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids of a text; `special` reads markers such as `<|im_start|>`: never for untrusted text."""
        return self.model.tokenize(text, special=special)

    def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of token ids, markers included; broken UTF-8 is replaced."""
        return self.model.detokenize(tokens)

    def constrain(self, lark: str) -> Constraint:
        """A fresh constraint from a Lark grammar; the first one on a model takes 0.3 s more.

        Raises:
            EngineError: The grammar is wrong.
        """
        return self.model.constrain(lark)

    async def open(self, owner: int = 0) -> LiveSequence:
        """A new, empty sequence.

        Raises:
            EngineError: All sequences are in use.
        """
        return self._places.enrol(LiveSequence(next(self._numbers), owner=owner))

    async def generate(
        self,
        sequence: LiveSequence,
        prompt: Sequence[int],
        *,
        sampling: Sampling = GREEDY,
        constraint: Constraint | None = None,
        stop: Sequence[str] = (),
    ) -> AsyncIterator[Piece]:
        """Append a prompt to a sequence and stream what follows; an empty prompt goes on from where it is.

        Raises:
            EngineError: The sequence is closed or busy, the context is full, or llama.cpp failed.
        """
        lane = await self._places.lane_of(sequence, prompt, sampling.max_tokens)
        channel = Channel(lane.batcher.post)

        def make() -> Work:
            return Generate(
                lane.slot(sequence),
                lane.batcher.sequences,
                channel,
                model=self.model,
                sampling=sampling,
                constraint=constraint,
                stop=stop,
            )

        start, written = (*sequence.tokens, *prompt), list[int]()
        with lane.expecting(channel, sequence, len(start) + sampling.max_tokens):
            submitted = self._submit(lane, make, prompt)
            done = False
            try:
                await outcome(submitted)
                while not done:
                    piece: Piece = await channel.receive()
                    done = bool(piece.done)
                    written += piece.tokens
                    yield piece
            except EngineError:
                done = True
                raise
            finally:
                if not done:
                    _abandon(lane, submitted)
                if self.on_generated and written:
                    grammar = constraint.source if constraint else ""
                    self.on_generated(Generated(sequence.owner, start, tuple(written), sampling, grammar, tuple(stop)))

    async def choose(self, sequence: LiveSequence, prompt: Sequence[int], options: Sequence[str]) -> Choice:
        """Which option is likeliest after the prompt; the sequence is left as it was.

        Raises:
            EngineError: There are no options, one is empty or too long, or as for `generate`.
        """
        tokens = [self.tokenize(option) for option in options]
        if not tokens or not all(0 < len(option) <= N_OUTPUTS for option in tokens):
            raise EngineError(f"There must be options, each of 1 to {N_OUTPUTS} tokens.")
        lane = await self._places.lane_of(sequence, prompt, N_OUTPUTS)
        channel = Channel(lane.batcher.post)

        def make() -> Work:
            return Choose(lane.slot(sequence), lane.batcher.sequences, channel, tokens)

        choice = await self._answer(lane, channel, sequence, make, prompt, N_OUTPUTS)
        assert isinstance(choice, Choice)
        return choice

    async def prefill(self, sequence: LiveSequence, prompt: Sequence[int]) -> None:
        """Append a prompt without generating.

        Raises:
            EngineError: As for `generate`.
        """
        await self._prefill(await self._places.lane_of(sequence, prompt), sequence, prompt)

    async def keep_prefix(self, prompt: Sequence[int]) -> None:
        """Prefill what many prompts begin with, so that they are forked from it; in all lanes side by side.

        Raises:
            EngineError: As for `generate`.
        """
        kept = (self._keep(lane, prompt) for lane in self._places.serving())
        for failure in await asyncio.gather(*kept, return_exceptions=True):
            if failure:
                raise failure

    async def fork(self, sequence: LiveSequence, owner: int = 0) -> LiveSequence:
        """A copy that goes its own way and shares the cells of what both have in common.

        Raises:
            EngineError: The sequence is closed, or all are in use.
        """
        lane = await self._places.brought(sequence)
        copy = self._places.enrol(LiveSequence(next(self._numbers), owner=owner))
        if lane is None:
            copy.tokens.extend(sequence.tokens)
            return copy
        self._places.homes[copy.id] = lane
        with self._places.dropped(copy):
            await call(lane, lambda: lane.fork(sequence, copy))
        return copy

    async def save(self, sequence: LiveSequence) -> bytes:
        """The sequence's state; 22.5 KiB a token for SmolLM2, 17.2 with `streams`.

        Raises:
            EngineError: The sequence is closed or busy.
        """
        lane = self._places.home(sequence)
        if lane is None:
            return saved_state.write(saved_state.front(sequence, 0, self.fingerprint), 0, lambda _: 0)
        return await call(lane, lambda: lane.save(sequence))

    async def restore(self, state: bytes | memoryview, owner: int = 0) -> LiveSequence:
        """A sequence from a saved state.

        Raises:
            StateError: The state is of another model or damaged.
            EngineError: There is no room.
        """
        saved = saved_state.read(state, self.fingerprint)
        sequence = self._places.enrol(LiveSequence(next(self._numbers), saved.tokens, saved.usage, owner))
        with self._places.dropped(sequence):
            await self._places.restored(sequence, saved)
        return sequence

    async def cut(self, sequence: LiveSequence, length: int) -> None:
        """Forget what a sequence holds behind its first tokens.

        Raises:
            EngineError: The sequence is closed or busy.
        """
        lane = self._places.home(sequence)
        if lane is None:
            del sequence.tokens[length:]
        else:
            await call(lane, lambda: lane.cut(sequence, length))

    async def close(self, sequence: LiveSequence) -> None:
        """Free the sequence and its cells; closing twice, or after the engine is gone, is fine."""
        closing = self._places.dismiss(sequence)
        if closing:
            # Shielded: a cancelled task must still free what it holds.
            with contextlib.suppress(EngineError):  # the engine stopped meanwhile, and everything is free
                await outcome(closing)

    def promise(self, owner: int, cells: int, prompt: Sequence[int] = ()) -> int | None:
        """Promise cells in one lane; how many are left there then, None where no lane has them just now."""
        return self._places.promise(owner, cells, prompt)

    def release(self, owner: int) -> None:
        """End a promise."""
        self._places.release(owner)

    def beside(self, owner: int, sequence: LiveSequence) -> bool:
        """Whether a sequence is in the lane where an owner was promised cells."""
        return self._places.beside(owner, sequence)

    def set_queue(self, queue: RunQueue) -> None:
        """Whom to ask what runs. Each lane's thread asks it about the sequences there."""
        for lane in self._lanes:
            lane.batcher.queue = queue
        self.wake()

    def wake(self) -> None:
        """The queue's answer has changed: ask it again."""
        for lane in self._lanes:
            lane.batcher.wake()

    def stats(self) -> dict[str, float]:
        """Counters, of all lanes together; see the contract.

        `tokens_per_second` is of the time in which any lane computes. Also `lanes` that live, `threads` of each, and
        `batch`: tokens a step on average.
        """
        batchers = [lane.batcher for lane in self._lanes]
        sequences, prefixes = [b.sequences for b in batchers], [b.prefixes for b in batchers]
        computed, steps, seconds = sum(b.computed for b in batchers), sum(b.steps for b in batchers), self._busy.seconds
        return {
            "sequences": len(self._places.homes),
            "cells_used": sum(s.used(s.open) for s in sequences),
            "cells": sum(s.count for s in sequences),
            "steps": steps,
            "decoded": sum(b.decoded for b in batchers),
            "prefilled": sum(b.prefilled for b in batchers),
            "tokens_per_second": computed / seconds if seconds else 0.0,
            "batch": computed / steps if steps else 0.0,
            "threads": self.threads,
            "lanes": sum(lane.alive for lane in self._lanes),
            "prefix_hits": sum(p.hits for p in prefixes),
            "prefix_misses": sum(p.misses for p in prefixes),
            "prefix_tokens_saved": sum(p.saved for p in prefixes),
            "prefix_cells": sum(p.cells for p in prefixes),
        }

    async def shutdown(self) -> None:
        """Stop the engine's threads and free the contexts, and the model where nobody else has it."""
        await asyncio.to_thread(self.stop)

    def stop(self) -> None:
        """`shutdown`, blocking."""
        for lane in self._lanes:
            lane.batcher.stop()

    async def _keep(self, lane: Lane, prompt: Sequence[int]) -> None:
        if await call(lane, lambda: lane.holds(prompt)):
            return
        sequence = LiveSequence(next(self._numbers))
        self._places.homes[sequence.id] = lane
        try:
            await self._prefill(lane, sequence, prompt)
            await call(lane, lambda: lane.keep(sequence, len(prompt)))
        finally:
            await self.close(sequence)

    # Requests.

    def _submit(self, lane: Lane, make: Callable[[], Work], prompt: Sequence[int]) -> Future[Work]:
        tokens = np.asarray(prompt, np.int64)
        if tokens.size and (tokens.min() < 0 or tokens.max() >= self.model.n_vocab):
            raise EngineError(
                "The prompt holds numbers that are no tokens.", f"They go from 0 to {self.model.n_vocab - 1}."
            )
        listed: list[int] = tokens.tolist()

        def begin() -> Work:
            work = make()
            lane.batcher.begin(work, listed)
            return work

        return lane.batcher.call(begin)

    async def _prefill(self, lane: Lane, sequence: LiveSequence, prompt: Sequence[int]) -> None:
        channel = Channel(lane.batcher.post)

        def make() -> Work:
            return Prefill(lane.slot(sequence), lane.batcher.sequences, channel)

        await self._answer(lane, channel, sequence, make, prompt)

    async def _answer(
        self,
        lane: Lane,
        channel: Channel,
        sequence: LiveSequence,
        make: Callable[[], Work],
        prompt: Sequence[int],
        more: int = 0,
    ) -> object:
        with lane.expecting(channel, sequence, len(sequence.tokens) + len(prompt) + more):
            submitted = self._submit(lane, make, prompt)
            try:
                await outcome(submitted)
                return await channel.receive()
            except asyncio.CancelledError:
                _abandon(lane, submitted)
                raise


def _fingerprint(context: Context) -> str:
    adapter = f"+{context.adapter.fingerprint}" if context.adapter else ""
    return context.model.fingerprint + adapter + ("+small keys" if context.small_keys else "")


def _abandon(lane: Lane, submitted: Future[Work]) -> None:
    """Cancel a request, whether the thread has taken it on already or not."""

    def cancel() -> None:
        if submitted.exception() is None:
            lane.batcher.cancel(submitted.result())

    if not submitted.cancel() and not submitted.cancelled():
        lane.batcher.call(cancel)


@atexit.register
def _stop_all() -> None:
    """A thread inside llama.cpp must not outlive the interpreter."""
    for engine in list(_living):
        engine.stop()
