"""One pool of cells for all sequences: forks and shared prefixes cost nothing, every step reads all cells in use."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.cells import CellTable
from llmasos.core.engine.context import Context
from llmasos.core.engine.sequences import Sequences, Slot


class Unified(Sequences):
    """Sequences that share a pool.

    Args:
        context: With a sequence id for each slot.
        n_open: How many can be open.
        n_kept: How many prefixes can be kept.
        n_scratch: How many are for the engine's own short use.
    """

    def __init__(self, context: Context, *, n_open: int, n_kept: int, n_scratch: int) -> None:
        slots = [Slot(number) for number in range(n_open + n_kept + n_scratch)]
        kept = slots[n_open : n_open + n_kept]
        scratch = slots[n_open + n_kept :]
        super().__init__(context, open=slots[:n_open], kept=kept, scratch=scratch, longest=context.n_ctx)
        self._table = CellTable(context.n_ctx)

    def taken(self, slots: Iterable[Slot]) -> int:
        """What they hold."""
        return self.used(slots)

    def needed(self, length: int) -> int:
        """One for each token, all there are at most."""
        return min(length, self.count)

    def grow(self, slot: Slot, count: int) -> bool:
        """Take free cells, wherever they are."""
        cells = self._table.take(count)
        if cells is None:
            return False
        slot.cells = np.concatenate([slot.cells, cells])
        return True

    def cut(self, slot: Slot, start: int) -> None:
        """Let go of the cells behind; others may hold them still."""
        self._table.drop(slot.cells[start:])
        slot.cells = slot.cells[:start]
        self.context.cut(slot.id, start)

    def fork(self, source: Slot, target: Slot) -> None:
        """Share the cells."""
        self.copy(source, target, source.computed)

    def copy(self, source: Slot, target: Slot, count: int) -> bool:
        """Share the cells."""
        self._table.share(source.cells[:count])
        target.cells = source.cells[:count].copy()
        self.context.share(source.id, target.id, count)
        return True

    def keep(self, source: Slot, kept: Slot, count: int) -> bool:
        """Share the cells."""
        return self.copy(source, kept, count)

    def full(self) -> EngineError:
        """What to tell who found no cells."""
        return EngineError(
            f"The context is full: all {self.count:,} cells are in use.",
            "Close or swap out other sequences, or use a larger context.",
        )
