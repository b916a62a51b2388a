"""The markers of a conversation's form (ChatML), as engines without a model's own tokenizer read them."""

from __future__ import annotations

import re

TEXT_END, TURN_START, TURN_END = MARKERS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_SPLIT = re.compile("(" + "|".join(map(re.escape, MARKERS)) + ")")


def parts(text: str) -> list[str]:
    """A text cut at its markers, which are parts of their own; only for text that may have some."""
    return [part for part in _SPLIT.split(text) if part]
