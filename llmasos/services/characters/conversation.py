"""Conversations: turns with a character, each a line and its reply, spoken by the character's own process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import SyscallError
from llmasos.core.kernel.process import Process
from llmasos.services.characters.cast import Cast, Character
from llmasos.services.characters.events import Event
from llmasos.services.characters.honesty import asks_if_human, truth
from llmasos.services.characters.prompt import compile_prompt
from llmasos.services.language.hygiene import Manners
from llmasos.services.language.models import ability
from llmasos.services.language.speech import SAMPLING, Speaker, Voice, check_going
from llmasos.services.script import has_chinese

Before = Callable[[int], Awaitable[None]]

LINE = 4_000
"""Characters of one line said to a character."""


class Conversations:
    """All conversations with the characters of a home; one turn at a time with each.

    Args:
        cast: Who there is.
        clock: Says when something was said.
        speaker: Their voice; its process table is where they live.
    """

    def __init__(self, cast: Cast, clock: Clock, speaker: Speaker) -> None:
        self._cast = cast
        self._clock = clock
        self._speaker = speaker
        self._running: dict[str, Process] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def turn(
        self, character: Character, person: str, message: str, before: Before | None = None
    ) -> AsyncGenerator[str, None]:
        """One line and its reply, piece by piece; both are kept, the reply also where it was cut short.

        Args:
            character: Who is spoken to.
            person: Who speaks.
            message: The line.
            before: Told the first event's number before it happens.

        Raises:
            SyscallError: EINVAL, the line is empty; E2BIG; EBUSY, the process is stopped; ECANCELED, it was
                killed meanwhile.
        """
        line = message.strip()
        if not line:
            raise SyscallError("EINVAL", f"There is nothing to say to {character.name}.")
        if len(line) > LINE:
            raise SyscallError("E2BIG", f"One line has at most {LINE:,} characters; this has {len(line):,}.")
        async with self._turns[character.id]:
            process = self.process(character)
            check_going(process, character.name)
            log = self._cast.log(character)
            present = (character.id, person)
            if before:
                await before(log.next_number)
            number = log.next_number
            seen = log.witnessed(*present)
            await log.append(at=self._now(), speaker=person, text=line, witnesses=present)
            said = ""
            try:
                if asks_if_human(line):
                    said = truth(character.card.called, line)
                    yield said
                    return
                async with aclosing(self._reply(character, process, person, line, number, seen)) as pieces:
                    async for piece in pieces:
                        said += piece
                        yield piece
            finally:
                # Also when it was cut short: what was heard was heard.
                if said.strip() and self._cast.get(character.id):
                    await log.append(at=self._now(), speaker=character.id, text=said.strip(), witnesses=present)

    async def _reply(
        self,
        character: Character,
        process: Process,
        person: str,
        line: str,
        number: int,
        seen: Sequence[Event],
    ) -> AsyncGenerator[str, None]:
        engine = await self._speaker.engine()
        tiny = ability(engine.name).tiny
        # A long thread makes a tiny model repeat itself. The window moves by whole steps, so that what the
        # model has computed of it serves several turns.
        step = 2 if tiny else 16
        start = max(0, len(seen) - len(seen) % step - step)
        history = seen[start:]
        oldest = history[0].number if history else number
        log = self._cast.log(character)
        recalled = await log.recall(line, character.id, person, before=oldest if not tiny else number)
        prompt = compile_prompt(character.card, person, history, recalled[: 1 if tiny else 3], line, guided=tiny)
        own = [event.text for event in seen if event.speaker == character.id]
        if prompt.answer:
            yield prompt.answer
            return
        voice = Voice(
            sampling=replace(
                SAMPLING,
                temperature=0.55 if tiny else 0.7,
                repeat_penalty=1.08,
                max_tokens=80 if tiny else 300,
            ),
            manners=Manners(
                name=character.card.called,
                person=person,
                said=own[-6:],
                sentences=2 if tiny else 0,
                in_character=True,
            ),
            stop=("\nUser:", "\nuser:", f"\n{person}:"),
            attempts=4,
            keep=True,
        )
        words = False
        stream = self._speaker.stream(process, prompt.messages, voice, stable=prompt.stable)
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                words = True
                yield piece
        if not words:
            yield "我不知道该怎么说。" if has_chinese(line) else "I don't know what to say to that."

    def process(self, character: Character) -> Process:
        """The character's process, started at first use and again after it was killed."""
        process = self.alive(character)
        if process is None:
            process = self._running[character.id] = self._speaker.processes.spawn(
                self._speaker.processes.init,
                name=character.name,
                program="character",
                subject=f"character:{character.name}",
                owner=character.owner,
                priority="interactive",
            )
        return process

    def alive(self, character: Character) -> Process | None:
        """The character's process, where it runs."""
        process = self._running.get(character.id)
        return process if process and process.alive else None

    async def end(self, character: Character) -> None:
        """Kill the character's process, if it has one; the next line starts another."""
        process = self.alive(character)
        if process:
            await self._speaker.processes.kill(process.pid)
        self._running.pop(character.id, None)

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="seconds")
