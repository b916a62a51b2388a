"""The account of cells, against the plainest account there is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from llmasos.core.engine.cells import Cells, CellTable

STEP = st.tuples(st.sampled_from(["take", "share", "drop"]), st.integers(0, 9))


@given(st.lists(STEP, max_size=60))
def test_used_is_what_is_held(steps: list[tuple[str, int]]) -> None:
    table = CellTable(16)
    held: list[Cells] = []
    for kind, number in steps:
        if kind == "take":
            free = table.free
            cells = table.take(number)
            assert (cells is None) == (number > free)
            if cells is not None:
                held.append(cells)
        elif held and kind == "share":
            cells = held[number % len(held)]
            table.share(cells)
            held.append(cells)
        elif held:
            table.drop(held.pop(number % len(held)))
        distinct = len(np.unique(np.concatenate(held))) if held else 0
        assert table.used == distinct
        assert table.free == 16 - distinct
