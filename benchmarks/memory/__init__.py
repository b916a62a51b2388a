"""What characters remember: planted facts after some turns, corrections, what was never told, kills, others' secrets.

    llmasos bench memory --json
    python -m benchmarks.memory --wrong          # the figures, and every question that went wrong
    python -m benchmarks.memory --quick          # does it run? a minute; the figures mean little

Facts, questions and everyday lines were written for this, by the author of the rules (facts.txt, fillers.txt); every second fact was
set aside while rules and thresholds were chosen. Store, embedder and prompts are the real ones. A script speaks in place of a model:
all of these figures are of what the system finds and assembles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from benchmarks.memory.facts import HALVES
from benchmarks.memory.killed import kills
from benchmarks.memory.leaks import leaks
from benchmarks.memory.recall import AFTER, answered, recalled
from benchmarks.row import at_least, at_most, row

COMMAND = "python -m benchmarks.memory"
MUST = {200: 95.0, 1000: 90.0}
STREAMS, ROUNDS, KILLS, LEAK_ROUNDS = 3, 4, 50, 600


def rows(*, quick: bool = False, wrong: list[str] | None = None) -> list[dict[str, Any]]:
    """The figures.

    Args:
        quick: Fewer cases, shorter talks.
        wrong: Filled with what went wrong.
    """
    wrong = wrong if wrong is not None else []
    after = (1, 10, 50) if quick else AFTER
    kept = asyncio.run(recalled(1 if quick else STREAMS, "recall", after))
    wrong += kept.misses
    found = []
    for turns in after:
        near = [there for half in HALVES for there in kept.near[turns, half]]
        found.append(_row(f"recall_{turns}", near, MUST.get(turns)))
        for half in HALVES:
            found.append(_row(f"recall_{turns}_{half}", kept.near[turns, half]))
        found.append(_row(f"recall_{turns}_other_words", [t for half in HALVES for t in kept.far[turns, half]]))
    said = asyncio.run(answered(1 if quick else ROUNDS, "answers"))
    wrong += said.wrong
    for id, values, bar in (
        ("newest_wins", said.newest, 95.0),
        ("abstain", said.abstained, 90.0),
        ("told_answered", said.told, None),
    ):
        found.append(_row(id, [right for half in HALVES for right in values[half]], bar))
        found += [_row(f"{id}_{half}", values[half]) for half in HALVES]
    killed = kills(2 if quick else KILLS, "kills")
    found.append(_row("recall_after_kill", killed.same, 100.0))
    found.append(
        row("lost_after_kill", killed.lost, "turns", n=killed.turns, command=COMMAND, **at_most(killed.lost, 0))
    )
    told = asyncio.run(leaks(80 if quick else LEAK_ROUNDS, "leaks"))
    wrong += told.leaked
    found.append(row("leaks", len(told.leaked), "", n=told.prompts, command=COMMAND, **at_most(len(told.leaked), 0)))
    found.append(row("leaks_canaries_seen_where_known", told.known, "", n=told.prompts, command=COMMAND))
    return found


def _row(id: str, right: Sequence[bool], bar: float | None = None) -> dict[str, Any]:
    share = 100 * sum(right) / len(right) if right else 0.0
    return row(id, share, "%", n=len(right), command=COMMAND, **(at_least(share, bar) if bar is not None else {}))
