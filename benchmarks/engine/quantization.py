"""Which quantization: perplexity, size, and what one sequence computes in a second.

Past everything of ours but the context; the three in turn, so that a machine that slows down slows all.
"""

from __future__ import annotations

import time

from benchmarks.engine.lab import TEXT, Row, Run, figure, load
from llmasos.core.engine.context import Context, Rows
from llmasos.core.engine.llama import LlamaModel
from llmasos.core.engine.perplexity import perplexity

QUANTIZATIONS = ("as-shipped", "q8_0", "q4_0")


def rows(run: Run) -> list[Row]:
    """The figures."""
    models = {name: load(name, endless=False) for name in QUANTIZATIONS}
    found: list[Row] = []
    for name, model in models.items():
        found += _perplexity(name, model, run)
    prefill, decode = run.of(256, 16), run.of(48, 4)
    contexts = {name: Context(model, n_ctx=1024, n_sequences=1, threads=1) for name, model in models.items()}
    rates: dict[str, list[float]] = {}
    for repetition in range(run.of(5, 1) + 1):
        for name, context in contexts.items():
            tokens = models[name].tokenize(TEXT.read_text(encoding="utf-8"))
            context.cut(0, 0)
            begun = time.perf_counter()
            _compute(context, tokens[:prefill], 0)
            read = time.perf_counter()
            for at in range(prefill, prefill + decode):
                _compute(context, tokens[at : at + 1], at)
            if repetition:  # the first one warms up
                rates.setdefault(f"prefill_{name}_1t", []).append(prefill / (read - begun))
                rates.setdefault(f"decode_{name}_1t", []).append(decode / (time.perf_counter() - read))
    return found + [figure(id, samples, "tokens/s") for id, samples in rates.items()]


def _perplexity(name: str, model: LlamaModel, run: Run) -> list[Row]:
    """Of a text of our own, each token given all before it."""
    tokens = model.tokenize(TEXT.read_text(encoding="utf-8"))[: run.of(None, 100)]
    found = perplexity(model, tokens, window=4096)
    return [
        figure(f"perplexity_{name}", [found.value], f"of {len(tokens)} tokens"),
        figure(f"size_{name}", [model.info.size / 1e6], "MB"),
    ]


def _compute(context: Context, tokens: list[int], start: int) -> None:
    some = Rows()
    for offset, token in enumerate(tokens):
        some.add(token, start + offset, 0, offset == len(tokens) - 1)
    assert context.decode(some) == 0
    context.logits(len(tokens) - 1)
