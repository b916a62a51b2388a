"""The script that a text is written in."""

from __future__ import annotations


def has_chinese(text: str) -> bool:
    """Whether a text has Chinese characters."""
    return any("\u3400" <= c <= "\u9fff" for c in text)
