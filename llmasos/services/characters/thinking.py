"""Thinking over what was heard: a process of its own, in the class background, started when enough has come together.

What a thought says is drawn by rule from lines that are named as its evidence (thoughts.py). A model that can may put
the thought about a talk that is over into words of its own, which are taken where they keep to those of the evidence.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from llmasos.core.base.errors import LlmasosError, error_name
from llmasos.core.engine.base import Sampling
from llmasos.core.kernel.process import Budget, Process
from llmasos.services.characters.cast import Cast, Character
from llmasos.services.characters.events import importance
from llmasos.services.characters.thoughts import PAUSE, Thought, drawn
from llmasos.services.language.context import Message
from llmasos.services.language.hygiene import Manners
from llmasos.services.language.models import ability
from llmasos.services.language.speech import Speaker, Voice
from llmasos.services.memory.words import terms

log = logging.getLogger(__name__)

PROGRAM = "reflect"
ENOUGH = 12.0
"""Importance of what was heard, summed up, from which a character thinks it over."""
TOKENS, SECONDS = 4_000, 300.0
"""What thinking may use up."""
KEEPS_TO = 0.7
"""Share of the words of a model's sentence that the evidence must have."""
LATEST = 1_000
"""Events that are thought over at once; what is older has been."""
LEAVING = 2.0
"""Seconds that thinking has for coming to an end when the kernel leaves."""


class Thinking:
    """All thinking of a home's characters; one process a character at most.

    Args:
        cast: Who there is.
        speaker: Its process table is where they live, its model what they may use.
    """

    def __init__(self, cast: Cast, speaker: Speaker) -> None:
        self._cast = cast
        self._speaker = speaker
        self._heard: defaultdict[str, float] = defaultdict(float)
        self._last: dict[str, datetime] = {}
        self._running: dict[str, tuple[Process, asyncio.Task[None]]] = {}

    def noticed(self, character: Character, line: str, now: datetime) -> None:
        """A character has heard a line; where that makes enough, or begins another talk, it thinks."""
        before = self._last.get(character.id)
        self._last[character.id] = now
        self._heard[character.id] += importance(line)
        if self._heard[character.id] >= ENOUGH or (before and now - before > PAUSE):
            self.begin(character)

    def begin(self, character: Character) -> None:
        """Think now, unless that is being done."""
        if character.id in self._running:
            return
        self._heard[character.id] = 0.0
        processes = self._speaker.processes
        process = processes.spawn(
            processes.init, name=character.name, program=PROGRAM, subject=f"character:{character.name}",
            owner=character.owner, priority="background", budget=Budget(tokens=TOKENS, seconds=SECONDS),
        )  # fmt: skip
        task = asyncio.create_task(self._think(character, process), name=f"{character.name} thinks")
        process.tasks.add(task)
        self._running[character.id] = process, task
        task.add_done_callback(lambda _: self._running.pop(character.id, None))

    async def settled(self) -> None:
        """Wait until nobody thinks any more."""
        while self._running:
            await asyncio.wait([task for _, task in self._running.values()])

    async def end(self, characters: Iterable[Character] = ()) -> None:
        """Stop the thinking of these, and wait until it has stopped."""
        for character in characters:
            running = self._running.get(character.id)
            if running:
                running[1].cancel()
                await asyncio.wait([running[1]])

    async def close(self) -> None:
        """Let thinking come to an end, for a moment."""
        tasks = [task for _, task in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=LEAVING)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _think(self, character: Character, process: Process) -> None:
        status = 1
        try:
            await asyncio.sleep(0)  # whoever speaks goes first
            names = {one.id: one.card.called for one in self._cast.of(character.owner)}
            events = self._cast.log(character).witnessed(character.id)[-LATEST:]
            thoughts = self._cast.thoughts(character)
            for thought in thoughts.keep(drawn(character.id, events, names)):
                if thought.kind == "sitting" and (words := await self._in_words(character, process, thought)):
                    thoughts.keep([replace(thought, text=words, written_by="model")], again=True)
            status = 0
        except LlmasosError as error:  # thinking can wait
            log.info("process %d could not think: %s", process.pid, error_name(error))
        finally:
            await self._speaker.processes.exit(process, status)

    async def _in_words(self, character: Character, process: Process, thought: Thought) -> str:
        """A thought as the model says it; empty where it can't, or says what isn't in the evidence."""
        if ability((await self._speaker.engine_of(process)).name).tiny:
            return ""
        asked = [
            Message("system", "Put what was told into one short sentence. Add nothing to it."),
            Message("user", thought.text),
        ]
        voice = Voice(
            sampling=Sampling(temperature=0.0, max_tokens=60, seed=0), manners=Manners(sentences=1), attempts=1
        )
        said = await self._speaker.say(process, asked, voice)
        words, evidence = terms(said), set(terms(thought.text))
        return said if words and sum(word in evidence for word in words) >= KEEPS_TO * len(words) else ""
