"""Characters from Python: got or created, spoken with, searched; the same ones that the syscalls know."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.values import sourced
from llmasos.core.kernel.trap import Caller
from llmasos.services.characters.card import Card
from llmasos.services.characters.cast import Cast, Character
from llmasos.services.characters.conversation import Conversations

SHOWN = 8
"""Events of one character that are shown at most."""


@dataclass(frozen=True, slots=True)
class CharacterRef:
    """A character as the Python API names it.

    Attributes:
        id: Its id.
        name: Its name.
        owner: Whose it is.
        created: Whether it was made just now.
    """

    id: str
    name: str
    owner: str
    created: bool = False

    @classmethod
    def of(cls, character: Character, *, created: bool = False) -> CharacterRef:
        """A character's reference."""
        return cls(character.id, character.name, character.owner, created)


class CharacterApi:
    """What programs do with characters.

    Args:
        cast: Who there is.
        conversations: How one talks with them.
    """

    def __init__(self, cast: Cast, conversations: Conversations) -> None:
        self.cast = cast
        self.conversations = conversations

    async def create(
        self,
        owner: str,
        name: str,
        *,
        personality: str = "",
        role: str = "",
        language: str = "",
        scenario: str = "",
        goals: Sequence[str] = (),
        lore: Sequence[Any] = (),
        new: bool = False,
    ) -> CharacterRef:
        """Get a character by owner and name, or create it.

        Args:
            owner: Whose it is.
            name: What it is called.
            personality: How it is; another one than before is a new version of the card, and the memory is
                kept.
            role: What it is.
            language: What it speaks.
            scenario: Where and when one meets it.
            goals: What it wants.
            lore: What it knows of its world; see `Card.make`.
            new: Make a fresh one even where there is one of this name.

        Raises:
            SyscallError: EINVAL, the name can't be one.
        """
        said: dict[str, Any] = {
            "personality": personality, "role": role, "language": language, "scenario": scenario, "goals": goals,
            "lore": lore,
        }  # fmt: skip
        card = Card.make(name, **said)
        if new:
            self.cast.set_aside(owner, card.name)
        known = self.cast.find(owner, card.name)
        if known is None:
            return CharacterRef.of(self.cast.add(owner, card), created=True)
        changed = known.card.changed(**said)
        if changed:
            self.cast.revise(known, changed)
        return CharacterRef.of(known)

    async def set_aside(self, owner: str, name: str) -> None:
        """Free a name for a fresh character; who had it goes on as "NAME (1)"."""
        self.cast.set_aside(owner, name)

    async def chat(self, ref: CharacterRef, message: str, *, person: str = "") -> AsyncGenerator[str, None]:
        """Say something to a character; its reply, piece by piece.

        Args:
            ref: Who.
            message: What is said.
            person: Who says it; the owner where empty.

        Raises:
            SyscallError: ENOENT, it was deleted; EBUSY, its process is stopped; ECANCELED, it was killed
                meanwhile.
        """
        character = self.cast.get(ref.id)
        if character is None:
            raise SyscallError("ENOENT", f"{ref.name} was deleted.", "Create it again.")
        async with aclosing(self.conversations.turn(character, person or ref.owner, message)) as pieces:
            async for piece in pieces:
                yield piece

    async def look(self, caller: Caller, query: str) -> Sequence[dict[str, Any]]:
        """Conversations as rows of `search.find`."""
        person = caller.session.person
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for character in self.cast.of(person):
            log = self.cast.log(character)
            for hit in await log.recall(query, character.id, person, before=log.next_number, limit=SHOWN):
                other = self.cast.get(hit.item.source)
                words = f"{f'{other.name} ' if other else ''}to {character.name}: {hit.item.text}"
                # Several were there when something was said in a room; it was said once.
                row = {"ref": character.name, "text": words, "score": hit.relevance}
                event = log.get(hit.item.order)
                sources = {"character"} if other and (event is None or event.is_models) else set[str]()
                sources |= set(event.sources) if event else set()
                rows.setdefault((hit.item.at, hit.item.text), sourced(row, sources))
        return list(rows.values())
