"""The talk in a room: a line is heard by all who are there, then they answer in turn."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Literal

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import CutOff, SyscallError
from llmasos.core.kernel.store import Store
from llmasos.services.characters.cast import Cast, Character
from llmasos.services.characters.conversation import Conversations
from llmasos.services.characters.events import Event
from llmasos.services.characters.making import Maker, Making
from llmasos.services.rooms import turns
from llmasos.services.rooms.room import KIND, Room, load
from llmasos.services.rooms.turns import Member
from llmasos.services.safety import Notice


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of what is said.

    Attributes:
        speaker: The name of who says it; empty for a remark about who is there.
        text: The words.
    """

    speaker: str
    text: str

    @property
    def ends(self) -> bool:
        """Whether nobody speaks after it: the person is in a crisis."""
        return isinstance(self.text, Notice) and self.text.kind == "crisis"


class Talk:
    """Who says what to whom.

    Args:
        store: Where rooms are kept.
        cast: Who there is.
        clock: Says when something was said.
        conversations: How they speak.
    """

    def __init__(self, store: Store, cast: Cast, clock: Clock, conversations: Conversations) -> None:
        self._store = store
        self._cast = cast
        self._clock = clock
        self._conversations = conversations

    def inside(self, room: Room) -> list[Character]:
        """Who is in a room; characters that were deleted have left."""
        return [character for id in room.members if (character := self._cast.get(id))]

    async def hear(self, room: Room, line: str, sources: Sequence[str] = ()) -> Room:
        """A person's line, heard by all who are there; the room after it.

        Args:
            room: Where.
            line: What is said.
            sources: Whose words it is, where they aren't the person's.
        """
        await self._keep(room, room.owner, line, sources)
        for character in self.inside(room):
            self._conversations.thinking.noticed(character, line, self._clock.now())
        room = replace(room, lines=room.lines + 1)
        self._store.put(KIND, room.id, room.to_json())
        return room

    async def answers(self, room: Room, line: str) -> AsyncGenerator[Piece, None]:
        """The answers to a person's line that was heard, piece by piece.

        Each is kept by all who are there, also one that was cut short.
        """
        members = [_member(character) for character in self.inside(room)]
        waiting = turns.answering(line, members, room.partner, _dice(room))
        spoken: list[str] = []
        speaker, ago = waiting[0], 1
        while speaker and len(spoken) < turns.MOST:
            said = ""
            async with aclosing(self._speak(room, speaker, ago)) as pieces:
                async for piece in pieces:
                    said += piece.text if piece.speaker else ""
                    yield piece
                    if piece.ends:
                        return
            spoken.append(speaker)
            called, speaker = turns.following(said, speaker, waiting, spoken, members)
            # Who was spoken to replies to that, who still waits to the person's line.
            ago = 1 if called else ago + bool(said)

    async def go_on(self, room: Room, count: int) -> AsyncGenerator[Piece, None]:
        """The characters talk among themselves for some turns."""
        members = [_member(character) for character in self.inside(room)]
        draw = _dice(room)
        last = next(reversed(self._heard(room)), None)
        if last is None:
            return
        said, speaker = last.text, last.speaker
        for _ in range(count):
            speaker = turns.next_in_talk(said, speaker, members, draw)
            if not speaker:
                return
            said = ""
            async with aclosing(self._speak(room, speaker, 1)) as pieces:
                async for piece in pieces:
                    said += piece.text if piece.speaker else ""
                    yield piece
                    if piece.ends:
                        return

    async def _speak(self, room: Room, id: str, ago: int) -> AsyncGenerator[Piece, None]:
        """One character's reply to what was said so many turns ago, 1 for the last."""
        character = self._cast.get(id)
        if character is None:
            return
        name, said, making = character.card.called, "", Making()
        others = [other for other in self.inside(room) if other.id != id]
        company = self._conversations.company(character, room.owner, others)
        async with self._conversations.process(character).turn(self._conversations.turns[id]):
            number = self._cast.log(character).next_number - ago
            try:
                async with aclosing(self._conversations.reply(character, company, number)) as pieces:
                    async for piece in pieces:
                        if isinstance(piece, Notice) and piece.kind == "crisis":
                            yield Piece("", piece)
                            return
                        said += piece
                        making.add(piece)
                        yield Piece(name, piece)
            except SyscallError as error:
                if error.code not in ("EBUSY", "ECANCELED"):
                    raise
                yield Piece("", f"({error.what})")
            except CutOff as error:
                yield Piece("", f"({error.what})")
            finally:
                if said.strip():
                    await self._keep(room, id, said.strip(), sorted(making.sources), making.maker)

    async def _keep(
        self, room: Room, speaker: str, text: str, sources: Sequence[str] = (), made_by: Maker | Literal[""] = ""
    ) -> None:
        """All who are there write it down at once; it is kept when this returns."""
        inside = self.inside(room)
        witnesses = (room.owner, *(character.id for character in inside))
        at = self._clock.now().isoformat(timespec="seconds")
        logs = {character.id: self._cast.log(character) for character in inside}
        listener = next((log for id, log in logs.items() if id != speaker), None)
        vector = await listener.vector(speaker, text) if listener else ""
        try:
            with self._store.transaction():
                for id, log in logs.items():
                    log.keep(
                        at, speaker, text, witnesses, vector if id != speaker else "", sources=sources, made_by=made_by
                    )
                if speaker in logs:
                    now = load(self._store, room.owner, room.name)
                    self._store.put(KIND, room.id, replace(now, partner=speaker).to_json())
        except BaseException:
            self._cast.reread(logs)
            raise

    def lines(self, room: Room, count: int) -> tuple[list[str], set[str]]:
        """What was said last that all who are there have heard, and whose words it is where it isn't the person's."""
        heard = self._heard(room)[-count:]
        sources = {source for event in heard for source in event.sources}
        if any(event.speaker != room.owner and event.is_models for event in heard):
            sources.add("character")
        return [f"{self._called(event.speaker)}: {event.text}" for event in heard], sources

    def _heard(self, room: Room) -> list[Event]:
        """All that everybody who is there has witnessed, oldest first."""
        inside = self.inside(room)
        witnesses = [room.owner, *(character.id for character in inside)]
        return self._cast.log(inside[0]).witnessed(*witnesses) if inside else []

    def _called(self, speaker: str) -> str:
        character = self._cast.get(speaker)
        return character.card.called if character else speaker


def _member(character: Character) -> Member:
    names = dict.fromkeys([character.name, character.card.called, *_parts(character.name)])
    return Member(character.id, tuple(names), character.card.talkativeness)


def _parts(name: str) -> Sequence[str]:
    """The last word of a name is a name too: "Old Bram" is called Bram."""
    return [part for part in name.split() if len(part) > 2 and part[0].isupper()][-1:]


def _dice(room: Room) -> random.Random:
    return random.Random(f"{room.seed} {room.lines}")  # noqa: S311  no secret depends on it
