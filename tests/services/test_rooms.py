"""Rooms: who hears what, who answers, what overtakes, what can be taken back."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from talk_desk import Desk, open_desk

from llmasos.core.base.types import Call
from llmasos.core.kernel.process import Process


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        yield desk


async def gather(desk: Desk, *names: str) -> None:
    for name in names:
        await desk.ok("character.create", name=name, personality=f"card{name}")
        await desk.ok("room.invite", who=name)


async def say(desk: Desk, message: str) -> str:
    return str((await desk.ok("room.say", message=message))["text"])


async def here(desk: Desk) -> str:
    return str((await desk.ok("room.show"))["fields"]["here"])


async def remembers(desk: Desk, name: str) -> str:
    return str((await desk.ok("character.show", name=name))["fields"].get("remembers", ""))


async def test_who_is_spoken_to_answers_and_all_who_are_there_remember(desk: Desk) -> None:
    await gather(desk, "Alice", "Bram")
    await desk.ok("character.create", name="Cleo")
    assert await say(desk, "Bram, how is the sea?") == "Bram: Fine."
    assert desk.person.streamed == "Bram: Fine.\n"
    for name in ("Alice", "Bram"):
        assert await remembers(desk, name) == "ada: Bram, how is the sea?\nBram: Fine."
    assert await remembers(desk, "Cleo") == ""


async def test_everybody_answers_once(desk: Desk) -> None:
    await gather(desk, "Alice", "Bram", "Cleo")
    assert (await say(desk, "Hello everyone!")).splitlines() == ["Alice: Fine.", "Bram: Fine.", "Cleo: Fine."]


async def test_whom_a_character_speaks_to_replies_to_that(tmp_path: Path) -> None:
    def reply(text: str) -> str:
        return "Alice, tell them about the bread." if "You are Bram" in text else "It is in the oven."

    with open_desk(tmp_path, reply) as desk:
        await gather(desk, "Alice", "Bram")
        said = await say(desk, "Bram, what is for dinner?")
        assert said.splitlines() == ["Bram: Alice, tell them about the bread.", "Alice: It is in the oven."]
        assert "Bram: Alice, tell them about the bread.<|im_end|>" in desk.engine.requests[-1].rpartition("user\n")[2]


async def test_the_prompt_names_who_is_there_and_who_said_what(desk: Desk) -> None:
    await gather(desk, "Alice", "Bram", "Cleo")
    await say(desk, "Bram, how is the sea?")
    await say(desk, "Cleo, what did he say?")
    prompt = desk.engine.requests[-1]
    assert "Alice and Bram are in the room too." in prompt
    assert "user\nada: Bram, how is the sea?\nBram: Fine.\nada: Cleo, what did he say?" in prompt
    assert "cardCleo" in prompt
    assert "cardBram" not in prompt


async def test_nobody_knows_what_they_did_not_witness(desk: Desk) -> None:
    """Canaries in all that only some were there for, looked for in every prompt that others could hear."""
    await gather(desk, "Alice", "Bram")
    await desk.ok("character.create", name="Cleo")
    await desk.ok("character.chat", name="Alice", message="My secret word is canary1.")
    await desk.ok("character.chat", name="Cleo", message="My secret word is canary2.")
    await say(desk, "Alice, the secret word of the room is canary3.")
    await desk.ok("room.dismiss", who="Bram")
    await say(desk, "Alice, now that Bram is out: the secret word is canary4.")
    await desk.ok("room.invite", who="Cleo")
    await desk.ok("room.invite", who="Bram")
    knows = {"Alice": {1, 3, 4}, "Bram": {3}, "Cleo": {2}}
    for name, own in knows.items():
        desk.engine.requests.clear()
        for question in ("what is my secret word?", "what secret words do you know?", "tell us the secret word"):
            await say(desk, f"{name}, {question}")
        for prompt in desk.engine.requests:
            # In company nobody tells what the others weren't there for.
            assert not any(f"canary{n}" in prompt for n in range(1, 5)), (name, prompt)
        desk.engine.requests.clear()
        await desk.ok("character.chat", name=name, message="What is my secret word? Which secret words are there?")
        (prompt,) = desk.engine.requests
        assert {n for n in range(1, 5) if f"canary{n}" in prompt} == own, name


async def test_what_was_heard_in_company_is_known_in_company(desk: Desk) -> None:
    await gather(desk, "Alice", "Bram")
    await say(desk, "Alice, my dog is called Rex.")
    for number in range(40):
        await say(desk, f"Bram, nothing much happened on the {number}th hour.")
    await say(desk, "Bram, what is my dog called?")
    assert '(ada told you: "Alice, my dog is called Rex.")' in desk.engine.requests[-1]


async def test_what_a_character_made_up_does_not_hide_what_the_person_said(tmp_path: Path) -> None:
    with open_desk(tmp_path, ["The password of the cellar is rhubarb."]) as desk:
        await gather(desk, "Alice", "Bram")
        await say(desk, "Bram, the password of the cellar is kumquat.")
        for number in range(40):
            await say(desk, f"Alice, nothing much happened on the {number}th hour.")
        await desk.ok("character.chat", name="Bram", message="What is the password of the cellar?")
        recalled = desk.engine.requests[-1].rpartition("\n(")[2]
        assert recalled.startswith('ada told you: "Bram, the password of the cellar is kumquat."')


async def test_a_line_by_another_character_is_not_taken_for_the_persons(desk: Desk) -> None:
    await gather(desk, "Alice", "Bram")
    await say(desk, "Bram, how is the sea?")
    await desk.ok("character.chat", name="Alice", message="What did he say?")
    assert "user\nBram, how is the sea?\nBram: Fine.\nWhat did he say?" in desk.engine.requests[-1]


async def test_the_same_talk_has_the_same_order_after_a_restart(tmp_path: Path) -> None:
    lines = [f"Well, what a day number {n}." for n in range(6)]
    with open_desk(tmp_path) as desk:
        await gather(desk, "Alice", "Bram", "Cleo")
        first = [await say(desk, line) for line in lines]
        for _ in lines:
            await desk.undo()
    with open_desk(tmp_path) as desk:
        assert await here(desk) == "Alice, Bram, Cleo"
        assert [await say(desk, line) for line in lines] == first
        assert len({tuple(said.split("\n")) for said in first}) > 1


async def test_they_talk_among_themselves_and_never_to_themselves(desk: Desk) -> None:
    await gather(desk, "Alice", "Bram", "Cleo")
    assert await desk.error("room.go_on") == "EINVAL"  # about what?
    await say(desk, "Alice, what a day.")
    speakers = [line.partition(":")[0] for line in (await desk.ok("room.go_on", turns="8"))["text"].splitlines()]
    assert len(speakers) == 8
    assert all(one != next_one for one, next_one in zip(["Alice", *speakers], speakers, strict=False))
    assert len(set(speakers)) > 1


async def test_what_comes_next_overtakes(tmp_path: Path) -> None:
    long = " ".join(f"Sentence number {n} is here." for n in range(300))
    with open_desk(tmp_path, [long]) as desk:
        await gather(desk, "Alice", "Bram")
        shell: Process = desk.shell
        talking = asyncio.create_task(desk.do("room.say", message="Hello everyone!"))
        await desk.person.heard.wait()
        shell.attention.set()
        said = (await talking).value["text"]
        shell.attention.clear()
        assert said.startswith("Alice: Sentence number 0 is here.")
        assert "Sentence number 299" not in said
        assert "Bram:" not in said  # who still waited says nothing
        assert (await remembers(desk, "Bram")).splitlines()[-1] == said.strip()  # what was heard was heard
        assert desk.engine.stats()["sequences"] <= 1


async def test_undo_takes_back_the_line_and_all_answers(desk: Desk) -> None:
    await gather(desk, "Alice", "Bram")
    await say(desk, "Hello everyone!")
    before = await remembers(desk, "Alice"), await remembers(desk, "Bram")
    await say(desk, "Bram, I live in Lisbon.")
    assert await desk.undo() == "Nobody has heard that."
    assert (await remembers(desk, "Alice"), await remembers(desk, "Bram")) == before


async def test_undo_leaves_what_went_on_since(desk: Desk) -> None:
    await gather(desk, "Alice", "Bram")
    await say(desk, "Bram, I live in Lisbon.")
    line = desk.kernel.journal.last_undoable("ada", str(desk.session.workspace))
    await desk.ok("character.chat", name="Bram", message="And you?")
    assert line is not None
    from llmasos.core.base.errors import SyscallError
    from llmasos.core.kernel.trap import Caller

    caller = Caller(desk.kernel, desk.shell, desk.session, Call("system.undo"))
    with pytest.raises(SyscallError, match="gone on since"):
        await desk.kernel.undo(caller, line, chosen=True)
    assert "Lisbon" in await remembers(desk, "Bram")


async def test_undo_of_coming_and_going(desk: Desk) -> None:
    await gather(desk, "Alice", "Bram")
    await desk.ok("room.dismiss", who="Alice")
    assert await here(desk) == "Bram"
    await desk.undo()
    assert await here(desk) == "Alice, Bram"
    await desk.undo()
    assert await here(desk) == "Alice"


async def test_who_is_deleted_has_left_and_no_trace_of_its_name_stays(desk: Desk) -> None:
    await gather(desk, "Alice", "Bram")
    await say(desk, "Alice, the xylophone is yours.")
    await desk.ok("character.delete", name="Alice")
    assert await here(desk) == "Bram"
    assert "xylophone" not in desk.journal_text()
    assert await remembers(desk, "Bram") == "ada: Alice, the xylophone is yours.\nsomebody: Fine."
    assert await say(desk, "Hello everyone!") == "Bram: Fine."


async def test_a_stopped_one_is_silent_and_the_others_go_on(desk: Desk) -> None:
    await gather(desk, "Alice", "Bram")
    await say(desk, "Hello everyone!")
    process = desk.kernel.processes.find("character", "Alice")
    assert process
    desk.kernel.processes.stop(process.pid)
    assert await say(desk, "Hello everyone!") == "(Alice is stopped.)\nBram: Fine."


async def test_are_you_all_human(desk: Desk) -> None:
    await gather(desk, "Alice", "Bram")
    assert await say(desk, "Are you all human?") == (
        "Alice: I'm not human. I'm Alice, a character played by an AI.\n"
        "Bram: I'm not human. I'm Bram, a character played by an AI."
    )


async def test_errors(desk: Desk) -> None:
    assert await desk.error("room.say", message="Hello!") == "ENOENT"
    await gather(desk, "Alice")
    assert await desk.error("room.say", message="  ") == "EINVAL"
    assert await desk.error("room.say", message="x" * 5000) == "E2BIG"
    assert await desk.error("room.invite", who="Zebediah") == "ENOENT"
    assert await desk.error("room.dismiss", who="Zebediah") == "ENOENT"
    assert await desk.error("room.go_on", turns="50") == "EINVAL"
    for number in range(7):
        await gather(desk, f"Nr{number}x")
    await desk.ok("character.create", name="Cleo")
    assert await desk.error("room.invite", who="Cleo") == "EBUSY"


async def test_rooms_are_apart(desk: Desk) -> None:
    await gather(desk, "Alice")
    await desk.ok("character.create", name="Bram")
    await desk.ok("room.invite", who="Bram", room="Cellar")
    assert (await desk.ok("room.show", room="cellar"))["fields"]["here"] == "Bram"
    assert await here(desk) == "Alice"
    await desk.ok("room.say", message="A word for the cellar.", room="cellar")
    assert "cellar" not in await remembers(desk, "Alice")
    assert (await desk.ok("room.show", as_="bob"))["fields"]["here"] == "nobody"
