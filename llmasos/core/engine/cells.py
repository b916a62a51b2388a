"""Which KV cells are in use: a mirror of llama.cpp's pool, so that a full one is known in advance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Cells = npt.NDArray[np.int32]


class CellTable:
    """Counts the holders of each cell; a cell is free when nobody holds it.

    Args:
        count: Cells in the context.
    """

    def __init__(self, count: int) -> None:
        self._holders = np.zeros(count, np.int32)
        self.count = count
        self.used = 0

    @property
    def free(self) -> int:
        """Cells that nobody holds."""
        return self.count - self.used

    def take(self, count: int) -> Cells | None:
        """So many free cells with one holder each; None where there aren't enough."""
        if count > self.free:
            return None
        found = np.flatnonzero(self._holders == 0)[:count].astype(np.int32)
        self._holders[found] = 1
        self.used += count
        return found

    def share(self, cells: Cells) -> None:
        """One holder more."""
        self._holders[cells] += 1

    def drop(self, cells: Cells) -> None:
        """One holder less."""
        self._holders[cells] -= 1
        self.used -= int(np.count_nonzero(self._holders[cells] == 0))
