"""From a checkpoint to a GGUF LoRA: python -m training.export --run DIR --out FILE."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from llmasos.core.engine.lora.adapter_file import About, restore, write
from llmasos.core.engine.lora.base_model import load
from training.files import ADAPTER, default_base

ABOUT = About(
    "llmasos interpreter", "LoRA for SmolLM2-135M-Instruct: a sentence to a program of syscalls", "apache-2.0"
)


def export(checkpoint: Path, base: Path, out: Path, *, beside: Path | None = None, share: float = 0.5) -> int:
    """Write the adapter; returns its size in bytes.

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
    return write(adapter, float(kept["alpha"]), shape, out, ABOUT)


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
