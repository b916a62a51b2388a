"""Speaking: messages in, clean words out, through the model and under the kernel's scheduler.

    [ stable: system, history ] [ volatile: what is recalled, the new line ] -> reply
      kept live by the process    forked for each attempt, then thrown away

The process owns whatever is being computed: stopped it halts, killed it frees its cells. What stays live
between two turns is the stable part alone, always in the same tokens as a fresh start would compute, so a
kept conversation, one that was swapped out and a restored one go on alike.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace

from llmasos.core.base.errors import CutOff, EngineError, SyscallError
from llmasos.core.engine.base import Engine, LiveSequence, Sampling
from llmasos.core.engine.chat_template import ChatTemplate
from llmasos.core.engine.pool import EnginePool, Pooled
from llmasos.core.engine.slot import HasEngine
from llmasos.core.kernel.admission import Admission
from llmasos.core.kernel.pager import Pager
from llmasos.core.kernel.process import Process, ProcessTable, State
from llmasos.core.kernel.swap import Swap
from llmasos.services.language.context import Message, fit, split, template_of
from llmasos.services.language.hygiene import Hygiene, Manners
from llmasos.services.language.verbatim import Verbatim, moderated
from llmasos.services.safety import Moderation, SecondOpinion
from llmasos.services.safety.moderation import Judge

SAMPLING = Sampling(
    temperature=0.7, top_p=0.95, top_k=40, min_p=0.05, repeat_penalty=1.1, max_tokens=200, log_probs=False
)
PROMPT = 1536
"""Tokens of a prompt at most, where the model could read more: every token kept costs every later step."""
USABLE = 0.95
"""Share of an engine's context that one speaker may use; the rest is for kept prefixes and second opinions."""
PLACES = 16
"""Speakers at a time. More share each step of the model with more others, and all wait longer."""
CUT = "…"
"""Stands behind words that the engine broke off."""


@dataclass(frozen=True, slots=True)
class Voice:
    """How to speak.

    Attributes:
        sampling: How tokens are drawn; a seed of None takes the speaker's.
        manners: What to keep to.
        opening: What the reply begins with; said as it stands.
        stop: Strings that end the reply.
        attempts: How often to try where nothing fit to be said came.
        keep: Leave the stable part live for the next turn.
        model: Another model than the speaker's, by name; nothing of it is kept live.
    """

    sampling: Sampling = SAMPLING
    manners: Manners = field(default_factory=Manners)
    opening: str = ""
    stop: tuple[str, ...] = ()
    attempts: int = 3
    keep: bool = False
    model: str = ""


class Speaker:
    """The model as a speaker.

    Args:
        slot: Holds the engine; the first who speaks waits for it.
        processes: Whose processes own the sequences.
        seed: Of all sampling; negative draws one each time.
        swap: Where idle conversations wait; None lets them go, to be computed anew.
        moderation: What each sentence goes through on its way out; None holds nothing back.
        pool: Opens further models; None where all speak with the slot's.
        chosen: The further model that a process speaks with; empty for the slot's.
    """

    def __init__(
        self,
        slot: HasEngine,
        processes: ProcessTable,
        *,
        seed: int = -1,
        swap: Swap | None = None,
        moderation: Moderation | None = None,
        pool: EnginePool | None = None,
        chosen: Callable[[Process], str] = lambda _process: "",
    ) -> None:
        self._slot = slot
        self._pool = pool
        self._chosen = chosen
        self._others: dict[str, Speaker] = {}
        self.processes = processes
        self.moderation = moderation or Moderation(lambda: "off")
        self._second_opinion = SecondOpinion()
        self._seed = seed
        self._pager = Pager(processes, swap)
        self._admission = Admission(PLACES)
        self._template: ChatTemplate | None = None

    async def engine_of(self, process: Process) -> Engine:
        """The engine that a process speaks with, loaded.

        Raises:
            ModelError: It can't be.
        """
        return await self.engine(self._chosen(process))

    @property
    def seed(self) -> int:
        """Of all sampling; negative where each draws its own."""
        return self._seed

    async def engine(self, model: str = "") -> Engine:
        """The engine that speaks, or a further one by its name; loaded.

        Raises:
            ModelError: It can't be.
        """
        return await (Pooled(self._pool, model) if self._pool and model else self._slot).get()

    async def say(
        self,
        process: Process,
        messages: Sequence[Message],
        voice: Voice = Voice(),
        *,
        stable: int = 0,
        on_piece: Callable[[str], Awaitable[None]] | None = None,
    ) -> str:
        """The whole reply; `on_piece` gets each piece as it comes. The rest is as in `stream`."""
        said = ""
        async with aclosing(self.stream(process, messages, voice, stable=stable)) as pieces:
            async for piece in pieces:
                said += piece
                if on_piece:
                    await on_piece(piece)
        return said.strip()

    async def stream(
        self, process: Process, messages: Sequence[Message], voice: Voice = Voice(), *, stable: int = 0
    ) -> AsyncGenerator[str, None]:
        """A reply, piece by piece; nothing where the model found nothing fit to be said.

        A piece that is a `Notice` is the system's, in place of a sentence that was held back.

        Args:
            process: Owns the computation.
            messages: System first, then user and assistant in turns, the last one of the user.
            voice: How to speak.
            stable: So many leading messages stay the same next time.

        Raises:
            SyscallError: EBUSY, the process is stopped, or too many wait for the model; ECANCELED, it was killed
                while it spoke.
            EngineError: The engine failed.
            CutOff: It broke off; what it had said has come, with `CUT` behind it.
            ModelError: There is no model.
        """
        check_going(process, process.name)
        if self._pool and (model := voice.model or self._chosen(process)):
            async with self._pool.use(model):
                if process.state is State.SWAPPED:
                    process.move(State.READY)
                await self._pager.release(process)
                others = self._other(model).stream(
                    process, messages, replace(voice, model="", keep=False), stable=stable
                )
                async with aclosing(others) as pieces:
                    async for piece in pieces:
                        yield piece
            return
        engine = await self._slot.get()
        capacity = int(engine.n_ctx * USABLE)
        room = min(PROMPT, capacity - voice.sampling.max_tokens - 16)
        messages, stable = fit(engine, messages, stable, room)
        if self._template is None:
            self._template = template_of(engine)
        head, tail = split(self._template, messages, stable)
        tail += engine.tokenize(voice.opening)
        need = len(head) + len(tail) + voice.sampling.max_tokens + 16
        async with (
            self._speaking(process, engine, head, need, keep=voice.keep) as (base, _),
            aclosing(self._attempts(process, engine, base, tail, voice)) as pieces,
        ):
            async for piece in pieces:
                yield piece

    async def verbatim(
        self,
        process: Process,
        messages: Sequence[Message],
        sampling: Sampling = SAMPLING,
        *,
        stop: Sequence[str] = (),
        form: str = "",
        model: str = "",
    ) -> AsyncGenerator[Verbatim, None]:
        """A reply to a program: the model's own words, nothing tidied and no message left out.

        Moderation alone comes between, at the level of the policy. What was read stays live in the process, for the
        next turn of the same conversation.

        Args:
            process: Owns the computation.
            messages: The conversation.
            sampling: How tokens are drawn; `max_tokens` is cut to what the context has room for.
            stop: Strings that end the reply.
            form: A grammar that the reply keeps to; empty for none.
            model: Another model than the speaker's, by name; nothing of it is kept live.

        Raises:
            SyscallError: E2BIG, the conversation is too long; EINVAL, the model's template or engine refuses it or the
                form; and as in `stream`.
            EngineError: The engine failed.
            ModelError: There is no model.
        """
        check_going(process, process.name)
        if self._pool and model:
            async with self._pool.use(model):
                others = self._other(model).verbatim(process, messages, sampling, stop=stop, form=form)
                try:
                    async with aclosing(others) as said:
                        async for part in said:
                            yield part
                finally:
                    await self._other(model)._pager.release(process)
            return
        engine = await self._slot.get()
        if self._template is None:
            self._template = template_of(engine)
        try:
            head, tail = split(self._template, messages, len(messages))
            constraint = engine.constrain(form) if form else None
        except EngineError as error:
            raise SyscallError("EINVAL", error.what, error.remedy) from None
        if not tail:  # of a template that doesn't begin the reply: something must be read to go on from
            head, tail = head[:-1], head[-1:]
        read = len(head) + len(tail)
        room = int(engine.n_ctx * USABLE) - read - 16
        if room < 1:
            fits = read + room - 1
            raise SyscallError("E2BIG", f"The conversation has {read:,} tokens; {fits:,} fit.", "Leave out its oldest.")
        seed = sampling.seed
        if seed is None:
            seed = self._seed if self._seed >= 0 else random.randrange(2**31)  # noqa: S311  no secret depends on it
        sampling = replace(sampling, max_tokens=min(sampling.max_tokens, room), seed=seed)
        need = read + sampling.max_tokens + 16
        async with self._speaking(process, engine, head, need, keep=True) as (base, known):
            live = await self._fork(process, engine, base)
            started, words = live.usage.prefilled, ""
            judge = self._judge(process, engine)
            reply = self.moderation.reply(process.owner, process.name, judge)
            try:
                pieces = engine.generate(live, tail, sampling=sampling, constraint=constraint, stop=stop)
                async with aclosing(moderated(pieces, reply, self.moderation)) as said:  # type: ignore[arg-type]
                    async for part in said:
                        words += part.text
                        cached = known + len(tail) - (live.usage.prefilled - started)
                        yield replace(part, read=read, cached=max(0, cached))
            finally:
                await self._back(process, engine, base, live, _Said(words, read))

    @asynccontextmanager
    async def _speaking(
        self, process: Process, engine: Engine, head: list[int], need: int, *, keep: bool
    ) -> AsyncIterator[tuple[LiveSequence, int]]:
        """As `_base`, with so many cells promised, while the body runs."""
        # What it has is brought in whole, even where less of it goes on.
        has = len(process.sequence.tokens) if process.sequence else process.swapped_bytes // engine.bytes_per_token
        async with self._admission.admit(process, engine, max(need, has), head) as left:
            try:
                # Wherever the idle ones are: what was promised is free of them then.
                await self._pager.settle(left, process.pid)
                yield await self._base(process, engine, head)
            except EngineError:
                if process.alive:
                    raise
                raise SyscallError("ECANCELED", f"{process.name} was killed while it spoke.") from None
            finally:
                if process.alive:
                    _move(process, State.WAITING)
                    if not keep:
                        await self._pager.release(process)

    def _other(self, model: str) -> Speaker:
        """Who speaks with a further model."""
        if model not in self._others:
            assert self._pool
            pooled = Pooled(self._pool, model)
            self._others[model] = Speaker(pooled, self.processes, seed=self._seed, moderation=self.moderation)
        return self._others[model]

    async def _attempts(
        self, process: Process, engine: Engine, base: LiveSequence, tail: list[int], voice: Voice
    ) -> AsyncGenerator[str, None]:
        seed = voice.sampling.seed
        if seed is None:
            seed = self._seed if self._seed >= 0 else random.randrange(2**31)  # noqa: S311  no secret depends on it
        if voice.opening:
            yield voice.opening
        judge = self._judge(process, engine)
        reply = self.moderation.reply(process.owner, process.name, judge)
        # Without forks the first attempt uses up the base.
        for attempt in range(voice.attempts if engine.capabilities.fork else 1):
            hygiene = Hygiene(voice.manners, opened=bool(voice.opening))
            sampling = replace(voice.sampling, seed=(seed + attempt) % 2**31)
            live = await self._fork(process, engine, base)
            said = _Said("", len(base.tokens) + len(tail))
            try:
                async with aclosing(_spoken(engine, live, tail, sampling, voice.stop, hygiene)) as pieces:
                    async for piece in pieces:
                        async for words in reply.passed(piece):
                            said.words += words
                            yield words
                        if reply.ended:
                            break
            finally:
                await self._back(process, engine, base, live, said)
            if hygiene.said or voice.opening or not process.alive:
                return

    async def _base(self, process: Process, engine: Engine, head: list[int]) -> tuple[LiveSequence, int]:
        """The process's sequence with exactly these tokens, and how many of them needn't be computed."""
        if not process.alive:  # killed while it waited
            raise EngineError(f"Process {process.pid} has ended.")
        live = await self._pager.bring_in(process, engine)
        if live is None:
            await self._pager.release(process)  # it may have something of an engine that has died
            live = await self._open(engine, process.pid)
            self.processes.attach(process, engine, live)
        self._pager.used(process)
        _move(process, State.READY)
        before, common = live.usage.prefilled, live.common(head)
        if common < len(live.tokens):
            await engine.cut(live, common)
        if common < len(head):
            await engine.prefill(live, head[common:])
        return live, len(head) - (live.usage.prefilled - before)

    async def _open(self, engine: Engine, owner: int) -> LiveSequence:
        while True:
            try:
                return await engine.open(owner)
            except EngineError:
                if not await self._pager.make_room(owner):
                    raise

    async def _fork(self, process: Process, engine: Engine, base: LiveSequence) -> LiveSequence:
        """A copy of the base for the process to speak with; the base itself where the engine can't fork."""
        if not engine.capabilities.fork:
            return base
        while True:
            try:
                live = await engine.fork(base, owner=process.pid)
                break
            except EngineError:
                if not await self._pager.make_room(process.pid):
                    raise
        if not process.alive:  # killed while it forked: the kernel freed the base and can't know of the copy
            await engine.close(live)
            raise EngineError(f"Process {process.pid} has ended.")
        self.processes.detach(process)
        self.processes.attach(process, engine, live)
        return live

    def _judge(self, process: Process, engine: Engine) -> Judge:
        """A second opinion on what a process says; its own sequence is beside what the process was promised."""

        async def room() -> None:
            if engine.capabilities.own_cells:  # elsewhere some cells are left beside idle contexts
                await self._pager.make_room(process.pid, beside=True)

        return self._second_opinion.of(engine, process.pid, room)

    async def _back(
        self, process: Process, engine: Engine, base: LiveSequence, live: LiveSequence, said: _Said
    ) -> None:
        """Give the process its base again; a killed process keeps nothing.

        What was said stays behind it, for the next turn to begin with, where that takes nothing from others. What was
        held back never does.
        """
        stays = engine.capabilities.own_cells and live is not base
        if process.alive and stays and await said.ends(engine, live):
            await engine.close(base)
            return
        if process.alive:
            self.processes.detach(process)
            if live is not base:
                self.processes.attach(process, engine, base)
        elif live is not base:
            await engine.close(base)
        await engine.close(live)


@dataclass(slots=True)
class _Said:
    """What was said of a reply, and how many tokens its sequence had before."""

    words: str
    start: int

    async def ends(self, engine: Engine, live: LiveSequence) -> bool:
        """Let a sequence end where its reply isn't any more what was said; False where that is at once."""
        written = live.tokens[self.start :]
        while written and not self.words.startswith(engine.detokenize(written).lstrip()):
            written.pop()
        if not written:
            return False
        try:
            await engine.cut(live, self.start + len(written))
        except EngineError:  # it was closed meanwhile
            return False
        return True


async def _spoken(
    engine: Engine,
    live: LiveSequence,
    tail: list[int],
    sampling: Sampling,
    stop: Sequence[str],
    hygiene: Hygiene,
) -> AsyncGenerator[str, None]:
    finished = False
    try:
        async with aclosing(engine.generate(live, tail, sampling=sampling, stop=stop)) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                words = hygiene.feed(piece.text)
                if words:
                    yield words
                if hygiene.stopped:
                    return
                finished = piece.done == "stop"
    except CutOff:
        # The sentence in the middle of which it was is kept too.
        words = hygiene.end(finished=True).rstrip()
        if hygiene.said:
            yield words + CUT
        raise
    words = hygiene.end(finished=finished)
    if words:
        yield words


def check_going(process: Process, name: str) -> None:
    """Check that a process may speak.

    Args:
        process: Whose words they would be.
        name: What the person calls it.

    Raises:
        SyscallError: EBUSY, it is stopped.
    """
    if process.state is State.STOPPED:
        remedy = f"Let it go on with 'process.resume {process.pid}'."
        raise SyscallError("EBUSY", f"{name} is stopped.", remedy)


def _move(process: Process, state: State) -> None:
    """Change the state where that is legal; who stopped the process decides when it goes on."""
    if process.state in (State.READY, State.RUNNING, State.WAITING, State.NEW):
        process.move(state)
