"""Several lanes are one engine: where sequences live, how they move, and what happens when a lane dies."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.base import Engine, LiveSequence, Sampling
from llmasos.core.engine.busy import BusyTime
from llmasos.core.engine.context import Context, Rows
from llmasos.core.engine.llama import FURTHER_NICE, LlamaEngine, LlamaModel
from tests.core.engine.conftest import N_CTX
from tests.core.engine.test_contract import SHORT, chat, text, tokens, told

CELLS = 512
"""Of each lane."""
ENDLESS = "start: /[a-z ]{900}/"


@pytest.fixture(params=["pools", "streams"])
async def two(request: pytest.FixtureRequest, model: LlamaModel) -> AsyncIterator[LlamaEngine]:
    streams = 10 if request.param == "streams" else 0
    engine = await LlamaEngine.create(model, n_ctx=(streams or 2) * CELLS, n_seq=6, streams=streams, lanes=2)
    yield engine
    await engine.shutdown()


@pytest.fixture
async def pools(model: LlamaModel) -> AsyncIterator[LlamaEngine]:
    """For tests that count cells."""
    engine = await LlamaEngine.create(model, n_ctx=2 * CELLS, n_seq=6, lanes=2)
    yield engine
    await engine.shutdown()


@pytest.fixture
async def one_each(model: LlamaModel) -> AsyncIterator[LlamaEngine]:
    """Two lanes, each with one stream."""
    engine = await LlamaEngine.create(model, n_ctx=2 * CELLS, n_seq=6, streams=2, lanes=2)
    yield engine
    await engine.shutdown()


def lane_of(engine: LlamaEngine, sequence: LiveSequence) -> int:
    lane = engine._places.homes[sequence.id]
    assert lane
    return engine._lanes.index(lane)


def sizes(engine: LlamaEngine) -> list[int]:
    """Sequences in each lane, as its thread knows them."""
    return [len(lane.batcher.sequences.by_id) for lane in engine._lanes]


async def read(engine: LlamaEngine, count: int, length: int = 40) -> list[LiveSequence]:
    """Sequences with prompts that share nothing."""
    sequences = [await engine.open() for _ in range(count)]
    for number, sequence in enumerate(sequences):
        await engine.prefill(sequence, [200 + number] + [100] * (length - 1))
    return sequences


async def test_it_is_one_engine(pools: LlamaEngine) -> None:
    assert isinstance(pools, Engine)
    assert (pools.lanes, pools.n_ctx, pools.stats()["cells"], pools.stats()["lanes"]) == (2, CELLS, 2 * CELLS, 2)


async def test_sequences_spread(two: LlamaEngine) -> None:
    sequences = await read(two, 4)
    assert sorted(lane_of(two, sequence) for sequence in sequences) == [0, 0, 1, 1]
    assert sizes(two) == [2, 2]
    assert len({sequence.id for sequence in sequences}) == 4
    stats = two.stats()
    assert (stats["sequences"], stats["cells_used"], stats["prefilled"]) == (4, 160, 160)
    assert stats["tokens_per_second"] > 0
    for sequence in sequences:
        await two.close(sequence)
        await two.close(sequence)
    assert sizes(two) == [0, 0]
    assert two.stats()["cells_used"] == 0


async def test_requests_at_once_spread_too(two: LlamaEngine) -> None:
    sequences = [await two.open() for _ in range(4)]
    await asyncio.gather(*(told(two, s, chat(two, f"{n} is what?"), sampling=SHORT) for n, s in enumerate(sequences)))
    assert sizes(two) == [2, 2]


async def test_each_lane_writes_what_one_lane_writes(two: LlamaEngine, llama: LlamaEngine) -> None:
    questions = ["What is a mountain?", "Name a colour."]
    expected = []
    for question in questions:
        sequence = await llama.open()
        expected.append(tokens(await told(llama, sequence, chat(llama, question), sampling=SHORT)))
        await llama.close(sequence)
    sequences = [await two.open() for _ in questions]
    pairs = list(zip(sequences, questions, strict=True))
    said = await asyncio.gather(*(told(two, s, chat(two, q), sampling=SHORT) for s, q in pairs))
    assert sizes(two) == [1, 1]
    assert [tokens(pieces) for pieces in said] == expected


async def test_a_lane_that_knows_the_beginning_is_taken(two: LlamaEngine) -> None:
    card = two.tokenize("You are the keeper of a lighthouse far out in the northern sea. " * 4)
    first, second = await two.open(), await two.open()
    await two.prefill(first, card)
    await two.prefill(second, card + two.tokenize("Who are you?"))
    assert lane_of(two, first) == lane_of(two, second)
    assert second.usage.reused == len(card)


async def test_nobody_waits_for_a_lane_that_knows_the_beginning(two: LlamaEngine) -> None:
    card = two.tokenize("You are the keeper of a lighthouse far out in the northern sea. " * 4)
    first, second = await two.open(), await two.open()
    stream = two.generate(first, card, constraint=two.constrain(ENDLESS))
    await anext(stream)
    await two.prefill(second, card + two.tokenize("Who are you?"))
    assert lane_of(two, first) != lane_of(two, second)
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_prefix_is_kept_in_all_lanes(pools: LlamaEngine) -> None:
    card = pools.tokenize("You are the keeper of a lighthouse far out in the northern sea. " * 4)
    await pools.keep_prefix(card)
    assert pools.stats()["prefix_cells"] == 2 * len(card)
    assert pools.stats()["sequences"] == 0
    sequences = [await pools.open() for _ in range(2)]
    await asyncio.gather(*(pools.prefill(s, [*card, 300 + n]) for n, s in enumerate(sequences)))
    assert sizes(pools) == [1, 1]
    assert [s.usage.reused for s in sequences] == [len(card)] * 2
    computed = pools.stats()["prefilled"]
    await pools.keep_prefix(card)
    assert pools.stats()["prefilled"] == computed


async def test_a_fork_shares_the_cells_of_its_lane(two: LlamaEngine) -> None:
    (sequence,) = await read(two, 1)
    copy = await two.fork(sequence)
    assert lane_of(two, copy) == lane_of(two, sequence)
    assert two.stats()["cells_used"] == 40
    assert copy.tokens == sequence.tokens
    empty = await two.fork(await two.open(), owner=3)
    assert (empty.tokens, empty.owner) == ([], 3)
    assert await told(two, empty, chat(two, "Hello."), sampling=SHORT)


async def test_what_was_promised_cells_elsewhere_is_brought_there(pools: LlamaEngine) -> None:
    base = await pools.open(owner=5)
    await pools.prefill(base, [100 + n % 50 for n in range(CELLS - 100)])
    copy = await pools.fork(base, owner=6)
    said = tokens(await told(pools, copy, [7], sampling=SHORT))
    await pools.close(copy)
    assert pools.promise(7, 300) is not None
    assert pools.promise(8, 300) is not None
    assert pools.promise(5, 450) is None, "others were promised too much of either lane"
    pools.release(7)
    assert pools.promise(5, 450) == CELLS - 450
    copy = await pools.fork(base, owner=5)
    assert [lane_of(pools, sequence) for sequence in (base, copy)] == [1, 1]
    assert tokens(await told(pools, copy, [7], sampling=SHORT)) == said
    assert (base.usage.prefilled, copy.usage.prefilled) == (CELLS - 100, 1), "it was brought, not computed again"
    assert sizes(pools) == [0, 2]


async def test_what_was_promised_a_stream_elsewhere_is_brought_there(one_each: LlamaEngine) -> None:
    base = await one_each.open(owner=5)
    await one_each.prefill(base, [100 + n % 50 for n in range(200)])
    copy = await one_each.fork(base, owner=5)
    said = tokens(await told(one_each, copy, [7], sampling=SHORT))
    await one_each.close(copy)
    home = lane_of(one_each, base)
    assert [one_each.promise(owner, 300) for owner in (7, 8, 5)] == [0, 0, None]
    other = next(owner for owner in (7, 8) if one_each._lanes[1 - home] is one_each._places._promised(owner))
    one_each.release(other)
    assert one_each.promise(5, 300) == 0
    copy = await one_each.fork(base, owner=5)
    assert [lane_of(one_each, sequence) for sequence in (base, copy)] == [1 - home] * 2
    assert tokens(await told(one_each, copy, [7], sampling=SHORT)) == said
    assert (base.usage.prefilled, copy.usage.prefilled) == (200, 1), "it was brought, not computed again"


async def test_a_state_is_restored_where_there_is_a_stream(one_each: LlamaEngine) -> None:
    first, second = await read(one_each, 2)
    state = await one_each.save(first)
    with pytest.raises(EngineError, match="full"):
        await one_each.restore(state)
    assert sizes(one_each) == [1, 1]
    home = lane_of(one_each, second)
    await one_each.close(second)
    again = await one_each.restore(state)
    assert lane_of(one_each, again) == home
    both = [tokens(await told(one_each, sequence, [6], sampling=SHORT)) for sequence in (first, again)]
    assert both[0] == both[1]


async def test_promises_spread_and_stay_where_somebody_lives(two: LlamaEngine) -> None:
    card = [7] * 40
    lives = await two.open(owner=1)
    await two.prefill(lives, card)
    places = two._places
    homes = []
    for owner in (2, 1, 3, 4):
        assert two.promise(owner, 100, card) is not None
        lane = places._promised(owner)
        assert lane
        homes.append(two._lanes.index(lane))
    assert homes == [0, 0, 1, 1], "where the card is known; where it lives, with one more; where fewer run"
    assert [lane.requests for lane in two._lanes] == [2, 2]
    for owner in range(1, 5):
        two.release(owner)
    assert [lane.requests for lane in two._lanes] == [0, 0]


async def test_who_was_promised_cells_does_not_fail_for_others(llama: LlamaEngine) -> None:
    taken = await llama.open(owner=1)
    await llama.prefill(taken, [100] * 400)
    assert llama.promise(2, N_CTX - 100) == 100
    promised, greedy = await llama.open(owner=2), await llama.open(owner=3)
    await llama.prefill(greedy, [101] * 300)
    first = asyncio.create_task(llama.prefill(greedy, [101] * 330))
    await asyncio.sleep(0)
    reading = asyncio.create_task(llama.prefill(promised, [102] * (N_CTX - 100)))
    with pytest.raises(EngineError, match="full"):  # although the other one came last
        await first
    assert not reading.done()
    await llama.close(greedy)
    await llama.close(taken)
    await reading


async def test_a_promise_ends_with_its_lane(pools: LlamaEngine) -> None:
    sequence = await pools.open(owner=5)
    assert pools.promise(5, CELLS) == 0
    assert pools.promise(6, CELLS) == 0
    assert pools.promise(7, 1) is None
    await pools.prefill(sequence, [100] * 40)
    pools._lanes[lane_of(pools, sequence)].batcher.stop()
    pools.release(6)
    await pools.prefill(sequence, [101] * 40)
    assert lane_of(pools, sequence) == 1
    assert len(sequence.tokens) == 80
    pools.release(5)
    assert pools.promise(7, CELLS) == 0


async def test_a_state_is_restored_where_there_is_room(pools: LlamaEngine) -> None:
    first, second = await read(pools, 2, CELLS - 150)
    state = await pools.save(first)
    with pytest.raises(EngineError, match="full"):
        await pools.restore(state)
    assert sizes(pools) == [1, 1]
    assert pools.stats()["sequences"] == 2
    home = lane_of(pools, second)
    await pools.close(second)
    again = await pools.restore(state)
    assert lane_of(pools, again) == home
    both = [tokens(await told(pools, sequence, [6], sampling=SHORT)) for sequence in (first, again)]
    assert both[0] == both[1]


async def test_all_in_use_is_when_all_lanes_are(two: LlamaEngine) -> None:
    sequences = await read(two, 6, 20)
    assert sizes(two) == [3, 3]
    with pytest.raises(EngineError, match="All 6 sequences"):
        await two.open()
    for call in (two.fork(sequences[0]), two.restore(await two.save(sequences[0]))):
        with pytest.raises(EngineError, match="in use"):
            await call
    await two.close(sequences[3])
    await two.fork(sequences[0])


async def test_cancelling_frees_the_place_in_its_lane(two: LlamaEngine) -> None:
    streams = []
    for number in range(2):
        sequence = await two.open()
        streams.append(two.generate(sequence, chat(two, f"Talk {number}."), constraint=two.constrain(ENDLESS)))
        await anext(streams[-1])
    assert [lane.requests for lane in two._lanes] == [1, 1]
    await streams[1].aclose()  # type: ignore[attr-defined]
    assert sorted(lane.requests for lane in two._lanes) == [0, 1]
    assert (await anext(streams[0])).text
    await streams[0].aclose()  # type: ignore[attr-defined]


async def test_choosing_leaves_no_trace(two: LlamaEngine) -> None:
    sequences = await read(two, 2)
    before = two.stats()["cells_used"]
    choices = await asyncio.gather(
        *(two.choose(s, two.tokenize("Answer: "), ["Yes", "No", "Only on Sundays"]) for s in sequences)
    )
    assert [len(choice.log_probs) for choice in choices] == [3, 3]
    assert two.stats()["cells_used"] == before


async def test_a_lane_that_dies_fails_its_own_and_the_others_go_on(two: LlamaEngine) -> None:
    doomed, safe, waiting = [await two.open() for _ in range(3)]
    first = two.generate(doomed, chat(two, "Talk."), constraint=two.constrain(ENDLESS))
    second = two.generate(safe, chat(two, "And you."), constraint=two.constrain("start: /[a-z ]{60}/"))
    await anext(first)
    said = [await anext(second)]
    dead = two._lanes[lane_of(two, doomed)]
    await two.prefill(waiting, [100] * 20)
    idle = await two.fork(doomed)
    kept = list(idle.tokens)

    def dies(rows: Rows) -> int:
        raise SystemError("the thread is gone")

    dead.batcher.sequences.context.decode = dies  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="has stopped"):
        async for _ in first:
            pass
    assert doomed.tokens == []
    said += [piece async for piece in second]
    assert len(text(said)) == 60
    assert two.alive
    assert two.stats()["lanes"] == 1
    # What lived there is computed anew in the lane that is left.
    assert await told(two, idle, [5], sampling=SHORT)
    assert idle.tokens[: len(kept) + 1] == [*kept, 5]
    assert await told(two, doomed, chat(two, "Hello."), sampling=SHORT)
    assert await two.restore(await two.save(await two.fork(doomed)))
    for sequence in (doomed, safe, waiting, idle):
        await two.close(sequence)


async def test_when_the_last_lane_has_died_the_engine_is_gone(
    two: LlamaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(self: Context, rows: Rows) -> int:
        raise SystemError("the thread is gone")

    sequences = [await two.open() for _ in range(2)]
    monkeypatch.setattr(Context, "decode", dies)
    outcomes = await asyncio.gather(*(told(two, s, chat(two, "x")) for s in sequences), return_exceptions=True)
    assert all(isinstance(outcome, EngineError) for outcome in outcomes)
    assert not two.alive
    for call in (two.open(), two.fork(sequences[0]), two.save(sequences[0]), two.keep_prefix([1, 2, 3])):
        with pytest.raises(EngineError, match="has stopped"):
            await call
    assert [two.promise(owner, CELLS) for owner in range(3)] == [0, 0, 0], "nobody waits for it"
    await two.close(sequences[0])


async def test_shutdown_fails_who_waits_in_every_lane(two: LlamaEngine) -> None:
    streams = []
    for number in range(2):
        sequence = await two.open()
        streams.append(two.generate(sequence, chat(two, f"Talk {number}."), constraint=two.constrain(ENDLESS)))
        await anext(streams[-1])
    await two.shutdown()
    for stream in streams:
        with pytest.raises(EngineError, match="shut down"):
            async for _ in stream:
                pass
    assert not two.alive


async def test_a_second_thread_is_for_a_lane_while_the_others_rest(
    model: LlamaModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmasos.core.engine.llama.has_spare_core", lambda: True)  # as it looks between two steps
    engine = await LlamaEngine.create(model, n_ctx=2 * CELLS, n_seq=2, lanes=2, brisk=True)
    first, second = (lane.batcher for lane in engine._lanes)
    sequence = await engine.open()
    stream = engine.generate(sequence, chat(engine, "Talk."), constraint=engine.constrain(ENDLESS))
    await anext(stream)
    assert lane_of(engine, sequence) == 0
    takes = [batcher.sequences.context._brisk for batcher in (first, second)]
    assert [take() for take in takes if take] == [True, False]
    assert first.sequences.context._threads == 2
    await stream.aclose()  # type: ignore[attr-defined]
    while first.working:  # noqa: ASYNC110  (set in the lane's thread)
        await asyncio.sleep(0.01)
    assert [take() for take in takes if take] == [True, True]
    await engine.shutdown()


class Asked:
    """A run queue that remembers which thread asked about whom."""

    def __init__(self) -> None:
        self.threads: dict[int, set[int]] = {}

    def select(self, runnable: Sequence[LiveSequence], limit: int) -> Sequence[LiveSequence]:
        for sequence in runnable:
            self.threads.setdefault(sequence.id, set()).add(threading.get_native_id())
        return runnable[:limit]

    def charge(self, sequence: LiveSequence, tokens: int) -> None:
        pass

    def stepped(self, sequences: int, rows: int, seconds: float, first_tokens: Sequence[float]) -> None:
        assert sequences == 1


async def test_each_thread_asks_about_its_own(two: LlamaEngine) -> None:
    queue = Asked()
    two.set_queue(queue)
    sequences = [await two.open() for _ in range(2)]
    await asyncio.gather(*(told(two, s, chat(two, f"{n}?"), sampling=SHORT) for n, s in enumerate(sequences)))
    first, second = (queue.threads[sequence.id] for sequence in sequences)
    assert len(first) == len(second) == 1
    assert first != second


@pytest.mark.skipif(sys.platform != "linux", reason="a number for one thread is Linux's")
async def test_further_lanes_are_less_urgent(two: LlamaEngine) -> None:
    def nice() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    ours = nice()
    found = [lane.batcher.call(nice).result() for lane in two._lanes]
    assert found == [ours, min(19, ours + FURTHER_NICE)]


async def test_who_lacks_cells_waits_for_those_who_go_on(llama: LlamaEngine) -> None:
    writer, reader = await llama.open(), await llama.open()
    await llama.prefill(writer, [100] * (N_CTX - 424))
    reading = asyncio.create_task(llama.prefill(reader, [101] * 420))
    thirty = Sampling(temperature=0, max_tokens=30)
    said = await told(llama, writer, [5], sampling=thirty, constraint=llama.constrain(ENDLESS))
    assert len(tokens(said)) == 30
    assert not reading.done(), "there isn't room for both"
    await llama.close(writer)
    await reading
    with pytest.raises(EngineError, match="full"):  # and not for ever
        await llama.prefill(await llama.open(), [102] * (N_CTX - 400))


def test_moments_that_are_shared_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("llmasos.core.engine.busy.time.monotonic", lambda: now)
    busy = BusyTime()
    with busy:
        now = 1.0
        with busy:
            now = 3.0
        assert busy.seconds == 0.0
        now = 4.0
    now = 9.0
    with busy:
        now = 10.0
    assert busy.seconds == 5.0
