"""What the kernel's door tells the audit log."""

from __future__ import annotations

import logging
from collections.abc import Callable

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import StoreError
from llmasos.core.kernel.audit.log import AuditLog, Record
from llmasos.core.kernel.syscall import Syscall, SyscallTable
from llmasos.core.kernel.trap import Trapped

log = logging.getLogger(__name__)

LONGEST = 200
"""Characters of a name."""


class Auditor:
    """Writes an entry for each call, and stops what would change something while it can't.

    Args:
        audit: The log.
        table: The syscalls.
        clock: What dates them.
        layers: What confined the code that a call ran, where that isn't ours; else empty.
    """

    def __init__(self, audit: AuditLog, table: SyscallTable, clock: Clock, layers: Callable[[Syscall], str]) -> None:
        self._audit = audit
        self._table = table
        self._clock = clock
        self._layers = layers
        self._lost = 0

    def trapped(self, trapped: Trapped) -> None:
        """Write down what came of a call."""
        call, result = trapped.call, trapped.result
        record = Record(
            at=self._clock.now().isoformat(),
            pid=trapped.process.pid,
            actor=trapped.process.subject,
            syscall=str(call.syscall)[:LONGEST],  # what comes from outside may be no text at all, or a long one
            verdict=trapped.decision.verdict if trapped.decision.rule else "",
            rule=trapped.decision.rule,
            args=self._audit.tag(call.args),
            outcome=result.error or "ok",
            entry=trapped.entry,
            labels=tuple(sorted(trapped.labels)),
            by=trapped.decision.labels,
            layers=self._layers(self._table[call.syscall]) if call.syscall in self._table else "",
        )
        try:
            self._audit.append(record)
        except StoreError:
            # What was done is done; nothing further is, until this can be written again.
            self._lost += 1
            log.exception("an entry of the audit log was lost")

    def ready(self) -> None:
        """Before something is changed.

        Raises:
            StoreError: It couldn't be written down.
        """
        if self._audit.trouble:
            raise StoreError(
                self._audit.alarm,
                "Until it is, nothing is changed. See 'llmasos audit verify'; 'llmasos audit accept' begins a new one.",
            )
        if self._lost:
            self._audit.note(f"{self._lost} entries could not be written")
            self._lost = 0
