"""Erasure: what the journal still says of a character that was deleted goes too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llmasos.core.kernel.journal import Entry
from llmasos.core.kernel.trap import Caller
from llmasos.services.characters.cast import Character


def erase_traces(caller: Caller, character: Character) -> None:
    """Take a deleted character out of the journal, with whatever else was said in the same breath."""
    name, current = character.name.casefold(), caller.entry.id if caller.entry else None
    requests: set[str] = set()

    def named(call: Mapping[str, Any]) -> bool:
        args = call.get("args") or {}
        return _talks(call) and name in (str(args.get(key, "")).casefold() for key in ("name", "who"))

    def about(entry: Entry) -> bool:
        if any(map(named, (entry.call, *_ordered(entry)))):
            return True
        # A line in a room names nobody, but what takes it back names all who heard it; a process is called as it is.
        heard = character.id in repr(entry.inverse) or name in entry.message.casefold()
        return heard and (_talks(entry.call) or str(entry.call.get("syscall", "")).startswith("process."))

    def collect(entry: Entry) -> bool:
        if entry.id == current or about(entry):
            requests.add(entry.request)
        return False

    journal = caller.kernel.journal
    journal.erase(collect)
    requests.discard("")
    caller.erase(lambda entry: entry.id == current or about(entry) or entry.request in requests)


def _talks(call: Mapping[str, Any]) -> bool:
    return str(call.get("syscall", "")).startswith(("character.", "room."))


def _ordered(entry: Entry) -> Sequence[Mapping[str, Any]]:
    """The calls that a background job was ordered to make; none where it is no such order."""
    if entry.call.get("syscall") != "jobs.add":
        return ()
    try:
        calls: Sequence[Mapping[str, Any]] = json.loads(entry.call["args"]["program"])
    except (KeyError, ValueError):  # erased before
        return ()
    return calls
