"""Who gets the model next: the only queue there is; engines ask it before each step.

Classes first (interactive > normal > background): while one of a higher class runs, the others take part in every
eighth step only, since a step takes as long as all that is in it. So do, inside a class, those for whose end nobody
waits while one has a backlog: its next request waits as long as this one takes (the longest queue first: Tassiulas and
Ephremides 1993). Then those with a deadline that can still
be kept, the earliest first (EDF: Liu and Layland 1973), then weighted fair share: of the runnable processes the one
with the fewest virtual tokens, that is tokens divided by weight, as in Linux's CFS. `fifo` and `round-robin` exist to
be compared with.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from llmasos.core.engine.base import Engine, LiveSequence
from llmasos.core.kernel.process import Process, ProcessTable, State

Discipline = Literal["fair", "fifo", "round-robin"]
_RANK = {"interactive": 0, "normal": 1, "background": 2}
Key = tuple[float, float, float, int]
"""What is sorted by: class, deadline, share, and the sequence where all are alike."""
REMEMBERED = 1024
"""Sequences whose last turn is remembered."""
COMPANY = 8
"""Of so many steps of a higher class lower ones take part in one. Their prompts and replies make it last, so that they
still get most of the time, and the other is several times as fast."""
_OWN, _HURRIED = -1.0, -0.5
"""Ranks: of the kernel's own sequences; and what is added to a class where there is a backlog."""
_HALTED = (State.STOPPED, State.SWAPPED, State.ZOMBIE)


class Instrument(Protocol):
    """What watches the steps of one engine; called from that engine's thread, which waits meanwhile."""

    def scheduled(self, chosen: Sequence[LiveSequence], waiting: int) -> None:
        """These may take the next step; so many more could have."""

    def stepped(self, sequences: int, rows: int, seconds: float, first_tokens: Sequence[float]) -> None:
        """The step is over; as `RunQueue.stepped`."""


class _Lane(threading.local):
    """What is counted for each of an engine's threads."""

    alone = 0
    """Steps of a higher class since lower ones took part."""


class Scheduler:
    """The run queue of one engine.

    Called from the engine's threads, one a lane, each with its own sequences. Classes hold inside a lane: what runs in
    another one doesn't make this one's steps longer.

    Args:
        table: The processes.
        engine: Whose sequences they have.
        discipline: By what is chosen.
        end: Ends a process that has used up its budget, soon; None only stops it.
        instruments: Told of what is chosen and computed.
    """

    def __init__(
        self,
        table: ProcessTable,
        engine: Engine,
        discipline: Discipline = "fair",
        end: Callable[[Process, str], None] | None = None,
        instruments: Sequence[Instrument] = (),
    ) -> None:
        self._table = table
        self._end = end
        self._engine = engine
        self._discipline = discipline
        self._instruments = instruments
        self._lane = _Lane()
        self._turn = 0
        self._turns: dict[int, int] = {}

    def select(self, runnable: Sequence[LiveSequence], limit: int) -> Sequence[LiveSequence]:
        """Up to `limit` sequences, the most urgent first; those of stopped processes never run.

        A sequence that belongs to no process is the kernel's own and goes first.
        """
        ranked: list[tuple[Key, LiveSequence]] = []
        for sequence in runnable:
            process = self._process(sequence)
            if process is None:
                ranked.append(((_OWN, 0.0, 0.0, sequence.id), sequence))
            elif process.state not in _HALTED:
                ranked.append((self._key(process, sequence), sequence))
        ranked.sort(key=lambda pair: pair[0])
        taking_part = self._without_company(ranked) if self._discipline == "fair" else ranked
        chosen = [sequence for _, sequence in taking_part[:limit]]
        for instrument in self._instruments:
            instrument.scheduled(chosen, len(ranked) - len(chosen))
        return chosen

    def _without_company(self, ranked: list[tuple[Key, LiveSequence]]) -> list[tuple[Key, LiveSequence]]:
        """The most urgent; the others too where it is their step, or where all are equally urgent."""
        highest = ranked[0][0][0] if ranked else _OWN
        highest = _RANK["interactive"] if highest == _OWN else highest
        most = [pair for pair in ranked if pair[0][0] <= highest]
        if len(most) == len(ranked):
            self._lane.alone = 0
            return ranked
        self._lane.alone = (self._lane.alone + 1) % COMPANY
        return most if self._lane.alone else ranked

    def charge(self, sequence: LiveSequence, tokens: int) -> None:
        """Account for computed tokens, to a process and those it works for.

        One that used up its budget is stopped at once, and ended.
        """
        with self._table.accounts:
            self._charge(sequence, tokens)

    def _charge(self, sequence: LiveSequence, tokens: int) -> None:
        if self._discipline == "round-robin":  # its turn is over when it has had it, not when it was chosen
            self._turn += 1
            self._turns.pop(sequence.id, None)
            self._turns[sequence.id] = self._turn
            if len(self._turns) > REMEMBERED:
                del self._turns[next(iter(self._turns))]
        process = self._process(sequence)
        if process is None:
            return
        process.virtual_tokens += tokens / process.weight
        for one in self._table.line(process):
            one.tokens += tokens
            used = self._table.used_up(one) if one.state not in _HALTED else ""
            if used:
                process.move(State.STOPPED)
                one.move(State.STOPPED)
                if self._end:
                    self._end(one, f"It has used up its budget of {used}.")
                return

    def stepped(self, sequences: int, rows: int, seconds: float, first_tokens: Sequence[float]) -> None:
        """Tell the instruments."""
        for instrument in self._instruments:
            instrument.stepped(sequences, rows, seconds, first_tokens)

    def _process(self, sequence: LiveSequence) -> Process | None:
        return self._table.by_sequence.get((id(self._engine), sequence.id))

    def _key(self, process: Process, sequence: LiveSequence) -> Key:
        if self._discipline == "fifo":
            return (0, 0.0, float(process.pid), sequence.id)
        if self._discipline == "round-robin":
            return (0, 0.0, float(self._turns.get(sequence.id, 0)), sequence.id)
        # A deadline that has passed can't be kept any more, and holds up nobody.
        due = process.deadline
        urgent = due if due is not None and due > self._table.now() else math.inf
        rank = _RANK[process.priority] + (_HURRIED if process.backlog else 0.0)
        return (rank, urgent, process.virtual_tokens, sequence.id)
