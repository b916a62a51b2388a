"""The Python API: the same system behind ordinary functions."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

import llmasos
from llmasos.core.base.errors import Denied, LlmasosError, SyscallError, UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.system import System
from tests.seat import reader


@pytest.fixture
def engines() -> ScriptedEngines:
    return ScriptedEngines(
        says=["Hello there. I am glad to see you."],
        reads=reader(
            {"put milk on my list": [("tasks.add", {"title": "milk"})], "what is on it": [("tasks.list", {})]}
        ),
    )


@pytest.fixture
def system(home: Path, workspace: Path, engines: ScriptedEngines):
    with System(Settings.load({}, home=home, workspace=str(workspace), owner="ada", seed=1), engines=engines) as made:
        yield made


def test_a_sentence_is_understood_and_done(system):
    outcome = system.run("put milk on my list")
    assert outcome.ok
    assert [call.syscall for call in outcome.reading.program] == ["tasks.add"]
    assert [row["title"] for row in system.call("tasks.list")["items"]] == ["milk"]


def test_a_failed_call_raises_with_its_code(system):
    with pytest.raises(SyscallError) as error:
        system.call("files.read", path="not there.md")
    assert error.value.code == "ENOENT"
    with pytest.raises(SyscallError) as error:
        system.call("files.raed", path="x")
    assert error.value.code == "ENOSYS"


def test_denied_raises_with_its_rule(home, workspace, engines):
    settings = Settings.load({}, home=home, workspace=str(workspace), policy="readonly")
    with System(settings, engines=engines) as system, pytest.raises(Denied) as error:
        system.call("files.mkdir", path="new")
    assert error.value.rule == "read-only"


def test_a_character_is_got_or_created_and_remembers_in_a_new_system(home, workspace):
    settings = Settings.load({}, home=home, workspace=str(workspace), owner="ada", seed=1)
    engines = ScriptedEngines(says=["Nice to meet you."])
    with System(settings, engines=engines) as system:
        alice = system.create_character(name="Alice", personality="friendly")
        assert alice.chat("My cat is called Biscuit.") == "Nice to meet you."
        assert system.create_character(name="Alice").name == "Alice"
        assert len(system.call("character.list")["items"]) == 1
        bob = system.create_character(name="Bob")
        bob.chat("Hello!")
        assert "Biscuit" not in engines.speaker.requests[-1]
    engines = ScriptedEngines(says=["Biscuit, of course."])
    with System(settings, engines=engines) as system:
        assert system.create_character(name="Alice").chat("What is my cat called?") == "Biscuit, of course."
        assert "Biscuit" in engines.speaker.requests[-1]


def test_all_that_can_be_said_of_a_character(system, engines):
    said = {
        "role": "ice fisher", "scenario": "A hut on the fjord.", "language": "German", "goals": ["see the south"],
        "lore": ["The ice is thick."], "seed": 7, "temperature": 0.2, "top_p": 0.5, "max_tokens": 40, "model": "smollm2",
    }  # fmt: skip
    for _ in range(2):  # the second time it is there already, and nothing changes
        system.create_character("Edda", "quiet", **said)
    fields = system.call("character.show", name="Edda")["fields"]
    assert fields["voice"] == "seed 7, temperature 0.2, top_p 0.5, max_tokens 40"
    assert (fields["role"], fields["scenario"], fields["language"]) == ("ice fisher", "A hut on the fjord.", "German")
    assert (fields["goals"], fields["lore"], fields["model"], fields["version"]) == (
        "see the south", "1 entry", "smollm2", 1,
    )  # fmt: skip
    system.call("system.undo")
    assert "model" not in system.call("character.show", name="Edda")["fields"]
    with pytest.raises(SyscallError) as error:
        system.create_character("Edda", model="nobody.gguf")
    assert error.value.code == "ENOENT"


def test_a_fresh_character_knows_nothing(system, engines):
    system.create_character(name="Alice").chat("My cat is called Biscuit.")
    system.create_character(name="Alice", new=True).chat("What is my cat called?")
    assert "Biscuit" not in engines.speaker.requests[-1]


def test_a_character_remembers_forgets_rests_and_goes(home, workspace, engines):
    settings = Settings.load({}, home=home, workspace=str(workspace), owner="ada", seed=1, yes=True)
    with System(settings, engines=engines) as system:
        lore = {"dragon, wyrm": "It sleeps under the hill."}
        with system.create_character(
            "Alice", "friendly", role="cook", goals=["see the sea"], lore=lore, seed=3
        ) as alice:
            alice.remember("My boat is called Albatross.")
            alice.chat("Is there a dragon?")
            assert "(It sleeps under the hill.)" in engines.speaker.requests[-1]
            (found,) = alice.memories("What is my boat called?")
            assert (found.text, found.who, found.outdated) == ("My boat is called Albatross.", "ada", False)
            assert [m.text for m in alice.memories()] == ["My boat is called Albatross."]
            assert any(row["program"] == "character" for row in system.call("process.list")["items"])
            alice.export("alice.v2.json")
            assert '"chara_card_v2"' in (workspace / "alice.v2.json").read_text()
            alice.forget("boat")
            assert alice.memories("boat") == []
        assert not any(row["program"] == "character" for row in system.call("process.list")["items"])
        assert alice.chat("Hello!")
        alice.delete()
        assert system.call("character.list")["items"] == []
        with system.create_character("Bob") as bob:
            bob.delete()


async def test_async_twins_of_a_character(home, workspace, engines):
    settings = Settings.load({}, home=home, workspace=str(workspace), owner="ada", seed=1, yes=True)
    system = await asyncio.to_thread(System, settings, engines=engines)
    try:
        async with await system.acreate_character("Alice", lore=["The sea is near."], seed=3) as alice:
            await alice.aremember("My boat is called Albatross.")
            assert [m.text for m in await alice.amemories("boat")] == ["My boat is called Albatross."]
            await alice.aforget("boat")
            await alice.aexport("alice.png")
            await alice.adelete()
    finally:
        await asyncio.to_thread(system.close)


def test_streaming_gives_the_whole_answer_in_pieces(system):
    alice = system.create_character(name="Alice")
    pieces = list(alice.stream("Hello!"))
    assert len(pieces) > 1
    assert "".join(pieces).strip() == "Hello there. I am glad to see you."


async def test_async_twins_work_on_another_loop(home, workspace, engines):
    settings = Settings.load({}, home=home, workspace=str(workspace), owner="ada", seed=1)
    system = await asyncio.to_thread(System, settings, engines=engines)
    try:
        assert (await system.arun("put milk on my list")).ok
        alice = await asyncio.to_thread(system.create_character, name="Alice")
        assert await alice.achat("Hello!") == "Hello there. I am glad to see you."
        assert "".join([piece async for piece in alice.astream("Hello!")]).strip()
    finally:
        await asyncio.to_thread(system.close)


def test_closing_twice_is_fine_and_using_it_after_is_an_error(home, workspace, engines):
    system = System(Settings.load({}, home=home, workspace=str(workspace)), engines=engines)
    system.close()
    system.close()
    with pytest.raises(LlmasosError, match="closed"):
        system.call("system.time")


def test_settings_that_are_wrong_are_named(home):
    with pytest.raises(UsageError, match="no setting modle"):
        Settings.load({}, modle="x")
    with pytest.raises(UsageError, match="LLMASOS_THREADS"):
        Settings.load({"LLMASOS_THREADS": "many"})


def test_a_script_that_ends_without_closing_says_nothing(home):
    code = "import llmasos; print(llmasos.boot(policy='readonly').call('system.time')['type'])"
    environment = {**os.environ, "LLMASOS_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("text\n", "")


def test_importing_the_package_and_the_sdk_boots_nothing():
    code = "import sys, llmasos, llmasos.sdk; print([m for m in ('numpy', 'llama_cpp', 'asyncio', 'cryptography') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
    assert llmasos.__version__
