"""Characters that talk: on a composed system, through the door, as a person or an app would have it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.engine.lab import TEXT
from llmasos.compose import Machine
from llmasos.core.base.types import Call
from llmasos.core.kernel.session import Nobody

NAMES = ("Ada", "Bram", "Cora", "Dov", "Edda", "Finn", "Gwen", "Hugo", "Ida", "Jonas", "Kira", "Leif", "Mona", "Nils")
TRAITS = ("patient and a little vain", "sarcastic", "kind, forgetful", "brave and loud", "shy", "curious about the sea")
LINES = (
    "How was your day by the water?",
    "I can't find my keys again.",
    "Tell me what you think of the new bridge.",
    "It has been raining since Tuesday.",
    "What would you cook for ten people?",
    "I am a little afraid of tomorrow.",
)
RETRY = 0.2
"""Seconds until a character that got no place on the model is spoken to again."""


class Talkers:
    """Persons who each talk with a character of theirs without a pause, while this context is open.

    Args:
        machine: The system.
        count: How many.
        workspace: Their folder.
    """

    def __init__(self, machine: Machine, count: int, workspace: Path) -> None:
        self._machine = machine
        self._workspace = workspace
        self._names = [f"{NAMES[n % len(NAMES)]} {n // len(NAMES) + 1}" for n in range(count)]
        self._tasks: list[asyncio.Task[None]] = []
        self.replies = 0
        self.failures: dict[str, int] = {}

    async def create(self) -> None:
        """Make the characters, where they aren't there yet."""
        for number, name in enumerate(self._names):
            personality = TRAITS[number % len(TRAITS)]
            await self._machine.characters.create(self._machine.person, name, personality=personality)

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.ensure_future(self._talk(number)) for number in range(len(self._names))]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _talk(self, number: int) -> None:
        process, session = self._machine.session(self._workspace, Nobody())
        turn = number
        try:
            while True:
                message = LINES[turn % len(LINES)]
                call = Call("character.chat", {"name": self._names[number], "message": message})
                result = await self._machine.kernel.trap(process, session, call)
                turn += 1
                if result.ok:
                    self.replies += 1
                else:
                    self.failures[result.message] = self.failures.get(result.message, 0) + 1
                    await asyncio.sleep(RETRY)
        finally:
            await self._machine.kernel.processes.exit(process)


def sentences_of(text: Path = TEXT) -> list[str]:
    """Plain sentences, for lines that all differ."""
    words = " ".join(text.read_text(encoding="utf-8").split())
    return [sentence.strip() for sentence in words.replace('"', "").split(".") if len(sentence.split()) > 5]
