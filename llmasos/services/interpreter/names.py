"""Names of things there are, offered to the model where the person may have meant one in other letters.

Comparing every name with every stretch of a sentence letter by letter would take seconds. So the pairs are narrowed
down first, all at once, by their letters in any order: two texts that are alike lack few of each other's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from llmasos.services.interpreter import sentence

OFFERED = 6
LIKELY = 0.8
"""Likeness of letters from which a stretch of the sentence may be a name misspelt."""
_SHORTEST = 4
"""Characters of a name; of shorter ones too much is alike."""
_BETWEEN = 3
"""Words that may stand between those of a name said in another order: "the light in the kitchen"."""
_COMPARED = 150
"""Pairs that are compared letter by letter, for each number of words that names have: the likeliest ones."""
_MARKS = 96
"""Marks for a letter the first time, the second time, ...; some share one: texts look more alike then, never less."""
_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")
_LETTER = re.compile(r"[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_BITS = np.unpackbits(np.arange(1 << 16, dtype=np.uint16).view(np.uint8)).reshape(-1, 16).sum(axis=1).astype(np.uint8)
"""How many marks there are in a number."""

Pair = tuple[int, str]
"""(number of a name, stretch of the sentence)"""


def meant(line: str, names: Iterable[str]) -> list[str]:
    """Up to `OFFERED` names that aren't in the sentence letter by letter, but nearly: misspelt, or in another order.

    Args:
        line: The sentence; of a long one, what the model reads of it.
        names: What there is: devices, files, characters, apps.
    """
    folded = sentence.read(line).line.casefold()
    said = _WORD.findall(folded)
    asked = [name for name in dict.fromkeys(names) if len(name) >= _SHORTEST and not _stands_in(folded, name)]
    words = [_WORD.findall(name.casefold()) for name in asked]
    there = set(said)
    scores = [1.0 if there.issuperset(named) and _reordered(named, said) else 0.0 for named in words]
    texts = ["".join(named) for named in words]
    for number, stretch in _near(texts, [len(named) for named in words], said):
        if scores[number] < 1:
            scores[number] = max(scores[number], _likeness(texts[number], stretch))
    found = [(score, name) for score, name in zip(scores, asked, strict=True) if score >= LIKELY]
    return [name for _, name in sorted(found, key=lambda pair: -pair[0])[:OFFERED]]


def _likeness(name: str, stretch: str) -> float:
    letters, pairs = len(name) + len(stretch), set(pairwise(stretch))
    # What both lengths allow, and as in `_possible` for these two: spares most of the slow comparisons.
    if 2 * min(len(name), len(stretch)) < LIKELY * letters - 1e-6:
        return 0.0
    if sum(pair in pairs for pair in pairwise(name)) < (1 - LIKELY) * letters - 1:
        return 0.0
    return SequenceMatcher(None, name, stretch, autojunk=False).ratio()


def _stands_in(line: str, name: str) -> bool:
    """Whether a line holds a name between words, so that it can be copied."""
    name = name.casefold()
    at = line.find(name)
    while at >= 0:
        around = (line[max(at - 1, 0) : at + 1], line[at + len(name) - 1 : at + len(name) + 1])
        if not any(len(_LETTER.findall(two)) == 2 for two in around):
            return True
        at = line.find(name, at + 1)
    return False


def _reordered(named: Sequence[str], said: Sequence[str]) -> bool:
    """Whether all words of a name, two or more, stand close together."""
    wanted, size = set(named), len(named) + _BETWEEN
    return len(named) > 1 and any(
        wanted.issubset(said[start : start + size]) for start in range(max(len(said) - size, 0) + 1)
    )


def _near(texts: Sequence[str], counts: Sequence[int], said: Sequence[str]) -> list[Pair]:
    """The pairs that can be `LIKELY` alike; of very many the `_COMPARED` likeliest of each number of words."""
    found: list[Pair] = []
    possible = _possible(texts, "".join(said))
    for count in {counts[number] for number in possible}:
        numbers = [number for number in possible if counts[number] == count]
        stretches = list(dict.fromkeys(_stretches(said, count)))
        if not stretches:
            continue
        room = _room([texts[number] for number in numbers], stretches).ravel()
        near = np.flatnonzero(room >= -1e-3)
        if len(near) > _COMPARED:
            near = near[np.argpartition(-room[near], _COMPARED)[:_COMPARED]]
        for row, column in zip(*np.divmod(near, len(stretches)), strict=True):
            found.append((numbers[int(row)], stretches[int(column)]))
    return found


def _possible(texts: Sequence[str], line: str) -> list[int]:
    """The texts with enough pairs of letters of a line.

    Where d letters of two texts have no partner, the others stand in at most d + 1 blocks, in each of which all pairs
    are the same: with d as `LIKELY` allows, and the other text as short as it allows, a third of the letters less one.
    """
    letters, rows = _letters(texts)
    theirs, _ = _letters([line])
    pairs, together = (letters[:-1] << 21) + letters[1:], rows[1:] == rows[:-1]
    shared = together & np.isin(pairs, (theirs[:-1] << 21) + theirs[1:])
    counts = np.bincount(rows[1:][shared], minlength=len(texts)).tolist()
    return [number for number, text in enumerate(texts) if counts[number] >= max(1.0, len(text) / 3 - 1)]


def _room(names: Sequence[str], stretches: Sequence[str]) -> npt.NDArray[np.float32]:
    """How many more letters each pair could lack and still be `LIKELY` alike; shape (names, stretches).

    Of two texts with n letters together, n * (1 - LIKELY) may have no partner in the other one.
    """
    mine, theirs = _marks(names), _marks(stretches)
    lacking = np.zeros((len(names), len(stretches)), np.uint8)
    # By a table and not as a product of matrices: that one would wait for threads of a busy machine.
    for part in range(mine.shape[1]):
        lacking += np.take(_BITS, np.bitwise_xor.outer(mine[:, part], theirs[:, part]))
    sizes = (np.array([len(text) for text in texts], np.float32) for texts in (names, stretches))
    room: npt.NDArray[np.float32] = np.add.outer(*(size * np.float32(1 - LIKELY) for size in sizes))
    room -= lacking
    return room


def _marks(texts: Sequence[str]) -> npt.NDArray[np.uint16]:
    """Which marks each text has, 16 in a number."""
    letters, rows = _letters(texts)
    # How often a letter stood in the same text before: its distance from the first one, sorted.
    keys = (rows << 21) + letters
    order = np.argsort(keys, kind="stable")
    places = np.arange(len(keys))
    first = np.maximum.accumulate(np.where(np.diff(keys[order], prepend=-1) != 0, places, 0))
    marks = np.zeros((len(texts), _MARKS), np.bool_)
    marks[rows[order], (letters[order] + 29 * (places - first)) % _MARKS] = True
    return np.packbits(marks, axis=1).view(np.uint16)


def _letters(texts: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(the letters of all texts in a row as numbers, of which text each is)."""
    letters = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
    return letters, np.repeat(np.arange(len(texts)), [len(text) for text in texts])


def _stretches(said: Sequence[str], count: int) -> Iterator[str]:
    """The words of the sentence joined, as many at a time as the name has, or one more or less."""
    for size in {max(1, count - 1), count, count + 1}:
        for start in range(len(said) - size + 1):
            yield "".join(said[start : start + size])
