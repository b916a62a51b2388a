"""The shell, typed at."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from llmasos.compose import HISTORY_FILE, HISTORY_PURPOSE
from llmasos.core.base.errors import ModelError
from llmasos.core.base.types import Call
from llmasos.core.kernel.sealed_log import SealedLog
from llmasos.shell import repl
from llmasos.shell.front import TerminalFront
from tests.shell.stage import Stage, console, reading, staged


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


@asynccontextmanager
async def shell(folder: Path) -> AsyncIterator[Stage]:
    async with staged(folder) as stage:
        stage.session.front = TerminalFront(console())
        yield stage


def seen(stage: Stage) -> str:
    assert isinstance(stage.session.front, TerminalFront)
    text = stage.session.front.console.export_text(clear=False)
    return "\n".join(line.rstrip() for line in text.rstrip("\n").split("\n"))


async def typed(stage: Stage, keys: PipeInput, text: str, *, leave: str = "\x04") -> str:
    """Type all of this, then leave; what was shown."""
    keys.send_text(text + leave)
    assert await asyncio.wait_for(repl.run(stage.client), 10) == 0
    return seen(stage)


async def until(stage: Stage, words: str) -> None:
    for _ in range(500):
        if words in seen(stage):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{words!r} was never shown: {seen(stage)}")


async def when_seen(stage: Stage, keys: PipeInput, words: str, text: str) -> None:
    """Type this when a question is there."""
    await until(stage, words)
    await asyncio.sleep(0.1)
    keys.send_text(text)


async def test_a_sentence_is_understood_shown_and_done(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        stage.readings["I need milk"] = reading(Call("tasks.add", {"title": "milk"}))
        told = await typed(stage, keys, "I need milk\n")
        assert told.endswith(
            "→ tasks.add title=\"milk\"  94 %  120 ms\ntasks.add  milk\n✓ Added 'milk'.  'undo' takes it back"
        )


async def test_the_sentence_and_its_call_are_in_the_history(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        stage.readings["I need oat milk"] = reading(Call("tasks.add", {"title": "oat milk"}))
        await typed(stage, keys, "I need oat milk\n")
        path = stage.home / HISTORY_FILE
        log = SealedLog(path, stage.machine.keyring.derive(HISTORY_PURPOSE))
        assert list(log.lines()) == ["I need oat milk", "tasks.add title='oat milk'"]
        assert b"milk" not in path.read_bytes()


async def test_a_written_call_needs_no_model(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        told = await typed(stage, keys, "tasks.add milk\n")
        assert told.endswith("tasks.add  milk\n✓ Added 'milk'.  'undo' takes it back")
        assert "→" not in told


async def test_streamed_words(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        told = await typed(stage, keys, "content.write lighthouses\n")
        assert told.endswith("The lighthouse sleeps.\n— model's words, may be wrong")


async def test_short_words(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        told = await typed(stage, keys, "tasks.add milk\nundo\nps\nhistory\n")
        assert "✓ Dropped 'milk'." in told
        assert "init" in told
        assert "tasks.add title=milk" in told


async def test_a_native_command(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        told = await typed(stage, keys, "!make all\n! ls\n!\nundo\n")
        assert (
            "\none\n  two\ufffd[2J\n— exit code 8\none\n  two\ufffd[2J\n✗ There is no command behind the '!'." in told
        )
        assert "✓ Dropped 'ls'." in told
        assert "system.run" not in told.partition("✗")[0]


async def test_folders(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        (stage.workspace / "taxes").mkdir()
        told = await typed(stage, keys, "cd taxes\npwd\ncd\npwd\ncd ..\n")
        assert f"{stage.workspace.resolve()}/taxes\n" in told
        assert "outside the workspace" in told


async def test_help(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        stage.readings["help me write to Bob"] = reading(Call("content.write", {"topic": "Bob"}))
        told = await typed(stage, keys, "?\nhelp tasks\n? device.list\nhelp me write to Bob\n")
        assert "find my tax pdf" in told
        assert "tasks.add" in told
        assert "Known devices" in told
        assert '→ content.write topic="Bob"' in told


@pytest.mark.parametrize("word", ["exit", "quit", " EXIT "])
async def test_leaving(tmp_path: Path, keys: PipeInput, word: str) -> None:
    async with shell(tmp_path) as stage:
        keys.send_text(f"{word}\n")
        assert await asyncio.wait_for(repl.run(stage.client), 10) == 0


async def test_empty_lines_and_ctrl_c_at_the_prompt_do_nothing(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        told = await typed(stage, keys, "\n   \nhalf a sent\x03tasks.add milk\n")
        assert told.endswith("✓ Added 'milk'.  'undo' takes it back")
        assert "✗" not in told


async def test_errors_leave_the_shell_open(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        told = await typed(stage, keys, "mumble\ntasks.break\ntasks.add a b=c title=d\nprocess.show x\n")
        assert "✗ I don't know what to do with that.\n  Say it in other words" in told
        assert "✗ There is no file x.txt.\n  Did you mean y.txt?" in told
        assert "It looks like: process.show pid" in told


async def test_a_defect_leaves_the_shell_open(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        stage.machine.requests._interpreter = None  # type: ignore[assignment]
        told = await typed(stage, keys, "mumble\ntasks.add milk\n")
        assert "✗ That failed inside llmasos: AttributeError" in told
        assert "✓ Added 'milk'." in told


async def test_ctrl_c_ends_the_request_and_not_the_shell(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        two = (Call("tasks.add", {"title": "milk"}), Call("tasks.wait"))
        stage.readings["milk and wait"] = reading(*two)
        keys.send_text("milk and wait\n")
        running = asyncio.create_task(repl.run(stage.client))
        await asyncio.wait_for(stage.things.started.wait(), 10)
        os.kill(os.getpid(), signal.SIGINT)
        await until(stage, "Stopped in the middle")
        keys.send_text("tasks.add bread\n\x04")
        assert await asyncio.wait_for(running, 10) == 0
        told = seen(stage)
        assert "Interrupted.\nDone before that:\n  ✓ 1  tasks.add  milk  'undo' takes it back\n" in told
        assert "  ? 2  tasks.wait\n" in told
        assert told.endswith("✓ Added 'bread'.  'undo' takes it back")


async def test_ctrl_c_at_a_question_ends_the_request(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        answering = asyncio.create_task(when_seen(stage, keys, "y once", "\x03tasks.add milk\n\x04"))
        told = await typed(stage, keys, "device.turn_on heater\n", leave="")
        await answering
        assert "Interrupted." in told
        assert stage.things.lamps == []
        assert told.endswith("✓ Added 'milk'.  'undo' takes it back")


async def test_consent_and_choice(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:

        async def answer() -> None:
            await when_seen(stage, keys, "y once", "s\ndevice.turn_on heater\ntasks.which\n")
            await when_seen(stage, keys, "Which lamp?", "desk\n\x04")

        answering = asyncio.create_task(answer())
        told = await typed(stage, keys, "device.turn_on heater\n", leave="")
        await answering
        assert stage.things.lamps == ["heater", "heater"]
        assert told.count("? device.turn_on") == 1
        assert told.endswith("✓ desk lamp")


async def test_consent_that_lasts_is_listed_and_revoked(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:

        async def answer() -> None:
            await when_seen(stage, keys, "y once", "a\ndevice.turn_on heater\nconsents\nconsents revoke 1\nconsents\n")
            await when_seen(stage, keys, "Nothing was consented", "consents revoke 1\ndevice.turn_on heater\n")
            await when_seen(stage, keys, "no consent 1", "n\n\x04")

        answering = asyncio.create_task(answer())
        told = await typed(stage, keys, "device.turn_on heater\n", leave="")
        await answering
        assert stage.things.lamps == ["heater", "heater"]
        assert "  1  device.turn_on name=heater  always\nRevoked: device.turn_on name=heater\n" in told
        assert told.count("? device.turn_on") == 2 and "no consent 1" in told


async def test_policy_is_explained_in_the_shell(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        stage.readings["policy is a word too"] = reading(Call("tasks.add", {"title": "policy"}))
        told = await typed(stage, keys, "policy explain device.turn_on heater\npolicy is a word too\n")
        assert "device.turn_on name='heater'  (external, by user:ada)" in told
        assert "ASK  by the rule 'ask-external' of the bundled tier" in told
        assert stage.things.lamps == [] and "✓ Added 'policy'." in told


async def test_what_was_typed_before_a_question_is_no_answer(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        answering = asyncio.create_task(when_seen(stage, keys, "y once", "\n\x04"))
        told = await typed(stage, keys, "device.turn_on heater\ny\ny\n", leave="")
        await answering
        assert stage.things.lamps == []
        assert told.endswith("you said no.")


async def test_a_pasted_text_is_one_request(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        stage.readings["note this:\none\ntwo"] = reading(Call("tasks.add", {"title": "one two"}))
        told = await typed(stage, keys, "\x1b[200~note this:\none\ntwo\x1b[201~\n")
        assert "✓ Added 'one two'." in told


async def test_a_reminder_is_shown_above_the_line(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        keys.send_text("tasks.add mi")
        running = asyncio.create_task(repl.run(stage.client))
        await until(stage, "helps")
        await asyncio.sleep(0.1)
        # APScheduler may fire from a thread of its own.
        await asyncio.to_thread(stage.machine.bell, {"title": "call Bob\x1b[2J", "when": "09:00"})
        await until(stage, "⏰ Reminder: call Bob\ufffd[2J  09:00")
        keys.send_text("lk\n\x04")
        assert await asyncio.wait_for(running, 10) == 0
        assert seen(stage).endswith("✓ Added 'milk'.  'undo' takes it back")


async def test_the_prompt_is_there_before_the_model(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        stage.slot.error = ModelError("The model is missing.", "Name another with --model.")
        keys.send_text("tasks.add milk\n")
        running = asyncio.create_task(repl.run(stage.client))
        await until(stage, "Added")
        stage.slot.ready.set()
        await until(stage, "✗ The model is missing.\n  Name another with --model.")
        keys.send_text("\x04")
        assert await asyncio.wait_for(running, 10) == 0


async def test_a_killed_shell_ends(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        keys.send_text("tasks.wait\ntasks.add milk\n")
        running = asyncio.create_task(repl.run(stage.client))
        await asyncio.wait_for(stage.things.started.wait(), 10)
        await stage.machine.kernel.processes.exit(stage.process, 1)
        assert await asyncio.wait_for(running, 10) == 1
        assert seen(stage).endswith("The process of this shell was killed.")


async def test_first_start_greets_and_shows_the_recovery_code_once(tmp_path: Path, keys: PipeInput) -> None:
    async with shell(tmp_path) as stage:
        stage.client.problems.append("The plugin x is left out.")
        code = stage.machine.keyring.created_recovery_code
        assert code
        told = await typed(stage, keys, "")
        assert told.startswith("This is llmasos")
        assert code in told
        assert "The plugin x is left out." in told
    async with shell(tmp_path) as stage:
        told = await typed(stage, keys, "")
        assert told.startswith("llmasos · files in")
        assert code not in told
