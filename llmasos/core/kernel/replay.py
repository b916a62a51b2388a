"""Runs of the model, recorded with all that decided them, and replayed token for token.

What a process wrote is decided by the model's fingerprint, the tokens it had read, the sampling with its seed, the
grammar and the strings that end it. A sequence that is alone in its context writes the same again; in company the last
bits of the sums differ (docs/engine.md), and a run can part where two tokens were nearly as likely.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import EngineError, LlmasosError
from llmasos.core.engine.base import Engine, Generated, Sampling
from llmasos.core.kernel.process import Process, ProcessTable
from llmasos.core.kernel.store import Store

log = logging.getLogger(__name__)

KIND = "replay"


@dataclass(frozen=True, slots=True)
class Run:
    """A recorded run.

    Attributes:
        number: Its number, from 1.
        at: When, ISO 8601.
        person: Whom the process worked for.
        process: What the process was called.
        model: The engine's fingerprint.
        generated: What was written, and what decided it.
    """

    number: int
    at: str
    person: str
    process: str
    model: str
    generated: Generated


class Recorder:
    """Keeps runs, sealed; the oldest go.

    Args:
        store: Where.
        clock: Says when.
        processes: Whose runs they are.
        keep: How many are kept, the newest.
    """

    def __init__(self, store: Store, clock: Clock, processes: ProcessTable, *, keep: int = 200) -> None:
        self._store = store
        self._clock = clock
        self._processes = processes
        self._keep = keep
        numbers = [int(record.id) for record in store.scan(KIND)]
        self._last = max(numbers, default=0)
        if not store.frozen:
            for number in numbers:
                if number <= self._last - keep:
                    store.delete(KIND, f"{number:09d}")

    def hears(self, engine: Engine) -> Callable[[Generated], None]:
        """What an engine tells of its runs. A run without a seed can't be drawn again, and isn't kept."""

        def heard(run: Generated) -> None:
            if run.sampling.temperature > 0 and run.sampling.seed is None:
                return
            process = next((p for p in self._processes if p.pid == run.owner), None)
            self._last += 1
            value: dict[str, Any] = {
                "at": self._clock.now().isoformat(timespec="seconds"),
                "person": process.owner if process else self._processes.init.owner,
                "process": process.name if process else "interpreter",
                "boot": process.boot if process else "",
                "model": engine.fingerprint,
                "generated": asdict(run),
            }
            try:
                with self._store.transaction():
                    self._store.put(KIND, f"{self._last:09d}", value)
                    self._store.delete(KIND, f"{self._last - self._keep:09d}")
            except LlmasosError as error:  # a run that isn't recorded is still a run
                log.warning("a run isn't recorded: %s", error)

        return heard

    def runs(self, person: str) -> Iterator[Run]:
        """A person's runs, the newest first."""
        for record in self._store.scan(KIND, newest_first=True):
            if record.value["person"] == person:
                yield _run(int(record.id), record.value)

    def forget_process(self, process: Process) -> None:
        """Forget the runs of a process that was ended for good."""
        for record in list(self._store.scan(KIND)):
            if (record.value["generated"]["owner"], record.value.get("boot")) == (process.pid, process.boot):
                self._store.delete(KIND, record.id)

    def forget(self, person: str) -> None:
        """Forget all of a person's runs: something of theirs is erased for good, and may stand in them."""
        for run in list(self.runs(person)):
            self._store.delete(KIND, f"{run.number:09d}")


async def replay(engine: Engine, run: Run) -> int | None:
    """Write a run again.

    Returns:
        The place of the first token that came out otherwise, from 0; None where all are the same.

    Raises:
        EngineError: It was made by another model or adapter, or the engine failed.
    """
    if run.model != engine.fingerprint:
        raise EngineError("It was recorded with another model or adapter.", "Use that one to replay it.")
    made = run.generated
    # The reader may have left early; then it isn't known what would have come.
    sampling = replace(made.sampling, max_tokens=len(made.tokens))
    constraint = engine.constrain(made.grammar) if made.grammar else None
    sequence = await engine.open()
    written: list[int] = []
    recording, engine.on_generated = engine.on_generated, None  # a replay is no run
    try:
        pieces = engine.generate(sequence, made.start, sampling=sampling, constraint=constraint, stop=made.stop)
        async for piece in pieces:
            written += piece.tokens
    finally:
        engine.on_generated = recording
        await engine.close(sequence)
    if tuple(written) == made.tokens:
        return None
    same = (one == other for one, other in zip(written, made.tokens, strict=False))
    return next((place for place, equal in enumerate(same) if not equal), min(len(written), len(made.tokens)))


def _run(number: int, value: dict[str, Any]) -> Run:
    made = value["generated"]
    generated = Generated(
        made["owner"], tuple(made["start"]), tuple(made["tokens"]), Sampling(**made["sampling"]), made["grammar"],
        tuple(made["stop"]),
    )  # fmt: skip
    return Run(number, value["at"], value["person"], value["process"], value["model"], generated)
