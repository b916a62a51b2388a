"""Which lane each sequence of an engine lives in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

from llmasos.core.base.errors import EngineError, StateError
from llmasos.core.engine import state as saved_state
from llmasos.core.engine.base import LiveSequence
from llmasos.core.engine.lane import Lane, call


class Places:
    """Decides where sequences go, and knows where they are.

    Args:
        lanes: Where they can.
        n_seq: How many can be open at once.
        fingerprint: Of model and adapter, for states that go from lane to lane.
    """

    def __init__(self, lanes: Sequence[Lane], n_seq: int, fingerprint: str) -> None:
        self._lanes = lanes
        self._n_seq = n_seq
        self._fingerprint = fingerprint
        self.homes: dict[int, Lane | None] = {}
        """The lane of each open sequence; None where nothing of it is computed anywhere."""

    def serving(self) -> list[Lane]:
        """The lanes that live.

        Raises:
            EngineError: None does.
        """
        living = [lane for lane in self._lanes if lane.alive]
        if not living:
            raise self._lanes[0].batcher.gone()
        return living

    def enrol(self, sequence: LiveSequence) -> LiveSequence:
        """Take on a sequence of which nothing is computed yet.

        Raises:
            EngineError: All are in use, or no lane lives.
        """
        self.serving()
        if len(self.homes) >= self._n_seq:
            used = f"All {self._n_seq} sequences of the model are in use."
            raise EngineError(used, "Close one, or swap a waiting one out.")
        self.homes[sequence.id] = None
        return sequence

    def home(self, sequence: LiveSequence) -> Lane | None:
        """The lane of a sequence; None where nothing of it is computed: it has asked for nothing yet, or its lane died.

        Raises:
            EngineError: It is closed, or no lane lives.
        """
        self.serving()
        if sequence.id not in self.homes:
            raise EngineError(f"The sequence {sequence.id} is closed.")
        lane = self.homes[sequence.id]
        return lane if lane and lane.alive else None

    async def lane_of(self, sequence: LiveSequence, prompt: Sequence[int], more: int = 0) -> Lane:
        """The lane for a request.

        A sequence moves where its lane lacks the cells, or runs two requests more than another which has them.

        Args:
            sequence: Whose.
            prompt: What it reads.
            more: Tokens that it may write.

        Raises:
            EngineError: The sequence is closed, or no lane lives.
        """
        lane = self.home(sequence)
        need = len(sequence.tokens) + len(prompt) + more
        if lane is None:
            lane = self.homes[sequence.id] = self._order(need, [*sequence.tokens, *prompt])[0]
        elif len(self._lanes) > 1 and not lane.serves(sequence):
            best = self._order(need)[0]
            pressed = lane.requests > best.requests + 1 or lane.room() < len(prompt) + more
            if best is not lane and pressed and best.room() >= need:
                await self._move(sequence, lane, best)
                lane = best
        return lane

    def _order(self, need: int, prompt: list[int] | None = None) -> list[Lane]:
        """The lanes that live, the best for something new first.

        That is one which has the cells; of those the one where the fewest requests run; then the one that knows more of
        the prompt's beginning, so that a prefix is never waited for; then the emptiest.

        Args:
            need: Cells.
            prompt: What it reads.
        """
        lanes = self.serving()
        if len(lanes) == 1:
            return lanes
        homes = list(self.homes.values())

        def key(lane: Lane) -> tuple[bool, int, int, int, int]:
            room = lane.room()
            known = lane.batcher.prefixes.longest(prompt) if prompt else 0
            return room < need, lane.requests, -known, homes.count(lane), -room

        return sorted(lanes, key=key)

    async def _move(self, sequence: LiveSequence, source: Lane, target: Lane) -> None:
        """Bring a sequence that serves no request to another lane; what can't be brought is computed anew there."""
        state = await call(source, lambda: source.give(sequence))
        if sequence.id not in self.homes:
            raise EngineError(f"The sequence {sequence.id} is closed.")
        self.homes[sequence.id] = target
        saved = saved_state.read(state, self._fingerprint)
        with contextlib.suppress(EngineError):
            await call(target, lambda: target.take(sequence, saved))
        if sequence.id not in self.homes:
            raise EngineError(f"The sequence {sequence.id} is closed.")

    async def restored(self, sequence: LiveSequence, saved: saved_state.Saved) -> None:
        """Put a sequence where there is room, with what was saved of it.

        Raises:
            StateError: llama.cpp refused the state.
            EngineError: There is no room in any lane.
        """
        if not len(saved.kv):
            return
        failure: EngineError | None = None
        for lane in self._order(saved.computed):
            self.homes[sequence.id] = lane
            try:
                await call(lane, lambda lane=lane: lane.take(sequence, saved))  # type: ignore[misc]
            except StateError:
                raise
            except EngineError as error:  # full: another one may have the cells
                failure = failure or error
            else:
                return
        assert failure
        raise failure

    @contextlib.contextmanager
    def dropped(self, sequence: LiveSequence) -> Iterator[None]:
        """A sequence that couldn't be made, or whose maker was cancelled, is closed again."""
        try:
            yield
        except BaseException:
            self.dismiss(sequence)
            raise

    def dismiss(self, sequence: LiveSequence) -> Future[None] | None:
        """Forget a sequence; the moment in which its lane has freed it, where there is something to free."""
        lane = self.homes.pop(sequence.id, None)
        return lane.batcher.call(lambda: lane.batcher.close(sequence)) if lane and lane.alive else None
