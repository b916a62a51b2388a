"""Sequences that are token ids and nothing more: for engines that keep no KV state of their own."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from llmasos.core.base.errors import EngineError, StateError
from llmasos.core.engine.base import LiveSequence, Usage
from llmasos.core.engine.cells import Cells, CellTable
from llmasos.core.engine.promises import Promises


@dataclass(slots=True)
class Place:
    """One open sequence.

    Attributes:
        live: The sequence.
        cells: The cell of each of its tokens, in order.
        busy: Whether it serves a request.
    """

    live: LiveSequence
    cells: Cells
    busy: bool = False


class Ledger:
    """Open sequences, with exact account of cells; forks share them.

    Args:
        model: Whose they are: a saved state is restored only where this is the same.
        n_ctx: Cells for all sequences together.
        n_seq: Sequences that can be open at once.
    """

    def __init__(self, model: str, *, n_ctx: int, n_seq: int) -> None:
        self._model = model
        self._limit = n_seq
        self._table = CellTable(n_ctx)
        self.promises = Promises(n_ctx)
        self._places: dict[int, Place] = {}
        self._next = 1
        self.stopped = False
        """Whether nothing is opened any more."""

    def __iter__(self) -> Iterator[Place]:
        return iter(list(self._places.values()))

    def __len__(self) -> int:
        return len(self._places)

    @property
    def used(self) -> int:
        """Cells in use."""
        return self._table.used

    def open(self, owner: int) -> LiveSequence:
        """A new, empty sequence.

        Raises:
            EngineError: All are in use, or the engine was shut down.
        """
        if self.stopped:
            raise EngineError("The engine was shut down.")
        if len(self._places) >= self._limit:
            raise EngineError(f"All {self._limit} sequences of the model are in use.", "Close one.")
        live = LiveSequence(self._next, owner=owner)
        self._places[live.id] = Place(live, np.zeros(0, np.int32))
        self._next += 1
        return live

    def find(self, sequence: LiveSequence) -> Place:
        """Where a sequence is.

        Raises:
            EngineError: It is closed.
        """
        place = self._places.get(sequence.id)
        if place is None:
            raise EngineError(f"The sequence {sequence.id} is closed.")
        return place

    def enter(self, sequence: LiveSequence) -> Place:
        """Begin to serve a request; who did sets `busy` back.

        Raises:
            EngineError: The sequence is closed, or serves another request.
        """
        place = self.find(sequence)
        if place.busy:
            busy = f"The sequence {sequence.id} is serving another request."
            raise EngineError(busy, "Wait for it, or fork.")
        place.busy = True
        return place

    def append(self, place: Place, tokens: Sequence[int]) -> None:
        """Add tokens to a sequence.

        Raises:
            EngineError: It was closed meanwhile, or the context is full.
        """
        if place.live.id not in self._places:
            raise EngineError(f"The sequence {place.live.id} was closed.")
        cells = self._table.take(len(tokens))
        if cells is None:
            full = f"The context is full: all {self._table.count:,} cells are in use."
            raise EngineError(full, "Close a sequence.")
        place.cells = np.concatenate([place.cells, cells])
        place.live.tokens.extend(tokens)

    def cut(self, place: Place, start: int) -> None:
        """Forget what a sequence holds from a position on."""
        self._table.drop(place.cells[start:])
        place.cells = place.cells[:start]
        del place.live.tokens[start:]

    def cut_idle(self, sequence: LiveSequence, start: int) -> None:
        """As `cut`, of a sequence that serves no request.

        Raises:
            EngineError: It is closed or busy.
        """
        place = self.enter(sequence)
        self.cut(place, start)
        place.busy = False

    def fork(self, sequence: LiveSequence, owner: int) -> LiveSequence:
        """A copy that goes its own way.

        Raises:
            EngineError: The sequence is closed, or all are in use.
        """
        source = self.find(sequence)
        live = self.open(owner)
        live.tokens.extend(sequence.tokens)
        copy = self._places[live.id]
        copy.cells = source.cells.copy()
        self._table.share(copy.cells)
        return live

    def close(self, sequence: LiveSequence) -> bool:
        """Free a sequence and its cells; False where that was done already."""
        place = self._places.pop(sequence.id, None)
        if place is None:
            return False
        self._table.drop(place.cells)
        place.cells = place.cells[:0]
        return True

    def save(self, sequence: LiveSequence) -> bytes:
        """A sequence's state.

        Raises:
            EngineError: It is closed or busy.
        """
        if self.find(sequence).busy:
            raise EngineError(f"The sequence {sequence.id} is serving a request.", "Wait for it.")
        state = {"model": self._model, "tokens": sequence.tokens, "usage": asdict(sequence.usage)}
        body = json.dumps(state).encode()
        return zlib.crc32(body).to_bytes(4, "little") + body

    def restore(self, state: bytes | memoryview, owner: int) -> LiveSequence:
        """A sequence from a saved state.

        Raises:
            StateError: The state is of another model or damaged.
            EngineError: There is no room.
        """
        if zlib.crc32(state[4:]).to_bytes(4, "little") != state[:4]:
            raise StateError("The saved state is damaged.")
        saved = json.loads(bytes(state[4:]))
        if saved["model"] != self._model:
            raise StateError("The saved state is of another model or adapter.")
        live = self.open(owner)
        try:
            self.append(self._places[live.id], saved["tokens"])
        except EngineError:
            self.close(live)
            raise
        live.usage = Usage(**saved["usage"])
        return live
