"""Guessing ahead: where the end of a text stood before, what followed it there may follow it again.

Prompt lookup decoding (Saxena 2023, https://github.com/apoorvumang/prompt-lookup-decoding). The guessed tokens are
computed in one step with the token before them, which on a processor costs little more than that token alone; those
that are then drawn too are kept, the rest is forgotten. What is written stays the same.
"""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST = 4
"""Tokens at the end that are compared: of places that agree in more of them the later one is taken."""


def lookup(tokens: Sequence[int], few: int, many: int) -> list[int]:
    """Tokens that followed the end of a text at an earlier place; none where it stood nowhere.

    Args:
        tokens: The text.
        few: Up to so many where its last token alone stood there: in two of three such places something else follows.
        many: Up to so many where more of its end did.
    """
    if max(few, many) <= 0:
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
    count = many if longest > 1 else few
    return list(tokens[best + 1 : min(best + 1 + count, end + 1)]) if longest and count > 0 else []
