"""Guessing ahead: where the end of a text stood before, what followed it there may follow it again.

Prompt lookup decoding (Saxena 2023, https://github.com/apoorvumang/prompt-lookup-decoding). The guessed tokens are
computed in one step with the token before them, which on a processor costs little more than that token alone; those
that are then drawn too are kept, the rest is forgotten. What is written stays the same.
"""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST = 4
"""Tokens at the end that are compared: of places that agree in more of them the later one is taken."""


def lookup(tokens: Sequence[int], count: int) -> list[int]:
    """Up to `count` tokens that followed the end of `tokens` at an earlier place; none where it stood nowhere."""
    if count <= 0:
        return []
    end = len(tokens) - 1
    best, longest = -1, 0
    for at in range(end - 1, -1, -1):
        if tokens[at] != tokens[end]:
            continue
        length = 1
        while length < _LONGEST and at >= length and tokens[at - length] == tokens[end - length]:
            length += 1
        if length > longest:
            best, longest = at, length
            if length == _LONGEST:
                break
    return list(tokens[best + 1 : min(best + 1 + count, end + 1)]) if longest else []
