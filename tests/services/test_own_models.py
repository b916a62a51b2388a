"""model.*: examples and their split, trained tasks as syscalls, characters with a model of their own."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmasos.compose import Machine, compose
from llmasos.core.base.errors import ModelError, UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call, Result
from llmasos.core.engine import adapters
from llmasos.core.engine.base import Engine
from llmasos.core.engine.embed import LexicalEmbedder
from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.core.engine.sources import ScriptedEngines, parts
from llmasos.services.models import examples, pairs, vectors
from llmasos.services.models.classify import classify
from llmasos.services.models.voices import Voices
from tests.seat import Person
from tests.services.task_desk import about, put

VISITORS = Path(__file__).parents[2] / "benchmarks" / "models" / "visitors.jsonl"


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


# Examples


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How much is a ticket for two adults?", "How much is a tour for children?"),
        ("学生票多少钱", "门票多少钱"),
        ("Where is the tower?", "where is the old water tower"),
    ],
)
def test_sentences_that_differ_in_their_nouns_have_one_skeleton(one: str, other: str) -> None:
    assert examples.skeleton(one) == examples.skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How much is it?", "Where is it?"),
        ("几点开门", "多少钱"),
        ("Is it free?", "Is it free on Sunday for children?"),
    ],
)
def test_sentences_of_another_form_have_another(one: str, other: str) -> None:
    assert examples.skeleton(one) != examples.skeleton(other)


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_the_split_is_by_skeleton_the_same_each_time_and_fair_to_every_label(seed: int) -> None:
    task, found = examples.read(VISITORS)
    assert task == "classify" and len(found) >= 280
    learned, held = examples.split(found, 0.25, seed)
    assert (learned, held) == examples.split(found, 0.25, seed)
    assert len(learned) + len(held) == len(found)
    assert not {e.group for e in learned} & {e.group for e in held}
    assert 0.2 < len(held) / len(found) < 0.3
    assert all(0.15 < count / 72 < 0.35 for count in Counter(e.answer for e in held).values())
    assert len({e.answer for e in held}) == 4


@pytest.mark.parametrize("answer", ["short {}", "an answer that is a whole sentence about the number {} itself"])
def test_answers_of_which_each_is_another_are_held_out_too(answer: str) -> None:
    rows = [examples.Example(f"text {n}", answer.format(n), f"g{n}") for n in range(40)]
    learned, held = examples.split(rows, 0.25)
    assert (len(learned), len(held)) == (30, 10)


def test_the_bookings_are_examples_that_are_written() -> None:
    task, found = examples.read(VISITORS.with_name("bookings.jsonl"))
    learned, held = examples.split(found, 0.25, 1)
    assert (task, len(found)) == ("generate", 142) and 30 <= len(held) <= 40
    assert not {e.answer for e in held} & {e.answer for e in learned}, "none can be remembered"


def test_groups_that_the_file_names_count() -> None:
    rows = [examples.Example(f"text {n}", "a" if n % 2 else "b", f"g{n // 4}") for n in range(16)]
    learned, held = examples.split(rows, 0.5)
    assert held and all(len({e.group for e in side}) * 4 == len(side) for side in (learned, held))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"text": "a", "label": "x"}] * 3, "3 examples; 8 is the least"),
        ([{"text": "a", "label": "x"}] * 9, "1 labels"),
        ([*[{"text": "a", "label": "x"}] * 9, {"text": "b", "answer": "y"}], "mixes labels and answers"),
        (["{broken"] * 9, "Line 1 .* is no example"),
        ([{"label": "x"}] * 9, "Line 1 .*no text"),
        ([{"text": "a"}] * 9, "neither a label nor an answer"),
        ([{"text": "a", "label": "x\ny"}] * 9, "one line"),
        ([["a"]] * 9, "Line 1"),
    ],
)
def test_files_that_are_no_examples(tmp_path: Path, rows: Sequence[Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        examples.read(lines(tmp_path / "e.jsonl", *rows))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        examples.read(tmp_path / "none.jsonl")


async def test_vectors_alone_are_compared_on_the_same_split() -> None:
    _, found = examples.read(VISITORS)
    shares = await vectors.accuracies(LexicalEmbedder(), *examples.split(found, 0.25))
    assert len(shares) == 2 and all(0.25 < share <= 1 for share in shares.values())


# Classifying


async def test_a_label_of_many_tokens_is_not_favoured() -> None:
    """The scripted engine gives each token of the best option -0.1 and of others -5: sums count, not means."""
    engine = ScriptedEngine(choose=lambda _text, options: options.index(" b\n"))
    sequence = await engine.open()
    shares = await classify(engine, sequence, "text", ["a", "b", "a label of many words"])
    assert max(shares) == shares[1] and sum(shares) == pytest.approx(1.0)
    assert shares[0] > shares[2]
    assert sequence.tokens == []


# As syscalls


class Named(ScriptedEngines):
    """Further models say which they are."""

    def __init__(self) -> None:
        numbers = itertools.count(1)
        super().__init__(lambda _: f"Line {next(numbers)} is as all speak.", chooses=lambda text, _: int("bus" in text))
        self.opened: list[str] = []

    async def named(self, said: str) -> Engine:
        self.opened.append(said)
        if said.startswith("broken"):
            raise ModelError("It is broken.")
        return ScriptedEngine([f"Je parle avec {said.replace('+', ' et ')}."], choose=self._chooses, name=said)


class Desk:
    """A person at a machine whose further models are scripts."""

    def __init__(self, machine: Machine, workspace: Path, engines: Named) -> None:
        self.machine = machine
        self.engines = engines
        self.person = Person()
        self.process, self.session = machine.session(workspace, self.person)

    async def do(self, syscall: str, **args: Any) -> Result:
        return await self.machine.kernel.trap(self.process, self.session, Call(syscall, args), request=syscall)

    async def ok(self, syscall: str, **args: Any) -> Any:
        result = await self.do(syscall, **args)
        assert result.ok, result
        return result.value

    async def error(self, syscall: str, **args: Any) -> str:
        result = await self.do(syscall, **args)
        assert not result.ok, result
        return result.error


@pytest.fixture
async def desk(home: Path, workspace: Path) -> AsyncIterator[Desk]:
    engines = Named()
    machine = await compose(Settings(home=home, owner="ada", seed=1, translator="qwen-7b"), engines=engines)
    yield Desk(machine, workspace, engines)
    await machine.close()


async def test_a_text_is_classified_by_the_model_with_the_adapter(desk: Desk, home: Path) -> None:
    assert (await desk.ok("model.list"))["empty"].startswith(f"{desk.machine.settings.model} is the model that talks")
    put(home, about())
    fields = (await desk.ok("model.classify", task="visitors", text="which bus goes to the tower?"))["fields"]
    assert fields["label"] == "routes" and fields["probability"] > 0.9
    assert (await desk.ok("model.classify", task="visitors", text="how much is it?"))["fields"]["label"] == "prices"
    assert [p.program for p in desk.machine.kernel.processes] == ["init", "shell"]
    (row,) = (await desk.ok("model.list"))["items"]
    assert (row["name"], row["accuracy"], row["labels"]) == ("visitors", "90% of 10", "prices, routes")


async def test_several_adapters_are_open_at_once(desk: Desk, home: Path) -> None:
    for name in ("visitors", "guests"):
        put(home, about(name))
        await desk.ok("model.classify", task=name, text="which bus?")
        await desk.ok("model.classify", task=name, text="which bus?")
    assert desk.engines.opened == ["smollm2+visitors", "smollm2+guests"], "each is opened once and stays"
    assert (await desk.ok("model.list"))["items"][0]["name"] == "guests"


async def test_a_task_that_writes(desk: Desk, home: Path) -> None:
    put(home, about("replies", "generate", labels=[]))
    value = await desk.ok("model.generate", task="replies", text="the lift is broken")
    assert (value["text"], value["source"]) == ("Je parle avec smollm2 et replies.", "model")
    assert desk.person.streamed == value["text"]
    assert await desk.error("model.classify", task="replies", text="x") == "EINVAL"


async def test_as_training_says_that_it_is_used(desk: Desk, home: Path) -> None:
    put(home, about())
    put(home, about("replies", "generate", labels=[]))
    for line, said in (
        ('model.classify visitors "which bus goes to the tower?"', "routes"),
        ("model.generate replies the lift is broken", "Je parle avec smollm2 et replies."),
    ):
        outcome = await desk.machine.requests.handle(desk.process, desk.session, line)
        assert outcome.ok and said in str(outcome.results[0].value), outcome


@pytest.mark.parametrize("name", ["nobody", "../../etc", "Visitors", ""])
async def test_a_task_that_is_not_there(desk: Desk, home: Path, name: str) -> None:
    put(home, about())
    assert await desk.error("model.classify", task=name, text="which bus?") in ("ENOENT", "EINVAL")


async def test_a_model_that_has_changed_since_is_refused(desk: Desk, home: Path) -> None:
    put(home, about(fingerprint="another"))
    result = await desk.do("model.classify", task="visitors", text="which bus?")
    assert result.error == "ENOENT" and "trained on another file" in result.message


@pytest.mark.parametrize("text", ["", " ", "x" * 3000])
async def test_hostile_texts(desk: Desk, home: Path, text: str) -> None:
    put(home, about())
    assert await desk.error("model.classify", task="visitors", text=text) in ("EINVAL", "E2BIG")


async def test_a_character_speaks_with_the_adapter_that_it_was_given(desk: Desk, home: Path) -> None:
    put(home, about("pirate", "generate", labels=[]))
    await desk.ok("character.create", name="Ann", personality="bold")
    before = await desk.ok("character.chat", name="Ann", message="Good day!")
    await desk.ok("model.assign", character="ann", model="smollm2+pirate")
    after = await desk.ok("character.chat", name="Ann", message="And now?")
    assert before["text"].endswith("as all speak.")
    assert after["text"] == "Je parle avec smollm2 et pirate."
    assert (await desk.ok("character.show", name="Ann"))["fields"]["model"] == "smollm2+pirate"
    again = await desk.do("model.assign", character="Ann", model="smollm2+pirate")
    assert not again.undoable and "already" in again.value["message"]
    await desk.ok("model.assign", character="Ann", model="default")
    assert "model" not in (await desk.ok("character.show", name="Ann"))["fields"]
    assert (await desk.ok("character.chat", name="Ann", message="So?"))["text"].endswith("as all speak.")
    await desk.ok("model.assign", character="Ann", model="smollm2+pirate")
    await desk.ok("system.undo")
    assert (await desk.ok("character.chat", name="Ann", message="Or?"))["text"].endswith("as all speak.")
    await desk.ok("character.create", name="Bob", personality="shy")
    assert (await desk.ok("character.chat", name="Bob", message="You?"))["text"].endswith("as all speak.")


async def test_it_thinks_with_that_model_too(desk: Desk) -> None:
    await desk.ok("character.create", name="Ann", personality="bold")
    await desk.ok("model.assign", character="Ann", model="openai:http://localhost:9/v1/qwen-7b")
    kernel, characters = desk.machine.kernel, desk.machine.characters
    ann = characters.cast.find("ada", "Ann")
    assert ann
    characters.conversations.thinking.begin(ann)
    (thinks,) = [process for process in kernel.processes if process.program == "reflect"]
    assert Voices(kernel.store, characters.cast, kernel.processes).of(thinks).endswith("/qwen-7b")
    await characters.conversations.thinking.settled()


@pytest.mark.parametrize("model", ["smollm2+nobody", "nothing.gguf", "openai:ftp://x/y"])
async def test_a_model_that_cannot_be_given(desk: Desk, model: str) -> None:
    await desk.ok("character.create", name="Ann", personality="bold")
    assert await desk.error("model.assign", character="Ann", model=model) == "ENOENT"


async def test_the_translator_that_was_named_translates_and_nobody_else(desk: Desk) -> None:
    value = await desk.ok("content.translate", text="good morning to you", language="French")
    assert value["text"] == "Je parle avec qwen-7b."
    assert (await desk.ok("assistant.answer", question="who is that?"))["text"].endswith("as all speak.")


def test_names_of_adapters(home: Path, tmp_path: Path) -> None:
    settings = Settings(home=home)
    put(home, about())
    assert parts("smollm2+visitors", settings) == ("smollm2", adapters.folder_of(home, "visitors") / adapters.FILE)
    assert parts("smollm2", settings) == ("smollm2", None)
    assert parts("openai:http://localhost/v1/a+b", settings) == ("openai:http://localhost/v1/a+b", None)
    odd = tmp_path / "a+b.gguf"
    odd.write_bytes(b"x")
    assert parts(str(odd), settings) == (str(odd), None)
    with pytest.raises(ModelError, match="no adapter nobody"):
        parts("smollm2+nobody", settings)


# Pairs


async def test_pairs_are_asked_and_scored(tmp_path: Path) -> None:
    found = pairs.read(
        lines(tmp_path / "p.jsonl", *({"source": f"s{n}", "target": "the cat sat on the mat"} for n in range(3)))
    )
    engine = ScriptedEngine(["the cat sat on the mat", "the cat sat on the mat", "dogs bark"])
    said = await pairs.answers(engine, found, "Say it: {source}")
    scores = pairs.score(said, found)
    assert "Say it: s0" in engine.requests[0]
    assert 30 < scores.bleu < 90 and 30 < scores.chrf < 90 and scores.pairs == 3
    assert scores.exact == pytest.approx(200 / 3)
    assert "tok:13a" in scores.bleu_signature
    assert pairs.score(["the cat sat on the mat"] * 3, found).bleu == pytest.approx(100)
    assert engine.stats()["sequences"] == 0


async def test_a_prompt_without_a_place(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no \{source\}"):
        await pairs.answers(ScriptedEngine(), [pairs.Pair("a", "b")], "Translate")


@pytest.mark.parametrize("row", ['{"source": "a"}', "no json", '{"source": 1, "target": "b"}', "[]"])
def test_lines_that_are_no_pairs(tmp_path: Path, row: str) -> None:
    with pytest.raises(UsageError):
        pairs.read(lines(tmp_path / "p.jsonl", row))
