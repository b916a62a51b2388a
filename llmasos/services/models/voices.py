"""Who speaks with which model: a character that was given one of its own, its adapter or another file."""

from __future__ import annotations

from llmasos.core.kernel.process import Process
from llmasos.core.kernel.store import Store

KIND = "model.voice"


class Voices:
    """What a person chose for their characters.

    Args:
        store: Where it is kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, process: Process) -> str:
        """The model that a process speaks with; empty for the one that all speak with."""
        if process.program != "character":
            return ""
        kept = self._store.get(KIND, key(process.owner, process.name))
        return str(kept["model"]) if kept else ""


def key(owner: str, character: str) -> str:
    """The id of a choice."""
    return f"{owner}\n{character.casefold()}"
