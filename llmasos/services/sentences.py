"""Where sentences end, in a text that may still be growing."""

from __future__ import annotations

import re

END = re.compile(r"(?:[.!?…]+[\"'”’)*]*(?=\s)|[。！？]+[”’」』）]*|\n+)\s*")
"""The end of a sentence with the blanks behind it; a full stop counts only before a blank."""


def whole(text: str) -> list[str]:
    """The sentences of a text with all that stands between them, the last one also where it has no end."""
    found, start = [], 0
    for end in END.finditer(text):
        found.append(text[start : end.end()])
        start = end.end()
    return found + ([text[start:]] if text[start:] else [])
