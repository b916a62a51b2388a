"""A trained adapter as a GGUF LoRA, and back.

`b` of q and k goes from halves to llama.cpp's order of rows (base_model.halves).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, GGUFWriter

from llmasos.core.engine.lora.base_model import ROTARY, Shape, halves


@dataclass(frozen=True, slots=True)
class About:
    """What the file says of itself."""

    name: str
    description: str
    licence: str = ""


def write(tensors: Mapping[str, torch.Tensor], alpha: float, shape: Shape, out: Path, about: About) -> int:
    """Write an adapter; returns its size in bytes.

    Args:
        tensors: As `Adapter.state` gives them.
        alpha: What the product of the two matrices counts, times the rank.
        shape: Of the model that it was trained on.
        out: Where to.
        about: What the file says of itself.
    """
    writer = GGUFWriter(out, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    writer.add_name(about.name)
    writer.add_description(about.description)
    if about.licence:
        writer.add_license(about.licence)
    for name, value in sorted(tensors.items()):
        layer, _, side = name.rpartition(".")
        if side == "b" and layer.rpartition(".")[2] in ROTARY:
            value = value[torch.argsort(halves(value.shape[0], shape.head_width))]
        writer.add_tensor(f"{layer}.weight.lora_{side}", value.numpy().astype(np.float16))
    out.parent.mkdir(parents=True, exist_ok=True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out.stat().st_size


def restore(path: Path, shape: Shape) -> dict[str, torch.Tensor]:
    """The tensors of an adapter's file under the names of `Adapter.state`, so that another round can begin with it."""
    found: dict[str, torch.Tensor] = {}
    for tensor in GGUFReader(path).tensors:
        layer, _, side = tensor.name.partition(".weight.lora_")
        value = torch.from_numpy(tensor.data.astype(np.float32))
        if side == "b" and layer.rpartition(".")[2] in ROTARY:
            value = value[halves(value.shape[0], shape.head_width)]
        found[f"{layer}.{side}"] = value
    return found
