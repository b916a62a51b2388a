"""Text that can't steer the terminal.

File names, file contents and a model's words come from anywhere. An escape sequence in them could move the
cursor over a question of consent, and a direction mark could make one name look like another: both are shown
as U+FFFD.
"""

from __future__ import annotations

import re

from rich.cells import cell_len, chop_cells

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029]")


def safe(text: str) -> str:
    """The text with control characters replaced; line ends and tabs stay."""
    return _STEERING.sub("\ufffd", _LINE_ENDS.sub("\n", text))


def one_line(text: str) -> str:
    """The text in one line, without its repeated spaces."""
    return " ".join(safe(text).split())


def shortened(text: str, cells: int) -> str:
    """The text in one line of at most so many terminal cells; a Chinese character takes two."""
    line = one_line(text[: 4 * cells])
    if len(text) <= 4 * cells and cell_len(line) <= cells:
        return line
    return chop_cells(line, max(cells - 1, 1))[0].rstrip() + "…"
