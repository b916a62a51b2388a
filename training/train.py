"""LoRA training on a CPU: python -m training.train --tokens FILE --run DIR (resumes from DIR/last.pt).

Each worker is a process with one thread that computes its share of a step's rows; gradients are summed once a
step. On a machine that others use too this is steadier than one process with two threads, whose every matrix product
waits for the slower core.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn import functional as F

from llmasos.core.engine.lora.adapter_file import restore
from llmasos.core.engine.lora.batch import tensors
from llmasos.core.engine.lora.model import Model
from llmasos.core.engine.lora.rows import Row, Tokenized, empty, pack, size
from training.files import default_base

ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(10**11),
    "MALLOC_TOP_PAD_": str(5 * 10**8),
}
"""glibc keeps freed memory instead of giving it back after each step and faulting it in again at the next."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides a run's result."""

    tokens: str
    run: str
    base: str
    rank: int = 32
    alpha: float = 64.0
    rate: float = 6e-4
    warmup: int = 40
    minutes: float = 0.0
    step_tokens: int = 2048
    row: int = 128
    long_row: int = 512
    seed: int = 1
    merge_every: int = 4
    """Steps between two roundings: one costs a tenth of a step, and the adapter moves little meanwhile."""
    workers: int = 2
    compiled: bool = False
    checkpoint_seconds: float = 240.0
    start: str = ""
    """Another run's checkpoint, or an exported adapter, to begin with: a further round, on more sentences."""


def batches(recipe: Recipe) -> list[list[Row]]:
    """The rows of every step of the whole run, the same for the same recipe.

    Short examples are packed into short rows, because attention costs the square of a row; what doesn't
    fit goes into long ones. A step holds rows of one length only, so that there are two shapes to compile.
    """
    order = random.Random(recipe.seed)
    steps: list[list[Row]] = []
    for part in Path(recipe.tokens).read_text().split("\n\n"):
        examples: list[Tokenized] = [json.loads(line) for line in part.splitlines()]
        mixed: list[list[Row]] = []
        for length, chosen in (
            (recipe.row, [e for e in examples if size(e) <= recipe.row]),
            (recipe.long_row, [e for e in examples if size(e) > recipe.row]),
        ):
            rows = list(pack(chosen, length, order))
            count = max(1, recipe.step_tokens // length)
            mixed += [rows[start : start + count] for start in range(0, len(rows), count)]
        order.shuffle(mixed)
        steps += mixed
    return steps


def rate_at(step: int, done: float, recipe: Recipe) -> float:
    """Linear warm-up, then a cosine to a fiftieth at `done` = 1."""
    warm = min(1.0, (step + 1) / recipe.warmup)
    return recipe.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


def work(worker: int, recipe: Recipe) -> None:
    """One worker's whole life."""
    torch.set_num_threads(1)
    if recipe.workers > 1:
        dist.init_process_group("gloo", rank=worker, world_size=recipe.workers)
    model = Model(Path(recipe.base), rank=recipe.rank, alpha=recipe.alpha, seed=recipe.seed)
    parameters = list(model.adapter.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=recipe.rate, betas=(0.9, 0.98), weight_decay=0.0)
    steps = batches(recipe)
    if recipe.compiled:
        model.compile()
    checkpoint = Path(recipe.run) / "last.pt"
    first, spent = 0, 0.0
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        model.adapter.restore(kept["adapter"])
        optimizer.load_state_dict(kept["optimizer"])
        first, spent = kept["step"], kept["seconds"]
    elif recipe.start:
        shipped = recipe.start.endswith(".gguf")
        kept = {} if shipped else torch.load(recipe.start, weights_only=True)
        model.adapter.restore(restore(Path(recipe.start), model.shape) if shipped else kept["adapter"])
    model.merge()
    flat = torch.zeros(sum(p.numel() for p in parameters))
    offset = 0
    for parameter in parameters:  # gradients live in one buffer, so that one exchange averages them all
        parameter.grad = flat[offset : offset + parameter.numel()].view_as(parameter)
        offset += parameter.numel()
    began = saved = time.monotonic()
    seen, smooth = 0, 0.0
    for step in range(first, len(steps)):
        flat.zero_()
        if step % recipe.merge_every == 0:
            model.merge()
        answers = sum(target >= 0 for row in steps[step] for target in row.targets)
        length = recipe.row if all(len(row) <= recipe.row for row in steps[step]) else recipe.long_row
        mine = steps[step][worker :: recipe.workers]
        mine += [empty()] * (max(1, recipe.step_tokens // length // recipe.workers) - len(mine))
        tokens, positions, mask, targets = tensors(mine, length)
        states = model.hidden(tokens, positions, mask)
        wanted = targets >= 0
        summed = F.cross_entropy(model.logits(states[wanted]).float(), targets[wanted], reduction="sum")
        (summed / answers).backward()
        # Worker 0's clock counts, so that all agree on the rate and on the end.
        seconds = spent + time.monotonic() - began if worker == 0 else 0.0
        shared = torch.tensor([summed.item() / answers, seconds])
        if recipe.workers > 1:
            dist.all_reduce(flat)
            dist.all_reduce(shared)
        loss, seconds = shared.tolist()
        done = step / len(steps)
        if recipe.minutes:
            done = min(1.0, max(done, seconds / 60 / recipe.minutes))
        last = step + 1 == len(steps) or done >= 1.0
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, done, recipe)
        optimizer.step()
        seen += sum(len(row) for row in steps[step])
        smooth = loss if step == first else 0.95 * smooth + 0.05 * loss
        now = time.monotonic()
        if worker == 0 and (step % 10 == 9 or step < first + 3):
            left = (now - began) / (step + 1 - first) * (len(steps) - step - 1)
            left = min(left, recipe.minutes * 60 - seconds) if recipe.minutes else left
            speed = seen / (now - began)
            print(
                f"step {step + 1}/{len(steps)} loss {smooth:.4f} {speed:.0f} tok/s, {left / 60:.1f} min left",
                flush=True,
            )
        if worker == 0 and (now - saved > recipe.checkpoint_seconds or last):
            state = {"adapter": model.adapter.state(), "optimizer": optimizer.state_dict(), "step": step + 1,
                     "seconds": seconds, "rank": recipe.rank, "alpha": recipe.alpha}  # fmt: skip
            torch.save(state, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
            saved = now
        if last:
            break


def main() -> None:
    """Read the recipe and start the workers."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--base", default="")
    parser.add_argument("--start", default="", help="begin with another run's checkpoint or an exported adapter")
    integers = ("rank", "seed", "merge-every", "step-tokens", "workers", "row", "long-row")
    for name in (*integers, "alpha", "rate", "minutes"):
        kind = int if name in integers else float
        attribute = name.replace("-", "_")
        parser.add_argument(f"--{name}", type=kind, default=Recipe.__dataclass_fields__[attribute].default)
    parser.add_argument("--compiled", action="store_true", help="fuse with torch.compile; needs a C++ compiler")
    options = parser.parse_args()
    options.base = options.base or str(default_base())
    recipe = Recipe(**vars(options))
    Path(recipe.run).mkdir(parents=True, exist_ok=True)
    (Path(recipe.run) / "recipe.json").write_text(json.dumps(vars(options), indent=1) + "\n")
    for name, value in ALLOCATOR.items():  # read when a worker starts
        os.environ.setdefault(name, value)
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        os.environ.setdefault("MASTER_PORT", str(free.getsockname()[1]))
    mp.spawn(work, (recipe,), nprocs=recipe.workers)


if __name__ == "__main__":
    main()
