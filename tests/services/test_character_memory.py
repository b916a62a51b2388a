"""What characters are told, make of it, and forget."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from talk_desk import Desk, in_new_process, open_desk

from llmasos.core.engine.base import Sampling
from llmasos.services.characters import thinking


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        yield desk


async def say(desk: Desk, message: str, name: str = "Alice") -> str:
    return str((await desk.ok("character.chat", name=name, message=message))["text"])


async def memories(desk: Desk, query: str = "", as_: str = "") -> list[str]:
    args = {"query": query} if query else {}
    return [row["text"] for row in (await desk.ok("character.memories", name="Alice", as_=as_, **args))["items"]]


async def test_a_fact_told_outside_of_a_talk_is_known_and_no_line_of_it(desk: Desk) -> None:
    await desk.ok("character.create", name="Alice")
    await desk.ok("character.remember", name="Alice", text="The boat is called Albatross.")
    await say(desk, "What is the boat called?")
    prompt = desk.engine.requests[-1]
    assert '(ada told you: "The boat is called Albatross.")' in prompt
    assert prompt.count("Albatross") == 1
    await desk.undo()
    await desk.undo()
    assert await memories(desk) == []


async def test_memories_say_what_is_outdated(desk: Desk) -> None:
    await desk.ok("character.create", name="Alice")
    await say(desk, "I live in Lisbon.")
    await say(desk, "I moved to Porto.")
    rows = (await desk.ok("character.memories", name="Alice"))["items"]
    assert [(row["text"], row["outdated"]) for row in rows] == [
        ("I moved to Porto.", False),
        ("I live in Lisbon.", True),
    ]
    assert await memories(desk, "where do I live") == ["I live in Lisbon."]


async def test_the_newest_is_recalled_and_what_it_corrects_is_not(desk: Desk) -> None:
    await desk.ok("character.create", name="Alice")
    await say(desk, "My dog is called Rex.")
    for number in range(40):
        await say(desk, f"Nothing much happened on the {number}th hour.")
    await say(desk, "I was wrong, my dog's name is Max.")
    for number in range(40):
        await say(desk, f"It is the {number}th mile of the way.")
    await say(desk, "What is my dog's name?")
    assert "Max" in desk.engine.requests[-1]
    assert "Rex" not in desk.engine.requests[-1]


async def test_a_correction_that_others_did_not_hear_changes_nothing_for_them(desk: Desk) -> None:
    ref = await desk.characters.create("ada", "Alice")
    log = desk.characters.cast.log(desk.characters.cast.get(ref.id))
    await log.append(at="2026-03-01", speaker="ada", text="My dog is called Rex.", witnesses=(ref.id, "ada", "bob"))
    await log.append(at="2026-03-01", speaker="ada", text="Actually, my dog's name is Max.", witnesses=(ref.id, "ada"))
    for person, name in (("ada", "Max"), ("bob", "Rex")):
        hits = await log.recall("What is my dog's name?", ref.id, person, before=99)
        assert [name in hit.item.text for hit in hits] == [True]


async def test_what_was_never_told_is_said_to_be_unknown(tmp_path: Path) -> None:
    with open_desk(tmp_path, name="smollm2") as desk:
        await desk.ok("character.create", name="Alice")
        await say(desk, "My brother lives in Oslo.")
        assert await say(desk, "What is my cat called?") == "I don't know. I don't remember that you told me."
        assert await say(desk, "What is my name?") == "You are ada."
        assert await say(desk, "What should I cook tonight?") == "Fine."
    with open_desk(tmp_path) as desk:
        await say(desk, "What is my cat called?")
        assert "ada may never have told you that." in desk.engine.requests[-1]
        await say(desk, "Where does my brother live? In Oslo?")
        assert "may never have told" not in desk.engine.requests[-1].rpartition("user\n")[2]


async def test_asked_for_promises_it_knows_them(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["I promise to wait for you."], name="smollm2") as desk:
        await desk.ok("character.create", name="Alice")
        await say(desk, "Will you wait?")
        assert await say(desk, "What did you promise me?") == 'I told you: "I promise to wait for you."'
        knows = (await desk.ok("character.show", name="Alice"))["fields"]["knows"]
        assert knows.startswith("ada: somebody it has met, 2 lines since 2026-03-01")
        assert "was promised: “I promise to wait for you.”" in knows


async def test_forget_erases_the_line_its_echoes_and_what_was_made_of_it(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["Fine."]) as desk:
        await desk.ok("character.create", name="Alice")
        for number in range(4):
            await say(desk, f"My harmonica number {number} is silver.")
        await say(desk, "My brother lives in Oslo.")
        character = desk.characters.cast.find("ada", "Alice")
        desk.characters.conversations.thinking.begin(character)
        await desk.characters.conversations.thinking.settled()
        assert any("harmonica" in text for text in await memories(desk, "harmonica") if text.startswith("ada often"))
        await desk.ok("character.forget", name="Alice", query="harmonica")
        assert "My harmonica number 2 is silver." in desk.person.consents[-1]["erases"]
        assert await memories(desk, "harmonica") == []
        assert "harmonica" not in " ".join(await memories(desk))
        assert "harmonica number" not in desk.journal_text()
        assert "Oslo" in desk.journal_text()
        assert await desk.error("character.forget", name="Alice", query="harmonica") == "ENOENT"
    with open_desk(tmp_path) as desk:
        assert await memories(desk) == ["My brother lives in Oslo."]
        await say(desk, "What about the harmonica?")
        assert "silver" not in desk.engine.requests[-1]


async def test_thinking_is_a_background_process_that_names_its_evidence(desk: Desk) -> None:
    await desk.ok("character.create", name="Alice")
    seen = []
    spawn = desk.kernel.processes.spawn

    def watched(*args, **options):  # type: ignore[no-untyped-def]
        process = spawn(*args, **options)
        seen.append((process.program, process.priority, process.subject))
        return process

    desk.kernel.processes.spawn = watched  # type: ignore[method-assign]
    for number in range(int(thinking.ENOUGH) + 1):
        await say(desk, f"My garden has {number} beds." if number % 3 == 0 else f"I saw {number} ships.")
    await desk.characters.conversations.thinking.settled()
    assert ("reflect", "background", "character:Alice") in seen
    assert not any(process.program == thinking.PROGRAM for process in desk.kernel.processes)
    character = desk.characters.cast.find("ada", "Alice")
    log, thoughts = desk.characters.cast.log(character), desk.characters.cast.thoughts(character).known_to("ada")
    assert any("garden" in thought.text or "beds" in thought.text for thought in thoughts)
    for thought in thoughts:
        for number in thought.evidence:
            assert thought.witnesses <= log.get(number).witnesses


async def test_a_talk_that_is_over_becomes_one_thought_in_its_own_words(desk: Desk) -> None:
    await desk.ok("character.create", name="Alice")
    for line in (
        "I live in Lisbon.",
        "My dog is called Rex.",
        "I am a welder.",
        "My car is green.",
        "I have two sons.",
        "My flat is small.",
    ):
        await say(desk, line)
    desk.clock.advance(timedelta(hours=5).total_seconds())
    for line in ("Hello again!", "I slept well this night."):
        await say(desk, line)
    await desk.characters.conversations.thinking.settled()
    (thought,) = desk.characters.cast.thoughts(desk.characters.cast.find("ada", "Alice")).known_to("ada")
    assert thought.kind == "sitting"
    assert thought.text.startswith("On 2026-03-01 ada told:")
    assert len(thought.evidence) == 2
    await say(desk, "Do you know anything about Lisbon or Rex or a welder?")
    assert "On 2026-03-01 ada told:" in desk.engine.requests[-1]


async def test_thoughts_are_not_told_where_somebody_was_not_there(desk: Desk) -> None:
    ref = await desk.characters.create("ada", "Alice")
    character = desk.characters.cast.get(ref.id)
    for number in range(4):
        await say(desk, f"My canary number {number} sings.")
    desk.characters.conversations.thinking.begin(character)
    await desk.characters.conversations.thinking.settled()
    assert desk.characters.cast.thoughts(character).known_to(ref.id, "ada")
    assert desk.characters.cast.thoughts(character).known_to(ref.id, "bob") == []
    async for _ in desk.characters.chat(ref, "What of the canary? Which canary sings?", person="bob"):
        pass
    assert "number" not in desk.engine.requests[-1]


async def test_what_is_taken_back_is_not_thought_of(desk: Desk) -> None:
    await desk.ok("character.create", name="Alice")
    for number in range(3):
        await say(desk, f"My harmonica number {number} is silver.")
    character = desk.characters.cast.find("ada", "Alice")
    desk.characters.conversations.thinking.begin(character)
    await desk.characters.conversations.thinking.settled()
    assert len(desk.characters.cast.thoughts(character)) > 0
    await desk.undo()
    assert len(desk.characters.cast.thoughts(character)) == 0


AGAIN = """
import asyncio, sys
from pathlib import Path
from talk_desk import open_desk

async def main():
    with open_desk(Path(sys.argv[1])) as desk:
        character = desk.characters.cast.find("ada", "Alice")
        thinking = desk.characters.conversations.thinking
        thinking.begin(character)
        await thinking.settled()
        for thought in desk.characters.cast.thoughts(character).known_to("ada"):
            print(thought.id, thought.text, thought.evidence, sorted(thought.witnesses))

asyncio.run(main())
"""


async def test_thinking_the_same_again_in_new_processes_makes_no_second_thought(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        await desk.ok("character.create", name="Alice")
        for number in range(9):
            await say(desk, f"My garden has {number} beds." if number % 3 == 0 else f"I saw {number} ships.")
    outputs = [await in_new_process(AGAIN, tmp_path, salt) for salt in ("1", "2")]
    assert "garden" in outputs[0]
    assert sorted(outputs[0].splitlines()) == sorted(outputs[1].splitlines())


async def test_goals_scenario_lore_and_voice(desk: Desk) -> None:
    lore = '["The sea is near.", {"keys": "dragon", "content": "It sleeps."}]'
    await desk.ok(
        "character.create", name="Alice", scenario="A lighthouse in winter.", goals="find her brother\nsee the south",
        lore=lore, seed="7", temperature="0.2", language="German",
    )  # fmt: skip
    await say(desk, "Is there a dragon?")
    system = desk.engine.requests[-1].partition("<|im_end|>")[0]
    assert "A lighthouse in winter." in system
    assert "What you want: find her brother; see the south." in system
    assert "The sea is near." in system
    assert "You speak German, and answer in it." in system
    shown = (await desk.ok("character.show", name="Alice"))["fields"]
    assert (shown["goals"], shown["lore"], shown["voice"]) == (
        "find her brother; see the south",
        "2 entries",
        "seed 7, temperature 0.2",
    )
    await desk.ok("character.create", name="Alice", temperature="0.9")
    assert (await desk.ok("character.show", name="Alice"))["fields"]["voice"] == "seed 7, temperature 0.9"
    await desk.undo()
    assert (await desk.ok("character.show", name="Alice"))["fields"]["voice"] == "seed 7, temperature 0.2"
    for wrong in (
        {"lore": "x"},
        {"lore": "[5]"},
        {"lore": "{}"},
        {"temperature": "9"},
        {"seed": "-1"},
        {"goals": "x" * 400},
    ):
        assert await desk.error("character.create", name="Alice", **wrong) in ("EINVAL", "E2BIG")


async def test_what_was_said_of_its_voice_is_how_its_words_are_drawn(desk: Desk) -> None:
    drawn: list[Sampling] = []
    desk.engine.on_generated = lambda generated: drawn.append(generated.sampling)
    voice = {"seed": "7", "temperature": "0.2", "top_p": "0.5", "max_tokens": "40"}
    await desk.ok("character.create", name="Alice", **voice)
    await desk.ok("character.create", name="Bram")
    await say(desk, "Good morning.")
    await desk.ok("character.chat", name="Bram", message="Good morning.")
    hers, his = drawn
    assert (hers.seed, hers.temperature, hers.top_p, hers.max_tokens) == (7, 0.2, 0.5, 40)
    assert (his.temperature, his.top_p, his.max_tokens) == (0.7, 0.95, 300)
    for wrong in ({"top_p": "0"}, {"top_p": "1.5"}, {"max_tokens": "0"}, {"max_tokens": "9000"}):
        assert await desk.error("character.create", name="Alice", **wrong) == "EINVAL"


async def test_rest_ends_the_process_and_keeps_the_memory(desk: Desk) -> None:
    await desk.ok("character.create", name="Alice")
    await say(desk, "I live in Lisbon.")
    await desk.ok("character.rest", name="Alice")
    assert desk.kernel.processes.find("character", "Alice") is None
    assert desk.engine.stats()["cells_used"] == 0
    await say(desk, "Where do I live?")
    assert "I live in Lisbon." in desk.engine.requests[-1]


async def test_another_person_sees_nothing_of_it(desk: Desk) -> None:
    await desk.ok("character.create", name="Alice")
    await say(desk, "I live in Lisbon.")
    result = await desk.do("character.memories", as_="bob", name="Alice")
    assert result.error == "ENOENT"
