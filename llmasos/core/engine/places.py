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

    def promise(self, owner: int, cells: int, prompt: Sequence[int]) -> int | None:
        """Promise an owner cells in one lane, from now on the only one for its sequences; see the contract."""
        living = [lane for lane in self._lanes if lane.alive]
        if not living:
            return 0
        if self._promised(owner):
            return None
        for lane in self._order(0, list(prompt), owner):
            left = lane.batcher.promises.give(owner, lane.batcher.sequences.needed(cells))
            if left is not None:
                return left
        return None

    def release(self, owner: int) -> None:
        """End a promise; one that isn't there is fine."""
        for lane in self._lanes:
            lane.batcher.promises.end(owner)

    def beside(self, owner: int, sequence: LiveSequence) -> bool:
        """Whether a sequence lives where an owner was promised cells."""
        lane = self._promised(owner)
        return lane is not None and self.homes.get(sequence.id) is lane

    def _promised(self, owner: int) -> Lane | None:
        """The lane where an owner was promised cells."""
        return next((lane for lane in self._lanes if lane.alive and owner in lane.batcher.promises), None)

    async def brought(self, sequence: LiveSequence) -> Lane | None:
        """As `home`, once the sequence is where its owner was promised cells.

        Raises:
            EngineError: It is closed, or no lane lives.
        """
        lane, promised = self.home(sequence), self._promised(sequence.owner)
        if lane and promised and lane is not promised and not lane.serves(sequence):
            await self._move(sequence, lane, promised)
            return promised
        return lane

    async def lane_of(self, sequence: LiveSequence, prompt: Sequence[int], more: int = 0) -> Lane:
        """The lane for a request: where its owner was promised cells, or where it lives, or the best for something new.

        Args:
            sequence: Whose.
            prompt: What it reads.
            more: Tokens that it may write.

        Raises:
            EngineError: The sequence is closed, or no lane lives.
        """
        lane = await self.brought(sequence)
        if lane is None:
            read = [*sequence.tokens, *prompt]
            lane = self._promised(sequence.owner) or self._order(len(read) + more, read)[0]
            self.homes[sequence.id] = lane
        return lane

    def _order(self, need: int, prompt: list[int] | None = None, owner: int = 0) -> list[Lane]:
        """The lanes that live, the best for something new first.

        That is one which has the cells; of those the one where the fewest requests run, or one more where it lives
        already; then the one that knows more of the prompt's beginning, so that a prefix is never waited for; then the
        emptiest.

        Args:
            need: Cells.
            prompt: What it reads.
            owner: Whose it is, where it may live somewhere already.
        """
        lanes = self.serving()
        if len(lanes) == 1:
            return lanes
        homes = list(self.homes.values())

        def key(lane: Lane) -> tuple[bool, int, int, int, int]:
            room = lane.room()
            known = lane.batcher.prefixes.longest(prompt) if prompt else 0
            lives = bool(owner) and lane.houses(owner)
            return room < need, lane.requests - lives, -known, homes.count(lane), -room

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
        if not saved.computed or not len(saved.kv):
            return
        failure: EngineError | None = None
        promised = self._promised(sequence.owner)
        for lane in [promised] if promised else self._order(saved.computed):
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
