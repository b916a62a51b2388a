"""Talking with a model on a server, through the whole kernel: answers, characters, rooms, and a server that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from talk_desk import Desk, open_desk

from llmasos.core.engine.openai.engine import OpenAIEngine
from llmasos.core.engine.openai.key import Key
from llmasos.core.engine.openai.patience import Limits
from llmasos.core.engine.openai.server import Server
from tests.openai_server import Play, ScriptedServer, Wire, answers, says, served, streams

LIMITS = Limits(connect=5, first=5, between=5, rest=0.05, retrying=1, pauses=(0.001,))
CUT = streams('data: {"choices": [{"delta": {"content": "It is warm. Because of the"}}]}\n\n')


@asynccontextmanager
async def desk_over(folder: Path, *plays: Play) -> AsyncIterator[tuple[Desk, ScriptedServer]]:
    async with served(*plays) as server:
        engine = OpenAIEngine(Server(server.address, Key("sk-key", "test"), limits=LIMITS))
        with open_desk(folder, engine=engine) as desk:
            yield desk, server
            assert engine.stats()["sequences"] == sum(process.sequence is not None for process in desk.kernel.processes)
        await engine.shutdown()


async def by_name(wire: Wire) -> None:
    """Each character says its name."""
    system = wire.request.messages[0]["content"]
    name = next(name for name in ("Alice", "Bram") if f"You are {name}" in system)
    await says(f"Here is {name[0]}", f"{name[1:]}, at your service.")(wire)


async def test_an_answer_is_marked_and_streamed(tmp_path: Path) -> None:
    async with desk_over(tmp_path, says("Because of ", "the sun. ", "It is hot.")) as (desk, server):
        value = await desk.ok("assistant.answer", question="why is it warm?")
        assert (value["source"], value["text"], value["note"]) == ("model", "Because of the sun. It is hot.", "")
        assert desk.person.streamed == value["text"]
        assert [p.program for p in desk.kernel.processes] == ["init", "shell"]
        assert desk.shell.tokens > 0, "what it cost is on the account of who asked"
    assert [message["role"] for message in server.requests[0].messages] == ["system", "user"]
    assert server.requests[0].last == "why is it warm?"


async def test_an_answer_that_breaks_off_is_kept_and_marked(tmp_path: Path) -> None:
    async with desk_over(tmp_path, CUT) as (desk, server):
        value = await desk.ok("assistant.answer", question="why is it warm?")
        assert value["text"] == desk.person.streamed == "It is warm. Because of the…"
        assert value["note"].startswith("127.0.0.1:") and "broke off in the middle" in value["note"]
    assert len(server.requests) == 1


async def test_no_answer_says_why_and_what_to_do(tmp_path: Path) -> None:
    async with desk_over(tmp_path, answers(401, {"error": {"message": "sk-key is wrong"}})) as (desk, _):
        result = await desk.do("assistant.answer", question="why?")
        assert (result.ok, result.error) == (False, "EIO")
        assert "doesn't take the key from test (401). Set another one." in result.message
        assert "sk-key" not in result.message
        assert [p.program for p in desk.kernel.processes] == ["init", "shell"]


async def test_a_killed_answer_closes_its_connection(tmp_path: Path) -> None:
    said = 'data: {"choices": [{"delta": {"content": "One. Two. Three. "}}]}\n\n'
    async with desk_over(tmp_path, streams(said, hangs=True)) as (desk, server):
        task = asyncio.create_task(desk.do("assistant.answer", question="tell me everything"))
        await desk.person.heard.wait()
        process = next(p for p in desk.kernel.processes if p.program == "words")
        await desk.kernel.processes.kill(process.pid)
        assert (await asyncio.wait_for(task, 5)).error == "ECANCELED"
        await asyncio.wait_for(server.wires[0].gone.wait(), 5)


async def test_what_is_written_begins_as_it_should(tmp_path: Path) -> None:
    async with desk_over(tmp_path, says("1. Pack.\n2. ", "Drive.\n3. Swim.")) as (desk, server):
        value = await desk.ok("content.write", kind="plan", topic="a day at the sea")
        assert value["text"] == "1. Pack.\n2. Drive.\n3. Swim."
        assert "Begin your answer with exactly these words" in server.requests[0].last


async def test_a_large_model_translates(tmp_path: Path) -> None:
    async with desk_over(tmp_path, says("Wo ist der Bahnhof?")) as (desk, _):
        value = await desk.ok("content.translate", text="Where is the station?", language="German")
        assert value["text"] == "Wo ist der Bahnhof?"


async def test_a_character_remembers_and_what_it_remembers_goes_along(tmp_path: Path) -> None:
    async with desk_over(tmp_path, says("I do like tea."), says("I told you: tea."), says("Good night.")) as (
        desk,
        server,
    ):
        await desk.ok("character.create", name="Alice", personality="shy")
        value = await desk.ok("character.chat", name="Alice", message="My sister Mathilda likes tea. Do you?")
        assert (value["source"], value["text"]) == ("character", "I do like tea.")
        await desk.ok("character.chat", name="Alice", message="And what do you drink?")
        alice = next(p for p in desk.kernel.processes if p.program == "character")
        assert alice.sequence is not None, "the conversation stays for its next turn"
        await desk.kernel.processes.kill(alice.pid)
        await desk.ok("character.chat", name="Alice", message="Good night.")
    second = server.requests[1].messages
    assert [message["role"] for message in second] == ["system", "user", "assistant", "user"]
    assert "shy" in second[0]["content"] and "Mathilda" in second[1]["content"]
    assert second[2]["content"] == "I do like tea."
    assert "Mathilda" in str(server.requests[2].messages), "a new process knows it too"


async def test_a_character_that_breaks_off_remembers_what_it_said(tmp_path: Path) -> None:
    async with desk_over(tmp_path, CUT) as (desk, _):
        await desk.ok("character.create", name="Alice")
        value = await desk.ok("character.chat", name="Alice", message="Why is it warm?")
        assert value["text"] == "It is warm. Because of the…"
        assert "broke off in the middle" in value["note"]
        remembers = (await desk.ok("character.show", name="Alice"))["fields"]["remembers"]
        assert remembers == "ada: Why is it warm?\nAlice: It is warm. Because of the…"
        await desk.undo()
        assert "remembers" not in (await desk.ok("character.show", name="Alice"))["fields"]


async def test_a_room_of_two(tmp_path: Path) -> None:
    async with desk_over(tmp_path, by_name) as (desk, server):
        for name in ("Alice", "Bram"):
            await desk.ok("character.create", name=name)
        await desk.ok("character.chat", name="Alice", message="Between us: the canary is called Pip.")
        for name in ("Alice", "Bram"):
            await desk.ok("room.invite", who=name)
        value = await desk.ok("room.say", message="Hello everyone!")
        assert value["text"] == "Alice: Here is Alice, at your service.\nBram: Here is Bram, at your service."
        private, *room = server.requests
        assert "Pip" in str(private.messages)
        assert len(room) == 2 and "Pip" not in str([request.body for request in room]), (
            "what only one has heard stays out"
        )


async def test_in_a_room_the_others_go_on_where_one_breaks_off(tmp_path: Path) -> None:
    async def play(wire: Wire) -> None:
        await (CUT if "You are Alice" in wire.request.messages[0]["content"] else by_name)(wire)

    async with desk_over(tmp_path, play) as (desk, _):
        for name in ("Alice", "Bram"):
            await desk.ok("character.create", name=name)
            await desk.ok("room.invite", who=name)
        lines = (await desk.ok("room.say", message="Hello everyone!"))["text"].splitlines()
        assert lines[0] == "Alice: It is warm. Because of the…"
        assert "broke off in the middle" in lines[1]
        assert lines[-1] == "Bram: Here is Bram, at your service."


async def test_many_talk_at_once(tmp_path: Path) -> None:
    async with desk_over(tmp_path, says("Fine.")) as (desk, server):
        asked = [desk.ok("assistant.answer", question=f"question {number}?") for number in range(20)]
        assert {value["text"] for value in await asyncio.gather(*asked)} == {"Fine."}
    assert len(server.requests) == 20
    assert server.most <= LIMITS.requests
