"""100 characters with contexts of about 1,024 tokens on one model, as many people at once would have them.

Lines arrive as a Poisson process of 2 a second, to characters drawn by Zipf's law (exponent 1.1: the favourite gets
23 % of them), for 5 minutes; each is answered in 40 tokens. The loop is open: a line comes when it comes, whether or
not earlier ones are answered, and what it waits for its own character counts (no coordinated omission). A line that
failed, or has no answer a minute after the end, counts as having waited until then.

The system is a composed one, through `Speaker`, the door that characters speak through. Not through `character.chat`:
for a model this small that keeps its prompts far below 1,024 tokens. A conversation is a system message of 640
tokens and turns; when it grows past 1,280 tokens the oldest turns go, down to 896.

A prompt token is *computed again* when the model had computed it before at the same place of the same conversation,
and computes it once more: because its state was let go, or because a reply, once written, is read again with the next
line. The share is of all prompt tokens. What a trimmed window moves to another place counts as new.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmarks.engine.lab import Prompts, Row, Run, figure, note, percentile, rss_mb, unending
from benchmarks.engine.talk import NAMES, sentences_of
from llmasos.compose import Machine, compose
from llmasos.core.base.errors import LlmasosError
from llmasos.core.base.settings import Settings
from llmasos.core.engine.base import Engine, LiveSequence, Piece, Sampling
from llmasos.core.engine.llama import LlamaEngine, LlamaModel
from llmasos.core.engine.sources import LlamaEngines, speech_lanes
from llmasos.core.kernel.process import Process
from llmasos.services.interpreter.interpreter import ADAPTER
from llmasos.services.language.context import Message
from llmasos.services.language.speech import Speaker, Voice

COUNT, RATE, ZIPF, REPLY = 100, 2.0, 1.1, 40
SYSTEM, FULL, TRIMMED = 640, 1280, 896
START = 1024
CELLS, STREAMS = 1536, 24
"""Of each conversation that is live, and how many of them are: 27 MB each, as many as the bar for memory allows."""
SWAP_MEMORY, SWAP_DISK = 8, 4096
"""Megabytes: a context of the largest size takes 30. What waits is in files: conversations that are live are worth more
of the memory."""
GRACE = 60.0


def rows(run: Run) -> list[Row]:
    """The figures."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_rows(run, Path(folder)))


class _Roomy(LlamaEngines):
    """The real engines, the speaker's with cells of their own for as many conversations as the memory allows."""

    def __init__(self, settings: Settings, run: Run) -> None:
        super().__init__(settings, ADAPTER)
        self._run = run

    async def speech(self) -> Engine:
        streams = self._run.sequences or STREAMS
        if streams < 0:
            return await super().speech()
        cells = streams * (self._run.cells or CELLS)
        return await self._speaking(self._settings.model, cells, speech_lanes(self._settings), streams)


@dataclass
class _Talk:
    """One conversation."""

    process: Process
    system: Message
    turns: list[Message] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    """Tokens of its last prompt and reply: what the model has computed of it."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    first: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class _Account:
    """What was asked of the model, and what was new of it."""

    prompts: int = 0
    new: int = 0
    decoded: int = 0

    def watch(self, engine: Engine, talks: dict[int, _Talk]) -> None:
        """Book every request of an engine from now on."""
        generate = engine.generate

        async def watched(sequence: LiveSequence, prompt: Sequence[int], **options: Any) -> AsyncIterator[Piece]:
            talk = talks.get(sequence.owner)
            whole = [*sequence.tokens, *prompt]
            if talk:
                self.prompts += len(whole)
                self.new += len(whole) - _common(whole, talk.seen)
                talk.seen = whole
            async with aclosing(generate(sequence, prompt, **options)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    if talk:
                        talk.first.set()
                        talk.seen = talk.seen + list(piece.tokens)
                        self.decoded += len(piece.tokens)
                    yield piece

        engine.generate = watched  # type: ignore[method-assign]


async def _rows(run: Run, folder: Path) -> list[Row]:
    seconds = run.of(60 * (run.minutes or 5.0), 4.0)
    settings = Settings.load(home=folder / "home", seed=1, **_swapped())
    machine = await compose(settings, engines=_Roomy(settings, run))
    try:
        return await _Run(machine, run, seconds).rows()
    finally:
        await machine.close()


def _swapped() -> dict[str, Any]:
    """Settings that give all characters room on the disk; none in a checkout without swap."""
    if "swap_disk" in {known.name for known in fields(Settings)}:
        return {"swap_memory": SWAP_MEMORY, "swap_disk": SWAP_DISK}
    note("  There is no swap in this checkout: what has no room is computed again.")
    return {}


class _Run:
    def __init__(self, machine: Machine, run: Run, seconds: float) -> None:
        self._machine = machine
        self._run = run
        self._seconds = seconds
        # Nothing public hands it out, and a second one beside it would know of no swap.
        self._speaker: Speaker = machine.characters._speaker
        self._chance = random.Random(5)
        self._lines = sentences_of()
        self._talks: list[_Talk] = []
        self._account = _Account()
        self._first: list[float] = []
        self._words: list[float] = []
        self._replies: list[int] = []
        self._failed: dict[str, int] = {}
        self._peak = 0.0

    async def rows(self) -> list[Row]:
        engine = await self._machine.speech.get()
        assert isinstance(engine, LlamaEngine)
        unending(engine.model)
        self._talks = self._cast(engine.model)
        self._account.watch(engine, {talk.process.pid: talk for talk in self._talks})
        note(f"  {len(self._talks)} conversations begin ...")
        for talk in self._talks:
            await self._turn(talk, time.perf_counter(), "Hello there.")
        begun_failures, self._failed = sum(self._failed.values()), {}
        # From here on it counts.
        self._first, self._words, self._replies = [], [], []
        self._account.prompts = self._account.new = self._account.decoded = 0
        before = engine.stats()
        begun = time.perf_counter()
        watching = asyncio.ensure_future(self._watch_memory())
        lines = await self._arrivals()
        took = time.perf_counter() - begun
        watching.cancel()
        after = engine.stats()
        computed = after["prefilled"] - before["prefilled"]
        again = 100 * max(0.0, computed - self._account.new) / max(1, self._account.prompts)
        for message, times in self._failed.items():
            note(f"  {times} lines failed: {message}")
        failures = sum(self._failed.values())
        first, words = self._first, self._words
        return [
            figure("chars100_ttft_p50_s", first, "s", ("<=", 1), value=percentile(first, 50)),
            figure("chars100_ttft_p95_s", first, "s", ("<=", 3), value=percentile(first, 95)),
            figure("chars100_recomputed_pct", [again], "%", ("<=", 10)),
            figure("chars100_rss_mb", [self._peak], "MB", ("<=", 1500)),
            figure("chars100_first_words_p50_s", words, "s", value=percentile(words, 50)),
            figure("chars100_first_words_p95_s", words, "s", value=percentile(words, 95)),
            figure("chars100_lines", [lines], "lines"),
            figure("chars100_failed", [failures + begun_failures], "lines", ("<=", 0)),
            figure("chars100_decoded_per_s", [self._account.decoded / took], "tokens/s"),
            figure("chars100_prefilled_per_s", [computed / took], "tokens/s"),
            figure("chars100_prompt_tokens", [self._account.prompts / max(1, len(self._replies))], "tokens a reply"),
            figure("chars100_reply_tokens", [self._account.decoded / max(1, len(self._replies))], "tokens"),
            *(
                figure(f"chars100_{kind}", [sum(getattr(talk.process, kind, 0) for talk in self._talks)], "")
                for kind in ("page_ins", "page_outs")
            ),
        ]

    def _cast(self, model: LlamaModel) -> list[_Talk]:
        """Characters whose contexts share nothing but the template."""
        prompts = Prompts(model)
        count = self._run.of(COUNT, 4)
        system, start = self._run.of((SYSTEM, START), (64, 100))
        talks = []
        for number in range(count):
            name = f"{NAMES[number % len(NAMES)]} the {number + 1}th"
            table = self._machine.kernel.processes
            process = table.spawn(
                table.init, name=name, program="character", subject=f"character:{name}", priority="interactive"
            )
            about = model.detokenize(prompts.text(system - 8, start=61 * number))
            talk = _Talk(process, Message("system", f"{name}. {about}"))
            size = system
            while size < start:
                line, reply = self._line(), self._line()
                talk.turns += [Message("user", line), Message("assistant", reply)]
                size += len(model.tokenize(line)) + len(model.tokenize(reply)) + 10
            talks.append(talk)
        return talks

    async def _arrivals(self) -> int:
        """Let lines arrive, and wait until they are answered or it is no use any more; how many there were."""
        weights = [1 / rank**ZIPF for rank in range(1, len(self._talks) + 1)]
        turns: list[asyncio.Task[None]] = []
        begun = time.perf_counter()
        at = 0.0
        while (at := at + self._chance.expovariate(RATE)) < self._seconds:
            # By the clock and not by what the last one took, or a slow loop would lower the rate.
            await asyncio.sleep(max(0.0, begun + at - time.perf_counter()))
            talk = self._chance.choices(self._talks, weights)[0]
            turns.append(asyncio.ensure_future(self._turn(talk, begun + at, self._line())))
        late = len([turn for turn in turns if not turn.done()])
        note(f"  {len(turns)} lines came, {late} of them unanswered at the end")
        if turns:
            _, hopeless = await asyncio.wait(turns, timeout=GRACE)
            for turn in hopeless:
                turn.cancel()
            await asyncio.gather(*turns, return_exceptions=True)
        return len(turns)

    async def _turn(self, talk: _Talk, arrived: float, line: str) -> None:
        """One line and its reply; an answered one leaves two waits behind, another one what it waited in vain."""
        first: float | None = None
        words: float | None = None
        said = ""
        try:
            async with talk.process.turn(talk.lock):
                talk.first.clear()
                watching = asyncio.ensure_future(_moment(talk.first))
                try:
                    self._trim(talk)
                    async with aclosing(self._spoken(talk, line)) as pieces:
                        async for piece in pieces:
                            words = words or time.perf_counter()
                            said += piece
                finally:
                    first = watching.result() if watching.done() else None
                    watching.cancel()
                talk.turns += [Message("user", line), Message("assistant", said.strip() or "Yes.")]
                self._replies.append(len(said))
        except LlmasosError as error:
            self._failed[str(error)] = self._failed.get(str(error), 0) + 1
        except asyncio.CancelledError:
            self._failed["no answer"] = self._failed.get("no answer", 0) + 1
            raise
        finally:
            never = arrived + self._seconds + GRACE
            self._first.append((first or never) - arrived)
            self._words.append((words or never) - arrived)

    def _spoken(self, talk: _Talk, line: str) -> Any:
        messages = [talk.system, *talk.turns, Message("user", line)]
        sampling = Sampling(temperature=0.7, max_tokens=REPLY)
        voice = Voice(sampling=sampling, attempts=1, keep=True)
        return self._speaker.stream(talk.process, messages, voice, stable=len(messages) - 1)

    def _trim(self, talk: _Talk) -> None:
        """Keep the window between two sizes; by the length of what the model has seen, which is known."""
        if len(talk.seen) > FULL:
            # Turns are nearly alike in length, so that a share of them is a share of the tokens.
            over = (len(talk.seen) - TRIMMED) / max(1, len(talk.seen) - SYSTEM)
            del talk.turns[: 2 * round(over * len(talk.turns) / 2)]

    def _line(self) -> str:
        return self._chance.choice(self._lines) + "."

    async def _watch_memory(self) -> None:
        while True:
            self._peak = max(self._peak, rss_mb())
            await asyncio.sleep(1.0)


async def _moment(event: asyncio.Event) -> float:
    await event.wait()
    return time.perf_counter()


def _common(first: list[int], second: list[int]) -> int:
    return next(
        (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )
