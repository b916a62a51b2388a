"""Which processes come back with the next kernel: those of something that outlives it, a character or an open app.

What is kept of one is who it is and whether it was stopped, sealed with the key of what it belongs to. Its context
isn't: that is computed anew from what was said. It keeps its pid, so that what a person saw in `ps` still holds.
Sessions, background jobs and what runs inside a call end with their kernel; jobs say themselves how far they came.
"""

from __future__ import annotations

import logging
from typing import Any

from llmasos.core.base.errors import LlmasosError
from llmasos.core.kernel.process import Lasting, Process, ProcessTable, State
from llmasos.core.kernel.store import Store

log = logging.getLogger(__name__)

KIND = "process"
_PLAIN = ("pid", "parent", "owner", "name", "program", "subject", "started", "began", "boot", "priority", "weight")


class Roster:
    """The part of a process table that is written down.

    Args:
        store: Where.
        table: Whose processes.
    """

    def __init__(self, store: Store, table: ProcessTable) -> None:
        self._store = store
        self._table = table
        self._restore()
        table.keeping.append(self._keep)
        table.leaving.append(self._drop)

    def _restore(self) -> None:
        """Let those in again that an earlier kernel had."""
        kept = sorted(self._store.scan(KIND), key=lambda record: int(record.id))
        for record in kept:
            value: dict[str, Any] = dict(record.value)
            stopped, of = value.pop("stopped"), value.pop("of")
            process = Process(**value, lasting=Lasting(of, record.subject))
            process.move(State.READY)
            process.move(State.STOPPED if stopped else State.WAITING)
            self._table.readmit(process)

    def _keep(self, process: Process) -> None:
        if process.lasting is None:
            return
        value = {name: getattr(process, name) for name in _PLAIN}
        value |= {"of": process.lasting.of, "stopped": process.state is State.STOPPED}
        self._store.put(KIND, str(process.pid), value, subject=process.lasting.key)

    def _drop(self, process: Process) -> None:
        if process.lasting is None:
            return
        try:
            self._store.delete(KIND, str(process.pid), subject=process.lasting.key)
        except LlmasosError as error:  # it has ended all the same, and its cells must be freed
            log.warning("process %d ended, and that can't be written down: %s", process.pid, error)
