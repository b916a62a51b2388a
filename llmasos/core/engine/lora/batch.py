"""Rows as tensors, with the mask that keeps the examples of a row apart."""

from __future__ import annotations

import torch

from llmasos.core.engine.lora.rows import Row


def tensors(rows: list[Row], length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(tokens, positions, mask, targets) of rows, padded to `length`."""

    def padded(part: str, fill: int) -> torch.Tensor:
        return torch.tensor([getattr(row, part) + [fill] * (length - len(row)) for row in rows])

    segment, parent = padded("segments", 0), padded("parents", -1)
    same = segment.unsqueeze(2) == segment.unsqueeze(1)
    above = (parent.unsqueeze(2) == segment.unsqueeze(1)) & (segment != 0).unsqueeze(1)
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    # Padding looks at earlier padding: a softmax over nothing would be NaN.
    mask = ((same | above) & causal).unsqueeze(1)
    return padded("tokens", 2), padded("positions", 0), mask, padded("targets", -1)
