"""One lane of an engine: a thread with a context of its own, and what of the engine's sequences lives there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

from llmasos.core.base.errors import EngineError, StateError
from llmasos.core.engine import state as saved_state
from llmasos.core.engine.base import LiveSequence
from llmasos.core.engine.batcher import Batcher
from llmasos.core.engine.sequences import Slot

T = TypeVar("T")


class Lane:
    """A batcher, and what its cells are promised to.

    What is asked here from outside the lane's thread may be a step old: it decides where something is placed, and
    whether it fits is found out there.

    Args:
        batcher: The thread.
        fingerprint: Of model and adapter, for saved states.
    """

    def __init__(self, batcher: Batcher, fingerprint: str) -> None:
        self.batcher = batcher
        self._fingerprint = fingerprint
        self._expected: dict[object, tuple[LiveSequence, int]] = {}

    # From any thread.

    @property
    def alive(self) -> bool:
        """Whether requests are served."""
        return self.batcher.alive

    @property
    def requests(self) -> int:
        """How many run here, those that are on their way among them; who was promised cells counts as one."""
        promises = self.batcher.promises
        return len(promises.items()) + sum(live.owner not in promises for live, _ in self._expected.values())

    @contextmanager
    def expecting(self, request: object, sequence: LiveSequence, length: int) -> Iterator[None]:
        """Count a request while the body runs, and the cells that it may need.

        Args:
            request: Which one.
            sequence: Whose.
            length: Tokens of the sequence at the end, at most.
        """
        self._expected[request] = sequence, self.batcher.sequences.needed(length)
        try:
            yield
        finally:
            del self._expected[request]

    def serves(self, sequence: LiveSequence) -> bool:
        """Whether a request of this sequence runs."""
        return any(live is sequence for live, _ in list(self._expected.values()))

    def houses(self, owner: int) -> bool:
        """Whether a sequence of an owner lives here."""
        return any(live.owner == owner for slot in self.batcher.sequences.open if (live := slot.live))

    def room(self) -> int:
        """Cells for something new: neither held by open sequences, promised, nor needed by what runs.

        Kept prefixes make way.
        """
        sequences, promises = self.batcher.sequences, self.batcher.promises
        awaited = sum(max(0, cells - sequences.taken(sequences.of(owner))) for owner, cells in promises.items())
        for live, cells in list(self._expected.values()):
            if live.owner not in promises:
                slot = sequences.by_id.get(live.id)
                awaited += max(0, cells - sequences.taken([slot] if slot else []))
        return sequences.count - sequences.taken(sequences.open) - awaited

    # In the lane's thread.

    def slot(self, sequence: LiveSequence) -> Slot:
        """Where a sequence lives; a new place, with nothing computed, where it has none.

        Raises:
            EngineError: There is no place.
        """
        return self.batcher.sequences.by_id.get(sequence.id) or self.batcher.sequences.enter(sequence)

    def fork(self, sequence: LiveSequence, copy: LiveSequence) -> None:
        """Let a new sequence share what another has computed.

        Raises:
            EngineError: There is no place.
        """
        source, target = self.slot(sequence), self.batcher.sequences.enter(copy)
        self.batcher.sequences.fork(source, target)
        copy.tokens.extend(sequence.tokens)

    def cut(self, sequence: LiveSequence, length: int) -> None:
        """Forget what a sequence holds behind its first tokens.

        Raises:
            EngineError: It is busy.
        """
        slot = self._idle(sequence)
        self.batcher.sequences.cut(slot, min(slot.computed, length))
        del sequence.tokens[length:]

    def save(self, sequence: LiveSequence) -> bytes:
        """A sequence's state.

        Raises:
            EngineError: It is busy, or llama.cpp failed.
        """
        slot = self._idle(sequence)
        front = saved_state.front(sequence, slot.computed, self._fingerprint)
        context = self.batcher.sequences.context
        size = context.state_size(slot.id) if slot.computed else 0
        return saved_state.write(front, size, lambda address: context.save(slot.id, address, size))

    def give(self, sequence: LiveSequence) -> bytes:
        """A sequence's state, for another lane; its place and its cells are free then.

        Raises:
            EngineError: As for `save`.
        """
        state = self.save(sequence)
        self.batcher.sequences.leave(self.slot(sequence))
        return state

    def take(self, sequence: LiveSequence, saved: saved_state.Saved) -> None:
        """Take a sequence in with what was saved of it; after an error it isn't here.

        Raises:
            StateError: llama.cpp refused the state.
            EngineError: There is no room.
        """
        slot = self.slot(sequence)
        try:
            if saved.computed and len(saved.kv):
                self._load(slot, saved)
        except EngineError:
            self.batcher.sequences.leave(slot)
            raise

    def holds(self, prompt: Sequence[int]) -> bool:
        """Whether a prefix is kept."""
        return self.batcher.prefixes.holds(prompt)

    def keep(self, sequence: LiveSequence, count: int) -> None:
        """Keep what a sequence begins with."""
        self.batcher.prefixes.keep(self.slot(sequence), count)

    def _idle(self, sequence: LiveSequence) -> Slot:
        slot = self.slot(sequence)
        if slot.work:
            raise EngineError(f"The sequence {sequence.id} is serving a request.", "Wait for it.")
        return slot

    def _load(self, slot: Slot, saved: saved_state.Saved) -> None:
        sequences = self.batcher.sequences
        while not sequences.grow(slot, saved.computed):
            if not self.batcher.prefixes.make_room():
                raise EngineError(
                    f"The context is full: {saved.computed:,} more tokens don't fit.", "Close a sequence."
                )
        if not sequences.context.load(slot.id, saved.kv):
            raise StateError("llama.cpp refused the saved state.", "It is computed anew from its text.")
        sequences.context.cut(slot.id, saved.computed)  # it may have been saved with what a fork had written behind it


async def call(lane: Lane, function: Callable[[], T]) -> T:
    """What a function gives in a lane's thread, between two steps."""
    return await outcome(lane.batcher.call(function))


async def outcome(future: Future[T]) -> T:
    """What a call that was handed over gives."""
    # Not wrap_future alone: cancelling it would cancel the call, and nobody would know whether it had run.
    return await asyncio.shield(asyncio.wrap_future(future))
