"""room.*: rooms where a person and several characters talk."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import SyscallError
from llmasos.core.base.values import done, record, text
from llmasos.core.kernel.labels import kept
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Kind, inverse, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.changes import change, take_back
from llmasos.services.characters import Characters
from llmasos.services.characters.cast import Cast, Character
from llmasos.services.characters.conversation import LINE
from llmasos.services.characters.making import Making
from llmasos.services.characters.naming import named
from llmasos.services.rooms.room import KIND, Room, load
from llmasos.services.rooms.talk import Piece, Talk
from llmasos.services.safety import Notice
from llmasos.services.safety.service import note

NAME = "social"
"""The room that is meant where none is named."""
LARGEST = 8
"""Characters in a room; each hears every line."""
SHOWN = 8
"""Lines that are shown of a talk."""

Who = Annotated[str, Kind("character")]


class RoomService:
    """All rooms of a home.

    Args:
        store: Where they are kept.
        clock: Says when something was said.
        characters: Who can be in them, and how they speak.
    """

    def __init__(self, store: Store, clock: Clock, characters: Characters) -> None:
        self._store = store
        self._cast: Cast = characters.cast
        self._talk = Talk(store, characters.cast, clock, characters.conversations)
        self._floor: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @syscall("room.show", effect="read", spoken=False)
    async def show(self, caller: Caller, room: str = NAME) -> dict[str, Any]:
        """Who is in a room, and what was said last.

        Args:
            room: Which room.
        """
        there = self._room(caller, room)
        inside = self._talk.inside(there)
        lines, sources = self._talk.lines(there, SHOWN)
        said = "\n".join(lines) or None
        fields = {"here": ", ".join(character.name for character in inside) or "nobody", "said": said}
        return record(there.name, fields, ref=there.name, sources=sources)

    @syscall("room.invite", effect="write", spoken=False)
    async def invite(self, caller: Caller, who: Who, room: str = NAME) -> dict[str, Any]:
        """Ask a character into a room; it hears what is said from now on.

        Args:
            who: Which character.
            room: Which room.
        """
        character = await named(caller, self._cast, who)
        there = self._room(caller, room)
        inside = self._talk.inside(there)
        if character in inside:
            return done(f"{character.name} is here already.", ref=character.name)
        if len(inside) >= LARGEST:
            raise SyscallError("EBUSY", f"{LARGEST} characters are in the room, and that is the most.", "Send one out.")
        members = (*(one.id for one in inside), character.id)
        await self._change(caller, "room.invite", character, replace(there, members=members))
        return done(f"{character.name} comes in.", ref=character.name)

    @syscall("room.dismiss", effect="write", spoken=False)
    async def dismiss(self, caller: Caller, who: Who, room: str = NAME) -> dict[str, Any]:
        """Send a character out of a room; it doesn't hear what is said then.

        Args:
            who: Which character.
            room: Which room.
        """
        character = await named(caller, self._cast, who)
        there = self._room(caller, room)
        if character.id not in there.members:
            raise SyscallError("ENOENT", f"{character.name} isn't here.", "'who is here' shows who is.")
        members = tuple(id for id in there.members if id != character.id)
        await self._change(caller, "room.dismiss", character, replace(there, members=members))
        return done(f"{character.name} goes out.", ref=character.name)

    @syscall("room.say", effect="write", spoken=False)
    async def say(self, caller: Caller, message: str, room: str = NAME) -> dict[str, Any]:
        """Say something to all in a room; those who are spoken to answer, or those who like to talk.

        What is said next overtakes the answers that are still to come.

        Args:
            message: What is said.
            room: Which room.
        """
        line = message.strip()
        if not line:
            raise SyscallError("EINVAL", "There is nothing to say.")
        if len(line) > LINE:
            raise SyscallError("E2BIG", f"One line has at most {LINE:,} characters; this has {len(line):,}.")
        there = self._room(caller, room)
        async with self._floor[there.id]:
            there = self._begin(caller, there)
            there = await self._talk.hear(there, line, kept(caller.call, "message"))
            return await self._told(caller, there, self._talk.answers(there, line))

    @syscall("room.go_on", effect="write", spoken=False)
    async def go_on(self, caller: Caller, turns: int = 3, room: str = NAME) -> dict[str, Any]:
        """Let the characters in a room talk among themselves.

        Args:
            turns: How many of them speak, at most 20.
            room: Which room.
        """
        if not 1 <= turns <= 20:
            raise SyscallError("EINVAL", f"{turns} turns aren't between 1 and 20.")
        there = self._room(caller, room)
        async with self._floor[there.id]:
            there = self._begin(caller, there)
            if len(self._talk.inside(there)) < 2 or not self._talk.lines(there, 1)[0]:
                raise SyscallError("EINVAL", "There is no talk to go on with.", "Say something to two of them first.")
            return await self._told(caller, there, self._talk.go_on(there, turns))

    @inverse("room.invite")
    async def take_back_invite(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Out again."""
        return f"{take_back(self._store, payload)} is out again."

    @inverse("room.dismiss")
    async def take_back_dismiss(self, caller: Caller, payload: dict[str, Any]) -> str:
        """In again."""
        return f"{take_back(self._store, payload)} is here again."

    @inverse("room.say")
    async def unsay(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Take back a line and the answers to it: nobody has heard them."""
        before = Room.of(payload["room"])
        now = load(self._store, before.owner, before.name)
        logs = {id: self._cast.log(one) for id in payload["first"] if (one := self._cast.get(id))}
        if now.lines > before.lines + 1 or any(
            not set(event.witnesses) == {before.owner, *payload["first"]}
            for id, log in logs.items()
            for event in log.since(payload["first"][id])
        ):
            raise SyscallError("ESTALE", "The talk has gone on since, so it was left as it is.")
        with self._store.transaction():
            for id, log in logs.items():
                log.retract(payload["first"][id])
            self._store.put(KIND, before.id, before.to_json())
        return "Nobody has heard that."

    def _room(self, caller: Caller, name: str) -> Room:
        return load(self._store, caller.session.person, " ".join(name.split()) or NAME)

    def _begin(self, caller: Caller, room: Room) -> Room:
        """The room as it is when the floor is free, with what takes back all that comes now."""
        room = load(self._store, room.owner, room.name)
        inside = self._talk.inside(room)
        if not inside:
            raise SyscallError("ENOENT", "Nobody is here to talk with.", "'invite Bram' brings somebody in.")
        first = {character.id: self._cast.log(character).next_number for character in inside}
        caller.prepare("room.say", {"room": room.to_json(), "first": first})
        return room

    async def _told(self, caller: Caller, room: Room, pieces: AsyncGenerator[Piece, None]) -> dict[str, Any]:
        """What is said until it is done or overtaken, shown as it comes: a line for each who speaks."""
        said = ""
        making = Making()
        notices: list[Notice] = []

        async def tell() -> None:
            nonlocal said
            speaker = ""
            async with aclosing(pieces):
                async for piece in pieces:
                    words = piece.text
                    if isinstance(words, Notice):
                        notices.append(words)
                    if piece.speaker:
                        making.add(words)
                    if piece.speaker != speaker or not piece.speaker:
                        words = (
                            ("\n" if said and not said.endswith("\n") else "")
                            + (f"{piece.speaker}: " if piece.speaker else "")
                            + words
                        )
                        speaker = piece.speaker
                    said += words
                    await caller.session.front.words(words)

        await caller.process.unless_called(tell())
        if said:
            await caller.session.front.words("\n")
        return text(
            said, source=making.source, ref=room.name, title=room.name, note=note(caller, notices),
            sources=making.sources,
        )  # fmt: skip

    async def _change(self, caller: Caller, inverse: str, character: Character, room: Room) -> None:
        await change(caller, inverse, character.name, (KIND, room.id, room.to_json()))
