"""From a checkpoint to a GGUF LoRA, and back: python -m training.export --run DIR --out FILE."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, GGUFWriter

from training.base_model import ROTARY, Shape, halves, load
from training.files import ADAPTER, default_base


def export(checkpoint: Path, base: Path, out: Path, *, beside: Path | None = None, share: float = 0.5) -> int:
    """Write the adapter; returns its size in bytes.

    `b` of q and k goes back from halves to llama.cpp's order of rows (base_model.halves).

    Args:
        checkpoint: Of the run.
        base: The base model's GGUF file, for its shape.
        out: Where to.
        beside: An adapter that the run began with; the result lies between the two, and so keeps what the run forgot
            (Wortsman et al. 2022, arXiv 2203.05482).
        share: Of the run, where there are two.
    """
    kept = torch.load(checkpoint, weights_only=True)
    shape, _ = load(base)
    adapter = kept["adapter"]
    if beside is not None:
        other = restore(beside, shape)
        adapter = {name: share * value + (1 - share) * other[name] for name, value in adapter.items()}
    writer = GGUFWriter(out, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(kept["alpha"]))
    writer.add_name("llmasos interpreter")
    writer.add_description("LoRA for SmolLM2-135M-Instruct: a sentence to a program of syscalls")
    writer.add_license("apache-2.0")
    for name, value in sorted(adapter.items()):
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
    """The tensors of an exported adapter under the names of a checkpoint, so that another round can begin with it."""
    found: dict[str, torch.Tensor] = {}
    for tensor in GGUFReader(path).tensors:
        layer, _, side = tensor.name.partition(".weight.lora_")
        value = torch.from_numpy(tensor.data.astype(np.float32))
        if side == "b" and layer.rpartition(".")[2] in ROTARY:
            value = value[halves(value.shape[0], shape.head_width)]
        found[f"{layer}.{side}"] = value
    return found


def main() -> None:
    """Read the options and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--out", type=Path, default=ADAPTER)
    parser.add_argument("--beside", type=Path, help="an exported adapter; the result lies between the two")
    parser.add_argument("--share", type=float, default=0.5, help="of the run, between the two")
    options = parser.parse_args()
    base = options.base or default_base()
    size = export(options.run / "last.pt", base, options.out, beside=options.beside, share=options.share)
    print(f"{options.out}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
