"""The sequences of one context and the cells they hold; how cells are dealt out is the layout's, one class each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.base import LiveSequence
from llmasos.core.engine.cells import Cells
from llmasos.core.engine.context import Context

if TYPE_CHECKING:
    from llmasos.core.engine.work import Work


class Slot:
    """Where one sequence can be.

    Attributes:
        id: llama.cpp's number for it; good only while it has cells.
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
        """Tokens whose KV state is there; further ones in `live.tokens` are still to be computed."""
        return len(self.cells)


class Sequences(ABC):
    """Slots over a context, with exact account of cells.

    Args:
        context: Whose sequences they are.
        open: For sequences that are open.
        kept: For prefixes that are kept.
        scratch: For the engine's own short use.
        longest: Cells that one sequence can have.
    """

    def __init__(
        self, context: Context, *, open: Sequence[Slot], kept: Sequence[Slot], scratch: Sequence[Slot], longest: int
    ) -> None:
        self.context = context
        self.count: int = context.n_ctx
        """Cells of all sequences together."""
        self.open, self.kept, self.scratch = open, kept, scratch
        self.longest = longest
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

    def of(self, owner: int) -> list[Slot]:
        """Where an owner's open sequences are; any thread may ask."""
        return [slot for slot in self.open if (live := slot.live) and live.owner == owner]

    def used(self, slots: Iterable[Slot]) -> int:
        """Cells that slots hold, shared ones once; any thread may ask."""
        held = [cells for slot in slots if len(cells := slot.cells)]
        return len(np.unique(np.concatenate(held))) if held else 0

    @abstractmethod
    def taken(self, slots: Iterable[Slot]) -> int:
        """Cells that nobody else can have while slots hold what they hold; any thread may ask."""

    @abstractmethod
    def needed(self, length: int) -> int:
        """Cells that nobody else can have once a sequence is so long."""

    @abstractmethod
    def grow(self, slot: Slot, count: int) -> bool:
        """Give a slot cells for tokens about to be computed; False where there aren't enough."""

    @abstractmethod
    def cut(self, slot: Slot, start: int) -> None:
        """Forget what a slot has from a position on."""

    @abstractmethod
    def fork(self, source: Slot, target: Slot) -> None:
        """Let an empty slot have all that another has computed."""

    @abstractmethod
    def copy(self, source: Slot, target: Slot, count: int) -> bool:
        """Let an empty slot have the first `count` computed tokens of another; False where there is no room."""

    @abstractmethod
    def keep(self, source: Slot, kept: Slot, count: int) -> bool:
        """Keep the first `count` computed tokens of a slot in an empty kept one; False where that can't be now."""

    @property
    def keeps_too_much(self) -> bool:
        """Whether a kept prefix must go, whoever needs cells."""
        return False

    @abstractmethod
    def full(self) -> EngineError:
        """What to tell who found no cells."""
