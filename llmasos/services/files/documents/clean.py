"""Text that can be passed on: no half characters, no control characters, no hyphens at ends of lines."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]\n(?=[a-zà-ÿ])")
_BLANKS = re.compile(r"[ \t\u00a0]+")
_EMPTY = re.compile(r"\n{3,}")


def clean(text: str) -> str:
    """The text as it can be read and written down."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()
    text = _HYPHEN.sub("", _CONTROL.sub("", text))
    lines = (_BLANKS.sub(" ", line).strip() for line in text.split("\n"))
    return _EMPTY.sub("\n\n", "\n".join(lines)).strip()
