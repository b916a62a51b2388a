"""A room as it is kept: who is in it, and who answered last."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from llmasos.core.kernel.store import Store

KIND = "room"


@dataclass(frozen=True, slots=True)
class Room:
    """A room of a person.

    Attributes:
        owner: Whose it is.
        name: What it is called.
        seed: Of the dice.
        members: Ids of the characters in it, in the order in which they came.
        lines: So often somebody began to talk; what the dice depend on.
        partner: Who answered last; empty where nobody did.
    """

    owner: str
    name: str
    seed: str
    members: tuple[str, ...] = ()
    lines: int = 0
    partner: str = ""

    @property
    def id(self) -> str:
        """Its id in the store."""
        return f"{self.owner}\n{self.name.casefold()}"

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Room:
        """From how it is kept."""
        return cls(**{**kept, "members": tuple(kept["members"])})

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {**asdict(self), "members": list(self.members)}


def load(store: Store, owner: str, name: str) -> Room:
    """A person's room of a name, empty where it is new."""
    new = Room(owner, name, secrets.token_hex(8))
    kept = store.get(KIND, new.id)
    return Room.of(kept) if kept else new
