"""Prefixes computed once: a prompt that begins like another is forked from it instead of prefilled.

Sources are every open sequence and a few *kept* prefixes. A prefix is kept where somebody asked for it
(`keep_prefix`), or where a second prompt begins with it. Not every prompt is: in one pool
every resident cell slows every step of everybody, elsewhere a prefix takes memory, and a closed process should leave
nothing behind that only it has said.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from llmasos.core.engine.sequences import Sequences, Slot

SHORTEST = 16
"""Tokens below which sharing isn't worth it; also the grain in which common beginnings are noticed."""

_REMEMBERED = 4096
"""Beginnings that are remembered, by hash."""


class PrefixTree:
    """Finds, keeps and drops shared prefixes.

    Candidates are compared one by one: there are at most some 70, and comparing a list's head costs 0.2 us.

    Args:
        sequences: Where the state is.
    """

    def __init__(self, sequences: Sequences) -> None:
        self._sequences = sequences
        self._kept: OrderedDict[int, tuple[Slot, list[int]]] = OrderedDict()  # least recently used first
        self._seen: OrderedDict[int, None] = OrderedDict()
        self.hits = 0
        self.misses = 0
        self.saved = 0

    def reuse(self, slot: Slot, prompt: Sequence[int], *, again: bool = False) -> int:
        """Fork the longest known beginning of a prompt into an empty slot; how many tokens that saved.

        Args:
            slot: The slot.
            prompt: What it is going to read.
            again: Whether that was tried before: nothing found is no further miss.
        """
        prompt = list(prompt)
        if len(prompt) <= SHORTEST:
            return 0
        source, count = self._longest(slot, prompt)
        if source is None:
            self.misses += not again
            return 0
        if not self._sequences.copy(source, slot, count):
            return 0
        if source.id in self._kept:
            self._kept.move_to_end(source.id)
        self.hits += 1
        self.saved += count
        return count

    def longest(self, prompt: list[int]) -> int:
        """How many tokens of a prompt could be forked right now; a hint, which any thread may ask for."""
        return self._longest(None, prompt)[1]

    def _longest(self, target: Slot | None, prompt: list[int]) -> tuple[Slot | None, int]:
        # The last token is always computed anew: its logits are what the request is about.
        limit = len(prompt) - 1
        best: tuple[Slot | None, int] = (None, SHORTEST - 1)
        others = (slot for slot in self._sequences.open if slot is not target)
        candidates = [(slot, live.tokens) for slot in others if (live := slot.live)]
        candidates += list(self._kept.values())
        for slot, tokens in candidates:
            longest = min(slot.computed, limit)
            if longest > best[1] and tokens[:SHORTEST] == prompt[:SHORTEST]:
                count = _common(tokens, prompt, longest)
                if count > best[1]:
                    best = slot, count
        return best if best[0] else (None, 0)

    def notice(self, prompt: Sequence[int]) -> int:
        """Remember how a prompt begins; returns how much of that has been seen before and isn't kept yet."""
        shared, chain, unbroken = 0, 0, True
        for start in range(0, len(prompt) - SHORTEST, SHORTEST):
            chain = hash((chain, tuple(prompt[start : start + SHORTEST])))
            if chain in self._seen:
                self._seen.move_to_end(chain)
                if unbroken:
                    shared = start + SHORTEST
            else:
                unbroken = False
                self._seen[chain] = None
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return 0 if shared < 2 * SHORTEST or self.holds(prompt[:shared]) else shared

    def holds(self, prefix: Sequence[int]) -> bool:
        """Whether a prefix is kept, by itself or as the beginning of a longer one."""
        prefix = list(prefix)
        return any(tokens[: len(prefix)] == prefix for _, tokens in self._kept.values())

    def keep(self, slot: Slot, count: int) -> None:
        """Keep the first `count` computed tokens of a slot; the least recently used prefix makes room."""
        assert slot.live is not None
        tokens = slot.live.tokens[:count]
        if self.holds(tokens) or not self._sequences.kept:
            return
        for kept, shorter in list(self._kept.values()):
            if tokens[: len(shorter)] == shorter:
                self._drop(kept)  # the longer one serves in its place
        free = next((kept for kept in self._sequences.kept if kept.id not in self._kept), None)
        if free is None:
            free = self._evict()
        assert free is not None
        if self._sequences.keep(slot, free, count):
            self._kept[free.id] = (free, tokens)
        while self._sequences.keeps_too_much:
            self._evict()

    def make_room(self) -> bool:
        """Drop the least recently used prefix that holds cells; False where there is none."""
        return any(len(slot.cells) for slot, _ in self._kept.values()) and self._evict() is not None

    @property
    def cells(self) -> int:
        """Cells that kept prefixes alone hold."""
        sequences = self._sequences
        return sequences.used([*sequences.open, *sequences.kept, *sequences.scratch]) - sequences.used(sequences.open)

    def _evict(self) -> Slot | None:
        if not self._kept:
            return None
        slot, _ = next(iter(self._kept.values()))
        self._drop(slot)
        return slot

    def _drop(self, slot: Slot) -> None:
        del self._kept[slot.id]
        self._sequences.cut(slot, 0)


def begin_alike(first: list[int], second: list[int]) -> bool:
    """Whether it is worth waiting for one of two prompts, to fork the other from it."""
    limit = 2 * SHORTEST
    return len(first) > limit and first[:limit] == second[:limit]


def _common(first: list[int], second: list[int], limit: int) -> int:
    """How many leading tokens two lists share, at most `limit`; by halving, since lists compare fast."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
