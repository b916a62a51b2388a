"""The trial that `tiles` starts in a process of its own: `python -m llmasos.core.engine.tiles_trial MODEL`.

Tokens read together, which tiles compute, against the same tokens read one by one, which they don't. Exit code 0 where
both come to the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llmasos.core.engine.context import Context, Rows
from llmasos.core.engine.llama_model import LlamaModel
from llmasos.core.engine.native import native

_TEXT = "Tiles multiply small matrices of bytes; read in pieces of any length, a text must come to the same end. " * 2
_PIECES = ((48, 1), (16, 1), (5, 2))
"""Tokens at once, and threads."""
_ALIKE = 0.98
"""Correlation of logits: 0.999 where only rounding differs, next to none where the shapes are wrong."""


def agree(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> bool:
    """Whether two rows of logits are the same but for rounding."""
    return bool(np.isfinite(one).all() and np.isfinite(other).all() and np.corrcoef(one, other)[0, 1] > _ALIKE)


def logits(model: LlamaModel, size: int, threads: int) -> npt.NDArray[np.float32]:
    """Shape (n_vocab,): what follows the text, read `size` tokens at a time."""
    tokens = model.tokenize(_TEXT)
    context = Context(model, n_ctx=256, n_sequences=1, threads=threads)
    try:
        for start in range(0, len(tokens), size):
            rows = Rows()
            for position, token in enumerate(tokens[start : start + size], start):
                rows.add(token, position, 0, output=position + 1 == len(tokens))
            if context.decode(rows) != 0:
                raise SystemExit(3)
        return context.logits(len(rows) - 1).copy()
    finally:
        context.close()


def main() -> int:
    """Run the trial on the model that is named."""
    native(tiles=True)
    model = LlamaModel.load(Path(sys.argv[1]))
    alone = logits(model, 1, 1)
    return 0 if all(agree(logits(model, size, threads), alone) for size, threads in _PIECES) else 1


if __name__ == "__main__":
    sys.exit(main())
