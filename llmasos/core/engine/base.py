"""The engine's contract: what the kernel may ask of any model backend.

A *sequence* is one live context: token ids whose KV state is resident. The kernel gives each process at most
one, forks it, saves it, closes it. A *step* is one forward pass of a batch; which sequences take part in it
is asked of a `RunQueue` each time, so that the scheduler, which is the kernel's, is the only queue there
is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do; the kernel adapts and says what is missing.

    Attributes:
        fork: `fork`.
        save: `save` and `restore`.
        grammar: `constrain`.
        log_probs: Says how likely tokens and options were; else those of tokens are 0, and of options 0 for the one
            that was taken and minus infinity for the others.
        replay: The same seed, prompt and model draw the same tokens.
        own_cells: A sequence has `n_ctx` cells to itself as soon as something of it is computed: an idle one takes all
            of them, and makes no other's steps longer.
    """

    fork: bool = True
    save: bool = True
    grammar: bool = True
    log_probs: bool = True
    replay: bool = True
    own_cells: bool = False


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a token is drawn.

    Attributes:
        temperature: 0 takes the likeliest token.
        top_p: Smallest set of tokens whose probabilities reach this sum.
        top_k: At most so many candidates; 0 for all.
        min_p: Candidates below this share of the likeliest one's probability are dropped.
        repeat_penalty: Divides the logits of tokens seen among the last `repeat_window`; 1 is off.
        max_tokens: Where to stop at the latest.
        seed: The same seed, prompt and model draw the same tokens where the sequence is alone in its context;
            in company sums are taken in another order, and the last bits can differ. None draws a seed.
        log_probs: Whether pieces tell how likely their tokens were; else those are 0, and a token is drawn faster.
        copies: Whether the text copies from its prompt, so that the next tokens can be guessed and computed together
            where nobody else waits. What is drawn is the same, sooner.
    """

    temperature: float = 0.7
    top_p: float = 0.95
    top_k: int = 40
    min_p: float = 0.05
    repeat_penalty: float = 1.1
    repeat_window: int = 64
    max_tokens: int = 256
    seed: int | None = None
    log_probs: bool = True
    copies: bool = False


GREEDY = Sampling(temperature=0.0, repeat_penalty=1.0)


class Constraint(Protocol):
    """A grammar in the middle of a text: which tokens may come next."""

    source: str
    """The grammar, as it was written."""

    def mask(self) -> npt.NDArray[np.bool_]:
        """Shape (vocabulary,): True where a token may follow; the end token too where the text may end."""

    def forced(self) -> list[int]:
        """Tokens that must come next, so that they need no sampling; they aren't consumed yet."""

    def consume(self, token: int) -> bool:
        """Take a token; False where the grammar forbids it."""

    def finished(self) -> bool:
        """Whether nothing but the end may follow."""


@dataclass(slots=True)
class Usage:
    """What a sequence has cost so far.

    Attributes:
        prefilled: Prompt tokens computed.
        reused: Prompt tokens taken from a forked or kept prefix.
        decoded: Tokens generated, forced ones included.
    """

    prefilled: int = 0
    reused: int = 0
    decoded: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of generated text.

    Attributes:
        text: Whole characters only, possibly empty.
        tokens: The token ids it came from.
        log_probs: Of each token under the constraint, natural logarithm; forced tokens have 0.
        done: `stop` (end of text or a stop string), `length`, or empty while it goes on.
    """

    text: str
    tokens: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    done: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The outcome of `choose`: the mean log-probability a token of each option, and the best's index."""

    index: int
    log_probs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Generated:
    """What a request wrote, with all that decided it.

    Attributes:
        owner: The pid it was for.
        start: All tokens that were read before.
        tokens: What was written, forced tokens included; cut short where the reader left.
        sampling: How it was drawn.
        grammar: What it was held to; empty for nothing.
        stop: Strings that would have ended it.
    """

    owner: int
    start: tuple[int, ...]
    tokens: tuple[int, ...]
    sampling: Sampling
    grammar: str
    stop: tuple[str, ...]


@dataclass(slots=True)
class LiveSequence:
    """One live context. Opaque to all but its engine; `tokens` is what it has read and written so far."""

    id: int
    tokens: list[int] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    owner: int = 0
    """The pid it belongs to, for accounts and promises; 0 for the engine's own."""

    def common(self, tokens: Sequence[int]) -> int:
        """How many tokens it and others begin with alike."""
        pairs = enumerate(zip(self.tokens, tokens, strict=False))
        return next((at for at, (one, other) in pairs if one != other), min(len(self.tokens), len(tokens)))


class RunQueue(Protocol):
    """Who runs next; the kernel's scheduler implements it."""

    def select(self, runnable: Sequence[LiveSequence], limit: int) -> Sequence[LiveSequence]:
        """Up to `limit` of the runnable sequences, the most urgent first."""

    def charge(self, sequence: LiveSequence, tokens: int) -> None:
        """Account for tokens computed for a sequence."""

    def stepped(self, sequences: int, rows: int, seconds: float, first_tokens: Sequence[float]) -> None:
        """A step is over, and all that it computed was charged.

        Args:
            sequences: How many took part.
            rows: Tokens computed for them together.
            seconds: How long it took.
            first_tokens: For each answer that began with this step, the seconds since it was asked for.
        """


@runtime_checkable
class Engine(Protocol):
    """A model that can be asked.

    All coroutines may be cancelled; a cancelled request frees its place at the next step. A sequence serves
    one request at a time. A prompt counts as read as soon as it is handed over: after an error the sequence
    is what it was before, after a cancellation it keeps the prompt and what was written.
    """

    name: str
    n_ctx: int
    """Tokens that one sequence can have, where it is alone in its lane."""
    lanes: int
    """Pools of cells for sequences, each in one of them; several compute side by side. One has `n_ctx` cells, or where
    sequences have their own so many times as many."""
    bytes_per_token: int
    """Of memory, for each token of a live context."""
    capabilities: Capabilities
    fingerprint: str
    """Of model and adapter; a saved state can be restored, and a recorded run replayed, where it is the same."""
    on_generated: Callable[[Generated], None] | None
    """Told of what each request wrote."""

    @property
    def alive(self) -> bool:
        """Whether it serves requests; False once its thread has died or it was shut down."""

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids; `special` reads `<|im_start|>` and the like as markers: never for untrusted text."""

    def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of token ids; broken UTF-8 is replaced."""

    def constrain(self, lark: str) -> Constraint:
        """A fresh constraint from a Lark grammar in llguidance's dialect.

        Raises:
            EngineError: The grammar is wrong, or the backend has none.
        """

    async def open(self, owner: int = 0) -> LiveSequence:
        """A new, empty sequence.

        Raises:
            EngineError: All sequences are in use.
        """

    def generate(
        self,
        sequence: LiveSequence,
        prompt: Sequence[int],
        *,
        sampling: Sampling = GREEDY,
        constraint: Constraint | None = None,
        stop: Sequence[str] = (),
    ) -> AsyncIterator[Piece]:
        """Append a prompt to a sequence and stream what follows; an empty prompt goes on from where it is.

        The last piece alone has `done`. The token that ended the text isn't appended to the sequence: the
        chat template writes it when the conversation goes on. Leaving the stream early ends the request.

        Raises:
            EngineError: The sequence is closed, the context is full, or the backend failed.
            CutOff: The backend failed after some pieces; the sequence keeps the prompt and what was written.
        """

    async def choose(self, sequence: LiveSequence, prompt: Sequence[int], options: Sequence[str]) -> Choice:
        """Which option is likeliest after the prompt; the sequence is left as it was.

        Raises:
            EngineError: There are no options, or as for `generate`.
        """

    async def prefill(self, sequence: LiveSequence, prompt: Sequence[int]) -> None:
        """Append a prompt without generating."""

    async def keep_prefix(self, prompt: Sequence[int]) -> None:
        """Prefill what many prompts begin with, so that they fork it; the least used are dropped."""

    async def fork(self, sequence: LiveSequence, owner: int = 0) -> LiveSequence:
        """A copy that goes its own way; shares the state where the backend can."""

    async def save(self, sequence: LiveSequence) -> bytes:
        """The sequence's state, to be restored by the same model."""

    async def restore(self, state: bytes | memoryview, owner: int = 0) -> LiveSequence:
        """A sequence from a saved state.

        Raises:
            StateError: The state is of another model or damaged.
            EngineError: There is no room.
        """

    async def cut(self, sequence: LiveSequence, length: int) -> None:
        """Forget what a sequence holds behind its first `length` tokens.

        Raises:
            EngineError: It is closed or busy.
        """

    async def close(self, sequence: LiveSequence) -> None:
        """Free the sequence and its cells; closing twice is fine."""

    def promise(self, owner: int, cells: int, prompt: Sequence[int] = ()) -> int | None:
        """Promise an owner's sequences cells together: in one pool, where they go with their next request.

        Cells that other owners' idle sequences hold are promised too: whoever asks keeps those to what is left. A
        request whose owner was promised nothing takes what is free, waits for others', and is the first to fail.

        Args:
            owner: Whose sequences.
            cells: How many; `n_ctx` where there are fewer, and always where sequences have their own.
            prompt: What is read first, if that is known: a pool that has computed its beginning is preferred.

        Returns:
            Cells of that pool that are promised to nobody; None where the promise can't be kept just now, or one is
            being kept. An engine that has died promises anything: the next request says so.
        """

    def release(self, owner: int) -> None:
        """End a promise; what its sequences hold they keep. Twice is fine."""

    def beside(self, owner: int, sequence: LiveSequence) -> bool:
        """Whether a sequence is in the pool where an owner was promised cells: only there it can be in the way."""

    def set_queue(self, queue: RunQueue) -> None:
        """Whom to ask what runs. It is asked from the engine's own threads, one a lane, about the sequences there."""

    def wake(self) -> None:
        """The queue's answer has changed (a process was resumed, a weight was set): ask it again."""

    def stats(self) -> dict[str, float]:
        """Counters: `sequences`, `cells_used`, `cells`, `steps`, `decoded`, `prefilled`, `tokens_per_second`.

        `cells_used` counts what open sequences hold, shared cells once. Of prefixes: `prefix_hits`,
        `prefix_misses`, `prefix_tokens_saved`, `prefix_cells` (held by kept prefixes alone).
        """

    async def shutdown(self) -> None:
        """Stop the engine's threads and free the model."""
