"""Regular expressions that are compiled when they are needed first.

All of them take a tenth of a second, which no start should wait for.
"""

from __future__ import annotations

import re
from functools import cache


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern, compiled once."""
    return re.compile(pattern)
