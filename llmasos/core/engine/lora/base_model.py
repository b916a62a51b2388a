"""The weights of a GGUF as torch tensors: what an adapter is trained against is what runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from gguf import GGUFReader
from gguf.quants import dequantize

LINEAR = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
"""The seven linear layers of a block, by their GGUF names."""

ROTARY = ("attn_q", "attn_k")
"""Layers whose output rows are rotated."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a Llama-architecture model."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    rope_base: float
    norm_epsilon: float

    @property
    def head_width(self) -> int:
        """Channels of one head."""
        return self.width // self.heads


def halves(rows: int, head_width: int) -> torch.Tensor:
    """The order that turns llama.cpp's rotary rows into halves.

    llama.cpp stores q and k so that rotation pairs neighbours (0 1, 2 3, ...); in torch it is faster to pair
    the first half of a head with its second. `weight[halves(...)]` goes there, `torch.argsort` of it
    comes back.
    """
    order = torch.arange(rows).view(-1, head_width // 2, 2)
    return order.transpose(1, 2).reshape(-1)


def load(path: Path) -> tuple[Shape, dict[str, torch.Tensor]]:
    """Sizes and float32 tensors by GGUF name, q and k in halves.

    Raises:
        ValueError: It is of another architecture, or has parts that this forward pass doesn't know.
    """
    reader = GGUFReader(path)

    def setting(name: str) -> float:
        field = reader.get_field(f"llama.{name}")
        if field is None:
            raise ValueError(f"{path} has no llama.{name}: only the Llama architecture is supported")
        return float(field.contents())

    shape = Shape(
        layers=int(setting("block_count")),
        width=int(setting("embedding_length")),
        heads=int(setting("attention.head_count")),
        kv_heads=int(setting("attention.head_count_kv")),
        rope_base=setting("rope.freq_base"),
        norm_epsilon=setting("attention.layer_norm_rms_epsilon"),
    )
    width = reader.get_field("llama.rope.dimension_count")
    if width is not None and int(width.contents()) != shape.head_width:
        raise ValueError(f"{path} rotates a part of each head only")
    tensors: dict[str, torch.Tensor] = {}
    for tensor in reader.tensors:
        name = tensor.name.removesuffix(".weight")
        if name == "rope_freqs" or name.endswith(".bias"):
            raise ValueError(f"{path} has {tensor.name}, which the forward pass here doesn't know")
        value = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).float()
        if name.rpartition(".")[2] in ROTARY:
            value = value[halves(value.shape[0], shape.head_width)]
        tensors[name] = value
    return shape, tensors
