"""A lane's thread: owns one context, and asks the run queue at every step what runs."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from llmasos.core.base.errors import EngineError, LlmasosError
from llmasos.core.engine.base import LiveSequence, Logits, RunQueue
from llmasos.core.engine.busy import BusyTime
from llmasos.core.engine.context import N_BATCH, N_OUTPUTS, Context, Rows
from llmasos.core.engine.fifo import Fifo
from llmasos.core.engine.prefix import PrefixTree, begin_alike
from llmasos.core.engine.promises import Promises
from llmasos.core.engine.sequences import Sequences, Slot
from llmasos.core.engine.work import FEW, Part, Post, Work

T = TypeVar("T")
log = logging.getLogger(__name__)

SHARED_CHUNK = 96
"""Prompt tokens computed in a step in which others write: a long prompt delays them by no more."""

PATIENCE, PROMISED = 0.2, 30.0
"""Seconds that a request which lacks cells waits for somebody to free some, once nobody else goes on: one that takes
more than its owner was promised, and one whose cells are still being cleared."""

_IDLE = 0.02
"""Seconds until a queue that chose nothing is asked again, should nobody call `wake`."""


class Batcher:
    """Runs steps on one context until it is stopped.

    The thread has no queue of its own. Between steps it does what `call` was given, in order; in a step it
    computes the work that the run queue selects: all tokens of sequences that are writing, then chunks of
    prompts.

    Args:
        make: Makes the context, in the thread.
        layout: How its cells are dealt out.
        name: The thread's name.
        busy: Counts the time that is spent in steps.
        nice: How much less urgent than the program the thread is to the operating system; Linux only.

    Raises:
        LlmasosError: The context can't be made.
    """

    def __init__(
        self,
        make: Callable[[], Context],
        *,
        layout: Callable[[Context], Sequences],
        name: str,
        busy: BusyTime,
        nice: int = 0,
    ) -> None:
        self._make = make
        self._busy = busy
        self._nice = nice
        self._layout = layout
        self._calls: deque[tuple[Callable[[], object], Future[object]]] = deque()
        self._changed = threading.Condition()
        self._working: dict[int, Slot] = {}  # by sequence id, in the order of arrival
        self._stopping = False
        self._dead: BaseException | None = None
        self.queue: RunQueue = Fifo()
        self.post = Post()
        self.sequences: Sequences
        self.prefixes: PrefixTree
        self.promises: Promises
        self.working = False
        """Whether it computes step after step; not while there is nothing to do, or nobody may run."""
        self.steps = 0
        self.computed = 0
        self.decoded = 0
        self.prefilled = 0
        self._first_tokens: list[float] = []
        self._stuck = math.inf
        """Since when nobody has gone on for want of cells."""
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name=name, daemon=True)
        self._thread.start()
        ready.result()

    # From any thread.

    def call(self, function: Callable[[], T]) -> Future[T]:
        """Run a function in the engine's thread, between two steps."""
        future: Future[T] = Future()
        with self._changed:
            if self._dead or self._stopping:
                future.set_exception(self.gone())
                return future
            self._calls.append((function, future))  # type: ignore[arg-type]  # a Future isn't covariant
            self._changed.notify()
        return future

    def wake(self) -> None:
        """Ask the run queue again."""
        with self._changed:
            self._changed.notify()

    def stop(self) -> None:
        """End the thread after the present step, fail whoever waits, and free the context."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether requests are served."""
        return self._thread.is_alive() and not self._stopping

    def gone(self) -> EngineError:
        """Why requests aren't served any more."""
        if self._dead:
            return EngineError(f"The engine has stopped: {self._dead!r}.", "Start the program again.")
        return EngineError("The engine was shut down.")

    # In the engine's thread.

    def begin(self, work: Work, prompt: Sequence[int]) -> None:
        """Take on a request.

        Raises:
            EngineError: The sequence is serving another one, or the prompt can't fit.
        """
        slot = work.slot
        if slot.work is not None:
            busy = f"The sequence {work.live.id} is serving another request."
            raise EngineError(busy, "Wait for it, or fork.")
        length = len(work.live.tokens) + len(prompt)
        if length > self.sequences.longest:
            raise EngineError(
                f"The context is full: {length:,} tokens don't fit into {self.sequences.longest:,}.",
                "Shorten the conversation, or use a larger context.",
            )
        if not work.live.tokens:
            work.live.usage.reused += self.prefixes.reuse(slot, prompt)
            work.keep_at = self.prefixes.notice(prompt)
        work.begin(prompt)
        slot.work = work
        self._working[work.live.id] = slot

    def cancel(self, work: Work) -> None:
        """Stop a request whose outcome nobody waits for."""
        if work.slot.work is work:
            self._finish(work)
            work.cancelled()

    def close(self, sequence: LiveSequence) -> None:
        """Free a sequence; one that is closed already is fine."""
        slot = self.sequences.by_id.get(sequence.id)
        if slot is None:
            return
        if slot.work:
            work = slot.work
            self._finish(work)
            work.cancelled()
            work.channel.send(EngineError(f"The sequence {sequence.id} was closed."))
        self.sequences.leave(slot)

    def _run(self, ready: Future[None]) -> None:
        _yield_to_others(self._nice)
        try:
            context = self._make()
        except BaseException as error:  # noqa: BLE001  (told to whoever makes the engine)
            self._dead = error
            ready.set_exception(error)
            return
        self.sequences = self._layout(context)
        self.prefixes = PrefixTree(self.sequences)
        self.promises = Promises(self.sequences.count)
        ready.set_result(None)
        try:
            while self._serve_calls():
                self._step()
                self.post.deliver()
        except BaseException as error:  # noqa: BLE001  (nobody may wait for a thread that is gone)
            self._dead = error
            log.error("the thread %s has died: %r", self._thread.name, error)
        finally:
            self._stopping = True
            self.working = False
            self._fail_all()
            context.close()

    def _serve_calls(self) -> bool:
        """Do what was asked for since the last step; False when it is time to stop."""
        while True:
            with self._changed:
                if self._stopping:
                    return False
                if not self._calls:
                    if self._working:
                        return True
                    self.working = False
                    self._changed.wait()
                    continue
                function, future = self._calls.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            result, failure = None, None
            try:
                result = function()
            except LlmasosError as error:
                failure = error
            except Exception as error:  # noqa: BLE001  (a defect in one request must not end the others)
                failure = EngineError(f"The engine failed: {error!r}.")
            self.post.deliver()  # what a request is told comes before the news of who ended it
            if failure:
                future.set_exception(failure)
            else:
                future.set_result(result)

    def _step(self) -> None:
        runnable = [slot.live for slot in self._working.values() if slot.live]
        chosen = self.queue.select(runnable, N_OUTPUTS)
        works = [slot.work for live in chosen if (slot := self._working.get(live.id)) and slot.work]
        parts = self._plan(works)
        self.working = bool(parts)
        if not parts:
            with self._changed:
                if not self._calls and not self._stopping:
                    self._changed.wait(_IDLE)
            return
        started, before = time.monotonic(), self.computed
        with self._busy:
            self._compute(parts)
        seconds = time.monotonic() - started
        self.queue.stepped(len(parts), self.computed - before, seconds, self._first_tokens)
        self._first_tokens = []

    def _plan(self, works: Sequence[Work]) -> list[tuple[Work, Part]]:
        writing = [work for work in works if work.waiting <= FEW]
        reading = [work for work in works if work.waiting > FEW]
        planned: list[tuple[Work, Part]] = []
        room, outputs = N_BATCH, N_OUTPUTS
        if writing:
            room = sum(work.waiting for work in writing) + SHARED_CHUNK * bool(reading)
            room = min(N_BATCH, max(room, N_OUTPUTS))
        # Before anything is planned: the cells of a plan hold nothing yet that could be taken over.
        for work in reading:
            if not work.slot.computed:
                work.live.usage.reused += self.prefixes.reuse(work.slot, work.live.tokens, again=True)
        fresh: list[Work] = []
        lacking: list[Work] = []
        for work in [*writing, *reading]:
            if room <= 0 or outputs <= 0:
                break
            if not work.slot.computed:
                if any(begin_alike(work.live.tokens, other.live.tokens) for other in fresh):
                    continue  # it takes over in the next step what is computed in this one
                fresh.append(work)
            part = self._part(work, room, alone=len(works) == 1)
            if part is None:
                lacking.append(work)
                continue
            wanted = sum(part.rows.outputs)
            if wanted > outputs or len(part.rows) > room:
                part.restore()  # its turn comes with the next step
                continue
            room -= len(part.rows)
            outputs -= wanted
            planned.append((work, part))
        self._give_way(lacking, others_go_on=bool(planned))
        return planned

    def _give_way(self, lacking: Sequence[Work], *, others_go_on: bool) -> None:
        """Who lacks cells waits for those of others who go on; where nobody does for some time, one fails.

        It is the last one that takes more than its owner was promised. What was promised is there, or being cleared.
        """
        for work in [work for work in lacking if len(work.live.tokens) > self.sequences.longest]:
            self._fail(work, self.sequences.full())  # whatever others do
        lacking = [work for work in lacking if work.slot.work] if not others_go_on else []
        now = time.monotonic()
        if not lacking:
            self._stuck = math.inf
        elif self._stuck > now:
            self._stuck = now
        else:
            beyond = [work for work in lacking if not self._was_promised(work.live.owner)]
            if now - self._stuck >= (PATIENCE if beyond else PROMISED):
                self._fail((beyond or lacking)[-1], self.sequences.full())
                self._stuck = math.inf

    def _was_promised(self, owner: int) -> bool:
        """Whether an owner holds less than it was promised."""
        return self.sequences.taken(self.sequences.of(owner)) < self.promises.of(owner)

    def _part(self, work: Work, room: int, *, alone: bool = False) -> Part | None:
        while (part := work.plan(room, alone=alone)) is None:
            if not self.prefixes.make_room():
                return None
        return part

    def _compute(self, parts: list[tuple[Work, Part]]) -> None:
        # By their numbers: of streams, llama.cpp computes those together that follow one another.
        parts.sort(key=lambda planned: planned[1].slot.id)
        rows = Rows()
        for _, part in parts:
            rows.extend(part.rows)
        code = self.sequences.context.decode(rows)
        self.steps += 1
        if code != 0:
            self._recover(parts, code)
            return
        first = 0
        for work, part in parts:
            self._take(work, part, first)
            first += len(part.rows)

    def _recover(self, parts: list[tuple[Work, Part]], code: int) -> None:
        """A batch failed: find out whose part it was, so that the others go on."""
        for _, part in parts:
            part.restore()
        if len(parts) == 1:
            work = parts[0][0]
            reason = self.sequences.full() if code == 1 else EngineError(f"llama.cpp failed to compute (code {code}).")
            self._fail(work, reason)
            return
        for work, _ in parts:
            again = self._part(work, N_BATCH)
            if again is None:
                self._fail(work, self.sequences.full())
            else:
                self._compute([(work, again)])

    def _take(self, work: Work, part: Part, first: int) -> None:
        context = self.sequences.context

        def logits(row: int) -> Logits:
            return context.logits(first + row)

        usage = work.live.usage
        decoded, prefilled, answering = usage.decoded, usage.prefilled, work.answering
        try:
            done = work.computed(part, logits)
            if work.keep_at and work.slot.computed >= work.keep_at:
                self.prefixes.keep(work.slot, work.keep_at)
                work.keep_at = 0
        except EngineError as error:
            self._fail(work, error)
        except Exception as error:  # noqa: BLE001  (a defect in one request must not end the others)
            self._fail(work, EngineError(f"The engine failed: {error!r}."))
        else:
            if done:
                self._finish(work)
        if work.answering and not answering:
            self._first_tokens.append(time.monotonic() - work.channel.asked)
        self.decoded += usage.decoded - decoded
        self.prefilled += usage.prefilled - prefilled
        self.computed += len(part.rows)
        self.queue.charge(work.live, len(part.rows))

    def _finish(self, work: Work) -> None:
        work.slot.work = None
        self._working.pop(work.live.id, None)

    def _fail(self, work: Work, error: EngineError) -> None:
        self._finish(work)
        work.fail(error)

    def _fail_all(self) -> None:
        """Nobody may wait for a thread that is gone."""
        with self._changed:
            calls, self._calls = list(self._calls), deque()
        for _, future in calls:
            if future.set_running_or_notify_cancel():
                future.set_exception(self.gone())
        for slot in list(self._working.values()):
            if slot.work:
                del slot.work.live.tokens[slot.work.start :]  # as after every error; its cells go with the context
                slot.work.channel.send(self.gone())
        self._working.clear()
        self.post.deliver()


def _yield_to_others(nice: int) -> None:
    """Make the calling thread less urgent; what it starts for a step inherits that."""
    if nice and sys.platform == "linux":  # elsewhere it is the whole process that a number is of
        with contextlib.suppress(OSError):  # a sandbox may forbid it; it is about comfort only
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + nice)
