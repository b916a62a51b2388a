"""A stream of cells for each sequence: a step reads those of its own sequences alone, whatever else is resident.

A fork has nothing to itself at first: as many slots as like can hold beginnings of one stream, and the one that reaches
its end may write on there. Who wants to write elsewhere moves into a free stream first, with a copy of what it has.
Copies go through a saved state: `llama_memory_seq_cp` puts the copying between streams off to the next step, and until
then neither stream may be read or filled.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.context import Context
from llmasos.core.engine.sequences import Sequences, Slot

KEPT_BYTES = 32 << 20
"""Of kept prefixes in memory, for each context: some 1,450 tokens of the default model."""


class Shelf(Slot):
    """A kept prefix, as a state in memory: it must not occupy a stream."""

    def __init__(self, id: int) -> None:
        super().__init__(id)
        self.state = np.zeros(0, np.uint8)
        self.count = 0

    @property
    def computed(self) -> int:
        """Tokens that it holds."""
        return self.count


class Streams(Sequences):
    """Sequences with cells of their own.

    Args:
        context: With so many sequence ids as there are streams.
        n_streams: Streams.
        n_open: Sequences that can be open; those that computed nothing need no stream.
        n_kept: How many prefixes can be kept.
    """

    def __init__(self, context: Context, *, n_streams: int, n_open: int, n_kept: int) -> None:
        # One option after the other is scored, at the end of the sequence's own stream: a single scratch slot.
        opened, scratch = [Slot(-1) for _ in range(n_open)], [Slot(-1)]
        shelves = [Shelf(-2 - number) for number in range(n_kept)]
        longest = context.n_ctx // n_streams
        super().__init__(context, open=opened, kept=shelves, scratch=scratch, longest=longest)
        self._shelves = shelves
        self._holders: list[list[Slot]] = [[] for _ in range(n_streams)]
        """Who holds a beginning of each stream. Who reaches its end has it, the first of several; others share it."""

    def taken(self, slots: Iterable[Slot]) -> int:
        """The whole streams of those that have one."""
        asked = set(slots)
        return self.longest * sum(max(held, key=_computed) in asked for held in map(tuple, self._holders) if held)

    def needed(self, length: int) -> int:
        """A stream."""
        return self.longest

    def grow(self, slot: Slot, count: int) -> bool:
        """Write on in its stream, or in one of its own from now on."""
        if not count:
            return True
        if slot.computed + count > self.longest:
            return False
        if not slot.computed:
            stream = self._free()
            if stream is None:
                return False
            self._enter(slot, stream, 0)
        elif slot.computed < self._end(slot.id) and not self._move(slot):
            return False
        self._hold(slot, slot.computed + count)
        return True

    def cut(self, slot: Slot, start: int) -> None:
        """Let go of the cells behind; what others hold of the stream stays."""
        if isinstance(slot, Shelf):
            slot.state, slot.count = slot.state[:0].copy(), 0
        elif start < slot.computed:
            self._hold(slot, start)
            if not start:
                self._holders[slot.id].remove(slot)
            self.context.cut(slot.id, self._end(slot.id))

    def fork(self, source: Slot, target: Slot) -> None:
        """Share the stream, until one of them wants to write where the other has something else."""
        if source.computed:
            self._enter(target, source.id, source.computed)

    def copy(self, source: Slot, target: Slot, count: int) -> bool:
        """Copy into a free stream."""
        stream = self._free()
        if stream is None:
            return False
        try:
            state = source.state if isinstance(source, Shelf) else self.context.saved(source.id)
        except EngineError:
            return False
        if not self.context.load(stream, state):
            self.context.cut(stream, 0)
            return False
        self.context.cut(stream, count)
        self._enter(target, stream, count)
        return True

    def keep(self, source: Slot, kept: Slot, count: int) -> bool:
        """Save it; only where the stream ends there, so that nothing else is saved with it."""
        if self._end(source.id) != count:
            return False
        assert isinstance(kept, Shelf)
        kept.state, kept.count = self.context.saved(source.id), count
        return True

    @property
    def keeps_too_much(self) -> bool:
        """Whether kept prefixes take more memory than is meant for them."""
        return sum(shelf.state.nbytes for shelf in self._shelves) > KEPT_BYTES

    def full(self) -> EngineError:
        """What to tell who found no stream, or no room in its own."""
        streams = len(self._holders)
        return EngineError(
            f"The context is full: it holds {streams} sequences of {self.longest:,} tokens.",
            "Close or swap out other sequences, or use more or larger contexts.",
        )

    def _end(self, stream: int) -> int:
        """Where a stream ends."""
        return max((slot.computed for slot in self._holders[stream]), default=0)

    def _enter(self, slot: Slot, stream: int, length: int) -> None:
        slot.id = stream
        self._hold(slot, length)
        self._holders[stream].append(slot)

    def _hold(self, slot: Slot, length: int) -> None:
        first = slot.id * self.longest
        slot.cells = np.arange(first, first + length, dtype=np.int32)

    def _move(self, slot: Slot) -> bool:
        """Bring a slot into a stream of its own; False where none is free."""
        before, length = slot.id, slot.computed
        copied = Slot(-1)
        if not self.copy(slot, copied, length):
            return False
        self._holders[before].remove(slot)
        self.context.cut(before, self._end(before))
        self._holders[copied.id].remove(copied)
        self._enter(slot, copied.id, length)
        return True

    def _free(self) -> int | None:
        """A free stream, next to those at work if possible: llama.cpp splits a batch where their numbers have gaps."""
        free = [stream for stream, held in enumerate(self._holders) if not held]
        busy = [stream for stream, held in enumerate(self._holders) if any(slot.work for slot in held)]
        return min(free, key=lambda one: (min((abs(one - other) for other in busy), default=0), one), default=None)


def _computed(slot: Slot) -> int:
    return slot.computed
