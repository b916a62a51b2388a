"""What a step costs by the number of its rows: one token of one sequence is a row, and so is each token of a prompt.

A bare context on an empty sequence, its last row's logits; run it with `LLMASOS_AMX=off` too where the processor has AMX.
"""

from __future__ import annotations

import time

from benchmarks.engine.lab import Row, Run, figure, load
from benchmarks.engine.quantization import QUANTIZATIONS
from llmasos.core.engine.context import Context, Rows

WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128)


def rows(run: Run) -> list[Row]:
    """The figures."""
    found: list[Row] = []
    for name in QUANTIZATIONS:
        model = load(name, endless=False)
        for threads in (1, 2):
            context = Context(model, n_ctx=512, n_sequences=1, threads=threads)
            for width in run.of(WIDTHS, WIDTHS[:2]):
                took = [_step(context, width) for _ in range(run.of(13, 2))][1:]
                found.append(figure(f"step_{name}_{threads}t_{width}_rows", took, "ms"))
            context.close()
        model.close()
    return found


def _step(context: Context, width: int) -> float:
    some = Rows()
    for position in range(width):
        some.add(1000 + 7 * position, position, 0, output=position == width - 1)
    begun = time.perf_counter()
    assert context.decode(some) == 0
    ended = time.perf_counter()
    context.cut(0, 0)
    return (ended - begun) * 1e3
