"""assistant.answer and content.*: the model's words, marked, in shape, refused where they would be fake."""

import asyncio
from pathlib import Path

import pytest
from talk_desk import open_desk

from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.services.language import forms, tongue
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
        (
            "quest",
            " Free the fox.\n1. Find it.\n2. Open the trap.\nReward: A bell.",
            "Goal: Free the fox.\n1. Find it.\n2. Open the trap.\nReward: A bell.",
        ),
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
    for long, kind, asked in (("short", "story", "a very short story"), ("long", "short story", "a short story")):
        assert asked in forms.request(forms.sized(forms.form(kind), long, 0), kind, "x", "", "")


def lines_of(*replies: str) -> list[str]:
    """Replies of a small model, one a part; they begin with the blank behind our label."""
    return [f" {reply}" for reply in replies]


async def test_a_small_model_gives_a_quest_with_goal_steps_and_reward(tmp_path: Path) -> None:
    replies = lines_of(
        "free the fox.\n", "1. ", "the trap\n", "a key.", "Take the key!", "", "the woods", "A silver bell."
    )
    with open_desk(tmp_path, replies, name="smollm2") as desk:
        value = await desk.ok("content.write", kind="quest", topic="a fox in a trap")
        assert value["text"] == (
            "Goal: The hero must free the fox.\n1. Go to the trap.\n2. Look for a key.\n3. Take the key!\n"
            "4. Bring it back to the woods.\nReward: A silver bell."
        ), "what is empty is asked for again, what begins with our words doesn't have them twice"
        assert [part["name"] for part in value["parts"]] == ["goal", "step", "step", "step", "step", "reward"]
        assert desk.person.streamed == value["text"]
        assert desk.engine.requests[-1].endswith("the woods.\nReward:"), "it goes on from what is there"
        assert desk.engine.stats()["cells_used"] == 0
        assert [p.program for p in desk.kernel.processes] == ["init", "shell"]


async def test_what_was_said_before_is_asked_for_again(tmp_path: Path) -> None:
    replies = lines_of("1. Pack.", "pack", "2. Pack!", "Go.", "Rest.", "Eat.", "Sleep.")
    with open_desk(tmp_path, replies, name="smollm2") as desk:
        value = await desk.ok("content.write", kind="plan", topic="a trip")
        assert value["text"] == "1. Pack.\n2. Go.\n3. Rest.\n4. Eat.\n5. Sleep."


async def test_a_sentence_that_comes_again_behind_other_words_of_ours_is_no_step(tmp_path: Path) -> None:
    again = "the hero is the one who must find it"
    replies = lines_of("a bell.", again, *[again] * 4, "the rope", "the bell", "gold.")
    with open_desk(tmp_path, replies, name="smollm2") as desk:
        value = await desk.ok("content.write", kind="quest", topic="a lost bell")
        assert value["text"].splitlines() == [
            "Goal: The hero must a bell.", f"1. Go to {again}.", "2. Take the rope.", "3. Bring it back to the bell.",
            "Reward: Gold.",
        ]  # fmt: skip


async def test_a_dialogue_has_its_speakers_in_turns(tmp_path: Path) -> None:
    replies = lines_of("Good morning.", "Morning.", "It rains.", "It does.", "Shall we?", "No.")
    with open_desk(tmp_path, replies, name="smollm2") as desk:
        value = await desk.ok("content.write", kind="dialogue", topic="rain, between a cat and the postman")
        assert value["text"].splitlines()[:2] == ["Cat: Good morning.", "Postman: Morning."]
        assert len(value["parts"]) == 6


@pytest.mark.parametrize(
    ("style", "steps"), [("in three steps", 3), ("7 steps", 7), ("short", 3), ("detailed", 8), ("", 5)]
)
async def test_the_length_of_a_plan_is_as_it_was_said(tmp_path: Path, style: str, steps: int) -> None:
    replies = lines_of(*(f"Do thing {n}." for n in range(20)))
    with open_desk(tmp_path, replies, name="smollm2") as desk:
        value = await desk.ok("content.write", kind="plan", topic="moving house", style=style)
        assert [line.partition(".")[0] for line in value["text"].splitlines()] == [str(n + 1) for n in range(steps)]


async def test_a_written_length_counts_before_the_style(tmp_path: Path) -> None:
    with open_desk(tmp_path, lines_of(*(f"Do thing {n}." for n in range(20))), name="smollm2") as desk:
        value = await desk.ok("content.write", kind="plan", topic="moving", style="short", length="long")
        assert len(value["parts"]) == 8


async def test_a_story_has_a_beginning_a_turn_and_an_end(tmp_path: Path) -> None:
    replies = ["A boy had a red umbrella. He loved it.", " the wind took it away.", " he found it in a tree."]
    with open_desk(tmp_path, replies, name="smollm2") as desk:
        value = await desk.ok("content.write", kind="story", topic="a lost umbrella")
        assert value["text"] == (
            "A boy had a red umbrella. He loved it.\n\nBut then the wind took it away.\n\nIn the end he found it in a tree."
        )


async def test_a_larger_model_that_loses_the_form_is_held_to_it(tmp_path: Path) -> None:
    replies = [
        " a nice day in the woods. No steps here.",
        " find the key.",
        " the hall.",
        " a chest.",
        " it.",
        " the door.",
        " Gold.",
    ]
    with open_desk(tmp_path, engine=ScriptedEngine(replies, name="qwen-7b")) as desk:
        value = await desk.ok("content.write", kind="quest", topic="a key")
        assert value["text"].startswith("Goal: The hero must find the key.\n1. Go to the hall.") and value[
            "text"
        ].endswith("Reward: Gold.")


async def test_a_part_without_words_is_left_out_and_none_at_all_is_an_error(tmp_path: Path) -> None:
    with open_desk(tmp_path, lines_of("Free the fox."), name="smollm2") as desk:
        value = await desk.ok("content.write", kind="plan", topic="a fox")
        assert value["text"] == "1. Free the fox.", "the same line again and again is no step"
    with open_desk(tmp_path, [""], name="smollm2") as desk:
        assert await desk.error("content.write", kind="quest", topic="a fox") == "EIO"


async def test_a_chinese_quest_has_chinese_labels(tmp_path: Path) -> None:
    reply = "救出狐狸。\n1. 找到陷阱。\n2. 打开它。\n奖励：一个铃铛。"
    with open_desk(tmp_path, engine=ScriptedEngine([reply], name="qwen-7b")) as desk:
        value = await desk.ok("content.write", kind="任务", topic="一只掉进陷阱的狐狸")
        assert value["text"] == f"目标：{reply}"
        assert "Write in Chinese." in desk.engine.requests[-1]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("what makes the sea salty?", "en"),
        ("warum ist das Meer salzig?", "de"),
        ("pourquoi est-ce que la mer est salée ?", "fr"),
        ("¿por qué es salado el agua del mar?", "es"),
        ("perché il mare è salato e non dolce?", "it"),
        ("为什么海水是咸的", "zh"),
        ("海はなぜ塩辛いのですか", "ja"),
        ("почему море солёное?", "ru"),
        ("чому море солоне і тепле?", "uk"),
        ("바다는 왜 짜요?", "ko"),
        ("Munich", ""),
        ("ok", ""),
        ("12 + 3", ""),
        ("", ""),
        ("write to Müller about die Zeit", "en"),
        ("what does 谢谢 mean in the language of the Chinese people", "en"),
    ],
)
def test_the_language_of_a_text(text: str, code: str) -> None:
    assert tongue.of(text) == code


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("French", "fr"),
        ("法语", "fr"),
        ("deutsch", "de"),
        ("simplified Chinese", "zh"),
        ("简体中文", "zh"),
        ("Klingon", ""),
    ],
)
def test_languages_by_name(said: str, code: str) -> None:
    assert tongue.named(said) == code


async def test_a_german_question_to_an_english_model_says_so_in_german(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["Hm."], name="smollm2") as desk:
        value = await desk.ok("assistant.answer", question="warum ist das Meer salzig und nicht süß?")
        assert value["source"] == "system" and "Englisch" in value["text"]
        assert desk.engine.requests == []


async def test_another_model_answers_in_the_language_of_the_person(tmp_path: Path) -> None:
    with open_desk(tmp_path, engine=ScriptedEngine(["Wegen des Salzes."], name="qwen-7b")) as desk:
        await desk.ok("assistant.answer", question="warum ist das Meer salzig und nicht süß?")
        assert "Answer in German." in desk.engine.requests[-1]


async def test_what_comes_back_in_the_old_language_is_no_translation(tmp_path: Path) -> None:
    with open_desk(tmp_path, engine=ScriptedEngine(["The meaning of this is good."], name="qwen-7b")) as desk:
        assert await desk.error("content.translate", text="this is the way to the station", language="Chinese") == "EIO"
        assert await desk.error("content.translate", text="this is the way to the station", language="French") == "EIO"
        assert desk.person.streamed == ""


async def test_a_long_text_is_translated_portion_by_portion(tmp_path: Path) -> None:
    text = "\n\n".join(f"Paragraph {n} is here for the reader and it is long. " * 8 for n in range(8)).strip()
    with open_desk(tmp_path, engine=ScriptedEngine(["Voici le texte."], name="qwen-7b")) as desk:
        value = await desk.ok("content.translate", text=text, language="French")
        assert 2 <= value["text"].count("Voici le texte.") == len(desk.engine.requests)
        given = "".join(request.partition("nothing else.\n\n")[2] for request in desk.engine.requests)
        assert all(f"Paragraph {n} " in given for n in range(8))


async def test_translation_is_refused_and_never_faked(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["Bonjour"], name="smollm2") as desk:
        result = await desk.do("content.translate", text="good morning", language="French")
        assert result.error == "ENOTSUP"
        assert "--model" in result.message and "--translator" in result.message
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


LONG = STORY + " " + " ".join(f"Speaker number {n} thanked the chair and said little about roofs." for n in range(40))


async def test_a_long_text_is_first_its_best_sentences_and_then_put_in_words(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["Speaker number 3 thanked the chair."]) as desk:
        value = await desk.ok("content.summarize", text=LONG)
        assert value["source"] == "model" and "sentences that say most" in value["note"]
        assert len(desk.engine.requests[0]) < len(LONG), "the model reads the best sentences alone"
        assert "old bridge" in desk.engine.requests[0] or "Speaker number" in desk.engine.requests[0]


async def test_of_a_long_text_its_own_sentences_stay_where_the_words_add_something(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["Cats are wonderful animals that sleep."]) as desk:
        value = await desk.ok("content.summarize", text=LONG)
        assert value["source"] == "system"
        assert all(sentence in LONG for sentence in value["text"].split(". "))


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
