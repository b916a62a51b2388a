"""The training loop of a task's adapter: one process, some minutes.

Blocks below the adapter's first compute the same for an example each time: that is done once and kept.

The interpreter's adapter has a loop of its own (training/train.py, in a checkout), which works for an hour, in several
processes, and goes on where it was stopped.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from llmasos.core.engine.lora.batch import tensors
from llmasos.core.engine.lora.model import Model
from llmasos.core.engine.lora.rows import Row, Tokenized, pack, size


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Attributes:
        rank: Of the adapter.
        alpha: The adapter counts `alpha / rank`.
        rate: The highest learning rate.
        epochs: Times that every example is seen, at most.
        minutes: When to end at the latest.
        step_tokens: Tokens of one step.
        seed: Of the first values and of the order.
        threads: Threads of a step.
    """

    rank: int = 8
    alpha: float = 16.0
    rate: float = 1e-3
    epochs: int = 8
    minutes: float = 10.0
    step_tokens: int = 512
    seed: int = 1
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is: its step, of how many, the mean loss of late, and the seconds so far."""

    step: int
    steps: int
    loss: float
    seconds: float


def train(
    model: Model, examples: Sequence[Tokenized], recipe: Recipe, tell: Callable[[Progress], None] = lambda _: None
) -> Progress:
    """Train a model's adapter; returns where it ended.

    The learning rate warms up and falls along a cosine that ends with the last step or the last minute, whichever
    comes first.

    Args:
        model: A frozen base and the adapter.
        examples: Prompts and answers as tokens; the loss is of the answers.
        recipe: How.
        tell: Told after every step.
    """
    torch.set_num_threads(recipe.threads)
    began = time.monotonic()
    steps = _steps(model, examples, recipe)
    parameters = list(model.adapter.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=recipe.rate, betas=(0.9, 0.98), weight_decay=0.0)
    progress = Progress(0, len(steps), 0.0, 0.0)
    for step, rows in enumerate(steps):
        done = max(step / len(steps), progress.seconds / 60 / recipe.minutes)
        if done >= 1.0:
            break
        for group in optimizer.param_groups:
            group["lr"] = _rate(step, done, recipe)
        loss = _step(model, rows)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        smooth = loss if step == 0 else 0.9 * progress.loss + 0.1 * loss
        progress = Progress(step + 1, len(steps), smooth, time.monotonic() - began)
        tell(progress)
    return progress


@dataclass(frozen=True, slots=True)
class _Ready:
    """A row and what the blocks below the adapter make of it, (1, length, width)."""

    row: Row
    below: Tensor


def _step(model: Model, rows: Sequence[_Ready]) -> float:
    """One forward and backward pass; the mean loss of a token."""
    length = max(len(ready.row) for ready in rows)
    _, positions, mask, targets = tensors([ready.row for ready in rows], length)
    below = torch.cat([F.pad(ready.below, (0, 0, 0, length - len(ready.row))) for ready in rows])
    states = model.normal(model.through(below, positions, mask, range(model.first, model.shape.layers)))
    wanted = targets >= 0
    loss = F.cross_entropy(model.logits(states[wanted]).float(), targets[wanted])
    loss.backward()
    return float(loss.item())


def _steps(model: Model, examples: Sequence[Tokenized], recipe: Recipe) -> list[list[_Ready]]:
    """The rows of every step; every epoch has them in another order."""
    order = random.Random(recipe.seed)  # noqa: S311  no secret depends on it
    # Attention costs the square of a row: rows are as short as the examples allow.
    length = max(128, *map(size, examples))
    count = max(1, recipe.step_tokens // length)
    rows = [_ready(model, row) for row in pack(examples, length, order)]
    steps: list[list[_Ready]] = []
    for _ in range(recipe.epochs):
        order.shuffle(rows)
        steps += [rows[start : start + count] for start in range(0, len(rows), count)]
    return steps


@torch.no_grad()
def _ready(model: Model, row: Row) -> _Ready:
    tokens, positions, mask, _ = tensors([row], len(row))
    return _Ready(row, model.through(model.embedded(tokens), positions, mask, range(model.first)))


def _rate(step: int, done: float, recipe: Recipe) -> float:
    """A warm-up of ten steps, then a cosine to a fiftieth at `done` = 1."""
    warm = min(1.0, (step + 1) / 10)
    return recipe.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
