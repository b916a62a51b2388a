"""The sequences of one context and the cells they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.base import LiveSequence
from llmasos.core.engine.cells import Cells, CellTable
from llmasos.core.engine.context import Context

if TYPE_CHECKING:
    from llmasos.core.engine.work import Work


class Slot:
    """One llama.cpp sequence id.

    Attributes:
        id: llama.cpp's number for it.
        cells: The cell of each computed token, in order.
        live: The sequence that lives here, or None.
        work: The request that is being served.
    """

    def __init__(self, id: int) -> None:
        self.id = id
        self.cells: Cells = np.zeros(0, np.int32)
        self.live: LiveSequence | None = None
        self.work: Work | None = None

    @property
    def computed(self) -> int:
        """Tokens whose KV state is resident; further ones in `live.tokens` are still to be computed."""
        return len(self.cells)


class Sequences:
    """Slots over a context, with exact account of cells.

    Args:
        context: Whose sequences they are.
        n_open: How many can be open.
        n_kept: How many prefixes can be kept.
        n_scratch: How many are for the engine's own short use.
    """

    def __init__(self, context: Context, *, n_open: int, n_kept: int, n_scratch: int) -> None:
        self.context = context
        self.table = CellTable(context.n_ctx)
        slots = [Slot(number) for number in range(n_open + n_kept + n_scratch)]
        self.open = slots[:n_open]
        self.kept = slots[n_open : n_open + n_kept]
        self.scratch = slots[n_open + n_kept :]
        self.by_id: dict[int, Slot] = {}

    def enter(self, live: LiveSequence) -> Slot:
        """An empty slot for a sequence that has none; what it holds is still to be computed.

        Raises:
            EngineError: All are in use.
        """
        for slot in self.open:
            if slot.live is None:
                slot.live = live
                self.by_id[live.id] = slot
                return slot
        used = f"All {len(self.open)} sequences of the model are in use."
        raise EngineError(used, "Close one, or swap a waiting one out.")

    def leave(self, slot: Slot) -> None:
        """Close the sequence in a slot and free its cells."""
        self.cut(slot, 0)
        if slot.live is not None:
            del self.by_id[slot.live.id]
            slot.live = None

    def grow(self, slot: Slot, count: int) -> bool:
        """Give a slot cells for tokens about to be computed; False where there aren't enough."""
        cells = self.table.take(count)
        if cells is None:
            return False
        slot.cells = np.concatenate([slot.cells, cells])
        return True

    def cut(self, slot: Slot, start: int) -> None:
        """Forget what a slot computed from a position on."""
        self.table.drop(slot.cells[start:])
        slot.cells = slot.cells[:start]
        self.context.cut(slot.id, start)

    def share(self, source: Slot, target: Slot, count: int) -> None:
        """Let an empty slot share the first `count` computed tokens of another."""
        self.table.share(source.cells[:count])
        target.cells = source.cells[:count].copy()
        self.context.copy(source.id, target.id, count)

    def cells_open(self, owner: int | None = None) -> int:
        """Cells that open sequences hold, all or an owner's, shared ones once; any thread may ask."""
        lives = [(slot.cells, slot.live) for slot in self.open]
        held = [cells for cells, live in lives if len(cells) and (owner is None or (live and live.owner == owner))]
        return len(np.unique(np.concatenate(held))) if held else 0
