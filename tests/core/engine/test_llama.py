"""What only the real engine has: failures inside llama.cpp, prefixes that make room, adapters, silence."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from llmasos.core.base.errors import EngineError, ModelError
from llmasos.core.engine.base import LiveSequence, Piece, Sampling
from llmasos.core.engine.context import Context, Rows
from llmasos.core.engine.llama import LlamaEngine, LlamaModel
from tests.core.engine.conftest import N_CTX, write_gguf, write_lora
from tests.core.engine.test_contract import SHORT, chat, tokens, told


async def test_one_failing_sequence_leaves_the_others(either: LlamaEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = await either.open(), await either.open()
    prompt = chat(either, "What is bread?")
    expected = tokens(await told(either, good, prompt, sampling=SHORT))
    await either.close(good)
    good = await either.open()
    real = Context.decode

    def decode(self: Context, rows: Rows) -> int:
        return -3 if either._lanes[0].slot(bad).id in rows.sequences else real(self, rows)

    monkeypatch.setattr(Context, "decode", decode)
    fine, failed = await asyncio.gather(
        told(either, good, prompt, sampling=SHORT),
        told(either, bad, prompt, sampling=SHORT),
        return_exceptions=True,
    )
    assert isinstance(failed, EngineError)
    assert "code -3" in str(failed)
    assert not isinstance(fine, BaseException)
    assert tokens(fine) == expected
    assert bad.tokens == []
    monkeypatch.undo()
    assert tokens(await told(either, bad, prompt, sampling=SHORT)) == expected


async def test_a_dead_thread_fails_all_waiters(either: LlamaEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(_self: Context, _rows: Rows) -> int:
        raise SystemError("the thread is broken")

    sequences = [await either.open(), await either.open()]
    monkeypatch.setattr(Context, "decode", decode)
    outcomes = await asyncio.gather(
        *(told(either, sequence, chat(either, "x")) for sequence in sequences), return_exceptions=True
    )
    assert all(isinstance(outcome, EngineError) for outcome in outcomes)
    with pytest.raises(EngineError, match="has stopped"):
        await either.open()
    await either.close(sequences[0])


async def test_the_account_of_cells_is_llamas_own(llama: LlamaEngine) -> None:
    # All cells but one can be filled, and not one more.
    first = await llama.open()
    await llama.prefill(first, [100] * (N_CTX - 200))
    second = await llama.fork(first)
    await llama.prefill(second, [101] * 199)
    assert llama.stats()["cells_used"] == N_CTX - 1
    await llama.prefill(first, [102])
    with pytest.raises(EngineError, match="full"):
        await llama.prefill(first, [103])
    await llama.close(first)
    await llama.prefill(second, [104])


async def test_kept_prefixes_make_room(llama: LlamaEngine) -> None:
    card = llama.tokenize("The lighthouse stands at the end of the island, where the wind is. " * 20)
    await llama.keep_prefix(card)
    held = llama.stats()
    assert held["cells_used"] == 0
    assert held["prefix_cells"] == len(card)
    sequence = await llama.open()
    await llama.prefill(sequence, [100] * (N_CTX - 50))
    assert llama.stats()["prefix_cells"] == 0


async def test_what_two_prompts_begin_with_is_kept(either: LlamaEngine) -> None:
    card = either.tokenize("You are the keeper of a lighthouse far out in the northern sea. " * 5)
    reused = []
    for line in ("Good evening.", "Who are you?", "What is that?"):
        sequence = await either.open()
        await either.prefill(sequence, card + either.tokenize(line))
        reused.append(sequence.usage.reused)
        await either.close(sequence)
    # The first is new, the second shows that it is shared, from the third on it is forked.
    assert reused[:2] == [0, 0]
    assert len(card) - 16 <= reused[2] <= len(card)


async def test_a_live_sequence_shares_its_prefix(either: LlamaEngine) -> None:
    card = either.tokenize("You are the keeper of a lighthouse far out in the northern sea. " * 5)
    first, second, alone = await either.open(), await either.open(), await either.open()
    await either.prefill(first, card)
    said = await told(either, second, card + either.tokenize("Who are you?"), sampling=SHORT)
    assert second.usage.reused == len(card)
    await either.close(first)
    await either.close(second)
    expected = await told(either, alone, card + either.tokenize("Who are you?"), sampling=SHORT)
    assert tokens(said) == tokens(expected)


async def first_piece(either: LlamaEngine, sequence: LiveSequence) -> Piece:
    greedy = Sampling(temperature=0, max_tokens=1)
    pieces = [piece async for piece in either.generate(sequence, [], sampling=greedy)]
    return pieces[0]


async def test_what_begins_alike_at_once_is_computed_once(either: LlamaEngine) -> None:
    card = either.tokenize("You are a lighthouse keeper who has seen many ships and tells of them gladly. " * 8)
    lines = [either.tokenize(f"Number {n} asks about the sea, and the keeper says:") for n in range(4)]
    sequences = [await either.open() for _ in lines]
    gate = threading.Event()
    either._lanes[0].batcher.call(gate.wait)  # all of them are there before the first step
    pairs = zip(sequences, lines, strict=True)
    reading = [asyncio.create_task(either.prefill(s, [*card, *line])) for s, line in pairs]
    await asyncio.sleep(0.1)
    gate.set()
    await asyncio.gather(*reading)
    prefilled = [sequence.usage.prefilled for sequence in sequences]
    own = sum(map(len, lines))
    assert len(card) <= sum(prefilled) <= len(card) + own + 8, prefilled
    assert sum(sequence.usage.reused for sequence in sequences) >= 3 * (len(card) - 2)
    together = [await first_piece(either, sequence) for sequence in sequences]
    for sequence in sequences:
        await either.close(sequence)
    for line, piece in zip(lines, together, strict=True):
        alone = await either.open()
        either._lanes[0].batcher.prefixes._seen.clear()
        await either.prefill(alone, [*card, *line])
        expected = await first_piece(either, alone)
        await either.close(alone)
        # In company the sums run over cells elsewhere; a prefix that wasn't there would be off by far more.
        assert piece.log_probs[0] == pytest.approx(expected.log_probs[0], abs=0.3)
        assert piece.tokens[0] == expected.tokens[0]


async def test_a_long_prompt_lets_others_write(either: LlamaEngine) -> None:
    writer, reader = await either.open(), await either.open()
    order: list[str] = []
    begun = asyncio.Event()

    async def write() -> None:
        endless = either.constrain("start: /[a-z ]{60}/")
        async for _ in either.generate(writer, chat(either, "Hello."), constraint=endless):
            order.append("w")
            begun.set()

    writing = asyncio.create_task(write())
    await begun.wait()
    before = len(order)
    await either.prefill(reader, [100] * 600)
    # 600 tokens are at least nine chunks, and after each of them the writer has its token.
    assert len(order) - before >= 6 or writing.done()
    await writing


async def test_a_random_adapter_changes_the_answer(model: LlamaModel, tmp_path: Path) -> None:
    plain = await LlamaEngine.create(model, n_ctx=512, n_seq=2)
    tuned = await LlamaEngine.create(model, n_ctx=512, n_seq=2, adapter=write_lora(tmp_path / "a.gguf"))
    prompt = chat(plain, "What is bread?")
    state = b""
    answers = []
    for engine in (plain, tuned):
        sequence = await engine.open()
        answers.append(tokens(await told(engine, sequence, prompt, sampling=SHORT)))
        state = state or await engine.save(sequence)
    assert answers[0] != answers[1]
    with pytest.raises(EngineError, match="another model or adapter"):
        await tuned.restore(state)
    await plain.shutdown()
    await tuned.shutdown()


async def test_many_adapters_at_once_each_as_if_it_were_alone(model: LlamaModel, tmp_path: Path) -> None:
    files = [None, *(write_lora(tmp_path / f"{seed}.gguf", seed=seed) for seed in range(1, 4))]
    engines = [await LlamaEngine.create(model, n_ctx=512, n_seq=2, adapter=file) for file in files]
    prompt = chat(engines[0], "What is bread?")

    async def said(engine: LlamaEngine) -> tuple[int, ...]:
        return tuple(tokens(await told(engine, await engine.open(), prompt, sampling=SHORT)))

    alone = [await said(engine) for engine in engines]
    assert len(set(alone)) == len(files), "each speaks in its own way"
    assert await asyncio.gather(*map(said, engines)) == alone
    for engine in engines:
        await engine.shutdown()


def test_adapters_that_do_not_fit(model: LlamaModel, tmp_path: Path) -> None:
    wrong = {
        "no model file": tmp_path / "none.gguf",
        "not a LoRA adapter": write_gguf(tmp_path / "m.gguf", {"general.architecture": "llama"}),
        "for the architecture 'qwen2'": write_lora(tmp_path / "q.gguf", architecture="qwen2"),
        "doesn't fit the model": write_lora(tmp_path / "w.gguf", width=64),
    }
    for message, path in wrong.items():
        with pytest.raises(ModelError, match=message):
            LlamaEngine(model, n_ctx=256, n_seq=1, adapter=path)


async def test_engines_share_a_model_and_outlive_its_owner(model: LlamaModel) -> None:
    own = await LlamaModel.load_async(model.path)
    engines = [await LlamaEngine.create(own, n_ctx=256, n_seq=1) for _ in range(2)]
    own.close()
    await engines[0].shutdown()
    sequence = await engines[1].open()
    assert await told(engines[1], sequence, chat(engines[1], "Hi"), sampling=SHORT)
    await engines[1].shutdown()
    with pytest.raises(EngineError, match="closed"):
        LlamaEngine(own, n_ctx=256)


async def test_streamed_text_is_the_tokens_text(either: LlamaEngine) -> None:
    sequence = await either.open()
    constraint = either.constrain("start: /[你好世界🐧ü]{40}/")
    sampling = Sampling(temperature=1.5, top_k=0, top_p=1.0, min_p=0.0, seed=4, max_tokens=400)
    pieces = await told(either, sequence, chat(either, "你好"), sampling=sampling, constraint=constraint)
    said = "".join(piece.text for piece in pieces)
    assert said == either.detokenize(tokens(pieces))
    assert len(said) == 40
    assert "\ufffd" not in said


async def test_log_probs_are_the_models(either: LlamaEngine) -> None:
    sequence = await either.open()
    constraint = either.constrain('start: "x" | "y"')
    pieces = await told(either, sequence, chat(either, "Say x or y."), constraint=constraint)
    taken = pieces[-1].text or pieces[0].text
    other = await either.open()
    choice = await either.choose(other, chat(either, "Say x or y."), ["x", "y"])
    weights = np.exp(choice.log_probs)
    share = weights["xy".index(taken)] / weights.sum()
    assert np.exp(pieces[0].log_probs[0]) == pytest.approx(share, rel=0.05)


def test_nothing_is_printed(model: LlamaModel) -> None:
    code = f"""
import asyncio
from pathlib import Path
from llmasos.core.engine.llama import LlamaEngine, LlamaModel
async def main():
    model = await LlamaModel.load_async(Path({str(model.path)!r}))
    engine = await LlamaEngine.create(model, n_ctx=256, n_seq=1)
    sequence = await engine.open()
    async for piece in engine.generate(sequence, engine.tokenize("Hello, how are")):
        break
    # neither shut down nor closed: leaving the program must do
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("streams", [False, True])
def test_alone_the_same_bits_whatever_threads_and_chunks(model: LlamaModel, streams: bool) -> None:
    # What replay token for token rests on.
    prompt = model.tokenize("The ferry left the island at seven, long before the fog had lifted. " * 6)

    def computed(threads: int, *chunks: int) -> bytes:
        context = Context(model, n_ctx=512, n_sequences=1, threads=threads, streams=streams, small_keys=streams)
        start = 0
        for count in (*chunks, 1):
            rows = Rows()
            for position in range(start, start + count):
                rows.add(prompt[position], position, 0, position == start + count - 1)
            assert context.decode(rows) == 0
            start += count
        bits = context.logits(count - 1).tobytes()
        context.close()
        return bits

    # With AMX a row alone is multiplied by other instructions than several, and rounds in another order.
    alone = () if model.tiles else (1,)
    rest = 40 - len(alone)
    assert computed(1, 80) == computed(2, 80) == computed(1, *alone, 40, rest) == computed(2, 64, 16)
