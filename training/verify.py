"""The exported file computes what was trained: python -m training.verify --run DIR.

llama.cpp multiplies the merged 4-bit weights with activations rounded to 8 bits, torch the same weights in bf16; so the
scores differ a little, the likeliest token hardly ever, and a wrong layout is unmistakable. Needs torch and llama.cpp.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from llmasos.core.engine.context import Context, Rows
from llmasos.core.engine.llama_model import LlamaModel
from llmasos.core.engine.lora.batch import tensors
from llmasos.core.engine.lora.model import Model
from llmasos.core.engine.lora.rows import add, empty
from llmasos.core.engine.merge import merged
from llmasos.services.interpreter import notation
from training.files import ADAPTER, default_base

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
    model.merge()
    running = LlamaModel.load(merged(base, options.adapter))
    context = Context(running, n_ctx=512, n_sequences=1)
    for prompt in PROMPTS:
        ids = running.tokenize(prompt, special=True)
        row = empty()
        add(row, ([], [(ids, [0])]))
        tokens, positions, mask, _ = tensors([row], len(row))
        with torch.no_grad():
            ours = model.logits(model.hidden(tokens, positions, mask)[0, -1]).float()
        context.cut(0, 0)
        batch = Rows()
        for position, token in enumerate(ids):
            batch.add(token, position, 0, position == len(ids) - 1)
        context.decode(batch)
        theirs = torch.from_numpy(context.logits(len(ids) - 1).copy())
        figures = {
            "prompt": prompt[-60:],
            "correlation": round(float(torch.corrcoef(torch.stack((ours, theirs)))[0, 1]), 4),
            "torch": int(ours.argmax()),
            "llama.cpp": int(theirs.argmax()),
        }
        print(json.dumps(figures, ensure_ascii=False))


if __name__ == "__main__":
    main()
