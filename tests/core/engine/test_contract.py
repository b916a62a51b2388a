"""What every engine promises; one suite, all backends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.base import GREEDY, Engine, LiveSequence, Piece, Sampling

SHORT = Sampling(temperature=0.0, repeat_penalty=1.0, max_tokens=12)
WARM = Sampling(temperature=1.2, max_tokens=16, seed=7)
CALL = 'start: "files." ("find" | "write") " query: " /[a-z]{1,9}/ "\\n"'


def chat(engine: Engine, text: str) -> list[int]:
    marks = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
    return engine.tokenize(marks, special=True)


async def told(engine: Engine, sequence: LiveSequence, prompt: Sequence[int], **options: object) -> list[Piece]:
    return [piece async for piece in engine.generate(sequence, prompt, **options)]  # type: ignore[arg-type]


def tokens(pieces: Sequence[Piece]) -> list[int]:
    return [token for piece in pieces for token in piece.tokens]


def text(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


async def test_is_an_engine(engine: Engine) -> None:
    assert isinstance(engine, Engine)


@pytest.mark.parametrize("said", ["", "plain words", "zwölf 中文字 🐧 e\u0301", "a\0b", "<|im_end|>"])
async def test_tokens_keep_the_text(engine: Engine, said: str) -> None:
    assert engine.detokenize(engine.tokenize(said)) == said


async def test_markers_are_read_only_on_demand(engine: Engine) -> None:
    assert len(engine.tokenize("<|im_end|>", special=True)) == 1
    assert len(engine.tokenize("<|im_end|>")) > 1


async def test_generate_streams_and_ends_once(engine: Engine) -> None:
    sequence = await engine.open()
    pieces = await told(engine, sequence, chat(engine, "Name three rivers."), sampling=SHORT)
    assert [piece.done for piece in pieces[:-1]] == [""] * (len(pieces) - 1)
    assert pieces[-1].done in ("stop", "length")
    assert 0 < len(tokens(pieces)) <= 12
    assert text(pieces)
    assert all(len(piece.tokens) == len(piece.log_probs) for piece in pieces)
    assert all(number <= 0 for piece in pieces for number in piece.log_probs)


async def test_the_sequence_holds_prompt_and_answer(engine: Engine) -> None:
    sequence = await engine.open()
    prompt = chat(engine, "Name three rivers.")
    pieces = await told(engine, sequence, prompt, sampling=SHORT)
    assert sequence.tokens == prompt + tokens(pieces)
    assert sequence.usage.prefilled == len(prompt)
    assert sequence.usage.decoded == len(tokens(pieces))


async def test_an_empty_prompt_goes_on(engine: Engine) -> None:
    prompt = chat(engine, "Count.")
    whole, parts = await engine.open(), await engine.open()
    expected = tokens(await told(engine, whole, prompt, sampling=SHORT))
    await engine.prefill(parts, prompt)
    assert tokens(await told(engine, parts, [], sampling=SHORT)) == expected


async def test_stop_strings_end_the_text(engine: Engine) -> None:
    first, second = await engine.open(), await engine.open()
    prompt = chat(engine, "Tell me a story.")
    sampling = Sampling(temperature=0.0, repeat_penalty=1.0, max_tokens=40)
    whole = text(await told(engine, first, prompt, sampling=sampling))
    stop = whole[10:13]
    pieces = await told(engine, second, prompt, sampling=sampling, stop=[stop, "never said"])
    assert text(pieces) == whole[: whole.index(stop)]
    assert pieces[-1].done == "stop"


async def test_seeds_reproduce(engine: Engine) -> None:
    prompt = chat(engine, "Invent a word.")
    runs = []
    for _ in range(3):
        sequence = await engine.open()
        runs.append(tokens(await told(engine, sequence, prompt, sampling=WARM)))
        await engine.close(sequence)
    assert runs[0] == runs[1] == runs[2]


async def test_a_constraint_holds(engine: Engine) -> None:
    sequence = await engine.open()
    pieces = await told(engine, sequence, chat(engine, "Find it."), constraint=engine.constrain(CALL))
    call = text(pieces)
    assert call.startswith(("files.find query: ", "files.write query: "))
    assert call.endswith("\n")
    assert call[:-1].rpartition(" ")[2].isalpha()
    assert pieces[-1].done == "stop"


async def test_a_wrong_grammar_is_an_error(engine: Engine) -> None:
    with pytest.raises(EngineError, match="grammar"):
        engine.constrain("start: nowhere")


async def test_max_tokens_bound_forced_ones_too(engine: Engine) -> None:
    sequence = await engine.open()
    constraint = engine.constrain('start: "a long text that is forced from its beginning to its end"')
    sampling = Sampling(temperature=0.0, max_tokens=3)
    pieces = await told(engine, sequence, chat(engine, "x"), sampling=sampling, constraint=constraint)
    assert len(tokens(pieces)) == 3
    assert pieces[-1].done == "length"


async def test_choose_is_valid_and_leaves_no_trace(engine: Engine) -> None:
    sequence = await engine.open()
    prompt = chat(engine, "Is water wet?")
    await engine.prefill(sequence, prompt)
    before = engine.stats()["cells_used"]
    options = ["Yes", "No", "Only on Sundays, they say", "是"]
    choice = await engine.choose(sequence, engine.tokenize("Answer: "), options)
    assert len(choice.log_probs) == len(options)
    assert choice.log_probs[choice.index] == max(choice.log_probs)
    assert sequence.tokens == prompt
    assert engine.stats()["cells_used"] == before
    again = await engine.choose(sequence, engine.tokenize("Answer: "), options)
    assert again.index == choice.index
    with pytest.raises(EngineError):
        await engine.choose(sequence, [], [])


async def test_choose_from_many(engine: Engine) -> None:
    sequence = await engine.open()
    options = [f"option number {number}" for number in range(60)]
    choice = await engine.choose(sequence, chat(engine, "Pick."), options)
    assert 0 <= choice.index < 60


async def test_forks_are_independent(engine: Engine) -> None:
    prompt = chat(engine, "Tell me about the sea and the moon.")
    mother = await engine.open()
    await engine.prefill(mother, prompt)
    used = engine.stats()["cells_used"]
    child = await engine.fork(mother, owner=5)
    assert child.owner == 5
    assert child.tokens == mother.tokens
    assert engine.stats()["cells_used"] == used
    alone = await engine.open()
    expected = tokens(await told(engine, alone, prompt, sampling=SHORT))
    other = await told(engine, child, engine.tokenize("Never. "), sampling=SHORT)
    assert tokens(await told(engine, mother, [], sampling=SHORT)) == expected
    assert child.tokens == prompt + engine.tokenize("Never. ") + tokens(other)
    await engine.close(mother)
    assert await told(engine, child, engine.tokenize(" And"), sampling=SHORT)


async def test_restored_goes_on_as_if_nothing_had_been(engine: Engine) -> None:
    first = await engine.open(owner=3)
    await told(engine, first, chat(engine, "What is bread?"), sampling=SHORT)
    state = await engine.save(first)
    kept, used = list(first.tokens), first.usage
    expected = tokens(await told(engine, first, engine.tokenize(" And"), sampling=SHORT))
    await engine.close(first)
    second = await engine.restore(state, owner=4)
    assert (second.tokens, second.owner) == (kept, 4)
    assert second.usage.decoded <= used.decoded
    assert tokens(await told(engine, second, engine.tokenize(" And"), sampling=SHORT)) == expected


async def test_what_is_cut_is_as_if_it_had_never_been(engine: Engine) -> None:
    prompt = chat(engine, "Tell me about the sea and the moon.")
    sequence, alone = await engine.open(), await engine.open()
    await told(engine, sequence, prompt, sampling=SHORT)
    await engine.cut(sequence, len(prompt))
    assert sequence.tokens == prompt
    assert engine.stats()["cells_used"] == len(prompt)
    expected = tokens(await told(engine, alone, prompt, sampling=SHORT))
    assert tokens(await told(engine, sequence, [], sampling=SHORT)) == expected
    stream = engine.generate(sequence, engine.tokenize(" And"), sampling=Sampling(max_tokens=100))
    await anext(stream)
    with pytest.raises(EngineError, match="serving"):
        await engine.cut(sequence, 0)
    await stream.aclose()  # type: ignore[attr-defined]
    await engine.close(sequence)
    with pytest.raises(EngineError, match="closed"):
        await engine.cut(sequence, 0)


async def test_no_more_is_promised_than_there_is(engine: Engine) -> None:
    if engine.capabilities.own_cells:
        pytest.skip("cells aren't promised one by one")
    pools, half = engine.lanes, engine.n_ctx // 2 + 1
    left = [engine.promise(owner, half) for owner in range(1, pools + 1)]
    assert left == [engine.n_ctx - half] * pools
    assert engine.promise(9, half) is None
    assert engine.promise(1, 1) is None, "one at a time"
    assert engine.promise(9, half - 2) in (0, 1)
    for owner in (*range(1, 10), 1):
        engine.release(owner)
    assert engine.promise(1, 10 * engine.n_ctx) == 0


async def test_no_more_sequences_are_promised_cells_than_have_their_own(engine: Engine) -> None:
    if not engine.capabilities.own_cells:
        pytest.skip("cells are promised one by one")
    contexts = int(engine.stats()["cells"]) // engine.n_ctx
    left = [engine.promise(owner, 1 if owner % 2 else 10 * engine.n_ctx) for owner in range(1, contexts + 1)]
    each = contexts // engine.lanes
    assert sorted(left) == sorted(free * engine.n_ctx for free in range(each) for _ in range(engine.lanes))  # type: ignore[type-var]
    assert engine.promise(99, 1) is None
    assert engine.promise(1, 1) is None, "one at a time"
    engine.release(1)
    assert engine.promise(99, engine.n_ctx) == 0


@pytest.mark.parametrize("damage", ["cut", "flip", "garbage", "empty"])
async def test_damaged_states_are_refused(engine: Engine, damage: str) -> None:
    sequence = await engine.open()
    await engine.prefill(sequence, chat(engine, "What is bread?"))
    state = bytearray(await engine.save(sequence))
    if damage == "cut":
        del state[-9:]
    elif damage == "flip":
        state[len(state) // 2] ^= 4
    else:
        state = bytearray(b"\x07" * 100 if damage == "garbage" else b"")
    before = engine.stats()
    with pytest.raises(EngineError):
        await engine.restore(bytes(state))
    assert engine.stats()["sequences"] == before["sequences"]


async def test_close_frees_the_cells(engine: Engine) -> None:
    sequences = [await engine.open() for _ in range(3)]
    for number, sequence in enumerate(sequences):
        await engine.prefill(sequence, chat(engine, f"{number} is a number of its own"))
    held = engine.stats()
    assert held["sequences"] == 3
    assert held["cells_used"] == sum(len(sequence.tokens) for sequence in sequences)
    for sequence in sequences:
        await engine.close(sequence)
        await engine.close(sequence)
    freed = engine.stats()
    assert (freed["sequences"], freed["cells_used"]) == (0, 0)
    with pytest.raises(EngineError, match="closed"):
        await engine.prefill(sequences[0], [1])


async def test_sequences_are_limited(engine: Engine) -> None:
    opened = []
    with pytest.raises(EngineError, match="in use"):
        for _ in range(99):
            opened.append(await engine.open())
    await engine.close(opened[0])
    await engine.open()


async def test_a_full_context_is_an_error(engine: Engine) -> None:
    other = await engine.open()
    await engine.prefill(other, chat(engine, "I was here before."))
    sequence = await engine.open()
    await engine.prefill(sequence, chat(engine, "Hello."))
    before = list(sequence.tokens)
    with pytest.raises(EngineError, match="full"):
        await engine.prefill(sequence, [65] * (engine.n_ctx + 1))
    assert sequence.tokens == before
    room = engine.n_ctx - len(other.tokens) - len(sequence.tokens)
    endless = engine.constrain("start: /[a-z ]{400}/")
    with pytest.raises(EngineError, match="full"):
        await told(engine, sequence, [65] * (room - 20), constraint=endless, sampling=GREEDY)
    assert sequence.tokens == before
    assert await told(engine, other, engine.tokenize(" And"), sampling=SHORT)


async def test_nonsense_is_refused(engine: Engine) -> None:
    sequence = await engine.open()
    for prompt in ([-1], [10**7], []):
        with pytest.raises(EngineError):
            await engine.prefill(sequence, prompt)
    assert sequence.tokens == []


async def test_one_request_at_a_time(engine: Engine) -> None:
    sequence = await engine.open()
    stream = engine.generate(sequence, chat(engine, "Tell me a story."), sampling=Sampling(max_tokens=100))
    await anext(stream)
    with pytest.raises(EngineError, match="another request"):
        await engine.prefill(sequence, [65])
    await stream.aclose()  # type: ignore[attr-defined]


async def test_cancelling_frees_the_place(engine: Engine) -> None:
    sequence, other = await engine.open(), await engine.open()
    started = asyncio.Event()

    async def talk() -> None:
        endless = engine.constrain("start: /[a-z ]{900}/")
        async for _ in engine.generate(sequence, chat(engine, "Talk."), constraint=endless):
            started.set()

    task = asyncio.create_task(talk())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    written = len(sequence.tokens)
    assert await told(engine, other, chat(engine, "Hello."), sampling=SHORT)
    assert len(sequence.tokens) <= written + 2
    assert await told(engine, sequence, engine.tokenize(" And"), sampling=SHORT)
    await engine.close(sequence)
    await engine.close(other)
    assert engine.stats()["cells_used"] == 0


async def test_closing_ends_a_request(engine: Engine) -> None:
    sequence = await engine.open()
    stream = engine.generate(sequence, chat(engine, "Talk."), constraint=engine.constrain("start: /[a-z ]{900}/"))
    await anext(stream)
    await engine.close(sequence)
    with pytest.raises(EngineError, match="closed"):
        async for _ in stream:
            pass
    assert engine.stats()["cells_used"] == 0


async def test_together_as_alone(engine: Engine) -> None:
    questions = ["What is a mountain?", "Name a colour.", "Who was Newton?"]
    alone = []
    for question in questions:
        sequence = await engine.open()
        alone.append(tokens(await told(engine, sequence, chat(engine, question), sampling=SHORT)))
        await engine.close(sequence)
    sequences = [await engine.open() for _ in questions]
    together = await asyncio.gather(
        *(
            told(engine, sequence, chat(engine, question), sampling=SHORT)
            for sequence, question in zip(sequences, questions, strict=True)
        )
    )
    assert [tokens(pieces) for pieces in together] == alone


class Gate:
    """A run queue that lets nobody through until it is opened."""

    def __init__(self) -> None:
        self.open = False
        self.asked = asyncio.Event()
        self.charged: dict[int, int] = {}
        self.steps: list[tuple[int, int]] = []
        self.first_tokens: list[float] = []
        self._loop = asyncio.get_running_loop()

    def select(self, runnable: Sequence[LiveSequence], limit: int) -> Sequence[LiveSequence]:
        self._loop.call_soon_threadsafe(self.asked.set)
        return runnable[:limit] if self.open else []

    def charge(self, sequence: LiveSequence, tokens: int) -> None:
        self.charged[sequence.owner] = self.charged.get(sequence.owner, 0) + tokens

    def stepped(self, sequences: int, rows: int, seconds: float, first_tokens: Sequence[float]) -> None:
        assert seconds >= 0
        self.steps.append((sequences, rows))
        self.first_tokens.extend(first_tokens)


async def test_the_run_queue_decides(engine: Engine) -> None:
    gate = Gate()
    engine.set_queue(gate)
    sequence = await engine.open(owner=9)
    task = asyncio.create_task(told(engine, sequence, chat(engine, "Hello."), sampling=SHORT))
    await gate.asked.wait()
    assert not task.done()
    assert engine.stats()["steps"] == 0
    gate.open = True
    engine.wake()
    pieces = await task
    assert gate.charged[9] >= len(tokens(pieces)) - 1


async def test_steps_are_told_after_what_they_charged(engine: Engine) -> None:
    gate = Gate()
    engine.set_queue(gate)
    owners = [await engine.open(owner=owner) for owner in (7, 8, 9)]
    asked = [
        asyncio.create_task(told(engine, owners[0], chat(engine, "Hello."), sampling=SHORT)),
        asyncio.create_task(told(engine, owners[1], chat(engine, "Good morning."), sampling=SHORT)),
        asyncio.create_task(engine.prefill(owners[2], chat(engine, "Good evening."))),
    ]
    await gate.asked.wait()
    await engine.close(await engine.open())  # all three have been handed over
    gate.open = True
    engine.wake()
    await asyncio.gather(*asked)
    await engine.choose(owners[2], engine.tokenize(" It is "), ["red", "blue"])
    for sequence in owners:  # after the step that was under way
        await engine.close(sequence)
        await asyncio.sleep(0)
    assert sum(rows for _, rows in gate.steps) == sum(gate.charged.values())
    assert max(sequences for sequences, _ in gate.steps) >= 2
    assert all(0 < sequences <= rows for sequences, rows in gate.steps)
    assert len(gate.first_tokens) == 2, "of answers; reading a prompt and choosing give none"
    assert all(seconds > 0 for seconds in gate.first_tokens)


async def test_prefixes_are_forked(engine: Engine) -> None:
    card = engine.tokenize("You are the keeper of a lighthouse far out in the northern sea. ") * 2
    await engine.keep_prefix(card)
    first = await engine.open()
    await engine.prefill(first, card + engine.tokenize("Good evening."))
    assert first.usage.reused == len(card)
    assert first.usage.prefilled == len(engine.tokenize("Good evening."))
    stats = engine.stats()
    assert stats["prefix_hits"] == 1
    assert stats["prefix_tokens_saved"] == len(card)


async def test_shutdown_fails_whoever_waits(engine: Engine) -> None:
    gate = Gate()
    engine.set_queue(gate)
    sequence = await engine.open()
    task = asyncio.create_task(told(engine, sequence, chat(engine, "Hello."), sampling=SHORT))
    await gate.asked.wait()
    await engine.shutdown()
    with pytest.raises(EngineError):
        await task
    with pytest.raises(EngineError):
        await engine.open()
    await engine.close(sequence)
