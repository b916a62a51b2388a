"""Sequences with cells of their own: the account against the plainest one there is, and on the real model."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmasos.core.base.errors import EngineError
from llmasos.core.engine import streams
from llmasos.core.engine.base import LiveSequence, Sampling
from llmasos.core.engine.context import Context
from llmasos.core.engine.llama import LlamaEngine, LlamaModel
from llmasos.core.engine.sequences import Slot
from llmasos.core.engine.streams import Shelf, Streams
from tests.core.engine.test_contract import SHORT, chat, tokens, told

EACH, COUNT = 8, 3
KINDS = ["grow", "grow", "cut", "fork", "fork", "copy", "keep", "revive"]
STEP = st.tuples(st.sampled_from(KINDS), st.integers(0, 4), st.integers(0, 4))
CELLS = 512
ENDLESS = "start: /[a-z ]{900}/"


class Paper:
    """What stands in each stream, as llama.cpp would have it."""

    n_ctx = EACH * COUNT

    def __init__(self) -> None:
        self.streams: list[list[int]] = [[] for _ in range(COUNT)]

    def cut(self, stream: int, start: int) -> None:
        del self.streams[stream][start:]

    def saved(self, stream: int) -> npt.NDArray[np.uint8]:
        return np.array(self.streams[stream], np.uint8)

    def load(self, stream: int, state: npt.NDArray[np.uint8]) -> bool:
        assert not self.streams[stream], "it must be empty"
        self.streams[stream] = state.tolist()
        return True


@settings(max_examples=300)
@given(st.lists(STEP, min_size=10, max_size=80))
def test_each_reads_what_it_wrote(steps: list[tuple[str, int, int]]) -> None:
    paper = Paper()
    account = Streams(cast("Context", paper), n_streams=COUNT, n_open=5, n_kept=2)
    wrote: dict[Slot, list[int]] = {slot: [] for slot in (*account.open, *account.kept)}
    word = 0
    for kind, number, amount in steps:
        one, other = account.open[number % 5], account.open[amount % 5]
        kept = account.kept[number % 2]
        if kind == "grow":
            free = COUNT - account.taken(account.open) // EACH
            own = account.taken([one]) == EACH
            before = one.computed
            if account.grow(one, amount):
                for _ in range(amount):
                    word = (word + 1) % 256
                    wrote[one].append(word)
                    paper.streams[one.id].append(word)
            else:
                assert before + amount > EACH or (not free and not own) or len(paper.streams[one.id]) > before
        elif kind == "cut":
            account.cut(one, amount)
            del wrote[one][amount:]
        elif kind == "fork" and not other.computed and one is not other:
            account.fork(one, other)
            wrote[other] = list(wrote[one])
        elif kind == "copy" and one.computed and not other.computed:
            count = 1 + amount % one.computed
            if account.copy(one, other, count):
                wrote[other] = wrote[one][:count]
        elif kind == "keep" and one.computed and not kept.computed:
            if account.keep(one, kept, one.computed):
                wrote[kept] = list(wrote[one])
                assert cast("Shelf", kept).state.tolist() == wrote[kept], "and nothing behind it"
        elif kind == "revive" and kept.computed and not other.computed and account.copy(kept, other, kept.computed):
            wrote[other] = list(wrote[kept])
            account.cut(kept, 0)
            wrote[kept] = []
        for slot, words in wrote.items():
            assert slot.computed == len(words)
            if len(slot.cells):
                assert paper.streams[slot.id][: len(words)] == words
        held = {slot.id for slot in account.open if slot.computed}
        assert account.taken(account.open) == EACH * len(held)
        assert sum(account.taken([slot]) for slot in account.open) == EACH * len(held), "each stream has one owner"
        longest = {stream: max(s.computed for s in account.open if s.computed and s.id == stream) for stream in held}
        assert account.used(account.open) == sum(longest.values())
        assert [len(words) for words in paper.streams] == [longest.get(stream, 0) for stream in range(COUNT)]


def test_a_free_stream_is_taken_next_to_those_at_work() -> None:
    account = Streams(cast("Context", Paper()), n_streams=COUNT, n_open=3, n_kept=0)
    first, second, third = account.open
    for slot in (first, second, third):
        assert account.grow(slot, 1)
    account.cut(first, 0)
    account.cut(second, 0)
    third.work = cast("Any", object())
    assert account.grow(first, 1)
    assert (third.id, first.id) == (2, 1)
    assert account.grow(second, 1)
    assert second.id == 0


@pytest.fixture
async def three(model: LlamaModel) -> AsyncIterator[LlamaEngine]:
    engine = await LlamaEngine.create(model, n_ctx=3 * CELLS, n_seq=8, streams=3)
    yield engine
    await engine.shutdown()


def sequences(engine: LlamaEngine) -> Streams:
    found = engine._lanes[0].batcher.sequences
    assert isinstance(found, Streams)
    return found


async def read(engine: LlamaEngine, owner: int, length: int = 40) -> LiveSequence:
    sequence = await engine.open(owner=owner)
    await engine.prefill(sequence, [200 + owner] + [100] * (length - 1))
    return sequence


async def test_lengths(model: LlamaModel, three: LlamaEngine) -> None:
    assert (three.n_ctx, three.stats()["cells"], three.capabilities.own_cells) == (CELLS, 3 * CELLS, True)
    odd = await LlamaEngine.create(model, n_ctx=3 * 300, n_seq=8, streams=3, lanes=2)
    assert (odd.n_ctx, odd.stats()["cells"]) == (512, 4 * 512), "as many in each lane"
    states = [await odd.save(sequence) for sequence in [await read(odd, owner) for owner in range(1, 5)]]
    for sequence in list(odd._places.homes):
        await odd.close(LiveSequence(sequence))
    for lane in range(2):  # whichever lane it came from, it can go to any
        for owner in (5, 6):
            assert odd.promise(owner + 2 * lane, 1) is not None
    for owner, state in zip((5, 6, 7, 8), states, strict=True):
        assert (await odd.restore(state, owner)).tokens[0] == 196 + owner
    await odd.shutdown()


async def test_a_full_stream_is_nobody_elses_fault(three: LlamaEngine) -> None:
    writer, other = await three.open(owner=1), await three.open(owner=2)
    beside = three.generate(other, chat(three, "Talk."), constraint=three.constrain(ENDLESS))
    await anext(beside)
    endless = Sampling(temperature=0, max_tokens=100)
    with pytest.raises(EngineError, match=r"full: it holds 3 sequences of 512 tokens"):
        await told(three, writer, [7] * (CELLS - 20), sampling=endless, constraint=three.constrain(ENDLESS))
    assert (await anext(beside)).text, "it wasn't waited for"
    await beside.aclose()  # type: ignore[attr-defined]


async def test_a_fork_has_its_stream_when_it_needs_one(three: LlamaEngine) -> None:
    base = await read(three, 1)
    forks = [await three.fork(base, owner=1) for _ in range(2)]
    account = sequences(three)
    taken = lambda: account.taken(account.open) // CELLS  # noqa: E731
    assert taken() == 1
    alone = [tokens(await told(three, fork, [5], sampling=SHORT)) for fork in forks[:1]]
    assert taken() == 1, "it writes behind what both begin with"
    assert tokens(await told(three, forks[1], [5], sampling=SHORT)) == alone[0]
    assert taken() == 2
    assert tokens(await told(three, base, [5], sampling=SHORT)) == alone[0]
    assert taken() == 3
    assert [sequence.usage.prefilled for sequence in (base, *forks)] == [41, 1, 1], "copied, not computed"
    for sequence in (base, *forks):
        await three.close(sequence)
    assert (taken(), three.stats()["cells_used"]) == (0, 0)


async def test_a_base_is_saved_beside_its_fork(three: LlamaEngine) -> None:
    base = await read(three, 1)
    fork = await three.fork(base, owner=1)
    await told(three, fork, [5, 6, 7], sampling=SHORT)
    state = await three.save(base)
    again = await three.restore(state, owner=2)
    assert again.tokens == base.tokens
    await three.close(fork)
    assert tokens(await told(three, again, [5], sampling=SHORT)) == tokens(await told(three, base, [5], sampling=SHORT))


async def test_who_was_promised_a_stream_finds_it(three: LlamaEngine) -> None:
    idle = [await read(three, owner) for owner in (1, 2, 3)]
    assert three.promise(9, 100) == 2 * CELLS
    assert three.promise(8, 1) == CELLS
    reading = asyncio.create_task(read(three, 9))
    beyond = asyncio.create_task(read(three, 7))
    with pytest.raises(EngineError, match="full"):
        await beyond
    assert not reading.done()
    assert three.beside(9, idle[0])
    assert not three.beside(5, idle[0])
    await three.close(idle[0])
    await reading


async def test_a_promise_isnt_kept_with_a_stream_of_somebody_else(three: LlamaEngine) -> None:
    """Two that share one: it belongs to the first, and the other's promise is a stream more."""
    base = await read(three, 1)
    others = [await read(three, owner) for owner in (2, 3)]
    fork = await three.fork(base, owner=4)
    assert three.promise(1, CELLS) is not None
    assert three.promise(4, CELLS) is not None
    await three.prefill(fork, [9] * 10)
    writing = asyncio.create_task(three.prefill(base, [8] * 10))
    await asyncio.sleep(0.6)
    assert not writing.done(), "it waits for what it was promised, longer than who was promised nothing"
    await three.close(others[0])
    await writing


async def test_options_need_no_streams(three: LlamaEngine) -> None:
    others = [await read(three, owner) for owner in (1, 2)]
    sequence = await read(three, 3)
    options = ["Yes", "No", "Only on Sundays, they say", "Never on a Monday"]
    before = three.stats()
    crowded = await three.choose(sequence, three.tokenize(" Answer:"), options)
    assert three.stats()["cells_used"] == before["cells_used"]
    for other in others:
        await three.close(other)
    again = await three.choose(sequence, three.tokenize(" Answer:"), options)
    assert crowded == again


async def test_a_kept_prefix_occupies_no_stream(three: LlamaEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    card = three.tokenize("You are the keeper of a lighthouse far out in the northern sea. " * 5)
    await three.keep_prefix(card)
    account = sequences(three)
    assert account.taken(account.open) == 0
    assert three.stats()["prefix_cells"] == 0
    said = []
    for owner in (1, 2, 3):  # as many as there are streams
        sequence = await three.open(owner)
        said.append(tokens(await told(three, sequence, [*card, 300], sampling=SHORT)))
        assert (sequence.usage.reused, sequence.usage.prefilled) == (len(card), 1)
        await three.close(sequence)
    assert said == said[:1] * 3
    stats = three.stats()
    assert (stats["prefix_hits"], stats["prefix_tokens_saved"]) == (3, 3 * len(card))
    monkeypatch.setattr(streams, "KEPT_BYTES", 1000)
    other = three.tokenize("The ferry to the island leaves at nine, and the last one comes back. " * 5)
    await three.keep_prefix(other)
    assert not account.keeps_too_much, "those go that fit no more"


async def test_what_two_prompts_begin_with_is_kept_alone(three: LlamaEngine) -> None:
    card = three.tokenize("You are the keeper of a lighthouse far out in the northern sea. " * 5)
    reused = []
    for line in ("Good evening.", "Who are you?", "What is that?"):
        sequence = await three.open()
        await three.prefill(sequence, card + three.tokenize(line))
        reused.append(sequence.usage.reused)
        await three.close(sequence)
    assert reused[:2] == [0, 0]
    assert len(card) - 16 <= reused[2] <= len(card)
    (shelf,) = [kept for kept in sequences(three).kept if kept.computed]
    assert shelf.computed == reused[2], "and nothing behind it"


async def test_nobody_fails_in_a_crowd_of_forks(three: LlamaEngine) -> None:
    chance = random.Random(3)

    async def talk(owner: int) -> None:
        for _ in range(3):
            while three.promise(owner, CELLS) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            try:
                base = await read(three, owner, chance.randrange(20, 200))
                fork = await three.fork(base, owner=owner)
                await told(three, fork, [chance.randrange(100, 999)], sampling=SHORT)
                await three.close(fork)
                await three.close(base)
            finally:
                three.release(owner)

    await asyncio.gather(*(talk(owner) for owner in range(1, 8)))
    assert three.stats()["cells_used"] == 0
    assert three._lanes[0].room() == 3 * CELLS


async def test_a_state_of_another_layout_is_refused(model: LlamaModel, three: LlamaEngine) -> None:
    pool = await LlamaEngine.create(model, n_ctx=CELLS, n_seq=2)
    state = await three.save(await read(three, 1))
    with pytest.raises(EngineError, match="another model"):
        await pool.restore(state)
    assert len(state) == pytest.approx(40 * three.bytes_per_token, rel=0.03)
    assert three.bytes_per_token < 0.77 * pool.bytes_per_token
    assert pool.stats()["cells_used"] == 0
    await pool.shutdown()
