"""Cells that are promised: who was promised some finds them, whatever else is asked for meanwhile."""

from __future__ import annotations


class Promises:
    """What each owner was promised of one pool of cells.

    Args:
        count: Cells there are.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._cells: dict[int, int] = {}

    def __contains__(self, owner: int) -> bool:
        return owner in self._cells

    def items(self) -> list[tuple[int, int]]:
        """Owners with their cells; any thread may ask."""
        return list(self._cells.items())

    def of(self, owner: int) -> int:
        """An owner's cells; 0 where it was promised none."""
        return self._cells.get(owner, 0)

    @property
    def left(self) -> int:
        """Cells that are promised to nobody."""
        return self._count - sum(self._cells.values())

    def give(self, owner: int, cells: int) -> int | None:
        """Promise an owner cells, all there are where it asks for more; how many are left then.

        None where others were promised too many, or the owner has a promise already.
        """
        cells = min(cells, self._count)
        if cells > self.left or owner in self._cells:
            return None
        self._cells[owner] = cells
        return self.left

    def end(self, owner: int) -> None:
        """An owner needs its cells no more; one that was promised none is fine."""
        self._cells.pop(owner, None)
