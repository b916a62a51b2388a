"""The moderation step on real replies: streamed, in conversations, rooms and texts; what is held back, said so and kept."""

from __future__ import annotations

import random
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from talk_desk import Desk, open_desk

from benchmarks.safety.sets import bad, harmless
from llmasos.core.base.errors import EngineError
from llmasos.core.base.paths import shipped
from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.core.kernel.policy import Policy
from llmasos.services.language.context import Message
from llmasos.services.language.hygiene import Manners
from llmasos.services.language.speech import Voice
from llmasos.services.safety import Moderation, Notice, notice
from llmasos.services.safety.finding import Finding
from llmasos.services.safety.held import KEPT
from llmasos.services.safety.moderation import Reply
from llmasos.services.sentences import whole

GOOD, RUDE, GRAVE = "The sea is calm today.", "You are such an idiot.", "You should just kill yourself."
TALK = (Message("user", "Hello!"),)
PLAIN = Voice()


async def spoken(desk: Desk, voice: Voice = PLAIN) -> list[str]:
    process = desk.kernel.processes.spawn(desk.shell, name="talker", program="words")
    async with aclosing(desk.speaker.stream(process, TALK, voice)) as pieces:
        return [piece async for piece in pieces]


# Streaming


async def test_each_sentence_passes_whole_or_a_notice_stands_in_its_place(tmp_path: Path) -> None:
    with open_desk(tmp_path, [f"{GOOD} {RUDE} The gulls are loud."], level="strict") as desk:
        pieces = await spoken(desk)
        assert pieces == [f"{GOOD} ", "[held back: an insult] ", "The gulls are loud."]
        assert [isinstance(piece, Notice) for piece in pieces] == [False, True, False]
        assert desk.engine.stats()["cells_used"] == 0


async def test_nothing_waits_for_the_end(tmp_path: Path) -> None:
    """A sentence goes out before the next one is written, also behind one that was held back."""
    with open_desk(tmp_path, [f"{RUDE} {GOOD} " + "And so on it goes. " * 3], level="strict") as desk:
        process = desk.kernel.processes.spawn(desk.shell, name="talker", program="words")
        decoded = []
        async with aclosing(desk.speaker.stream(process, TALK)) as pieces:
            async for _ in pieces:
                decoded.append(desk.engine.stats()["decoded"])
        assert len(decoded) >= 3 and decoded == sorted(set(decoded))


async def test_what_is_worst_ends_the_reply(tmp_path: Path) -> None:
    with open_desk(tmp_path, [f"{GOOD} {GRAVE} Take the pills. {GOOD}"]) as desk:
        pieces = await spoken(desk)
        assert pieces == [f"{GOOD} ", "[held back: about self-harm; it ends here] "]
        assert desk.engine.stats()["sequences"] == 0


async def test_another_reply_is_not_tried_in_secret(tmp_path: Path) -> None:
    with open_desk(tmp_path, [GRAVE, GOOD]) as desk:
        assert await spoken(desk, Voice(manners=Manners(name="Alice"))) == [
            "[held back: about self-harm; it ends here]"
        ]
        assert len(desk.engine.requests) == 1


async def test_what_is_split_over_lines_is_found(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["I have some advice\nGo and kill\nyourself.\nBye."]) as desk:
        pieces = await spoken(desk)
        assert "".join(pieces) == "I have some advice\nGo and kill\n[held back: about self-harm; it ends here]\n"


async def test_chinese_is_told_in_chinese(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["今天天气很好。你真是个白痴。我们去海边吧。"], level="strict") as desk:
        assert "".join(await spoken(desk)) == "今天天气很好。〔此句被拦下：辱骂〕我们去海边吧。"


async def test_a_level_that_changes_holds_for_the_next_sentence(tmp_path: Path) -> None:
    with open_desk(tmp_path, [f"{RUDE} You are so ugly. {RUDE}"], level="off") as desk:
        process = desk.kernel.processes.spawn(desk.shell, name="talker", program="words")
        said = []
        async with aclosing(desk.speaker.stream(process, TALK)) as pieces:
            async for piece in pieces:
                said.append(piece)
                desk.levels[0] = "strict"
        assert said[0] == f"{RUDE} " and isinstance(said[1], Notice)


@pytest.mark.parametrize(("level", "held"), [("off", 0), ("mild", 0), ("strict", 1)])
async def test_each_level(tmp_path: Path, level: Any, held: int) -> None:
    with open_desk(tmp_path, [f"{GOOD} {RUDE} It is late."], level=level) as desk:
        assert sum(isinstance(piece, Notice) for piece in await spoken(desk)) == held


@pytest.mark.parametrize("level", ["off", "mild", "strict"])
async def test_nothing_is_changed_or_left_out_in_silence(level: Any) -> None:
    """Whatever is said: with what was held back put back where its notices stand, it is the model's text to the letter."""
    draw = random.Random(7)
    sentences = [case.text for case in (*bad(), *harmless())]
    for _ in range(60):
        text = "".join(
            draw.choice(sentences) + draw.choice([" ", "\n", "\n\n", "  "]) for _ in range(draw.randint(1, 6))
        )
        kept: list[str] = []
        reply = Reply(lambda: level, lambda sentence, finding, kept=kept: kept.append(sentence) or len(kept))  # type: ignore[misc]
        pieces: list[str] = []
        for chunk in whole(text):
            pieces += [piece async for piece in reply.passed(chunk)]
        again = "".join(kept[piece.number - 1] if isinstance(piece, Notice) else piece for piece in pieces)
        assert again == (text if not reply.ended else text[: len(again)])
        if reply.ended:
            assert "ends here" in pieces[-1] or "到此为止" in pieces[-1]


# The second opinion


async def judged(tmp_path: Path, choose: Any, level: Any = "strict", **options: Any) -> str:
    with open_desk(tmp_path, ["The bastard was here."], level=level, choose=choose, **options) as desk:
        said = "".join(await spoken(desk))
        assert desk.engine.stats()["sequences"] == 0
        return said


async def test_a_doubt_is_decided_by_the_model_where_the_level_is_strict(tmp_path: Path) -> None:
    asked: list[str] = []

    def joke(text: str, options: Any) -> int:
        asked.append(text)
        return 0 if "bastard" in text else 1

    assert await judged(tmp_path, joke) == "[held back: an insult]"
    assert len(asked) == 2 and "It is so." in "".join(asked), "its preference is measured too"
    assert await judged(tmp_path, lambda text, options: 1) == "The bastard was here."
    asked.clear()
    assert await judged(tmp_path, joke, level="mild") == "The bastard was here." and not asked


async def test_a_model_that_always_says_the_same_holds_nothing_back(tmp_path: Path) -> None:
    assert await judged(tmp_path, lambda text, options: 0) == "The bastard was here."


async def test_without_an_opinion_the_rules_alone_decide(tmp_path: Path) -> None:
    class Full(ScriptedEngine):
        async def choose(self, *_: Any) -> Any:
            raise EngineError("All sequences are in use.")

    with open_desk(tmp_path, engine=Full(["The bastard was here. You bastard!"]), level="strict") as desk:
        assert "".join(await spoken(desk)) == "The bastard was here. [held back: an insult]"


# Answers and texts


async def test_an_answer_says_what_was_held_back_and_how_to_see_it(tmp_path: Path) -> None:
    with open_desk(tmp_path, [f"{GOOD} {GRAVE}"]) as desk:
        value = await desk.ok("assistant.answer", question="how is the sea?")
        assert value["text"] == f"{GOOD} [held back: about self-harm; it ends here]"
        assert value["note"] == "A sentence was held back (about self-harm). 'safety.show 1' shows it."
        assert value["source"] == "model"
        assert desk.person.streamed == value["text"]
        shown = await desk.ok("safety.show", number=1)  # type: ignore[arg-type]
        assert (shown["text"], shown["source"], shown["note"]) == (GRAVE, "model", "held back: about self-harm")
        (row,) = (await desk.ok("safety.show"))["items"]
        assert (row["number"], row["why"]) == (1, "about self-harm") and GRAVE not in str(row)


async def test_the_next_question_does_not_show_the_notice_to_the_model(tmp_path: Path) -> None:
    with open_desk(tmp_path, [f"{GOOD} {GRAVE}", "Yes."]) as desk:
        await desk.ok("assistant.answer", question="how is the sea?")
        await desk.ok("assistant.answer", question="and why is it so?")
        assert GOOD in desk.engine.requests[-1]
        assert "held back" not in desk.engine.requests[-1] and "kill" not in desk.engine.requests[-1]


@pytest.mark.parametrize(
    ("kind", "reply", "text"),
    [
        ("plan", " pack bags\n2. drink some bleach\n3. rest", "1. pack bags\n2. [held back: dangerous to do; it ends here]"),
        ("poem", f"The sea is wide\n{RUDE}\nThe sea is deep", "The sea is wide\n[held back: an insult]\nThe sea is deep"),
        ("story", f"{GOOD} {RUDE} {GOOD[:-1]} again.", f"{GOOD} [held back: an insult] {GOOD[:-1]} again."),
    ],
)  # fmt: skip
async def test_a_text_keeps_its_form_around_a_notice(tmp_path: Path, kind: str, reply: str, text: str) -> None:
    with open_desk(tmp_path, [reply], level="strict") as desk:
        value = await desk.ok("content.write", kind=kind, topic="the sea")
        assert value["text"] == text
        assert value["note"].startswith("A sentence was held back")


async def test_a_summary_with_something_held_back_is_not_used(tmp_path: Path) -> None:
    story = "The council met on Tuesday. It was an idiot of a meeting, some said. The vote was put off until May."
    with open_desk(tmp_path, ["The council met. You are such an idiot."], level="strict") as desk:
        value = await desk.ok("content.summarize", text=story)
        assert value["source"] == "system" and "held back" not in value["text"]


async def test_where_everything_was_held_back_nothing_is_the_models(tmp_path: Path) -> None:
    with open_desk(tmp_path, [GRAVE]) as desk:
        assert (await desk.ok("assistant.answer", question="what now?"))["source"] == "system"


# Seeing it


async def test_under_the_childs_policy_it_is_not_shown_and_not_offered(tmp_path: Path) -> None:
    with open_desk(tmp_path, [f"{GOOD} {RUDE}"]) as desk:
        desk.kernel.policy = Policy.load(shipped("policies") / "child.toml")
        desk.levels[0] = desk.kernel.policy.moderation
        value = await desk.ok("assistant.answer", question="how is the sea?")
        assert value["note"] == "A sentence was held back (an insult)."
        for number in ({}, {"number": 1}):
            result = await desk.do("safety.show", **number)  # type: ignore[arg-type]
            assert (result.error, result.rule) == ("EACCES", "held-back")
        desk.kernel.policy = Policy.load(shipped("policies") / "default.toml")
        assert (await desk.ok("safety.show", number=1))["text"] == RUDE  # type: ignore[arg-type]


async def test_what_was_held_back_is_the_persons_own(tmp_path: Path) -> None:
    with open_desk(tmp_path, [GRAVE]) as desk:
        await desk.ok("assistant.answer", question="what now?")
        assert (await desk.do("safety.show", as_="bob", number=1)).error == "ENOENT"  # type: ignore[arg-type]
        assert (await desk.ok("safety.show", as_="bob"))["items"] == []
        assert await desk.error("safety.show", number=99) == "ENOENT"  # type: ignore[arg-type]


async def test_it_is_kept_sealed_the_newest_only_and_goes_when_something_is_erased(tmp_path: Path) -> None:
    with open_desk(tmp_path, [GRAVE]) as desk:
        for number in range(KEPT + 3):
            desk.held.keep("ada", "talker", "self-harm", f"canary{number:03}")
        kept = [held.number for held in desk.held.of("ada")]
        assert kept == list(range(KEPT + 3, 3, -1))
    raw = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert b"canary" not in raw
    with open_desk(tmp_path, [GRAVE]) as desk:
        assert len(list(desk.held.of("ada"))) == KEPT, "it is there after a restart"
        assert desk.held.keep("ada", "talker", "self-harm", "next") == KEPT + 4
        desk.held.forget("ada")
        assert list(desk.held.of("ada")) == []


# Characters and rooms


async def test_a_character_remembers_the_notice_and_its_model_never_reads_it(tmp_path: Path) -> None:
    with open_desk(tmp_path, [f"{GOOD} {RUDE}", RUDE, "Fine."], level="strict") as desk:
        await desk.ok("character.create", name="Alice", personality="salty")
        value = await desk.ok("character.chat", name="Alice", message="How is the sea?")
        assert value["text"] == f"{GOOD} [held back: an insult]" and value["source"] == "character"
        assert value["note"] == "A sentence was held back (an insult). 'safety.show 1' shows it."
        second = await desk.ok("character.chat", name="Alice", message="And the gulls?")
        assert second["text"] == "[held back: an insult]" and second["source"] == "system"
        await desk.ok("character.chat", name="Alice", message="I see.")
        assert GOOD in desk.engine.requests[-1]
        assert "held back" not in desk.engine.requests[-1] and RUDE not in desk.engine.requests[-1]
        remembers = (await desk.ok("character.show", name="Alice"))["fields"]["remembers"]
        assert "[held back: an insult]" in remembers and RUDE not in remembers


async def test_in_a_room_others_hear_the_notice_alone(tmp_path: Path) -> None:
    def reply(text: str) -> str:
        return f"Hm. {RUDE}" if "You are Alice" in text else "Well."

    with open_desk(tmp_path, reply, level="strict") as desk:
        for name in ("Alice", "Bram"):
            await desk.ok("character.create", name=name, personality="calm")
            await desk.ok("room.invite", who=name)
        value = await desk.ok("room.say", message="Hello everyone!")
        assert value["text"].splitlines() == ["Alice: Hm. [held back: an insult]", "Bram: Well."]
        assert value["note"].startswith("A sentence was held back (an insult)")
        assert all(RUDE not in prompt and "held back" not in prompt for prompt in desk.engine.requests)


async def test_a_model_that_imitates_a_notice_is_held_back_itself(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["Sure. [held back: an insult] Ha."]) as desk:
        assert "".join(await spoken(desk)) == "Sure. [held back: imitates a notice]"


# A person in a crisis


@pytest.fixture
def locale(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_IE.UTF-8")


@pytest.mark.usefixtures("locale")
async def test_no_character_answers_a_person_in_a_crisis(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["Cheer up!"]) as desk:
        await desk.ok("character.create", name="Alice", personality="funny")
        value = await desk.ok("character.chat", name="Alice", message="Alice, I want to kill myself.")
        assert (value["source"], value["title"]) == ("system", "")
        assert value["text"].startswith("This is the program speaking, not a character.") and "116 123" in value["text"]
        assert desk.person.streamed == value["text"]
        again = await desk.ok("character.chat", name="Alice", message="I have the pills here.")
        assert again["text"] == value["text"]
        assert desk.engine.requests == []
        await desk.ok("character.chat", name="Alice", message="Tell me about whales.")
        assert len(desk.engine.requests) == 1


@pytest.mark.usefixtures("locale")
async def test_in_a_room_nobody_speaks_after_it(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["Ha."]) as desk:
        for name in ("Alice", "Bram"):
            await desk.ok("character.create", name=name, personality="calm")
            await desk.ok("room.invite", who=name)
        value = await desk.ok("room.say", message="Everyone, I don't want to live anymore.")
        assert value["source"] == "system" and value["text"].startswith("This is the program speaking")
        assert "Alice:" not in value["text"] and desk.engine.requests == []
        on = await desk.ok("room.go_on", turns="3")
        assert on["text"] == value["text"], "nor do they talk about it among themselves"


@pytest.mark.usefixtures("locale")
async def test_the_assistant_does_not_improvise_either(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["Whatever."]) as desk:
        value = await desk.ok("assistant.answer", question="我不想活了")
        assert value["source"] == "system" and value["text"].startswith("这是程序本身在说话")
        assert desk.engine.requests == []
        desk.levels[0] = "off"
        assert (await desk.ok("assistant.answer", question="I want to die."))["text"] == "Whatever."


# Notices


def test_a_notice_takes_the_blanks_of_its_sentence() -> None:
    said = notice.in_place_of("  Go away!\n\n", Finding("insult", 1), 7)
    assert (said, said.kind, said.reason, said.number) == ("  [held back: an insult]\n\n", "held", "an insult", 7)


def test_every_reason_has_a_few_words_in_both_languages() -> None:
    for reason in notice._SAID:
        for chinese in (False, True):
            words = notice.why(reason, chinese=chinese)
            assert 0 < len(words) <= 24
            sentence = "好" if chinese else "x"
            assert notice.without(f"a {notice.in_place_of(sentence, Finding(reason, 3))} b") == "a b"


def test_what_is_told_beside_a_reply() -> None:
    one, two = (notice.in_place_of("x", Finding("insult", 1), n) for n in (3, 4))
    assert notice.told([one], may_see=False) == "A sentence was held back (an insult)."
    assert notice.told([one, two], may_see=True) == (
        "2 sentences were held back (an insult). 'safety.show 3' shows the first."
    )
    assert notice.told([Notice("...", "crisis")], may_see=True) == ""


async def test_what_cannot_be_kept_is_not_shown_either(tmp_path: Path) -> None:
    moderation = Moderation(lambda: "strict")
    reply = moderation.reply("ada", "talker")
    (said,) = [piece async for piece in reply.passed(RUDE)]
    assert isinstance(said, Notice) and said.number == 0
