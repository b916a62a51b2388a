"""assistant.answer and content.*: the model's words, marked, in shape, refused where they would be fake."""

import asyncio
from pathlib import Path

import pytest
from talk_desk import open_desk

from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.services.language import forms
from llmasos.services.language.models import ability


async def test_an_answer_is_marked_and_streamed(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["Because of the sun. It is hot."]) as desk:
        value = await desk.ok("assistant.answer", question="why is it warm?")
        assert (value["source"], value["text"]) == ("model", "Because of the sun. It is hot.")
        assert desk.person.streamed == value["text"]
        assert desk.engine.stats()["cells_used"] == 0
        assert [p.program for p in desk.kernel.processes] == ["init", "shell"]


async def test_a_question_that_leans_on_the_last_one_gets_it(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["Because of salt."], name="smollm2") as desk:
        await desk.ok("assistant.answer", question="what makes the sea salty?")
        await desk.ok("assistant.answer", question="where does it come from?")
        assert "what makes the sea salty?" in desk.engine.requests[-1]
        await desk.ok("assistant.answer", question="name three colours of paint")
        assert "where does it come from" not in desk.engine.requests[-1]


async def test_a_model_without_words_is_an_error(tmp_path: Path) -> None:
    with open_desk(tmp_path, [""]) as desk:
        assert await desk.error("assistant.answer", question="why?") == "EIO"


async def test_a_chinese_question_to_an_english_model_says_so(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["Hm."], name="smollm2") as desk:
        value = await desk.ok("assistant.answer", question="为什么海水是咸的")
        assert value["source"] == "system"
        assert "英文" in value["text"]
        assert desk.engine.requests == []


async def test_the_process_of_an_answer_can_be_killed(tmp_path: Path) -> None:
    long = " ".join(f"Sentence number {n} is here." for n in range(200))
    with open_desk(tmp_path, [long]) as desk:
        task = asyncio.create_task(desk.do("assistant.answer", question="tell me everything"))
        await desk.person.heard.wait()
        process = next(p for p in desk.kernel.processes if p.program == "words")
        await desk.kernel.processes.kill(process.pid)
        assert (await task).error == "ECANCELED"
        assert desk.shell.alive
        assert desk.engine.stats()["cells_used"] == 0
        assert [p.program for p in desk.kernel.processes] == ["init", "shell"]


@pytest.mark.parametrize(
    ("kind", "reply", "text"),
    [
        ("plan", " pack bags\n2. go\n\nThat is all.\n3. rest", "1. pack bags\n2. go\n3. rest"),
        ("checklist", " milk\n2. bread", "1. milk\n2. bread"),
        ("quest", " Find it. 2. Take it. 3. Run.", "1. Find it.\n2. Take it.\n3. Run."),
        ("haiku", "one\ntwo\nthree\nfour", "one\ntwo\nthree"),
        (
            "email",
            "The heating is broken. Please come.",
            "Subject: Heating\n\nHello,\n\nThe heating is broken. Please come.\n\nBest regards",
        ),
        ("dialogue", " Hi there.\nBen: Hello.", "Anna: Hi there.\nBen: Hello."),
        ("bedtime story", "Once upon a time.", "Once upon a time."),
        ("memo", "It is so.", "It is so."),
    ],
)  # fmt: skip
async def test_each_kind_has_its_form(tmp_path: Path, kind: str, reply: str, text: str) -> None:
    with open_desk(tmp_path, [reply]) as desk:
        value = await desk.ok("content.write", kind=kind, topic="heating", style="polite")
        assert value["text"] == text
        assert value["source"] == "model"
        assert "polite" in desk.engine.requests[-1]
        assert kind in desk.engine.requests[-1]


def test_kinds_are_known_by_their_noun() -> None:
    assert forms.form("short bedtime story").titled
    assert forms.form("Poems").lines == 14
    assert forms.form("诗").lines == 14
    assert forms.form("manifesto") is forms.PLAIN
    assert "an angry email about x" in forms.request(forms.form("email"), "email", "x", "angry", "")


async def test_translation_is_refused_and_never_faked(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["Bonjour"], name="smollm2") as desk:
        result = await desk.do("content.translate", text="good morning", language="French")
        assert result.error == "ENOTSUP"
        assert "--model" in result.message
        assert desk.engine.requests == []
        assert await desk.error("content.write", kind="poem", topic="the moon", language="Chinese") == "ENOTSUP"


async def test_a_larger_model_translates(tmp_path: Path) -> None:
    with open_desk(tmp_path, engine=ScriptedEngine(["Bonjour"], name="models/qwen-7b.gguf")) as desk:
        assert (await desk.ok("content.translate", text="good morning", language="French"))["text"] == "Bonjour"


STORY = (
    "The council met on Tuesday evening. It talked about the old bridge for two hours. "
    "Repairs would cost 40,000 euros. In the end the vote was put off until May."
)


async def test_a_short_text_is_summarized_in_words(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["The council put off the vote about the old bridge until May."]) as desk:
        value = await desk.ok("content.summarize", text=STORY)
        assert (value["source"], value["text"]) == (
            "model",
            "The council put off the vote about the old bridge until May.",
        )


@pytest.mark.parametrize("reply", ["The council in Paris paid 90,000 euros.", "Cats are wonderful animals that sleep."])
async def test_a_summary_that_adds_something_is_not_shown(tmp_path: Path, reply: str) -> None:
    with open_desk(tmp_path, [reply]) as desk:
        value = await desk.ok("content.summarize", text=STORY)
        assert value["source"] == "system"
        assert all(sentence in STORY for sentence in value["text"].split(". "))
        assert reply not in desk.person.streamed


async def test_a_long_text_is_summarized_by_its_own_sentences(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        value = await desk.ok("content.summarize", text=f"{STORY} " * 20)
        assert value["source"] == "system"
        assert desk.engine.requests == []


@pytest.mark.parametrize(
    ("call", "args"),
    [
        ("assistant.answer", {"question": " "}),
        ("content.summarize", {"text": ""}),
        ("content.write", {"kind": "poem", "topic": "z" * 10_000}),
    ],
)
async def test_hostile_arguments(tmp_path: Path, call: str, args: dict[str, str]) -> None:
    with open_desk(tmp_path) as desk:
        assert await desk.error(call, **args) in ("EINVAL", "E2BIG")


@pytest.mark.parametrize(
    ("name", "tiny"),
    [
        ("smollm2", True),
        ("SmolLM2-1.7B.gguf", False),
        ("gemma-3-270m-it", True),
        ("qwen2.5-7b", False),
        ("mistral-7b-instruct-v0.1", False),
        ("tiny-0.1b", True),
        ("scripted", False),
    ],
)
def test_what_to_expect_of_a_model(name: str, tiny: bool) -> None:
    assert ability(name).tiny is tiny
