"""The exported file computes what was trained: python -m training.verify --run DIR.

llama.cpp multiplies the quantized weights with activations rounded to 8 bits, torch the same weights in
bf16; so the scores differ a little, the likeliest token hardly ever, and a wrong layout is unmistakable.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from llmasos.services.interpreter import notation
from training.files import ADAPTER, default_base
from training.greedy import Greedy
from training.model import Model
from training.rows import add, empty
from training.train import tensors

PROMPTS = (
    notation.prompt("read notes/todo.md"),
    notation.prompt("remind me to call Bob tomorrow at 9"),
    notation.prompt("打开客厅的灯"),
    notation.prompt("find the tax pdf and move it to archive") + "files.find\n query: tax pdf\nfiles.",
    notation.prompt("how many fixtures has U12?", "club.fixtures - Upcoming matches.\n team: string"),
)


def main() -> None:
    """Print, for each prompt, the correlation of the scores and both likeliest tokens."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--adapter", type=Path, default=ADAPTER)
    options = parser.parse_args()
    base = options.base or default_base()
    kept = torch.load(options.run / "last.pt", weights_only=True)
    model = Model(base, rank=kept["rank"], alpha=kept["alpha"], seed=0)
    model.adapter.restore(kept["adapter"])
    greedy = Greedy(base, options.adapter, threads=1)
    for prompt in PROMPTS:
        ids = greedy.tokenizer.encode(prompt)
        row = empty()
        add(row, ([], [(ids, [0])]))
        tokens, positions, mask, _ = tensors([row], len(row))
        with torch.no_grad():
            ours = model.logits(model.hidden(tokens, positions, mask)[0, -1]).float()
        theirs = torch.from_numpy(greedy.logits(prompt))
        figures = {
            "prompt": prompt[-60:],
            "correlation": round(float(torch.corrcoef(torch.stack((ours, theirs)))[0, 1]), 4),
            "torch": int(ours.argmax()),
            "llama.cpp": int(theirs.argmax()),
        }
        print(json.dumps(figures, ensure_ascii=False))


if __name__ == "__main__":
    main()
