"""What a kept sentence is worth to others that are near it (kept.py, `KeptReadings.like`).

    python -m benchmarks.interpreter.likes

Each development sentence that has a near one of the same syscalls among the training sentences is read without and
with that one before it, as if its person had explained it once. Neither way sees the answer.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.interpreter import Answer
from benchmarks.interpreter.sets import Case
from llmasos.compose import compose
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call, Program
from llmasos.services.interpreter.interpreter import Context
from llmasos.services.interpreter.kept import LIKE, words_of
from training.data import sentences
from training.example import Turn

Pair = tuple[Turn, Turn]
STEM = 2
"""Every second one is read: a few hundred are enough."""


def pairs() -> Iterator[Pair]:
    """(a development sentence, the nearest training sentence that means the same calls with other values)."""
    known = [(set(words_of(turn.sentence)), turn) for _, turn in sentences() if not turn.before]
    for _, turn in list(sentences(dev=True))[::STEM]:
        if turn.before:
            continue
        mine, best, found = set(words_of(turn.sentence)), LIKE, None
        for theirs, other in known:
            share = len(mine & theirs) / max(len(mine | theirs), 1)
            if best <= share < 1 and [n for n, _ in other.calls] == [n for n, _ in turn.calls]:
                best, found = share, other
        if found:
            yield turn, found


async def measured(found: list[Pair]) -> tuple[list[Answer], list[Answer]]:
    """The answers without and with the near sentence."""
    without, beside = [], []
    with tempfile.TemporaryDirectory() as home:
        machine = await compose(Settings.load(home=Path(home), seed=0))
        try:
            for turn, near in found:
                program: Program = tuple(Call(name, args) for name, args in near.calls)
                case = Case(turn.sentence, turn.calls)
                read = machine.interpreter.interpret
                without.append(Answer(case, await read(turn.sentence)))
                like = Context(like=(near.sentence, program))
                beside.append(Answer(case, await read(turn.sentence, context=like)))
        finally:
            await machine.close()
    return without, beside


def main() -> None:
    """Print both shares, and what changed."""
    without, beside = asyncio.run(measured(list(pairs())))
    for name, answers in (("alone", without), ("behind a kept sentence that is near", beside)):
        count = len(answers)
        print(f"{name}: syscalls {sum(a.syscall for a in answers) / count:.1%}, exact "
              f"{sum(a.exact for a in answers) / count:.1%} of {count}")  # fmt: skip
    gained = sum(b.exact and not a.exact for a, b in zip(without, beside, strict=True))
    lost = sum(a.exact and not b.exact for a, b in zip(without, beside, strict=True))
    print(f"{gained} became right, {lost} wrong")


if __name__ == "__main__":
    main()
