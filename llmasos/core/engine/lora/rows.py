"""Packing: several examples in one row, each seeing only itself and its definitions.

A row is a list of segments. The tokens of a turn look at their own earlier tokens and at the definitions (the
parent segment); positions count from the start of the definitions, as if the turn stood alone. So a plugin's
definitions are computed once for all its requests, and little is spent on padding.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Tokenized = tuple[list[int], list[tuple[list[int], list[int]]]]
"""(definitions, [(prompt, answer), ...]) as token ids."""


@dataclass(slots=True)
class Row:
    """Tokens of one row with all that the mask and the loss need, one entry a token."""

    tokens: list[int]
    positions: list[int]
    segments: list[int]
    parents: list[int]
    targets: list[int]
    """The token to predict at this place, or -1."""

    def __len__(self) -> int:
        return len(self.tokens)


def empty() -> Row:
    """A row without tokens."""
    return Row([], [], [], [], [])


def size(example: Tokenized) -> int:
    """Tokens that an example takes."""
    prefix, turns = example
    return len(prefix) + sum(len(prompt) + len(answer) for prompt, answer in turns)


def add(row: Row, example: Tokenized) -> None:
    """Put an example at the end of a row. Segments are numbered from 1; 0 is padding."""
    prefix, turns = example
    parent = 0
    segment = max(row.segments, default=0)
    if prefix:
        segment += 1
        parent = segment
        _append(row, prefix, [-1] * len(prefix), 0, segment, 0)
    for prompt, answer in turns:
        segment += 1
        # The last token of the answer is only ever predicted.
        whole = prompt + answer[:-1]
        _append(row, whole, [-1] * (len(prompt) - 1) + answer, len(prefix), segment, parent)


def _append(row: Row, tokens: Sequence[int], targets: Sequence[int], start: int, segment: int, parent: int) -> None:
    row.tokens += tokens
    row.targets += targets
    row.positions += range(start, start + len(tokens))
    row.segments += [segment] * len(tokens)
    row.parents += [parent] * len(tokens)


def pack(examples: Sequence[Tokenized], length: int, order: random.Random) -> Iterator[Row]:
    """Rows of at most `length` tokens in random order; first fit among a few open rows.

    Longer examples are split into turns behind the same definitions, and dropped where even one turn
    doesn't fit.
    """
    waiting = [part for example in examples for part in split(example, length)]
    order.shuffle(waiting)
    rows: list[Row] = []
    open_rows: list[Row] = []
    for example in waiting:
        need = size(example)
        row = next((r for r in open_rows if len(r) + need <= length), None)
        if row is None:
            row = empty()
            open_rows.append(row)
            if len(open_rows) > 32:
                rows.append(open_rows.pop(max(range(32), key=lambda i: len(open_rows[i]))))
        add(row, example)
    rows += open_rows
    order.shuffle(rows)
    yield from rows


def split(example: Tokenized, length: int) -> Iterator[Tokenized]:
    """The example in parts that fit into a row."""
    prefix, turns = example
    part: list[tuple[list[int], list[int]]] = []
    used = len(prefix)
    for turn in turns:
        need = len(turn[0]) + len(turn[1])
        if part and used + need > length:
            yield prefix, part
            part, used = [], len(prefix)
        if used + need <= length:
            part.append(turn)
            used += need
    if part:
        yield prefix, part
