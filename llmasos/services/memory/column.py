"""An array that grows: appended to like a list, computed with like an array."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class Column:
    """Values of one type, or rows of one width.

    Args:
        dtype: Their type.
        width: Numbers in a row; 0 for single values.
    """

    __slots__ = ("_data", "_size")

    def __init__(self, dtype: npt.DTypeLike, width: int = 0) -> None:
        self._data: npt.NDArray[Any] = np.zeros((0, width) if width else 0, dtype)
        self._size = 0

    def append(self, value: Any) -> None:
        """Add one at the end."""
        if self._size == len(self._data):
            larger = np.zeros((max(16, 2 * self._size), *self._data.shape[1:]), self._data.dtype)
            larger[: self._size] = self._data
            self._data = larger
        self._data[self._size] = value
        self._size += 1

    def load(self, data: npt.NDArray[Any]) -> None:
        """Take these up, in place of what there was; they are this column's own from now on."""
        self._data = data.astype(self._data.dtype, copy=False)
        self._size = len(data)

    @property
    def view(self) -> npt.NDArray[Any]:
        """All of them; what is written there is kept."""
        return self._data[: self._size]
