"""Who speaks with which model: a character that was given one of its own, its adapter or another file."""

from __future__ import annotations

from llmasos.core.kernel.process import Process
from llmasos.core.kernel.store import Store
from llmasos.services.characters.cast import Cast

KIND = "model.voice"


class Voices:
    """What people chose for their characters.

    Args:
        store: Where it is kept, by a character's id: another one of the same name begins without.
        cast: The characters.
    """

    def __init__(self, store: Store, cast: Cast) -> None:
        self._store = store
        self._cast = cast

    def of(self, process: Process) -> str:
        """The model that a process speaks with; empty for the one that all speak with."""
        if process.program != "character":
            return ""
        character = self._cast.find(process.owner, process.name)
        kept = self._store.get(KIND, character.id) if character else None
        return str(kept["model"]) if kept else ""
