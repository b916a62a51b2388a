"""Many processes on one model, against one after another and against llama.cpp alone.

The work W: 16 processes that share a card of 200 tokens, 40 tokens of their own, 64 tokens out each. Greedy, no token
ends a text, so that all sides compute the same number of tokens; the same file, no flash attention on all. The engine
has the system's own lanes, each with one thread, and one that runs alone may take the others' cores; the other sides
have as many threads as there are lanes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any

from benchmarks.engine.bare import LAYOUTS, Bare, Layout
from benchmarks.engine.lab import Prompts, Row, Run, figure, lanes, load, note, opened, processes, ratios, written
from llmasos.core.engine.llama import LlamaEngine, LlamaModel

CARD, OWN = 200, 40
CELLS = 6144
"""Room for 16 contexts of 304 tokens of which none shares anything, and a kept card in each lane."""


def rows(run: Run) -> list[Row]:
    """The figures."""
    return asyncio.run(_Batch(load(run.quantization), run).rows())


class _Batch:
    def __init__(self, model: LlamaModel, run: Run) -> None:
        self._model = model
        self._prompts = Prompts(model)
        self._count, self._out = run.of(16, 4), run.of(64, 6)
        self._rounds = run.of(5, 1)
        self._lanes = lanes()
        self._bare = {layout: self._plain(layout, self._count, self._lanes) for layout in LAYOUTS}
        self._beside = [self._plain("unified", self._count // self._lanes, 1) for _ in range(self._lanes)]
        self._llama = _peer(model, self._lanes)
        self._llama_one = _peer(model, 1)

    def _plain(self, layout: Layout, count: int, threads: int) -> Bare:
        length = CARD + OWN + self._out
        return Bare(self._model, layout=layout, sequences=count, length=length, threads=threads)

    async def rows(self) -> list[Row]:
        found: dict[str, list[float]] = {}
        sides = self._sides()
        for number in range(self._rounds + 1):
            measured = {}
            # Every other round backwards, so that what comes later in a round isn't always the hotter one.
            for name in sorted(sides, key=list(sides).index, reverse=bool(number % 2)):
                measured[name] = await sides[name]()
            if number:  # the first round of all warms up
                note(f"  round {number} of {self._rounds}: " + ", ".join(f"{k} {v:.1f}" for k, v in measured.items()))
                for name, rate in measured.items():
                    found.setdefault(name, []).append(rate)
        sequential = ratios(found["together"], found["after_another"])
        # The better layout of llama.cpp is the one that we look worse against over all rounds.
        against = {layout: ratios(found["decode_16"], found[f"bare_{layout}"]) for layout in LAYOUTS}
        best = min(LAYOUTS, key=lambda layout: figure("", against[layout], "")["value"])
        return [
            figure("batch_vs_sequential", sequential, "x", (">=", 3)),
            figure("batch_vs_sequential_one_thread", ratios(found["together"], found["after_another_one"]), "x"),
            figure("batch_bare_vs_sequential", ratios(found[f"whole_{best}"], found["after_another"]), "x"),
            figure("batch_unkept_vs_sequential", ratios(found["unkept"], found["after_another"]), "x"),
            figure("batch_decode_vs_one", ratios(found["decode_16"], found["decode_1"]), "x", (">=", 2)),
            figure("batch_vs_bare", against[best], "x", (">=", 0.95)),
            figure("batch_same_tokens_pct", await self._alike(), "%"),
            *(figure(f"batch_vs_bare_{layout}", against[layout], "x") for layout in LAYOUTS),
            figure("batch_vs_bare_beside", ratios(found["decode_16"], found["bare_beside"]), "x"),
            figure("batch_lanes", [self._lanes], "lanes"),
            *(figure(f"batch_{name}_tokens_per_s", found[name], "tokens/s") for name in sides),
        ]

    def _sides(self) -> dict[str, Callable[[], Awaitable[float]]]:
        """What is compared, each tokens/s; neighbours are those whose ratio counts."""
        return {
            "together": lambda: self._together(keep=True),
            "after_another": lambda: asyncio.to_thread(self._after_another, self._llama),
            "after_another_one": lambda: asyncio.to_thread(self._after_another, self._llama_one),
            "unkept": lambda: self._together(keep=False),
            "decode_1": lambda: self._decode(1),
            "decode_16": lambda: self._decode(self._count),
            "bare_unified": lambda: asyncio.to_thread(self._decode_bare, "unified"),
            "bare_streams": lambda: asyncio.to_thread(self._decode_bare, "streams"),
            "bare_beside": self._decode_beside,
            "whole_unified": lambda: asyncio.to_thread(self._whole_bare, "unified"),
            "whole_streams": lambda: asyncio.to_thread(self._whole_bare, "streams"),
        }

    @asynccontextmanager
    async def _engine(self) -> AsyncIterator[LlamaEngine]:
        """A new engine, warm: cards kept from what was measured before would lengthen every step."""
        engine = await LlamaEngine.create(
            self._model, n_ctx=CELLS, n_seq=self._count, lanes=self._lanes, brisk=self._lanes > 1
        )
        sequence = await engine.open()
        await written(engine, sequence, self._prompts.fresh(32), 2)
        await engine.close(sequence)
        yield engine
        await engine.shutdown()

    def _work(self) -> tuple[list[int], list[list[int]]]:
        """A card that nobody has seen, and what each process adds to it."""
        return self._prompts.fresh(CARD), [self._prompts.fresh(OWN) for _ in range(self._count)]

    async def _together(self, *, keep: bool) -> float:
        """Tokens/s out, from cold to the last token; `keep` announces the card, and computing it counts too."""
        card, own = self._work()
        async with self._engine() as engine:
            table = processes(engine)

            async def one(words: list[int]) -> None:
                _, sequence = await opened(table, engine)
                await written(engine, sequence, card + words, self._out)

            begun = time.perf_counter()
            if keep:
                await engine.keep_prefix(card)
            await asyncio.gather(*map(one, own))
            return self._count * self._out / (time.perf_counter() - begun)

    def _after_another(self, llama: Any) -> float:
        """The same from llama-cpp-python's `Llama`, which keeps what a prompt has in common with the one before."""
        card, own = self._work()
        begun = time.perf_counter()
        for words in own:
            assert len(list(islice(_stream(llama, card + words), self._out))) == self._out
        return self._count * self._out / (time.perf_counter() - begun)

    async def _decode(self, count: int) -> float:
        """Tokens/s of `count` sequences whose prompts are computed."""
        card, own = self._work()
        async with self._engine() as engine:
            table = processes(engine)
            await engine.keep_prefix(card)
            sequences = [(await opened(table, engine))[1] for _ in range(count)]
            for sequence, words in zip(sequences, own, strict=False):
                await engine.prefill(sequence, card + words)
            # An empty prompt computes the last token once more: as many steps as tokens, here as in the bare loop.
            begun = time.perf_counter()
            await asyncio.gather(*(written(engine, sequence, [], self._out) for sequence in sequences))
            return count * self._out / (time.perf_counter() - begun)

    async def _alike(self) -> list[float]:
        """Percent of the first tokens that the others write as we do: did all compute the same work?

        Not always 100: in company sums run in another order, and of two tokens that are nearly as likely another wins.
        """
        steps = self._out // 4
        card, own = self._work()
        async with self._engine() as engine:
            sequences = [await engine.open() for _ in own]
            requests = zip(sequences, own, strict=True)
            ours = await asyncio.gather(*(written(engine, one, card + words, steps) for one, words in requests))
        others = [[list(islice(_stream(self._llama, card + words), steps)) for words in own]]
        for bare in self._bare.values():
            _read_bare(bare, card, own)
            last, texts = [words[-1] for words in own], [[] for _ in own]  # type: list[int], list[list[int]]
            for step in range(steps):
                last = bare.decode(self._count, last, CARD + OWN - 1 + step, 1).tolist()
                for text, token in zip(texts, last, strict=True):
                    text.append(token)
            others.append(texts)
        return [
            100
            * sum(a == b for one, two in zip(ours, texts, strict=True) for a, b in zip(one, two, strict=True))
            / (steps * len(own))
            for texts in others
        ]

    def _decode_bare(self, layout: Layout) -> float:
        bare = self._bare[layout]
        card, own = self._work()
        _read_bare(bare, card, own)
        begun = time.perf_counter()
        bare.decode(self._count, [words[-1] for words in own], CARD + OWN - 1, self._out)
        return self._count * self._out / (time.perf_counter() - begun)

    async def _decode_beside(self) -> float:
        """As many bare loops as there are lanes side by side, each with its share of the sequences."""
        card, own = self._work()
        shares = [own[first :: self._lanes] for first in range(self._lanes)]
        for bare, share in zip(self._beside, shares, strict=True):
            _read_bare(bare, card, share)
        begun = time.perf_counter()
        await asyncio.gather(
            *(
                asyncio.to_thread(bare.decode, len(some), [words[-1] for words in some], CARD + OWN - 1, self._out)
                for bare, some in zip(self._beside, shares, strict=True)
            )
        )
        return self._count * self._out / (time.perf_counter() - begun)

    def _whole_bare(self, layout: Layout) -> float:
        """All of W by the bare loop, prompts too: what llama.cpp leaves to win, whoever batches."""
        card, own = self._work()
        begun = time.perf_counter()
        _read_bare(self._bare[layout], card, own)
        self._bare[layout].decode(self._count, [words[-1] for words in own], CARD + OWN - 1, self._out)
        return self._count * self._out / (time.perf_counter() - begun)


def _read_bare(bare: Bare, card: list[int], own: list[list[int]]) -> None:
    """Compute all prompts but the last token, which the first step computes."""
    bare.clear()
    bare.prefill(0, card)
    for sequence in range(1, len(own)):
        bare.copy(0, sequence)
    for sequence, words in enumerate(own):
        bare.prefill(sequence, words, CARD)
        bare.cut(sequence, CARD + OWN - 1)


def _stream(llama: Any, prompt: list[int]) -> Iterator[int]:
    """Greedy tokens of llama-cpp-python: `generate`, not a completion, so that no text is put together."""
    stream: Iterator[int] = llama.generate(prompt, temp=0.0, top_k=1, top_p=1.0, min_p=0.0, repeat_penalty=1.0)
    return stream


def _peer(model: LlamaModel, threads: int) -> Any:
    """The high-level class on the same file: so many threads for both kinds of work, its defaults otherwise."""
    from llama_cpp import Llama

    return Llama(str(model.path), n_ctx=512, n_threads=threads, n_threads_batch=threads, verbose=False)
