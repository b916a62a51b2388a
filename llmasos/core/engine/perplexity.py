"""How well a model foretells a text: perplexity, lower is better.

Only figures of the same text and the same vocabulary can be compared: another tokenizer cuts the text into other
pieces.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.context import N_OUTPUTS, Context, Rows
from llmasos.core.engine.llama_model import LlamaModel
from llmasos.core.engine.sampling import log_probability

SAMPLE = Path(__file__).with_name("sample.md")
"""An English text of our own, of some 2,300 tokens: what is measured where no text is named."""
WINDOW = 1024
"""Tokens that are read together."""


@dataclass(frozen=True, slots=True)
class Perplexity:
    """The figure, and of how many tokens."""

    value: float
    tokens: int


def perplexity(
    model: LlamaModel,
    tokens: Sequence[int],
    *,
    window: int = WINDOW,
    threads: int = 1,
    adapter: Path | None = None,
    small_keys: bool = False,
    tell: Callable[[int], None] = lambda _done: None,
) -> Perplexity:
    """The perplexity of a text, each token given all before it in its window; blocks.

    Args:
        model: The model.
        tokens: The text's.
        window: Tokens that are read together; no token of a window knows of those before it.
        threads: Threads of a step.
        adapter: A LoRA adapter's file.
        small_keys: Keep keys in Q8_0, as conversations with cells of their own do.
        tell: Told how many tokens are done.

    Raises:
        EngineError: The text has fewer than two tokens, or llama.cpp failed.
    """
    window = min(window, model.info.context or window)
    if len(tokens) < 2:
        raise EngineError("A text of fewer than two tokens has no perplexity.", "Name a longer text.")
    context = Context(model, n_ctx=window, n_sequences=1, threads=threads, adapter=adapter, small_keys=small_keys)
    total, count = 0.0, 0
    try:
        for start in range(0, len(tokens) - 1, window):
            context.cut(0, 0)
            part = tokens[start : start + window + 1]
            for at in range(0, len(part) - 1, N_OUTPUTS):
                rows = Rows()
                for position in range(at, min(at + N_OUTPUTS, len(part) - 1)):
                    rows.add(part[position], position, 0, True)
                if context.decode(rows) != 0:
                    raise EngineError("llama.cpp could not compute this text.")
                total -= sum(log_probability(context.logits(row), part[at + row + 1]) for row in range(len(rows)))
                count += len(rows)
                tell(count)
    finally:
        context.close()
    return Perplexity(math.exp(total / count), count)
