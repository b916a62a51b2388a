"""Changing records so that it can be taken back: what was before is journaled before anything is written."""

from __future__ import annotations

from typing import Any

from llmasos.core.base.errors import SyscallError
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.trap import Caller

Change = tuple[str, str, dict[str, Any] | None]
"""Kind, id, and the new value; None deletes the record."""


async def change(caller: Caller, inverse: str, what: str, *changes: Change) -> None:
    """Write records, all or none, with the inverse journaled first.

    Args:
        caller: Who makes the call.
        inverse: The syscall's inverse, which hands its payload to `take_back`.
        what: What it is about, for the message of an undo.
        changes: The new values.
    """
    store = caller.kernel.store
    steps = [{"kind": k, "id": i, "before": store.get(k, i), "after": value} for k, i, value in changes]
    caller.prepare(inverse, {"what": what, "steps": steps})
    with store.transaction():
        for kind, id, value in changes:
            _write(store, kind, id, value)


def take_back(store: Store, payload: dict[str, Any]) -> str:
    """Undo a `change`, also one that was cut off before it was written; returns what it was about.

    Raises:
        SyscallError: ESTALE, a record has changed since; nothing was done.
    """
    what: str = payload["what"]
    with store.transaction():
        for step in payload["steps"]:
            if store.get(step["kind"], step["id"]) not in (step["after"], step["before"]):
                raise SyscallError("ESTALE", f"{what} has changed since.", "Change it again instead.")
        for step in payload["steps"]:
            _write(store, step["kind"], step["id"], step["before"])
    return what


def _write(store: Store, kind: str, id: str, value: dict[str, Any] | None) -> None:
    if value is None:
        store.delete(kind, id)
    else:
        store.put(kind, id, value)
