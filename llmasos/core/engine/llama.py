"""The real engine: one llama.cpp context, many sequences, asyncio outside and one thread inside."""

from __future__ import annotations

import asyncio
import atexit
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import numpy as np

from llmasos.core.base.errors import EngineError, StateError
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
from llmasos.core.engine.context import N_OUTPUTS, Context
from llmasos.core.engine.llama_model import LlamaModel
from llmasos.core.engine.sequences import Slot
from llmasos.core.engine.work import Channel, Choose, Generate, Prefill, Work

__all__ = ["LlamaEngine", "LlamaModel"]

T = TypeVar("T")
_KEPT = 8
_SCRATCH = 16
_living: weakref.WeakSet[LlamaEngine] = weakref.WeakSet()


class LlamaEngine:
    """One context on a loaded model. Several engines can share a model, each with its own adapter.

    The constructor blocks for some 50 ms while llama.cpp reserves the cells; inside an event loop use
    `create`.

    Args:
        model: The loaded model; stays in memory while the engine lives.
        n_ctx: KV cells for all sequences together.
        n_seq: Sequences that can be open at once.
        threads: Threads of a step; 0 for one, which is best where cores are few or busy (docs/engine.md).
        brisk: Take a second thread in every step that finds a core to spare, for requests that somebody waits for.
        adapter: A LoRA adapter's GGUF file.
        name: What the engine is called in statistics and messages.

    Raises:
        ModelError: The adapter is missing, broken, or for another model.
        EngineError: The context can't be made.
    """

    capabilities = Capabilities()

    def __init__(
        self,
        model: LlamaModel,
        *,
        n_ctx: int = 4096,
        n_seq: int = 16,
        threads: int = 0,
        brisk: bool = False,
        adapter: Path | None = None,
        name: str = "",
    ) -> None:
        self.model = model
        self.name = name or model.info.name
        self.threads = threads or 1

        def make() -> Context:
            total = n_seq + _KEPT + _SCRATCH
            return Context(model, n_ctx=n_ctx, n_sequences=total, threads=self.threads, brisk=brisk, adapter=adapter)

        self._batcher = Batcher(make, n_open=n_seq, n_kept=_KEPT, n_scratch=_SCRATCH, name=f"engine {self.name}")
        context = self._batcher.sequences.context
        self.n_ctx = context.n_ctx
        self.bytes_per_token = model.bytes_per_token
        attached = f"+{context.adapter.fingerprint}" if context.adapter else ""
        self.fingerprint = model.fingerprint + attached
        self.on_generated: Callable[[Generated], None] | None = None
        _living.add(self)
        self._batcher.call(model.warm)

    @classmethod
    async def create(
        cls,
        model: LlamaModel,
        *,
        n_ctx: int = 4096,
        n_seq: int = 16,
        threads: int = 0,
        adapter: Path | None = None,
        name: str = "",
    ) -> LlamaEngine:
        """The constructor, in a thread."""

        def make() -> LlamaEngine:
            return cls(model, n_ctx=n_ctx, n_seq=n_seq, threads=threads, adapter=adapter, name=name)

        return await asyncio.to_thread(make)

    @property
    def alive(self) -> bool:
        """Whether it serves requests."""
        return self._batcher.alive

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
        return await self._enter(lambda: _live(self._batcher.sequences.enter(owner)))

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
        channel = Channel(self._batcher.post)

        def make() -> Work:
            return Generate(
                self._slot(sequence),
                self._batcher.sequences,
                channel,
                model=self.model,
                sampling=sampling,
                constraint=constraint,
                stop=stop,
            )

        start, written = (*sequence.tokens, *prompt), list[int]()
        submitted = self._submit(make, prompt)
        done = False
        try:
            await _outcome(submitted)
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
                self._abandon(submitted)
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
        channel = Channel(self._batcher.post)

        def make() -> Work:
            return Choose(self._slot(sequence), self._batcher.sequences, channel, tokens)

        choice = await self._answer(channel, make, prompt)
        assert isinstance(choice, Choice)
        return choice

    async def prefill(self, sequence: LiveSequence, prompt: Sequence[int]) -> None:
        """Append a prompt without generating.

        Raises:
            EngineError: As for `generate`.
        """
        channel = Channel(self._batcher.post)
        await self._answer(channel, lambda: Prefill(self._slot(sequence), self._batcher.sequences, channel), prompt)

    async def keep_prefix(self, prompt: Sequence[int]) -> None:
        """Prefill what many prompts begin with, so that they are forked from it.

        Raises:
            EngineError: As for `generate`.
        """
        if await self._call(lambda: self._batcher.prefixes.holds(prompt)):
            return
        sequence = await self.open()
        try:
            await self.prefill(sequence, prompt)
            await self._call(lambda: self._batcher.prefixes.keep(self._slot(sequence), len(prompt)))
        finally:
            await self.close(sequence)

    async def fork(self, sequence: LiveSequence, owner: int = 0) -> LiveSequence:
        """A copy that goes its own way and shares the cells of what both have in common.

        Raises:
            EngineError: The sequence is closed, or all are in use.
        """

        def fork() -> LiveSequence:
            source = self._slot(sequence)
            target = self._batcher.sequences.enter(owner)
            self._batcher.sequences.share(source, target, source.computed)
            copy = _live(target)
            copy.tokens.extend(sequence.tokens)
            return copy

        return await self._enter(fork)

    async def save(self, sequence: LiveSequence) -> bytes:
        """The sequence's state; 22.5 KiB a token for SmolLM2.

        Raises:
            EngineError: The sequence is closed or busy.
        """

        def save() -> bytes:
            slot = self._slot(sequence)
            if slot.work:
                raise EngineError(f"The sequence {sequence.id} is serving a request.", "Wait for it.")
            front = saved_state.front(sequence, slot.computed, self.fingerprint)
            context = self._batcher.sequences.context
            size = context.state_size(slot.id) if slot.computed else 0
            return saved_state.write(front, size, lambda address: context.save(slot.id, address, size))

        return await self._call(save)

    async def restore(self, state: bytes | memoryview, owner: int = 0) -> LiveSequence:
        """A sequence from a saved state.

        Raises:
            StateError: The state is of another model or damaged.
            EngineError: There is no room.
        """
        saved = saved_state.read(state, self.fingerprint)

        def restore() -> LiveSequence:
            slot = self._batcher.sequences.enter(owner)
            try:
                self._load(slot, saved)
            except EngineError:
                self._batcher.sequences.leave(slot)
                raise
            return _live(slot)

        return await self._enter(restore)

    async def close(self, sequence: LiveSequence) -> None:
        """Free the sequence and its cells; closing twice, or after the engine is gone, is fine."""
        if self._batcher.alive:
            # Shielded: a cancelled task must still free what it holds.
            closing = self._batcher.call(lambda: self._batcher.close(sequence))
            try:
                await asyncio.shield(asyncio.wrap_future(closing))
            except EngineError:
                return  # the engine stopped meanwhile, and everything is free

    def set_queue(self, queue: RunQueue) -> None:
        """Whom to ask what runs. It is asked from the engine's own thread."""
        self._batcher.queue = queue
        self._batcher.wake()

    def wake(self) -> None:
        """The queue's answer has changed: ask it again."""
        self._batcher.wake()

    def stats(self) -> dict[str, float]:
        """Counters; see the contract. Also `threads`, and `batch`: tokens a step on average."""
        batcher = self._batcher
        sequences, prefixes = batcher.sequences, batcher.prefixes
        computed = batcher.computed
        return {
            "sequences": len(sequences.by_id),
            "cells_used": sequences.cells_open(),
            "cells": sequences.table.count,
            "steps": batcher.steps,
            "decoded": batcher.decoded,
            "prefilled": batcher.prefilled,
            "tokens_per_second": computed / batcher.busy_seconds if batcher.busy_seconds else 0.0,
            "batch": computed / batcher.steps if batcher.steps else 0.0,
            "threads": self.threads,
            "prefix_hits": prefixes.hits,
            "prefix_misses": prefixes.misses,
            "prefix_tokens_saved": prefixes.saved,
            "prefix_cells": prefixes.cells,
        }

    async def shutdown(self) -> None:
        """Stop the engine's thread and free the context, and the model where nobody else has it."""
        await asyncio.to_thread(self._batcher.stop)

    def stop(self) -> None:
        """`shutdown`, blocking."""
        self._batcher.stop()

    def _slot(self, sequence: LiveSequence) -> Slot:
        return self._batcher.sequences.find(sequence)

    def _load(self, slot: Slot, saved: saved_state.Saved) -> None:
        live = _live(slot)
        live.tokens.extend(saved.tokens)
        live.usage = saved.usage
        if not len(saved.kv):
            return
        sequences = self._batcher.sequences
        while not sequences.grow(slot, saved.computed):
            if not self._batcher.prefixes.make_room():
                raise EngineError(
                    f"The context is full: {saved.computed:,} more tokens don't fit.", "Close a sequence."
                )
        if not sequences.context.load(slot.id, saved.kv):
            raise StateError("llama.cpp refused the saved state.", "It is computed anew from its text.")

    def _submit(self, make: Callable[[], Work], prompt: Sequence[int]) -> Future[Work]:
        tokens = np.asarray(prompt, np.int64)
        if tokens.size and (tokens.min() < 0 or tokens.max() >= self.model.n_vocab):
            raise EngineError(
                "The prompt holds numbers that are no tokens.", f"They go from 0 to {self.model.n_vocab - 1}."
            )
        listed: list[int] = tokens.tolist()

        def begin() -> Work:
            work = make()
            self._batcher.begin(work, listed)
            return work

        return self._batcher.call(begin)

    async def _answer(self, channel: Channel, make: Callable[[], Work], prompt: Sequence[int]) -> object:
        submitted = self._submit(make, prompt)
        try:
            await _outcome(submitted)
            return await channel.receive()
        except asyncio.CancelledError:
            self._abandon(submitted)
            raise

    def _abandon(self, submitted: Future[Work]) -> None:
        """Cancel a request, whether the thread has taken it on already or not."""

        def cancel() -> None:
            if submitted.exception() is None:
                self._batcher.cancel(submitted.result())

        if not submitted.cancel() and not submitted.cancelled():
            self._batcher.call(cancel)

    async def _call(self, function: Callable[[], T]) -> T:
        return await _outcome(self._batcher.call(function))

    async def _enter(self, function: Callable[[], LiveSequence]) -> LiveSequence:
        """Make a sequence; one that was made for a caller who has been cancelled is closed again."""
        made = self._batcher.call(function)
        try:
            return await _outcome(made)
        except asyncio.CancelledError:
            made.add_done_callback(self._close_made)
            raise

    def _close_made(self, made: Future[LiveSequence]) -> None:
        if not made.cancelled() and made.exception() is None:
            self._batcher.call(lambda: self._batcher.close(made.result()))


def _live(slot: Slot) -> LiveSequence:
    assert slot.live is not None
    return slot.live


async def _outcome(future: Future[T]) -> T:
    # Not wrap_future alone: cancelling it would cancel the call, and nobody would know whether it had run.
    return await asyncio.shield(asyncio.wrap_future(future))


@atexit.register
def _stop_all() -> None:
    """A thread inside llama.cpp must not outlive the interpreter."""
    for engine in list(_living):
        engine.stop()
