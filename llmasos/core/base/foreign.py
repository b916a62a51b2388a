"""JSON and TOML that others wrote, within bounds: what the libraries take their time over, or fall over, is refused.

What comes out can be shown, written again and kept without a further look: no nesting that a recursive function dies
of, no numbers that are none.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from typing import Any

DEEPEST = 100
"""Lists and objects in each other."""
PARTS = 32
"""Parts of one key in TOML: `a.b.c` has three. The library's work grows with their square; ours have two at most."""

_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?<![^\s,{{\[])(?>{_PART}[ \t]*+\.[ \t]*+){{{PARTS}}}")
_DEEP = "it is nested too deeply"


def parse_json(text: str | bytes) -> Any:
    """The value that a text holds.

    Raises:
        ValueError: It is no JSON, or deeper than `DEEPEST`; says why.
    """
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_no_number)
    except RecursionError:
        raise ValueError(_DEEP) from None
    # Most texts have fewer brackets than they may have levels.
    brackets = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if brackets > DEEPEST and _is_deep(value):
        raise ValueError(_DEEP)
    return value


def parse_toml(text: str) -> dict[str, Any]:
    """The table that a text holds.

    Raises:
        ValueError: It is no TOML, or deeper than `DEEPEST`; says why.
    """
    if _LONG_KEY.search(text):
        raise ValueError(f"a key has more than {PARTS} parts")
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise ValueError(_DEEP) from None
    if _is_deep(table):
        raise ValueError(_DEEP)
    return table


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is larger than any number")
    return value


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")
