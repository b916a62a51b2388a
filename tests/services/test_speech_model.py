"""With the real default model: a character greets, answers for itself, and remembers in a new system."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from talk_desk import Desk, open_desk

from llmasos.core.base.settings import Settings
from llmasos.core.engine.base import Engine, Sampling
from llmasos.core.engine.sources import LlamaEngines
from llmasos.core.kernel.process import State
from llmasos.core.kernel.swap import Swap


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = await LlamaEngines(Settings.load(home=tmp_path / "settings"), None).speech()
    yield engine
    await engine.shutdown()


def check(words: str) -> None:
    assert re.search(r"\w", words)
    assert "<|" not in words
    assert not re.search(r"\b(?:ada|User|Human|Alice)\s*:", words)
    assert "language model" not in words


async def chat(desk: Desk, message: str) -> str:
    return str((await desk.ok("character.chat", name="Alice", message=message))["text"])


async def test_alice(engine: Engine, tmp_path: Path) -> None:
    with open_desk(tmp_path, engine=engine) as desk:
        await desk.ok("character.create", name="Alice", personality="friendly")
        for line in ("Hello, Alice!", "My dog is called Rex.", "How are you today?"):
            check(await chat(desk, line))
        sequence = desk.kernel.processes.find("character", "Alice").sequence
        assert sequence is not None
        assert engine.stats()["sequences"] == 1
    with open_desk(tmp_path, engine=engine) as desk:
        assert "Rex" in await chat(desk, "What is my dog called?")
        assert "AI" in await chat(desk, "Are you human?")
        pid = desk.kernel.processes.find("character", "Alice")
        if pid:
            await desk.kernel.processes.kill(pid.pid)


async def test_answers_and_texts(engine: Engine, tmp_path: Path) -> None:
    with open_desk(tmp_path, engine=engine) as desk:
        answer = await desk.ok("assistant.answer", question="Why is the sky blue?")
        check(answer["text"])
        plan = await desk.ok("content.write", kind="plan", topic="a weekend in the mountains")
        assert plan["text"].startswith("1. ")
        assert 2 <= len(plan["text"].splitlines()) <= 8
        quest = (await desk.ok("content.write", kind="quest", topic="a fox in a trap", style="three steps"))["text"]
        assert re.fullmatch(r"Goal: .+\n1\. .+\n2\. .+\n3\. .+\nReward: .+", quest)
        talk = (await desk.ok("content.write", kind="dialogue", topic="rain", style="short"))["text"]
        assert [line.partition(":")[0] for line in talk.splitlines()] == ["Anna", "Ben", "Anna", "Ben"]
        check((await desk.ok("content.write", kind="story", topic="a lost umbrella"))["text"])
        assert await desk.error("content.translate", text="good morning", language="French") == "ENOTSUP"
        assert engine.stats()["sequences"] == 0
        assert engine.stats()["cells_used"] == 0


@pytest.mark.parametrize("company", [False, True])
async def test_swapped_out_and_in_it_goes_on_as_if_it_had_never_been(
    engine: Engine, tmp_path: Path, company: bool
) -> None:
    """Alone the same tokens with the same probabilities, bit for bit; in company the sums run over cells elsewhere."""
    words = engine.tokenize("The lighthouse keeper told the children a story about a fox who lived by the sea. " * 4)
    written = []
    with open_desk(tmp_path, engine=engine) as desk:
        processes, pager = desk.kernel.processes, desk.speaker._pager
        pager._swap = Swap(tmp_path / "swap", memory=64 << 20, disk=0)
        for out in (False, True):
            process = processes.spawn(desk.shell, name="talker", program="words")
            live = await engine.open(process.pid)
            processes.attach(process, engine, live)
            await engine.prefill(live, words)
            if out:
                process.move(State.WAITING)
                assert await pager.put_out(process)
                assert engine.stats()["cells_used"] == 0
                if company:
                    other = await engine.open()
                    await engine.prefill(other, engine.tokenize("Somebody else has a long story to tell too. " * 9))
                restored = await pager.bring_in(process, engine)
                assert restored is not None
                live = restored
            sampling = Sampling(temperature=0, max_tokens=40)
            written.append([piece async for piece in engine.generate(live, words[:1], sampling=sampling)])
            await processes.kill(process.pid)
    assert (process.page_outs, process.page_ins) == (1, 1)
    kept, swapped = written
    if company:
        assert kept[0].tokens == swapped[0].tokens
        assert swapped[0].log_probs == pytest.approx(kept[0].log_probs, abs=0.01)
        await engine.close(other)
    else:
        assert kept == swapped


async def test_a_forked_conversation_shares_what_both_have_and_each_goes_its_own_way(
    engine: Engine, tmp_path: Path
) -> None:
    with open_desk(tmp_path, engine=engine) as desk:
        processes = desk.kernel.processes
        words = " ".join(f"Number {n} came along and looked at the sea." for n in range(110))
        talker = processes.spawn(desk.shell, name="talker", program="words")
        live = await engine.open(talker.pid)
        processes.attach(talker, engine, live)
        await engine.prefill(live, engine.tokenize(words))
        assert len(live.tokens) >= 1000
        computed, cells = live.usage.prefilled, engine.stats()["cells_used"]
        child = await processes.fork(talker)
        assert child.sequence is not None
        assert child.sequence.usage.prefilled == 0
        assert engine.stats()["cells_used"] == cells
        for process, more in ((talker, " The night was"), (child, " Every morning they")):
            prompt = engine.tokenize(more)
            assert process.sequence
            async for _ in engine.generate(process.sequence, prompt, sampling=Sampling(temperature=0, max_tokens=12)):
                pass
        assert 0 < live.usage.prefilled - computed + child.sequence.usage.prefilled <= 16
        one, two = (
            engine.detokenize(p.sequence.tokens[len(live.tokens) - 20 :]) for p in (talker, child) if p.sequence
        )
        assert ("The night was" in one, "The night was" in two) == (True, False)
        # What the child says is what it would say had it read all of it itself.
        alone = await engine.open()
        said = ""
        prompt = engine.tokenize(words) + engine.tokenize(" Every morning they")
        async for piece in engine.generate(alone, prompt, sampling=Sampling(temperature=0, max_tokens=12)):
            said += piece.text
        assert two.endswith(said)
        await engine.close(alone)
        for process in (child, talker):
            await processes.kill(process.pid)


async def test_when_the_engine_dies_the_next_line_is_answered_by_a_new_one(tmp_path: Path) -> None:
    engines = LlamaEngines(Settings.load(home=tmp_path / "settings", lanes=1), None)
    first = await engines.speech()
    with open_desk(tmp_path, engine=first) as desk:
        made = [first]

        async def again() -> Engine:
            made.append(await engines.speech())
            return made[-1]

        await desk.ok("character.create", name="Alice", personality="friendly")
        check(await chat(desk, "Hello, Alice!"))
        desk.speaker._slot._load = again
        context = first._lanes[0].batcher.sequences.context  # type: ignore[attr-defined]

        def dies(rows: object) -> int:
            raise SystemError("the thread is gone")

        context.decode = dies
        failed = await desk.do("character.chat", name="Alice", message="My dog is called Rex.")
        assert failed.error == "EIO"
        assert "has stopped" in failed.message
        check(await chat(desk, "It rained all day."))
        assert len(made) == 2
        alice = desk.kernel.processes.find("character", "Alice")
        assert alice
        await desk.kernel.processes.kill(alice.pid)
        assert made[1].stats()["cells_used"] == 0
        await made[1].shutdown()
