"""The run queue where there is no kernel."""

from __future__ import annotations

from collections.abc import Sequence

from llmasos.core.engine.base import LiveSequence


class Fifo:
    """All run, the longest waiting first."""

    def select(self, runnable: Sequence[LiveSequence], limit: int) -> Sequence[LiveSequence]:
        """The first `limit`."""
        return runnable[:limit]

    def charge(self, sequence: LiveSequence, tokens: int) -> None:
        """Keeps no accounts."""

    def stepped(self, sequences: int, rows: int, seconds: float, first_tokens: Sequence[float]) -> None:
        """Measures nothing."""
