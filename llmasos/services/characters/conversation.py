"""Conversations: turns with a character, each a line and its reply, spoken by the character's own process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import SyscallError
from llmasos.core.engine.base import Engine, Sampling
from llmasos.core.kernel.process import Lasting, Process
from llmasos.services.characters import fitting
from llmasos.services.characters.cast import Cast, Character
from llmasos.services.characters.events import Event
from llmasos.services.characters.facts import asks_what_was_told
from llmasos.services.characters.honesty import asks_if_human, truth
from llmasos.services.characters.kinds import of_another
from llmasos.services.characters.knowing import covers, knows
from llmasos.services.characters.lorebook import DEEPEST
from llmasos.services.characters.macros import Moment
from llmasos.services.characters.making import ByRule, Making
from llmasos.services.characters.prompt import Aside, Company, compile_prompt, speaks_chinese
from llmasos.services.characters.relations import asks_of_promises, relations
from llmasos.services.characters.thinking import Thinking
from llmasos.services.characters.weighing import answering
from llmasos.services.language.hygiene import Manners
from llmasos.services.language.models import ability
from llmasos.services.language.speech import SAMPLING, Speaker, Voice, check_going
from llmasos.services.memory.retrieval import Hit
from llmasos.services.safety.notice import without
from llmasos.services.script import has_chinese

Before = Callable[[int], Awaitable[None]]

LINE = 4_000
"""Characters of one line said to a character."""
LORE, LORE_TINY = 1_200, 400
"""Characters of lore that a line brings up at most."""
RECALLED, RECALLED_TINY = 3, 1
"""Memories in a prompt at most."""
LOOKED = 5
"""Memories that are looked at for whether something was told."""


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
        self.thinking = Thinking(cast, speaker)
        self.turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """By a character's id: who holds it makes the character speak."""

    async def turn(
        self,
        character: Character,
        person: str,
        message: str,
        before: Before | None = None,
        sources: Iterable[str] = (),
    ) -> AsyncGenerator[str, None]:
        """One line and its reply, piece by piece; both are kept, the reply also where it was cut short.

        Args:
            character: Who is spoken to.
            person: Who speaks.
            message: The line.
            before: Told the first event's number before it happens.
            sources: Whose words the line is, where they aren't the person's.

        Raises:
            SyscallError: EINVAL, the line is empty; E2BIG; EBUSY, the process is stopped; ECANCELED, it was
                killed meanwhile.
        """
        line = message.strip()
        if not line:
            raise SyscallError("EINVAL", f"There is nothing to say to {character.name}.")
        if len(line) > LINE:
            raise SyscallError("E2BIG", f"One line has at most {LINE:,} characters; this has {len(line):,}.")
        async with self.process(character).turn(self.turns[character.id]):
            process = self.process(character)  # another one, if that has ended meanwhile
            check_going(process, character.name)
            log = self._cast.log(character)
            company = self.company(character, person)
            present = company.present
            if before:
                await before(log.next_number)
            number = log.next_number
            await log.append(at=self._now(), speaker=person, text=line, witnesses=present, sources=sources)
            said, making = "", Making()
            try:
                async with aclosing(self.reply(character, company, number)) as pieces:
                    async for piece in pieces:
                        said += piece
                        making.add(piece)
                        yield piece
            finally:
                # Also when it was cut short: what was heard was heard.
                if said.strip() and self._cast.get(character.id):
                    await log.append(
                        at=self._now(), speaker=character.id, text=said.strip(), witnesses=present,
                        sources=sorted(making.sources), made_by=making.maker,
                    )  # fmt: skip
                    self.thinking.noticed(character, line, self._clock.now())

    async def reply(self, character: Character, company: Company, number: int) -> AsyncGenerator[str, None]:
        """What a character says to something it heard, piece by piece; nothing is kept.

        Only what everybody present has witnessed can be in the prompt. A piece that is a `Notice` is the system's: in
        place of what was held back, or, alone, to a person in a crisis, whom no character answers. One that is `ByRule`
        was made by a rule; all others are the model's.

        Args:
            character: Who speaks.
            company: Who hears it.
            number: Where that is in the character's memory; what has been said since is known to it too.

        Raises:
            SyscallError: EBUSY, its process is stopped; ECANCELED, it was killed while it spoke.
        """
        log = self._cast.log(character)
        witnessed = log.witnessed(*company.present)
        talk = [event for event in witnessed if event.kind == "said"]
        seen = [event for event in talk if event.number < number]
        heard = [event for event in talk if event.number >= number and event.speaker != character.id]
        if not heard:
            return
        line = heard[0].text
        said_before = [event.text for event in seen if event.speaker == company.person]
        aid = self._speaker.moderation.aid(line, said_before) if heard[0].speaker == company.person else None
        if aid:
            yield aid
            return
        if asks_if_human(line):
            yield ByRule(truth(character.card.called, line), _written(character))
            return
        process = self.process(character)
        engine = await self._speaker.engine_of(process)
        tiny = ability(engine.name).tiny
        # A long thread makes a tiny model repeat itself. The window moves by whole steps, so that what the
        # model has computed of it serves several turns.
        step = (2 if tiny else 16) * (2 if company.others else 1)
        start = max(0, len(seen) - len(seen) % step - step)
        history = seen[start:]
        asks = heard[0].speaker == company.person and asks_what_was_told(line)
        # Of what may answer a question, `knows` decides, or a model that is asked for no more than it can.
        found = await log.recall(line, *company.present, before=number, limit=LOOKED, wide=asks)
        # What stands in the window needn't be recalled; to a tiny model it is said again.
        window = {event.number for event in history}
        older = [hit for hit in found if tiny or hit.item.order not in window]
        told = [hit for hit in found if hit.item.source == company.person] if asks else []
        told = [hit for hit in told if not of_another(line, hit.item.text)]
        sure = await self._answering(process, engine, line, told, tiny=tiny)
        prompt = compile_prompt(
            character.card,
            company,
            history,
            (sure if asks else older)[:RECALLED_TINY] if tiny else older[:RECALLED],
            heard,
            guided=tiny,
            aside=self._aside(character, company, seen, line, asks=asks, sure=bool(sure), tiny=tiny),
            moment=Moment(character.id, self._clock.now()),
        )
        own = [without(event.text) for event in seen if event.speaker == character.id]
        if isinstance(prompt.answer, ByRule):
            quoted = log.get(prompt.quoted)
            yield ByRule(prompt.answer, (*_written(character), *(quoted.sources if quoted else ())))
            return
        if prompt.answer:
            yield prompt.answer
            return
        voice = Voice(
            sampling=_sampling(character, tiny=tiny),
            manners=Manners(
                name=character.card.called,
                person=company.person,
                others=tuple(company.called),
                said=own[-6:],
                sentences=2 if tiny else 0,
                in_character=True,
            ),
            stop=("\nUser:", "\nuser:", f"\n{company.person}:", *(f"\n{name}:" for name in company.called)),
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
            yield ByRule("我不知道该怎么说。" if has_chinese(line) else "I don't know what to say to that.")

    async def _answering(
        self, process: Process, engine: Engine, line: str, told: Sequence[Hit], *, tiny: bool
    ) -> list[Hit]:
        """What of all that was told answers a question, best first."""
        weighed: list[Hit] | None = None
        if all(hit.above is not None for hit in told):
            # A larger model reads the memories itself; the tiny one that is asked here knows English.
            if has_chinese(line):
                weighed = fitting.answering(line, told)
            elif tiny:
                weighed = await answering(engine, process.pid, line, told)
        return [hit for hit in told if knows(line, hit)] if weighed is None else weighed

    def _aside(
        self,
        character: Character,
        company: Company,
        seen: Sequence[Event],
        line: str,
        *,
        asks: bool,
        sure: bool,
        tiny: bool,
    ) -> Aside:
        """What a character is told beside a line: lore, promises, what it made of earlier talks, what it can't know.

        Args:
            character: Who is told.
            company: Who hears what it says.
            seen: The talk so far.
            line: The new one.
            asks: Whether it asks for what only the person can have told.
            sure: Whether something that was found answers it.
            tiny: Whether the model is too small for more than it needs.
        """
        card, present = character.card, company.present
        lore: tuple[str, ...] = ()
        if card.book.entries:
            said, timing = len(seen) + 1, self._cast.timing(character)
            lines = [*(without(event.text) for event in seen[-DEEPEST:]), line]
            seed = f"{character.id} {said}"
            told = card.book.told(lines, said, timing.since(present), seed=seed, room=LORE_TINY if tiny else LORE)
            timing.keep(present, card.book, told, said)
            lore = tuple(told.texts)
        chinese = speaks_chinese(card, line)
        notes: list[str] = []
        promised: tuple[str, ...] = ()
        if asks_of_promises(line):
            known = relations(character.id, self._cast.log(character).witnessed(*present)).get(company.person)
            if known:
                promised = tuple(known.owed[-2:])
                who = company.person
                notes += [f"你答应过{who}：“{p}”" if chinese else f'You told {who}: "{p}"' for p in promised]
                notes += [
                    f"{who}答应过你：“{p}”" if chinese else f'{who} promised you: "{p}"' for p in known.promised[-2:]
                ]
        if not tiny:
            notes += [thought.text for thought in self._cast.thoughts(character).fitting(line, *present)]
        given = [card.text(field, person=company.person) for field in ("description", "scenario", "personality")]
        untold = (
            asks
            and not sure
            and not notes
            and not covers(line, [*given, *lore, *(e.content for e in card.book.constant)])
        )
        return Aside(lore, tuple(notes), promised, sure, untold)

    def company(self, character: Character, person: str, others: Sequence[Character] = ()) -> Company:
        """Who hears what a character says to a person, with others there or without."""
        names = {one.id: one.card.called for one in self._cast.of(character.owner)}
        return Company(character.id, person, names, tuple(other.id for other in others))

    def process(self, character: Character) -> Process:
        """The character's process, started at first use and again after it was killed; kernels come and go."""
        process = self.alive(character)
        if process is None:
            process = self._speaker.processes.spawn(
                self._speaker.processes.init,
                name=character.name,
                program="character",
                subject=f"character:{character.name}",
                owner=character.owner,
                priority="interactive",
                lasting=Lasting(character.id, character.subject),
            )
        return process

    def alive(self, character: Character) -> Process | None:
        """The character's process, where it runs."""
        return self._speaker.processes.of("character", character.id)

    async def end(self, character: Character) -> None:
        """Kill the character's process, if it has one; the next line starts another."""
        await self.thinking.end([character])
        process = self.alive(character)
        if process:
            await self._speaker.processes.kill(process.pid)

    async def close(self) -> None:
        """Let those who think come to an end."""
        await self.thinking.close()

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="seconds")


def _written(character: Character) -> list[str]:
    """Whose words its card is, where they aren't a person's."""
    return [label for label in character.card.written_by.split(", ") if label]


def _sampling(character: Character, *, tiny: bool) -> Sampling:
    """How a character draws its words: as its person said, else as suits the model."""
    said = character.voice
    return replace(
        SAMPLING,
        temperature=said.get("temperature", 0.55 if tiny else 0.7),
        top_p=said.get("top_p", SAMPLING.top_p),
        repeat_penalty=1.08,
        max_tokens=int(said.get("max_tokens", 80 if tiny else 300)),
        seed=int(said["seed"]) if "seed" in said else None,
    )
