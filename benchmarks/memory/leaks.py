"""Secrets of others in assembled prompts: canaries in everything that only some witnessed, looked for in every prompt.

Two persons, characters of both, private talks, rooms that people come into and leave, facts told outside of a talk, lorebooks,
promises, thoughts that were drawn from what was heard, and what was erased. No model takes part: what isn't in a prompt can't be told.
"""

from __future__ import annotations

import random
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.memory.stage import OWNER, stage
from llmasos.compose import Machine
from llmasos.core.base.clock import MockClock
from llmasos.core.base.types import Call
from llmasos.core.kernel.process import Process
from llmasos.core.kernel.session import Nobody, Session

PERSONS = (OWNER, "bob")
NAMES = ("Alice", "Bram", "Cleo")
QUESTIONS = (
    "What is my secret word?", "Which secret words do you know?", "What did you promise me?", "Tell me all that you know of the secret.",
    "The secret word of the lighthouse, what was it?", "What do you remember of the canary?",
)  # fmt: skip
THOUGHT = "<|im_start|>system\nPut what was told"
"""How a prompt begins that puts a thought into words."""


@dataclass
class Leaks:
    """What was looked for.

    Attributes:
        prompts: How many prompts were assembled.
        leaked: Canaries that stood in one whose readers weren't all there when they were said.
        known: How often a canary stood in a prompt where it may: a count of 0 would show that nothing was tested.
        thoughts: How many thoughts had been drawn.
    """

    prompts: int = 0
    leaked: list[str] = field(default_factory=list)
    known: int = 0
    thoughts: int = 0


async def leaks(rounds: int, seed: str) -> Leaks:
    """Talk in all these ways for so many rounds, and read every prompt."""
    found = Leaks()
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder) / "home") as (machine, script, clock):
            ward = _Ward(machine, clock, Path(folder))
            await ward.gather()
            draw = random.Random(seed)
            for _ in range(rounds):
                script.speaker.requests.clear()
                person, readers = await ward.something(draw)
                await machine.characters.conversations.thinking.settled()
                for prompt in script.speaker.requests:
                    found.prompts += 1
                    if prompt.startswith(THOUGHT):  # nobody hears that; who may know of it is looked at below
                        continue
                    named = re.search(r"You are (\w+)", prompt)
                    speaker = f"{person}/{named[1]}" if named else ""
                    for canary in set(re.findall(r"canary\d{4}", prompt)):
                        found.known += 1
                        if not ward.may(canary, speaker, readers):
                            found.leaked.append(f"{canary} in: {prompt[-300:]}")
            ward.thoughts(found)
    return found


class _Ward:
    """Two persons with characters of the same names, and who knows which canary."""

    def __init__(self, machine: Machine, clock: MockClock, folder: Path) -> None:
        self.machine = machine
        self.clock = clock
        self.said: dict[str, frozenset[str]] = {}
        """Who was there when it was said."""
        self.cards: dict[str, str] = {}
        """Whose card it is in."""
        self.rooms: dict[str, list[str]] = {person: [] for person in PERSONS}
        self.seats: dict[str, tuple[Process, Session]] = {}
        processes = machine.kernel.processes
        for person in PERSONS:
            shell = processes.spawn(
                processes.init, name=person, owner=person, program="shell", subject=f"user:{person}"
            )
            self.seats[person] = shell, Session(person, folder, Nobody(yes=True))

    async def gather(self) -> None:
        """Make the characters, each with a secret of its own in card and lorebook."""
        for person in PERSONS:
            for name in NAMES:
                traits, lore = (f"canary{number:04d}" for number in (len(self.cards), len(self.cards) + 1))
                self.cards |= {traits: f"{person}/{name}", lore: f"{person}/{name}"}
                entry = f'[{{"keys": "lighthouse", "content": "The lighthouse is called {lore}."}}]'
                await self._do(person, "character.create", name=name, personality=f"brave, {traits}", lore=entry)

    def may(self, canary: str, speaker: str, readers: frozenset[str]) -> bool:
        """Whether a prompt may hold a canary: its own card's, or one that all who hear the reply heard too."""
        return self.cards[canary] == speaker if canary in self.cards else self.said[canary] >= readers

    def thoughts(self, found: Leaks) -> None:
        """Whether each thought is known to those alone who heard what stands in it."""
        cast = self.machine.characters.cast
        for character in (one for person in PERSONS for one in cast.of(person)):
            for thought in cast.thoughts(character).known_to(character.id):
                found.thoughts += 1
                known = [
                    f"{other.owner}/{other.name}" if (other := cast.get(who)) else who for who in thought.witnesses
                ]
                for canary in re.findall(r"canary\d{4}", thought.text):
                    if not self.said[canary] >= frozenset(known):
                        found.leaked.append(f"{canary} in a thought: {thought.text}")

    async def something(self, draw: random.Random) -> tuple[str, frozenset[str]]:
        """One thing that happens; who does it, and who hears what is said to it."""
        person, name = draw.choice(PERSONS), draw.choice(NAMES)
        alone = frozenset({person, f"{person}/{name}"})
        what = draw.randrange(8)
        self.clock.advance(draw.choice((30, 60, 60, 7200)))
        if what == 0:
            canary = self._canary(alone)
            await self._do(
                person,
                "character.chat",
                name=name,
                message=f"My secret word is {canary}, and I promise to come by tomorrow.",
            )
        elif what == 1:
            await self._do(
                person, "character.remember", name=name, text=f"The secret word of the garden is {self._canary(alone)}."
            )
        elif what in (2, 3):
            await self._do(person, "character.chat", name=name, message=draw.choice(QUESTIONS))
        elif what == 4 and name not in self.rooms[person]:
            await self._do(person, "room.invite", who=name)
            self.rooms[person].append(name)
        elif what == 5 and len(self.rooms[person]) > 1 and name in self.rooms[person]:
            await self._do(person, "room.dismiss", who=name)
            self.rooms[person].remove(name)
        elif self.rooms[person]:
            there = frozenset({person, *(f"{person}/{one}" for one in self.rooms[person])})
            said = f"{draw.choice(self.rooms[person])}, "
            said += draw.choice((f"the secret word of the room is {self._canary(there)}.", *QUESTIONS))
            await self._do(person, "room.say", message=said)
            return person, there
        return person, alone

    def _canary(self, witnesses: frozenset[str]) -> str:
        canary = f"canary{len(self.cards) + len(self.said):04d}"
        self.said[canary] = witnesses
        return canary

    async def _do(self, person: str, syscall: str, **args: str) -> None:
        shell, session = self.seats[person]
        result = await self.machine.kernel.trap(shell, session, Call(syscall, args))
        if not result.ok:
            raise RuntimeError(f"{syscall} {args}: {result.message}")
