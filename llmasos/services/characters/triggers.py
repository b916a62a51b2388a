"""Whether a lorebook's key occurs in what was said. A key is a stranger's, so a pattern must be one that can't run off.

Python's `re` has no time limit. A pattern is taken where it can't backtrack without bounds: no repeated groups, no back
references or look-arounds, one repetition at most. Others never match, and whoever imports the card is told.
"""

from __future__ import annotations

import re
from functools import lru_cache

from llmasos.services.script import has_chinese

LONGEST_PATTERN = 200
SCANNED = 2_000
"""Characters of a line that are looked at: its end, where it is longer."""
_SLASHED = re.compile(r"/(.+)/([a-z]*)", re.DOTALL)
_HARMLESS = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]", re.DOTALL)
_GROUP = re.compile(r"\(\?(?!:)")
_REPEATED_GROUP = re.compile(r"\)(?:[*+{]|\?\?)")
_OPTIONS = 6


def occurs(key: str, line: str, *, case: bool, pattern: bool, whole: bool) -> bool:
    """Whether a key occurs in a line.

    Args:
        key: As the card has it.
        line: What was said.
        case: Whether capital letters count.
        pattern: Whether the key is a regular expression; one in slashes (`/drag.n/i`) always is.
        whole: Whether the key must stand between word boundaries; in Chinese nothing does.
    """
    line, key = line[-SCANNED:], key.strip()
    if not key:
        return False
    slashed = _SLASHED.fullmatch(key)
    if pattern or slashed:
        written, flags = (slashed[1], slashed[2]) if slashed else (key, "")
        compiled = compile_pattern(written, case=case if not slashed else "i" not in flags)
        return compiled is not None and compiled.search(line) is not None
    if not case:
        key, line = key.casefold(), line.casefold()
    if not whole or has_chinese(key):
        return key in line
    return re.search(rf"(?<!\w){re.escape(key)}(?!\w)", line) is not None


@lru_cache(maxsize=4096)
def compile_pattern(written: str, *, case: bool) -> re.Pattern[str] | None:
    """A pattern that can't run away; None for others and for what is no pattern."""
    bare = _HARMLESS.sub("x", written)
    if (
        len(written) > LONGEST_PATTERN
        or _GROUP.search(bare)
        or _REPEATED_GROUP.search(bare)
        or re.search(r"\\[0-9gk]", written)
        or sum(bare.count(mark) for mark in "*+{") > 1
        or bare.count("?") - bare.count("(?:") > _OPTIONS
    ):
        return None
    try:
        return re.compile(written, 0 if case else re.IGNORECASE)
    except (re.error, RecursionError, OverflowError):
        return None
