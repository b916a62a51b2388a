"""The engine over a server: the contract as far as it goes, who may ask, what it costs, what a close does."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

# What the contract says of every engine, as far as it needs no grammar and no cells of a model.
from test_contract import (  # noqa: F401
    Gate,
    chat,
    test_an_empty_prompt_goes_on,
    test_choose_from_many,
    test_choose_is_valid_and_leaves_no_trace,
    test_close_frees_the_cells,
    test_damaged_states_are_refused,
    test_forks_are_independent,
    test_generate_streams_and_ends_once,
    test_is_an_engine,
    test_markers_are_read_only_on_demand,
    test_no_more_is_promised_than_there_is,
    test_nonsense_is_refused,
    test_one_request_at_a_time,
    test_restored_goes_on_as_if_nothing_had_been,
    test_seeds_reproduce,
    test_sequences_are_limited,
    test_shutdown_fails_whoever_waits,
    test_stop_strings_end_the_text,
    test_the_run_queue_decides,
    test_the_sequence_holds_prompt_and_answer,
    test_together_as_alone,
    test_tokens_keep_the_text,
    test_what_is_cut_is_as_if_it_had_never_been,
    text,
    told,
)

from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import CutOff, EngineError
from llmasos.core.engine.base import GREEDY, Engine, Sampling
from llmasos.core.engine.openai import words
from llmasos.core.engine.openai.engine import OpenAIEngine
from llmasos.core.engine.openai.key import Key
from llmasos.core.engine.openai.patience import Limits
from llmasos.core.engine.openai.server import Server
from llmasos.core.kernel.process import Budget, Process, ProcessTable, State
from llmasos.core.kernel.scheduler import Scheduler
from tests.openai_server import Play, ScriptedServer, Wire, answers, says, served, streams

LIMITS = Limits(connect=5, first=5, between=5, rest=0.05, retrying=1, pauses=(0.001,))
MODEST = Sampling(temperature=0.0, max_tokens=12)


async def rambling(wire: Wire) -> None:
    """An answer that depends on what was asked and on nothing else; or the first option."""
    body = wire.request.body
    if "response_format" in body:
        await says(
            f'{{"choice": "{body["response_format"]["json_schema"]["schema"]["properties"]["choice"]["enum"][0]}"}}'
        )(wire)
        return
    dice = random.Random(zlib.crc32(repr(body["messages"]).encode()))
    whole = " ".join(dice.choice(("river", "日光", "stone", "ünder", "bread")) for _ in range(300))
    tokens = words.tokenize(whole)[: body["max_tokens"]]
    await says(*(words.detokenize([token]) for token in tokens), reason="length")(wire)


@asynccontextmanager
async def engine_over(*plays: Play, **options: Any) -> AsyncIterator[tuple[OpenAIEngine, ScriptedServer]]:
    limits = options.pop("limits", LIMITS)
    async with served(*plays) as server:
        made = OpenAIEngine(Server(server.address, Key("sk-key", "test"), limits=limits), **options)
        try:
            yield made, server
        finally:
            await made.shutdown()


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    async with engine_over(rambling, n_ctx=1024, n_seq=6) as (made, _):
        yield made


async def test_the_server_gets_messages_not_markers() -> None:
    async with engine_over(says("Fine.")) as (engine, server):
        sequence = await engine.open()
        system = engine.tokenize("<|im_start|>system\nBe kind.<|im_end|>\n", special=True)
        await engine.prefill(sequence, system)
        await told(engine, sequence, chat(engine, "Hello!"), stop=["\nUser:"])
        after = engine.tokenize("<|im_end|>\n", special=True) + chat(engine, "And you?")
        await told(engine, sequence, after)
    first = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello!"}]
    more = [{"role": "assistant", "content": "Fine."}, {"role": "user", "content": "And you?"}]
    assert [request.messages for request in server.requests] == [first, first + more]


async def test_what_it_cannot_do_it_says() -> None:
    async with engine_over(says("Fine.")) as (engine, server):
        assert (engine.capabilities.grammar, engine.capabilities.log_probs, engine.capabilities.replay) == (False,) * 3
        with pytest.raises(EngineError, match="on a server and can't be held to a grammar"):
            engine.constrain('start: "a"')
    assert server.requests == []


async def test_all_stop_strings_hold_though_the_server_knows_four() -> None:
    stop = ["1", "2", "3", "4", "\nAda:"]
    async with engine_over(
        streams(
            *(f'data: {{"choices": [{{"delta": {{"content": "{said}"}}}}]}}\n\n' for said in ("Hi.", "\\nAd", "a: Ho")),
            hangs=True,
        )
    ) as (engine, server):
        sequence = await engine.open()
        pieces = await told(engine, sequence, chat(engine, "x"), stop=stop)
        assert (text(pieces), pieces[-1].done) == ("Hi.", "stop")
        await asyncio.wait_for(server.wires[0].gone.wait(), 5)


async def test_an_opening_goes_on() -> None:
    async with engine_over(says("1. milk\n", "2. bread")) as (engine, server):
        sequence = await engine.open()
        prompt = chat(engine, "A list.") + engine.tokenize("1.")
        assert text(await told(engine, sequence, prompt)) == " milk\n2. bread"
    assert server.requests[0].last.endswith("go on from there:\n1.")


async def test_thoughts_in_tags_are_not_shown() -> None:
    async with engine_over(says("<think>", "Hm.</think>\n\n", "Fine."), says("<think>Hm")) as (engine, _):
        sequence = await engine.open()
        assert text(await told(engine, sequence, chat(engine, "x"))) == "Fine."
        with pytest.raises(EngineError, match="only thought"):
            await told(engine, sequence, chat(engine, "y"))


async def test_after_an_error_the_sequence_is_what_it_was() -> None:
    async with engine_over(answers(500, "no"), says("Fine.")) as (engine, _):
        sequence = await engine.open()
        await engine.prefill(sequence, chat(engine, "Hello."))
        before = list(sequence.tokens)
        with pytest.raises(EngineError, match="failed"):
            await told(engine, sequence, engine.tokenize("x"))
        assert sequence.tokens == before
        assert sequence.usage.prefilled == sequence.usage.decoded == 0
        assert text(await told(engine, sequence, [])) == "Fine."


async def test_cut_off_the_sequence_keeps_what_came() -> None:
    async with engine_over(streams('data: {"choices": [{"delta": {"content": "I was"}}]}\n\n')) as (engine, _):
        sequence = await engine.open()
        prompt = chat(engine, "Hello.")
        said = ""
        with pytest.raises(CutOff):
            async for piece in engine.generate(sequence, prompt):
                said += piece.text
        assert said == "I was"
        assert sequence.tokens == prompt + engine.tokenize("I was")
        await engine.prefill(sequence, [65 + 256])


# Choosing.


async def test_the_server_is_held_to_options_by_a_schema() -> None:
    async with engine_over(says('{"choice": "No"}')) as (engine, server):
        choice = await engine.choose(await engine.open(), chat(engine, "Wet?"), ["Yes", "No"])
    assert (choice.index, choice.log_probs) == (1, (float("-inf"), 0.0))
    assert server.requests[0].body["response_format"]["json_schema"]["strict"] is True


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize("said", ["no", " No.\n", "“No”", "- no", '"No"', '{"choice": "no"}'])
async def test_where_there_is_no_schema_it_is_asked_in_words(said: str, status: int) -> None:
    async def play(wire: Wire) -> None:
        knows = "response_format" not in wire.request.body
        await (says(said) if knows else answers(status, {"error": "response_format is not supported"}))(wire)

    async with engine_over(play) as (engine, server):
        assert (await engine.choose(await engine.open(), chat(engine, "Wet?"), ["Yes", "No"])).index == 1
    assert "Choose exactly one of these" in server.requests[-1].last


async def test_a_choice_that_is_none_is_asked_for_once_more() -> None:
    async with engine_over(says("Well, yes and no."), says("Yes")) as (engine, server):
        assert (await engine.choose(await engine.open(), chat(engine, "Wet?"), ["Yes", "No"])).index == 0
    assert server.requests[1].messages[-2] == {"role": "assistant", "content": "Well, yes and no."}
    assert server.requests[1].last.startswith("That is none of them.")


async def test_a_choice_that_is_none_twice_is_an_error() -> None:
    async with engine_over(says("Maybe.")) as (engine, server):
        sequence = await engine.open()
        with pytest.raises(EngineError, match="chose none of the 2 options"):
            await engine.choose(sequence, chat(engine, "Wet?"), ["Yes", "No"])
        assert len(server.requests) == 2
        assert sequence.tokens == []
        with pytest.raises(EngineError, match="must be options"):
            await engine.choose(sequence, chat(engine, "Wet?"), ["", "No"])


# Closing and cancelling.


@pytest.mark.parametrize("how", ["close", "cancel", "leave", "shutdown"])
async def test_the_connection_goes_with_whoever_wanted_it(how: str) -> None:
    async with engine_over(streams('data: {"choices": [{"delta": {"content": "One."}}]}\n\n', hangs=True)) as (
        engine,
        server,
    ):
        sequence = await engine.open()
        stream = engine.generate(sequence, chat(engine, "Hello."))
        assert (await anext(stream)).text == "One."
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        if how in ("close", "shutdown"):
            await (engine.close(sequence) if how == "close" else engine.shutdown())
            with pytest.raises(EngineError, match="was closed"):
                await asyncio.wait_for(waiting, 5)
        else:
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await stream.aclose()  # type: ignore[attr-defined]
            if how == "leave":
                await engine.close(sequence)
        await asyncio.wait_for(server.wires[0].gone.wait(), 5)
        assert engine._running == 0
        assert engine.stats()["sequences"] == (1 if how == "cancel" else 0)


async def test_a_cancelled_sequence_goes_on() -> None:
    async with engine_over(
        streams('data: {"choices": [{"delta": {"content": "One."}}]}\n\n', hangs=True), says("Two.")
    ) as (engine, _):
        sequence = await engine.open()
        stream = engine.generate(sequence, chat(engine, "Hello."))
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        assert text(await told(engine, sequence, [])) == "Two."


# Who may ask, and what it costs.


@asynccontextmanager
async def kernel(
    *plays: Play, **options: Any
) -> AsyncIterator[tuple[OpenAIEngine, ScriptedServer, Callable[..., Any]]]:
    """An engine under the kernel's scheduler, and what makes processes with an open sequence."""
    async with engine_over(*plays, **options) as (engine, server):
        table = ProcessTable(MockClock(datetime(2026, 3, 1, tzinfo=UTC)), "ada")
        engine.set_queue(Scheduler(table, engine, "fair", table.ender()))

        async def process(**fields: Any) -> Process:
            made = table.spawn(table.init, name="talker", program="words", **fields)
            table.attach(made, engine, await engine.open(made.pid))
            return made

        yield engine, server, process


async def ask(engine: Engine, process: Process, said: str = "Hello.", sampling: Sampling = GREEDY) -> str:
    assert process.sequence is not None
    return text(await told(engine, process.sequence, chat(engine, said), sampling=sampling))


async def test_the_bill_is_the_servers() -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 60}}
    async with kernel(says("One.", " Two.", usage=usage)) as (engine, _, process):
        mine = await process()
        await ask(engine, mine)
        assert mine.tokens == 47
        assert mine.sequence.usage == replace(mine.sequence.usage, prefilled=40, reused=60, decoded=7)
        stats = engine.stats()
    assert (stats["prefilled"], stats["decoded"], stats["prefix_tokens_saved"], stats["prefix_hits"]) == (40, 7, 60, 1)


async def test_what_was_counted_too_high_is_given_back() -> None:
    async with kernel(says("One.", usage={"prompt_tokens": 3, "completion_tokens": 1})) as (engine, _, process):
        mine = await process()
        await ask(engine, mine)
        assert mine.tokens == 4


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {"prompt_tokens": -5, "completion_tokens": 1},
        {"prompt_tokens": 10**30, "completion_tokens": 1},
        {"prompt_tokens": "many"},
        {"completion_tokens": 1.5, "prompt_tokens": 1},
    ],
)
async def test_a_bill_that_is_none_is_counted_here(usage: Any) -> None:
    async with kernel(says("One.", " Two.", usage=usage)) as (engine, _, process):
        mine = await process()
        await ask(engine, mine)
        assert mine.tokens == len(chat(engine, "Hello.")) + 1 + 2


async def test_a_budget_ends_an_answer_and_its_connection() -> None:
    async def endless(wire: Wire) -> None:
        await wire.head()
        try:
            while True:
                await wire.token("and ")
                await asyncio.sleep(0)
        finally:
            wire.gone.set()

    async with kernel(endless) as (engine, server, process):
        mine = await process(budget=Budget(tokens=60))
        with pytest.raises(EngineError, match="was closed"):
            await ask(engine, mine, sampling=Sampling(max_tokens=1000))
        assert mine.state is State.ZOMBIE
        assert mine.why == "It has used up its budget of 60 tokens."
        assert mine.tokens < 70
        await asyncio.wait_for(server.wires[0].gone.wait(), 5)


async def test_steps_are_pieces_and_begin_with_a_first_one() -> None:
    gate = Gate()
    gate.open = True
    async with engine_over(says("One.", " Two.")) as (engine, _):
        engine.set_queue(gate)
        await told(engine, await engine.open(owner=9), chat(engine, "Hello."))
        await asyncio.sleep(0.05)
    assert sum(rows for _, rows in gate.steps) == gate.charged[9] == len(chat(engine, "Hello.")) + 1 + 2
    assert len(gate.first_tokens) == 1


async def test_so_many_at_a_time_and_the_urgent_first() -> None:
    go_on = asyncio.Event()

    async def play(wire: Wire) -> None:
        await go_on.wait()
        await says("Fine.")(wire)

    async with kernel(play, limits=replace(LIMITS, requests=2)) as (engine, server, process):
        first = [asyncio.create_task(ask(engine, await process(), f"first {number}")) for number in range(2)]
        await server.until(lambda: len(server.requests) == 2)
        later = [
            asyncio.create_task(ask(engine, await process(priority=priority), priority))
            for priority in ("background", "normal", "interactive")
        ]
        await asyncio.sleep(0.05)
        assert len(server.requests) == 2
        go_on.set()
        await asyncio.gather(*first, *later)
    assert server.most == 2
    assert {request.last for request in server.requests[2:4]} == {"interactive", "normal"}
    assert server.requests[4].last == "background"


async def test_a_stopped_process_neither_asks_nor_hears() -> None:
    async with kernel(says("One.", " Two.")) as (engine, server, process):
        mine = await process()
        mine.move(State.STOPPED)
        task = asyncio.create_task(ask(engine, mine))
        await asyncio.sleep(0.05)
        assert server.requests == []
        mine.move(State.READY)
        engine.wake()
        stream = None
        assert await asyncio.wait_for(task, 5) == "One. Two."
        stream = engine.generate(mine.sequence, chat(engine, "More."))
        await anext(stream)
        mine.move(State.STOPPED)
        rest = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.05)
        assert not rest.done()
        mine.move(State.READY)
        engine.wake()
        assert (await asyncio.wait_for(rest, 5)).text == " Two."
        await stream.aclose()


async def test_a_place_is_free_again_after_every_end() -> None:
    plays: Sequence[Play] = (
        answers(500, "no"),
        streams('data: {"choices": [{"delta": {"content": "x"}}]}\n\n'),
        says("Fine."),
    )
    async with kernel(*plays, limits=replace(LIMITS, requests=1)) as (engine, _, process):
        mine = await process()
        for error in (EngineError, CutOff):
            with pytest.raises(error):
                await ask(engine, mine)
        assert await asyncio.wait_for(ask(engine, mine), 5) == "Fine."
