"""What characters remember: planted facts after some turns, corrections, what was never told, kills, others' secrets.

    llmasos bench memory --json
    python -m benchmarks.memory --wrong          # the figures, and every question that went wrong
    python -m benchmarks.memory --quick          # does it run? a minute; the figures mean little
    python -m benchmarks.memory --streams 1 --rounds 2 --kills 10    # less of it
    python -m benchmarks.memory --only kills --kills 100             # a part of it, and more of that

Facts, questions and everyday lines were written for this, by the author of the rules (facts.txt, fillers.txt); every second fact was
set aside while rules and thresholds were chosen. Store, embedder and prompts are the real ones. A script speaks in place of a model:
all of these figures are of what the system finds and assembles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.memory.facts import HALVES
from benchmarks.memory.killed import kills
from benchmarks.memory.leaks import leaks
from benchmarks.memory.recall import AFTER, CHINESE, answered, recalled
from benchmarks.row import at_least, at_most, row

COMMAND = "python -m benchmarks.memory"
MUST = {200: 95.0, 1000: 90.0}
CHINESE_AFTER = 50
"""Turns after which facts that were told in Chinese are asked for."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        streams: Talks in which facts are planted, each with all of them.
        rounds: Talks with corrections and questions for what was never told.
        kills: Programs that are killed.
        leaks: Things that happen while prompts are looked through.
        after: Turns after which planted facts are asked for.
    """

    streams: int = 2
    rounds: int = 4
    kills: int = 40
    leaks: int = 400
    after: tuple[int, ...] = AFTER


QUICK = Size(1, 1, 2, 80, (1, 10, 50))
PARTS = ("recall", "answers", "chinese", "kills", "leaks")
"""What can be measured by itself."""


def rows(size: Size = Size(), wrong: list[str] | None = None, parts: Collection[str] = PARTS) -> list[dict[str, Any]]:
    """The figures.

    Args:
        size: How much is measured.
        wrong: Filled with what went wrong.
        parts: Which of `PARTS`.
    """
    wrong = wrong if wrong is not None else []
    measures = {"recall": _recall, "answers": _answers, "chinese": _chinese, "kills": _kills, "leaks": _leaks}
    return [row for part in PARTS if part in parts for row in measures[part](size, wrong)]


def _recall(size: Size, wrong: list[str]) -> list[dict[str, Any]]:
    kept = asyncio.run(recalled(size.streams, "recall", size.after))
    wrong += kept.misses
    found = []
    for turns in size.after:
        near = [there for half in HALVES for there in kept.near[turns, half]]
        found.append(_row(f"recall_{turns}", near, MUST.get(turns)))
        found += [_row(f"recall_{turns}_{half}", kept.near[turns, half]) for half in HALVES]
        found.append(_row(f"recall_{turns}_other_words", [t for half in HALVES for t in kept.far[turns, half]]))
    return found


def _answers(size: Size, wrong: list[str]) -> list[dict[str, Any]]:
    return _answered(size, wrong)


def _chinese(size: Size, wrong: list[str]) -> list[dict[str, Any]]:
    kept = asyncio.run(recalled(1, "recall", (CHINESE_AFTER,), CHINESE))
    wrong += kept.misses
    found = [
        _row(
            f"recall_{CHINESE_AFTER}{words}{CHINESE}",
            [there for half in HALVES for there in values[CHINESE_AFTER, half]],
        )
        for words, values in (("", kept.near), ("_other_words", kept.far))
    ]
    return found + _answered(size, wrong, CHINESE)


def _answered(size: Size, wrong: list[str], files: str = "") -> list[dict[str, Any]]:
    said = asyncio.run(answered(size.rounds, "answers", files=files))
    wrong += said.wrong
    found = []
    for id, values, bar in (
        ("newest_wins", said.newest, 95.0),
        ("abstain", said.abstained, 90.0),
        ("told_answered", said.told, None),
        ("told_answered_other_words", said.told_far, None),
    ):
        found.append(_row(f"{id}{files}", [right for half in HALVES for right in values[half]], bar))
        found += [_row(f"{id}{files}_{half}", values[half]) for half in HALVES]
    return found


def _kills(size: Size, _: list[str]) -> list[dict[str, Any]]:
    killed = kills(size.kills, "kills")
    lost = row("lost_after_kill", killed.lost, "turns", n=killed.turns, command=COMMAND, **at_most(killed.lost, 0))
    return [_row("recall_after_kill", killed.same, 100.0), lost]


def _leaks(size: Size, wrong: list[str]) -> list[dict[str, Any]]:
    told = asyncio.run(leaks(size.leaks, "leaks"))
    wrong += told.leaked
    return [
        row("leaks", len(told.leaked), "", n=told.prompts, command=COMMAND, **at_most(len(told.leaked), 0)),
        row("leaks_canaries_seen_where_known", told.known, "", n=told.prompts, command=COMMAND),
    ]


def _row(id: str, right: Sequence[bool], bar: float | None = None) -> dict[str, Any]:
    share = 100 * sum(right) / len(right) if right else 0.0
    return row(id, share, "%", n=len(right), command=COMMAND, **(at_least(share, bar) if bar is not None else {}))
