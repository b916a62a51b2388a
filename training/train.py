"""LoRA training on a CPU: python -m training.train --tokens FILE --run DIR (resumes from DIR/last.pt).

Each worker is a process with one thread that computes its share of a step's rows; gradients are averaged once a step.
On a machine that others use too, this is many times faster than one process with two threads, whose every matrix
product waits for the slower core.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn import functional as F

from training.files import default_base
from training.model import Model
from training.rows import Row, Tokenized, pack, size


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides a run's result."""

    tokens: str
    run: str
    base: str
    rank: int = 32
    alpha: float = 64.0
    rate: float = 6e-4
    warmup: float = 0.06
    epochs: float = 2.3
    step_tokens: int = 2048
    row: int = 192
    seed: int = 1
    workers: int = 2
    checkpoint_seconds: float = 240.0


def batches(recipe: Recipe) -> list[list[Row]]:
    """The rows of every step of the whole run, the same for the same recipe.

    Short examples are packed into short rows, because attention costs the square of a row; what doesn't fit gets
    rows of its own length.
    """
    examples: list[Tokenized] = [json.loads(line) for line in Path(recipe.tokens).open()]
    order = random.Random(recipe.seed)
    steps: list[list[Row]] = []
    whole = math.ceil(recipe.epochs)
    for epoch in range(whole):
        share = min(1.0, recipe.epochs - epoch)
        chosen = order.sample(examples, int(len(examples) * share))
        short = [e for e in chosen if size(e) <= recipe.row]
        long = [e for e in chosen if size(e) > recipe.row]
        epoch_steps = _steps(list(pack(short, recipe.row, order)), recipe.step_tokens)
        epoch_steps += _steps(list(pack(long, 1024, order)), recipe.step_tokens)
        order.shuffle(epoch_steps)
        steps += epoch_steps
    return steps


def _steps(rows: list[Row], tokens: int) -> list[list[Row]]:
    steps: list[list[Row]] = []
    used = tokens
    for row in rows:
        if used + len(row) > tokens:
            steps.append([])
            used = 0
        steps[-1].append(row)
        used += len(row)
    return steps


def tensors(rows: list[Row]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(tokens, positions, mask, targets) of rows, padded to the longest."""
    length = max(len(row) for row in rows)

    def padded(part: str, fill: int) -> torch.Tensor:
        return torch.tensor([getattr(row, part) + [fill] * (length - len(row)) for row in rows])

    segment, parent = padded("segments", 0), padded("parents", -1)
    same = segment.unsqueeze(2) == segment.unsqueeze(1)
    above = parent.unsqueeze(2) == segment.unsqueeze(1)
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    # Padding (segment 0) looks at earlier padding: a softmax over nothing would be NaN.
    above &= (segment != 0).unsqueeze(1)
    mask = ((same | above) & causal).unsqueeze(1)
    return padded("tokens", 2), padded("positions", 0), mask, padded("targets", -1)


def rate_at(step: int, steps: int, recipe: Recipe) -> float:
    """Linear warm-up, then a cosine to a twentieth."""
    warm = max(1, int(steps * recipe.warmup))
    if step < warm:
        return recipe.rate * (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return recipe.rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


def work(worker: int, recipe: Recipe) -> None:
    """One worker's whole life."""
    torch.set_num_threads(1)
    if recipe.workers > 1:
        dist.init_process_group("gloo", rank=worker, world_size=recipe.workers)
    model = Model(Path(recipe.base), rank=recipe.rank, alpha=recipe.alpha, seed=recipe.seed)
    parameters = list(model.adapter.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=recipe.rate, betas=(0.9, 0.98), weight_decay=0.0)
    steps = batches(recipe)
    checkpoint = Path(recipe.run) / "last.pt"
    first = 0
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        model.adapter.restore(kept["adapter"])
        optimizer.load_state_dict(kept["optimizer"])
        first = kept["step"]
    flat = torch.zeros(sum(p.numel() for p in parameters))
    offset = 0
    for parameter in parameters:  # gradients live in one buffer, so that one exchange averages them all
        parameter.grad = flat[offset : offset + parameter.numel()].view_as(parameter)
        offset += parameter.numel()
    began = saved = time.monotonic()
    seen, smooth = 0, 0.0
    for step in range(first, len(steps)):
        flat.zero_()
        answers = sum(target >= 0 for row in steps[step] for target in row.targets)
        mine = sorted(steps[step], key=len)[worker :: recipe.workers]
        loss = torch.zeros(1)
        if mine:
            tokens, positions, mask, targets = tensors(mine)
            states = model.hidden(tokens, positions, mask)
            wanted = targets >= 0
            summed = F.cross_entropy(model.logits(states[wanted]).float(), targets[wanted], reduction="sum")
            (summed / answers).backward()
            loss = summed.detach().view(1) / answers
        if recipe.workers > 1:
            dist.all_reduce(flat)
            dist.all_reduce(loss)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, len(steps), recipe)
        optimizer.step()
        seen += sum(len(row) for row in steps[step])
        smooth = loss.item() if step == first else 0.95 * smooth + 0.05 * loss.item()
        now = time.monotonic()
        if worker == 0 and (step % 10 == 9 or step < first + 3):
            left = (now - began) / (step + 1 - first) * (len(steps) - step - 1)
            speed = seen / (now - began)
            print(f"step {step + 1}/{len(steps)} loss {smooth:.4f} {speed:.0f} tok/s, {left / 60:.1f} min left", flush=True)
        if worker == 0 and (now - saved > recipe.checkpoint_seconds or step + 1 == len(steps)):
            state = {"adapter": model.adapter.state(), "optimizer": optimizer.state_dict(), "step": step + 1,
                     "rank": recipe.rank, "alpha": recipe.alpha}  # fmt: skip
            torch.save(state, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
            saved = now


def main() -> None:
    """Read the recipe and start the workers."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--base", default="")
    for name, kind in (("rank", int), ("alpha", float), ("rate", float), ("epochs", float), ("seed", int),
                       ("step-tokens", int), ("workers", int), ("row", int)):  # fmt: skip
        attribute = name.replace("-", "_")
        parser.add_argument(f"--{name}", type=kind, default=Recipe.__dataclass_fields__[attribute].default)
    options = parser.parse_args()
    options.base = options.base or str(default_base())
    recipe = Recipe(**vars(options))
    Path(recipe.run).mkdir(parents=True, exist_ok=True)
    (Path(recipe.run) / "recipe.json").write_text(json.dumps(vars(options), indent=1) + "\n")
    if recipe.workers == 1:
        work(0, recipe)
        return
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29511")
    mp.spawn(work, (recipe,), nprocs=recipe.workers)


if __name__ == "__main__":
    main()
