"""Erasure: what the journal still says of a character that was deleted goes too."""

from __future__ import annotations

from llmasos.core.kernel.journal import Entry
from llmasos.core.kernel.trap import Caller
from llmasos.services.characters.cast import Character


def erase_traces(caller: Caller, character: Character) -> None:
    """Take a deleted character out of the journal, with whatever else was said in the same breath."""
    name, current = character.name.casefold(), caller.entry.id if caller.entry else None
    requests: set[str] = set()

    def about(entry: Entry) -> bool:
        if not str(entry.call.get("syscall", "")).startswith(("character.", "room.")):
            return False
        args = entry.call.get("args") or {}
        named = name in (str(args.get(key, "")).casefold() for key in ("name", "who"))
        # A line in a room names nobody, but what takes it back names all who heard it.
        return named or character.id in repr(entry.inverse) or name in entry.message.casefold()

    def collect(entry: Entry) -> bool:
        if entry.id == current or about(entry):
            requests.add(entry.request)
        return False

    journal = caller.kernel.journal
    journal.erase(collect)
    requests.discard("")
    caller.erase(lambda entry: entry.id == current or about(entry) or entry.request in requests)
