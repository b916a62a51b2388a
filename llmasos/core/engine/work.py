"""Requests on sequences: what each wants computed in the next step, and what it makes of the outcome.

All of it runs in the engine's thread.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.base import Choice, Constraint, Logits, Piece, Sampling
from llmasos.core.engine.context import Rows
from llmasos.core.engine.lookup import lookup
from llmasos.core.engine.sampling import Sampler, log_probability
from llmasos.core.engine.sequences import Sequences, Slot
from llmasos.core.engine.text import TextStream

if TYPE_CHECKING:
    from llmasos.core.engine.llama_model import LlamaModel

LogitsOf = Callable[[int], Logits]
"""The logits of a row of one's own part of the batch."""

FEW = 16
"""Up to so many waiting tokens a sequence is writing: a sampled token and those forced after it."""

FEW_TOGETHER, MANY_TOGETHER = 4, 8
"""Rows of a step with guessed tokens, where the guess is weak and where it is strong. llama.cpp multiplies four at
once: they cost 1.4 times what one does, as two do. With AMX two cost 1.8, four 2.1 and eight 2.7 times as much."""

_SCORED = 32
"""Rows of logits that one `choose` takes of a step."""


class Post:
    """What the engine's thread hands to a loop, together at the end of a step.

    Waking the loop costs a system call and a fight for the interpreter; once for sixteen sequences is enough.
    """

    def __init__(self) -> None:
        self._items: list[tuple[Channel, Any]] = []

    def add(self, channel: Channel, item: Any) -> None:
        """Hand over an item with the next delivery."""
        self._items.append((channel, item))

    def deliver(self) -> None:
        """Wake each loop once."""
        items, self._items = self._items, []
        for loop in {id(channel.loop): channel.loop for channel, _ in items}.values():
            try:
                loop.call_soon_threadsafe(_put, [(c, item) for c, item in items if c.loop is loop])
            except RuntimeError:
                continue  # the loop is closed: nobody waits any more


def _put(items: list[tuple[Channel, Any]]) -> None:
    for channel, item in items:
        channel.queue.put_nowait(item)


class Channel:
    """From the engine's thread to a coroutine.

    Args:
        post: Takes what is sent to the loop.
    """

    def __init__(self, post: Post) -> None:
        self.loop = asyncio.get_running_loop()
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self._post = post
        self.asked = time.monotonic()
        """When somebody asked for what comes through it."""

    def send(self, item: Any) -> None:
        """Hand over an item; an error is raised at the other end."""
        self._post.add(self, item)

    async def receive(self) -> Any:
        """The next item.

        Raises:
            EngineError: The request failed.
        """
        item = await self.queue.get()
        if isinstance(item, BaseException):
            raise item
        return item


class Part:
    """A request's share of a batch.

    Args:
        slot: Whose it is.
        rows: What to compute.
        restore: Puts the sequences back to where they were, should the batch fail.
    """

    def __init__(self, slot: Slot, rows: Rows, restore: Callable[[], None]) -> None:
        self.slot = slot
        self.rows = rows
        self.restore = restore


class Work(ABC):
    """One request on one slot.

    Args:
        slot: Where the sequence lives.
        sequences: The account of cells.
        channel: Where the outcome goes.
    """

    def __init__(self, slot: Slot, sequences: Sequences, channel: Channel) -> None:
        assert slot.live is not None
        self.slot = slot
        self.live = slot.live
        self.sequences = sequences
        self.channel = channel
        self.start = len(self.live.tokens)
        """Length of the sequence before the request."""
        self.keep_at = 0
        """Where to keep the prompt's prefix as soon as it is computed; 0 for nowhere."""
        self.answering = False
        """Whether the first token of an answer has been drawn."""

    def begin(self, prompt: Sequence[int]) -> None:
        """Append the prompt."""
        self.live.tokens.extend(prompt)
        if self.slot.computed >= len(self.live.tokens):
            if not self.live.tokens:
                raise EngineError("An empty sequence needs a prompt.")
            # Nothing is left to compute, but the last token's logits are needed again.
            self.sequences.cut(self.slot, len(self.live.tokens) - 1)

    @property
    def waiting(self) -> int:
        """Tokens still to be computed."""
        return len(self.live.tokens) - self.slot.computed

    def plan(self, room: int, *, alone: bool = False) -> Part | None:
        """Up to `room` rows for the next batch, with their cells; None where cells are lacking.

        Args:
            room: Rows.
            alone: Whether nobody else takes part in the step.
        """
        first = self.slot.computed
        count = min(self.waiting, room)
        if first < self.keep_at:  # where it is kept, nothing of this prompt alone may be computed yet
            count = min(count, self.keep_at - first)
        if not self.sequences.grow(self.slot, count):
            return None
        rows = Rows()
        last = len(self.live.tokens) - 1
        for position in range(first, first + count):
            rows.add(self.live.tokens[position], position, self.slot.id, position == last)
        return Part(self.slot, rows, lambda: self.sequences.cut(self.slot, first))

    def account(self, part: Part) -> None:
        """Book what a part has cost."""
        prompt = min(len(part.rows), max(0, self.prompt_end - part.rows.positions[0]))
        self.live.usage.prefilled += prompt

    @property
    def prompt_end(self) -> int:
        """Where the prompt ends in the sequence."""
        return len(self.live.tokens)

    def computed(self, part: Part, logits: LogitsOf) -> bool:
        """Take the outcome of a part; True when the request is done."""
        self.account(part)
        return not self.waiting and self.ready(logits(len(part.rows) - 1))

    @abstractmethod
    def ready(self, logits: Logits) -> bool:
        """All tokens are computed, these are the logits of the last; True when the request is done."""

    def fail(self, error: EngineError) -> None:
        """Leave the sequence as it was before, and tell whoever waits."""
        self.undo()
        self.channel.send(error)

    def undo(self) -> None:
        """Take the request's tokens back."""
        self.sequences.cut(self.slot, min(self.slot.computed, self.start))
        del self.live.tokens[self.start :]

    def cancelled(self) -> None:  # noqa: B027  (most have nothing to put in order)
        """Nobody waits any more; the sequence keeps what it has."""


class Prefill(Work):
    """Computes a prompt and no more."""

    def ready(self, logits: Logits) -> bool:
        """Done."""
        self.channel.send(None)
        return True


class Generate(Work):
    """Computes a prompt and writes on.

    Args:
        slot: Where the sequence lives.
        sequences: The account of cells.
        channel: Where the pieces go.
        model: For the tokens' bytes.
        sampling: How to draw.
        constraint: What may follow.
        stop: Strings that end the text.
    """

    def __init__(
        self,
        slot: Slot,
        sequences: Sequences,
        channel: Channel,
        *,
        model: LlamaModel,
        sampling: Sampling,
        constraint: Constraint | None,
        stop: Sequence[str],
    ) -> None:
        super().__init__(slot, sequences, channel)
        self._model = model
        self._sampling = sampling
        self._sampler = Sampler(sampling)
        self._constraint = constraint
        self._text = TextStream(stop)
        self._written = 0
        self._end = 0
        self._opening: list[int] = []
        self._guessed: list[int] = []
        """Computed behind the sequence's tokens in this step, and not drawn yet."""

    def begin(self, prompt: Sequence[int]) -> None:
        """Append the prompt, and what the constraint forces after it."""
        super().begin(prompt)
        self._end = len(self.live.tokens)
        if self._constraint:
            self._opening = self._take_forced()

    @property
    def prompt_end(self) -> int:
        """Where the prompt ends in the sequence."""
        return self._end

    def plan(self, room: int, *, alone: bool = False) -> Part | None:
        """As every work's; with guessed tokens behind it where it writes alone."""
        self._guessed = []
        part = super().plan(room)
        if part and alone and self._sampling.copies and self._written and not self.waiting:
            rows = len(part.rows)
            few = 0 if rows == 1 and self._model.tiles else FEW_TOGETHER - rows
            guessed = lookup(self.live.tokens, min(few, room - rows), min(MANY_TOGETHER, room) - rows)
            if guessed and self.sequences.grow(self.slot, len(guessed)):
                for position, token in enumerate(guessed, len(self.live.tokens)):
                    part.rows.add(token, position, self.slot.id, True)
                self._guessed = guessed
        return part

    def computed(self, part: Part, logits: LogitsOf) -> bool:
        """Draw a token, and one more behind each guess that was drawn too; the other guesses are forgotten."""
        guessed, self._guessed = self._guessed, []
        if not guessed:
            return super().computed(part, logits)
        self.account(part)
        before, row = len(self.live.tokens), len(part.rows) - len(guessed) - 1
        kept = 0
        done = self.ready(logits(row))
        while not done and self._drawn(before) == guessed[: len(self.live.tokens) - before]:
            kept = len(self.live.tokens) - before
            done = self.ready(logits(row + kept))
        drawn = self._drawn(before)
        while kept < min(len(drawn), len(guessed)) and drawn[kept] == guessed[kept]:
            kept += 1
        self.sequences.cut(self.slot, before + kept)
        return done

    def _drawn(self, before: int) -> list[int]:
        return self.live.tokens[before:]

    def ready(self, logits: Logits) -> bool:
        """Draw the next token, add those it forces, and send the piece."""
        tokens, text = self._opening, ""
        log_probs = [0.0] * len(tokens)
        self._opening = []
        done = self._done(tokens)
        if not done:
            window = self.live.tokens[-self._sampling.repeat_window :]
            mask = self._constraint.mask() if self._constraint else None
            token, log_prob = self._sampler.draw(logits, mask, window)
            if token in self._model.end_tokens or self._model.control[token]:
                done = "stop"
            else:
                self._append(token)
                fresh = [token, *(self._take_forced() if self._constraint else [])]
                log_probs += [log_prob] + [0.0] * (len(fresh) - 1)
                tokens = tokens + fresh
                done = self._done(fresh)
        text = self._text_of(tokens)
        if self._text.stopped:
            done = "stop"
        if done:
            text += self._text.finish()
        self.answering = True
        self.channel.send(Piece(text, tuple(tokens), tuple(log_probs), done))
        return bool(done)

    def _append(self, token: int) -> None:
        if self._constraint and not self._constraint.consume(token):
            raise EngineError("The grammar refused a token that it had allowed.")
        self.live.tokens.append(token)
        self.live.usage.decoded += 1
        self._written += 1

    def _take_forced(self) -> list[int]:
        assert self._constraint is not None
        taken: list[int] = []
        for token in self._constraint.forced():
            if self._written >= self._sampling.max_tokens or token in self._model.end_tokens:
                break
            self._append(token)
            taken.append(token)
        return taken

    def _done(self, fresh: Sequence[int]) -> str:
        if fresh and self._constraint and self._constraint.finished():
            return "stop"
        return "length" if self._written >= self._sampling.max_tokens else ""

    def _text_of(self, tokens: Sequence[int]) -> str:
        return "".join(self._text.feed(self._model.pieces[token]) for token in tokens)


class Choose(Work):
    """Scores a closed list of options after a prompt; the sequence is left as it was.

    Args:
        slot: Where the sequence lives.
        sequences: The account of cells.
        channel: Where the choice goes.
        options: Each as token ids.
    """

    def __init__(self, slot: Slot, sequences: Sequences, channel: Channel, options: Sequence[Sequence[int]]) -> None:
        super().__init__(slot, sequences, channel)
        self._options = [list(option) for option in options]
        self._sums = [0.0] * len(options)
        self._left: list[int] | None = None
        """Options whose further tokens aren't scored yet; None while the prompt is being computed."""
        self._round: list[tuple[int, Slot]] = []

    def ready(self, logits: Logits) -> bool:
        """The prompt is computed: score every option's first token, and see which have more."""
        for index, option in enumerate(self._options):
            self._sums[index] = log_probability(logits, option[0])
        self._left = [index for index, option in enumerate(self._options) if len(option) > 1]
        return self._answer()

    @property
    def waiting(self) -> int:
        """Tokens still to be computed; options count as few, so that they go before others' prompts."""
        return super().waiting if self._left is None else 1

    def plan(self, room: int, *, alone: bool = False) -> Part | None:
        """The prompt, then one round of options after the other, each option on a fork of its own."""
        if self._left is None:
            return super().plan(room)
        rows = Rows()
        self._round = []
        base = self.slot.computed
        free = [slot for slot in self.sequences.scratch if not slot.computed]
        for index, fork in zip(self._left, free, strict=False):
            option = self._options[index][:-1]
            if self._round and len(rows) + len(option) > min(room, _SCORED):
                break
            self.sequences.fork(self.slot, fork)
            if not self.sequences.grow(fork, len(option)):
                self.sequences.cut(fork, 0)
                break
            self._round.append((index, fork))
            for offset, token in enumerate(option):
                rows.add(token, base + offset, fork.id, True)
        return Part(self.slot, rows, self._drop_round) if self._round else None

    def computed(self, part: Part, logits: LogitsOf) -> bool:
        """Take the outcome of a round."""
        if self._left is None:
            return super().computed(part, logits)
        row = 0
        for index, _ in self._round:
            for token in self._options[index][1:]:
                self._sums[index] += log_probability(logits(row), token)
                row += 1
        self._left = self._left[len(self._round) :]
        self.live.usage.prefilled += len(part.rows)
        self._drop_round()
        return self._answer()

    def _answer(self) -> bool:
        if self._left:
            return False
        means = [total / len(option) for total, option in zip(self._sums, self._options, strict=True)]
        best = max(range(len(means)), key=means.__getitem__)
        self.undo()
        self.channel.send(Choice(best, tuple(means)))
        return True

    def cancelled(self) -> None:
        """Nobody waits any more."""
        self.undo()

    def _drop_round(self) -> None:
        for _, fork in self._round:
            self.sequences.cut(fork, 0)
        self._round = []
