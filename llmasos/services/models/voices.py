"""Who speaks with which model: a character or an app that was given one of its own, its adapter or another file."""

from __future__ import annotations

from llmasos.core.kernel.process import Process, ProcessTable
from llmasos.core.kernel.store import Store
from llmasos.services.characters.cast import Cast
from llmasos.services.characters.thinking import PROGRAM as REFLECTION

KIND = "model.voice"
APP = "app:"
"""Begins the id of an app's choice, as it begins the subject of an app; no character's id has a colon."""


class Voices:
    """What people chose for their characters and apps.

    Args:
        store: Where it is kept, by a character's id: another one of the same name begins without.
        cast: The characters.
        processes: Knows which process works for which.
    """

    def __init__(self, store: Store, cast: Cast, processes: ProcessTable) -> None:
        self._store = store
        self._cast = cast
        self._processes = processes

    def of(self, process: Process) -> str:
        """The model that a process speaks with; empty for the one that all speak with."""
        # A text is written in a process of its own, below that of who wants it.
        for one in self._processes.line(process):
            if one.program in ("character", REFLECTION):  # it thinks as it speaks
                character = self._cast.find(one.owner, one.name)
                return self.given(character.id) if character else ""
            if one.program == "app":
                return self.given(f"{APP}{one.name}")
        return ""

    def given(self, id: str) -> str:
        """The model that somebody was given, by a character's id or `app:NAME`; empty for the one of all."""
        kept = self._store.get(KIND, id)
        return str(kept["model"]) if kept else ""
