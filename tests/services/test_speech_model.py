"""With the real default model: a character greets, answers for itself, and remembers in a new system."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from talk_desk import Desk, open_desk

from llmasos.core.base.settings import Settings
from llmasos.core.engine.base import Engine
from llmasos.core.engine.sources import LlamaEngines


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
        check((await desk.ok("content.write", kind="story", topic="a lost umbrella"))["text"])
        assert await desk.error("content.translate", text="good morning", language="French") == "ENOTSUP"
        assert engine.stats()["sequences"] == 0
        assert engine.stats()["cells_used"] == 0
