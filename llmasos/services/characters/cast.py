"""Who there is: all characters, each sealed with its own key, with all versions of its card."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmasos.core.base.clock import Clock
from llmasos.core.kernel.store import Store
from llmasos.services.characters.card import Card
from llmasos.services.characters.events import EventLog
from llmasos.services.characters.thoughts import Thoughts
from llmasos.services.characters.timing import Timing
from llmasos.services.memory.retrieval import Embedder

KIND = "character"


@dataclass
class Character:
    """One character of one person.

    Attributes:
        id: Random; never used again, so that a key that was shredded stays gone.
        owner: Whose it is.
        card: The version in force.
        created: When, ISO 8601.
        versions: Earlier cards, oldest first.
        voice: How it draws its words, where its person has said: `seed`, `temperature`, `top_p`, `max_tokens`.
            No part of the card, as that can be a stranger's.
        portrait: Under which its picture is kept, a blob of the subject; empty where there is none. Earlier ones stay
            as long as it does, as earlier cards do.
    """

    id: str
    owner: str
    card: Card
    created: str
    versions: list[dict[str, Any]] = field(default_factory=list)
    voice: dict[str, float] = field(default_factory=dict)
    portrait: str = ""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.card.name

    @property
    def subject(self) -> str:
        """Whose key seals what it knows."""
        return f"character:{self.id}"


class Cast:
    """All characters of a home.

    Args:
        store: Where they are kept.
        clock: Says when.
        embedder: For their memories; may be None.
    """

    def __init__(self, store: Store, clock: Clock, embedder: Embedder | None = None) -> None:
        self._store = store
        self._clock = clock
        self._embedder = embedder
        self._loaded: dict[str, Character] | None = None
        self._logs: dict[str, EventLog] = {}
        self._thoughts: dict[str, Thoughts] = {}

    def of(self, owner: str) -> list[Character]:
        """A person's characters, oldest first."""
        return [c for c in self._all().values() if c.owner == owner]

    def get(self, id: str) -> Character | None:
        """A character by its id."""
        return self._all().get(id)

    def find(self, owner: str, name: str) -> Character | None:
        """A person's newest character of this very name."""
        wanted = name.strip().casefold()
        return next((c for c in reversed(self.of(owner)) if c.name.casefold() == wanted), None)

    def add(
        self, owner: str, card: Card, *, id: str = "", voice: Mapping[str, float] | None = None, portrait: bytes = b""
    ) -> Character:
        """A new character, with the picture of it, if there is one."""
        created = self._clock.now().isoformat(timespec="seconds")
        character = Character(id or new_id(), owner, card, created, voice=dict(voice or {}))
        with self._store.transaction():
            self._keep_portrait(character, portrait)
            self._save(character)
        self._all()[character.id] = character
        return character

    def revise(self, character: Character, card: Card, portrait: bytes = b"") -> None:
        """A new version of the card; the memory is kept, and the portrait, where there is no other."""
        character.versions.append(character.card.to_json())
        character.card = card
        with self._store.transaction():
            self._keep_portrait(character, portrait)
            self._save(character)

    def portrait(self, character: Character) -> bytes:
        """A character's picture; empty where it has none."""
        if not character.portrait:
            return b""
        return self._store.get_blob(character.portrait, subject=character.subject) or b""

    def portrait_size(self, character: Character) -> int:
        """Bytes of it, about; 0 where it has none."""
        return self._store.blob_size(character.portrait, subject=character.subject) if character.portrait else 0

    def has_portrait(self, character: Character, portrait: bytes) -> bool:
        """Whether that is its picture."""
        return character.portrait == _named(portrait)

    def give_portrait(self, character: Character, portrait: bytes) -> None:
        """From now on it looks so."""
        with self._store.transaction():
            self._keep_portrait(character, portrait)
            self._save(character)

    def restore_portrait(self, character: Character, portrait: str) -> None:
        """It looks as before: an earlier picture, by its name, or none."""
        character.portrait = portrait
        self._save(character)

    def _keep_portrait(self, character: Character, portrait: bytes) -> None:
        if not portrait or self.has_portrait(character, portrait):
            return
        character.portrait = self._store.put_blob(portrait, id=_named(portrait), subject=character.subject)

    def give_voice(self, character: Character, voice: Mapping[str, float]) -> None:
        """From now on it draws its words so."""
        character.voice = dict(voice)
        self._save(character)

    def set_aside(self, owner: str, name: str) -> None:
        """Give a character another name, so that a new one can have it; it stays what it was."""
        known = self.find(owner, name)
        if known is None:
            return
        number = 1
        while self.find(owner, f"{known.name} ({number})"):
            number += 1
        known.card = known.card.renamed(f"{known.name} ({number})")
        self._save(known)

    def restore_version(self, character: Character) -> None:
        """Back to the version before."""
        character.card = Card.from_json(character.versions.pop())
        self._save(character)

    def log(self, character: Character) -> EventLog:
        """What a character remembers; read from the store at first use."""
        if character.id not in self._logs:
            log = EventLog(self._store, character.subject, character.id, self._embedder)
            log.erasing.append(lambda numbers: self.thoughts(character).without(numbers))
            self._logs[character.id] = log
        return self._logs[character.id]

    def thoughts(self, character: Character) -> Thoughts:
        """What a character has made of it."""
        if character.id not in self._thoughts:
            self._thoughts[character.id] = Thoughts(self._store, character.subject)
        return self._thoughts[character.id]

    def timing(self, character: Character) -> Timing:
        """When its lorebook was triggered."""
        return Timing(self._store, character.subject)

    def reread(self, ids: Iterable[str]) -> None:
        """Forget what is in memory of what these remember: what is kept is read again."""
        for id in ids:
            self._logs.pop(id, None)
            self._thoughts.pop(id, None)

    def erase(self, character: Character) -> None:
        """Shred a character's key, and with it everything it was and knew."""
        self._store.shred(character.subject)
        self._all().pop(character.id, None)
        self._logs.pop(character.id, None)
        self._thoughts.pop(character.id, None)

    def _all(self) -> dict[str, Character]:
        if self._loaded is None:
            self._loaded = {}
            for record in self._store.scan(KIND):
                value = record.value
                card = Card.from_json(value["card"])
                self._loaded[record.id] = Character(
                    record.id, value["owner"], card, value["created"], value["versions"], value.get("voice", {}),
                    value.get("portrait", ""),
                )  # fmt: skip
        return self._loaded

    def _save(self, character: Character) -> None:
        value: dict[str, Any] = {
            "owner": character.owner,
            "card": character.card.to_json(),
            "created": character.created,
            "versions": character.versions,
            **({"voice": character.voice} if character.voice else {}),
            **({"portrait": character.portrait} if character.portrait else {}),
        }
        self._store.put(KIND, character.id, value, subject=character.subject)


def new_id() -> str:
    """An id that no character had before."""
    return secrets.token_hex(8)


def _named(portrait: bytes) -> str:
    """What a picture is kept under: the same one isn't kept twice."""
    return f"portrait {hashlib.sha256(portrait).hexdigest()}" if portrait else ""
