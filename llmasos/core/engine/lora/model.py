"""The forward pass with LoRA, written out, so that attention and packing suit a CPU.

The interpreter's adapter is merged into the base before every few steps and rounded as the running system does it
(core/engine/merge.py), so what is trained is what runs: 4-bit weights that hold the adapter already. Gradients pass
through the rounding unchanged (straight-through: Bengio et al. 2013, arXiv 1308.3432) and reach the low-rank matrices
alone. A task's adapter is attached when it runs, so it stands beside the weights here too. Rows hold several examples
behind one another, so the attention mask and the positions come with the row (rows.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from llmasos.core.engine.lora.base_model import LINEAR, Shape, load


def compute_type() -> torch.dtype:
    """What the model computes in: bfloat16 where the processor multiplies it, else float32.

    Emulated, a product of bfloat16 runs at a fortieth of one of float32 (1.2 against 55 GFLOP/s on a core with AVX2).
    """
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    return torch.bfloat16 if {"avx512_bf16", "amx_bf16", "bf16"} & set(flags) else torch.float32


TYPE = compute_type()


class Adapter:
    """The trainable matrices: `a` is (rank, in), `b` is (out, rank), zero at the start."""

    def __init__(self, shapes: dict[str, tuple[int, int]], rank: int, alpha: float, seed: int) -> None:
        random = torch.Generator().manual_seed(seed)
        self.rank, self.alpha = rank, alpha
        self.a: dict[str, Tensor] = {}
        self.b: dict[str, Tensor] = {}
        for name, (out, inside) in shapes.items():
            bound = inside**-0.5
            self.a[name] = (torch.rand(rank, inside, generator=random) * 2 - 1).mul_(bound * 3**0.5).requires_grad_()
            self.b[name] = torch.zeros(out, rank).requires_grad_()

    def parameters(self) -> Iterator[Tensor]:
        """All trainable tensors."""
        yield from self.a.values()
        yield from self.b.values()

    def state(self) -> dict[str, Tensor]:
        """Tensors by name, as kept in a checkpoint."""
        return {f"{name}.{side}": part[name].detach() for side, part in (("a", self.a), ("b", self.b)) for name in part}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take the tensors of a checkpoint."""
        with torch.no_grad():
            for name in self.a:
                self.a[name].copy_(state[f"{name}.a"])
                self.b[name].copy_(state[f"{name}.b"])


class Merged(torch.autograd.Function):
    """A product with a merged weight; its gradient goes to the low-rank matrices that are merged into it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """`x` (..., in) times `weight` (out, in); `a` (rank, in) and `b` (out, rank) are in the weight."""
        ctx.save_for_backward(x, weight, a, b)
        return F.linear(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, Tensor, Tensor]:
        """Of x, a and b."""
        x, weight, a, b = ctx.saved_tensors
        rows, flat = gradient.flatten(0, -2), x.flatten(0, -2)
        return gradient @ weight, None, (rows @ b).t() @ flat, rows.t() @ (flat @ a.t())


Product = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""A product with a weight and its low-rank matrices: x, weight, a, b."""


def merged(x: Tensor, weight: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The matrices are in the weight already."""
    product: Tensor = Merged.apply(x, weight, a, b)
    return product


def added(x: Tensor, weight: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The matrices stand beside the weight."""
    return F.linear(x, weight) + F.linear(F.linear(x, a), b)


def plain(x: Tensor, weight: Tensor, _a: Tensor, _b: Tensor) -> Tensor:
    """There are none."""
    return F.linear(x, weight)


def q4_0(weight: Tensor) -> Tensor:
    """A weight rounded to llama.cpp's Q4_0 and back: blocks of 32 with one float16 scale, 16 steps."""
    blocks = weight.reshape(-1, 32)
    high, low = blocks.amax(1, keepdim=True), blocks.amin(1, keepdim=True)
    step = torch.where(high > -low, high, low) / -8
    steps = (blocks * torch.where(step == 0, 0.0, 1 / step) + 8.5).floor().clamp(0, 15) - 8
    return (steps * step.half().float()).view_as(weight)


class Model:
    """A frozen base and an adapter.

    Args:
        base: The GGUF file.
        rank: Of the adapter.
        alpha: The adapter counts `alpha / rank`.
        seed: Of its first values.
        rounded: Merge the adapter into the weights and round them to Q4_0; else it stands beside them.
        first: The first block that has an adapter; those below stay as they are.
    """

    def __init__(self, base: Path, *, rank: int, alpha: float, seed: int, rounded: bool = True, first: int = 0) -> None:
        self.shape, tensors = load(base)
        self.first, self._rounded = first, rounded
        names = [f"blk.{layer}.{part}" for layer in range(first, self.shape.layers) for part in LINEAR]
        self.adapter = Adapter({n: (tensors[n].shape[0], tensors[n].shape[1]) for n in names}, rank, alpha, seed)
        self._linear = {name: tensors[name] for name in names} if rounded else {}
        self.weights = {name: value.to(TYPE) for name, value in tensors.items() if name not in self._linear}
        frequency = self.shape.rope_base ** -(torch.arange(0, self.shape.head_width, 2) / self.shape.head_width)
        angle = torch.outer(torch.arange(4096.0), frequency)
        self.cos, self.sin = angle.cos(), angle.sin()
        self._block: Callable[..., Tensor] = block
        self._round: Callable[[Tensor], Tensor] = q4_0
        self._none = torch.zeros(0)

    @torch.no_grad()
    def merge(self) -> None:
        """Put the adapter, as it is now, into the weights; nothing to do where it stands beside them."""
        scale = self.adapter.alpha / self.adapter.rank
        for name, weight in self._linear.items():
            whole = torch.addmm(weight, self.adapter.b[name], self.adapter.a[name], alpha=scale)
            self.weights[name] = self._round(whole).to(TYPE)

    def hidden(self, tokens: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """Final normalised states (rows, length, width).

        Args:
            tokens: Ids (rows, length).
            positions: Position of each token inside its example (rows, length).
            mask: True where a token may look, (rows, 1, length, length).
        """
        x = self.through(self.embedded(tokens), positions, mask, range(self.shape.layers))
        return self.normal(x)

    def embedded(self, tokens: Tensor) -> Tensor:
        """What the first block reads, (rows, length, width)."""
        return F.embedding(tokens, self.weights["token_embd"])

    def normal(self, x: Tensor) -> Tensor:
        """What the last block wrote, as the output layer reads it."""
        return rms_norm(x, self.weights["output_norm"], self.shape.norm_epsilon)

    def through(self, x: Tensor, positions: Tensor, mask: Tensor, layers: Iterable[int]) -> Tensor:
        """Some blocks; the rest as for `hidden`."""
        shape, weights = self.shape, self.weights
        scale = self.adapter.alpha / self.adapter.rank
        a = {name: value.to(TYPE) for name, value in self.adapter.a.items()}
        b = {name: (value * scale).to(TYPE) for name, value in self.adapter.b.items()}
        cos, sin = (t[positions].to(TYPE).unsqueeze(1) for t in (self.cos, self.sin))
        bias = torch.zeros(mask.shape, dtype=TYPE).masked_fill_(~mask, float("-inf"))
        for layer in layers:
            name = f"blk.{layer}."
            product = plain if layer < self.first else merged if self._rounded else added
            x = self._block(
                x, cos, sin, bias, shape, product,
                weights[name + "attn_norm"], weights[name + "ffn_norm"],
                [weights[name + part] for part in LINEAR],
                [a.get(name + part, self._none) for part in LINEAR],
                [b.get(name + part, self._none) for part in LINEAR],
            )  # fmt: skip
        return x

    def compile(self) -> None:
        """Fuse the element-wise work of a block; one compilation for each shape of batch."""
        self._block = torch.compile(block, dynamic=False)
        self._round = torch.compile(q4_0, dynamic=False)

    def logits(self, states: Tensor) -> Tensor:
        """Next-token scores of the given states; without an output layer of its own the embedding is it."""
        return F.linear(states, self.weights.get("output", self.weights["token_embd"]))


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """Root mean square normalisation, summed in float32."""
    wide = x.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon)).to(x.dtype) * weight


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions on halves; x is (rows, heads, length, head width)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def block(
    x: Tensor,
    cos: Tensor,
    sin: Tensor,
    bias: Tensor,
    shape: Shape,
    product: Product,
    attention_norm: Tensor,
    feed_norm: Tensor,
    w: list[Tensor],
    a: list[Tensor],
    b: list[Tensor],
) -> Tensor:
    """One transformer block; `w`, `a`, `b` in the order of `LINEAR`."""
    rows, length, width = x.shape

    def linear(index: int, value: Tensor) -> Tensor:
        return product(value, w[index], a[index], b[index])

    def heads(value: Tensor, count: int) -> Tensor:
        return value.view(rows, length, count, shape.head_width).transpose(1, 2)

    y = rms_norm(x, attention_norm, shape.norm_epsilon)
    q = rotate(heads(linear(0, y), shape.heads), cos, sin)
    k = rotate(heads(linear(1, y), shape.kv_heads), cos, sin)
    v = heads(linear(2, y), shape.kv_heads)
    group = shape.heads // shape.kv_heads
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    # Written out: the fused kernel's backward pass took 0.87 s of a step's 3.1 s on a CPU.
    scores = q @ k.transpose(2, 3) * shape.head_width**-0.5 + bias
    seen = scores.float().softmax(-1).to(TYPE) @ v
    x = x + linear(3, seen.transpose(1, 2).reshape(rows, length, width))
    y = rms_norm(x, feed_norm, shape.norm_epsilon)
    return x + linear(6, F.silu(linear(4, y)) * linear(5, y))
