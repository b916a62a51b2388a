"""Who gets the model next: the only queue there is; engines ask it before each step.

Classes first (interactive > normal > background), weighted fair share inside a class: of the runnable processes the one
with the fewest virtual tokens, that is tokens divided by weight, as in Linux's CFS. `fifo` and `round-robin` exist to
be compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from llmasos.core.engine.base import Engine, LiveSequence
from llmasos.core.kernel.process import Process, ProcessTable, State

Discipline = Literal["fair", "fifo", "round-robin"]
_RANK = {"interactive": 0, "normal": 1, "background": 2}
_HALTED = (State.STOPPED, State.SWAPPED, State.ZOMBIE)


class Instrument(Protocol):
    """What watches the steps of one engine; called from that engine's thread, which waits meanwhile."""

    def scheduled(self, chosen: Sequence[LiveSequence], waiting: int) -> None:
        """These may take the next step; so many more could have."""

    def stepped(self, sequences: int, rows: int, seconds: float, first_tokens: Sequence[float]) -> None:
        """The step is over; as `RunQueue.stepped`."""


class Scheduler:
    """The run queue of one engine.

    Called from the engine's thread; it only reads and adds numbers, so it needs no lock beside the interpreter's own.
    """

    def __init__(
        self,
        table: ProcessTable,
        engine: Engine,
        discipline: Discipline = "fair",
        instruments: Sequence[Instrument] = (),
    ) -> None:
        self._table = table
        self._engine = engine
        self._discipline = discipline
        self._instruments = instruments
        self._turn = 0
        self._turns: dict[int, int] = {}

    def select(self, runnable: Sequence[LiveSequence], limit: int) -> Sequence[LiveSequence]:
        """Up to `limit` sequences, the most urgent first; those of stopped processes never run.

        A sequence that belongs to no process is the kernel's own and goes first.
        """
        ranked = []
        for sequence in runnable:
            process = self._process(sequence)
            if process is None:
                ranked.append(((-1, 0.0, sequence.id), sequence))
            elif process.state not in _HALTED:
                ranked.append((self._key(process, sequence), sequence))
        ranked.sort(key=lambda pair: pair[0])
        chosen = [sequence for _, sequence in ranked[:limit]]
        if self._discipline == "round-robin":
            self._turn += 1
            self._turns = {s.id: self._turns.get(s.id, 0) for s in runnable} | {s.id: self._turn for s in chosen}
        for instrument in self._instruments:
            instrument.scheduled(chosen, len(ranked) - len(chosen))
        return chosen

    def charge(self, sequence: LiveSequence, tokens: int) -> None:
        """Account for computed tokens; a process that used up its budget is stopped."""
        process = self._process(sequence)
        if process is None:
            return
        process.tokens += tokens
        process.virtual_tokens += tokens / process.weight
        limit = process.budget.tokens
        if limit is not None and process.tokens >= limit and process.state not in _HALTED:
            process.move(State.STOPPED)

    def stepped(self, sequences: int, rows: int, seconds: float, first_tokens: Sequence[float]) -> None:
        """Tell the instruments."""
        for instrument in self._instruments:
            instrument.stepped(sequences, rows, seconds, first_tokens)

    def _process(self, sequence: LiveSequence) -> Process | None:
        return self._table.by_sequence.get((id(self._engine), sequence.id))

    def _key(self, process: Process, sequence: LiveSequence) -> tuple[int, float, int]:
        if self._discipline == "fifo":
            return (0, float(process.pid), sequence.id)
        if self._discipline == "round-robin":
            return (0, float(self._turns.get(sequence.id, 0)), sequence.id)
        return (_RANK[process.priority], process.virtual_tokens, sequence.id)
