"""The lines a person typed, sealed: nothing readable is on the disk."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from prompt_toolkit.history import History

from llmasos.core.base.errors import StoreError
from llmasos.core.kernel.sealed_log import SealedLog

log = logging.getLogger(__name__)


class SealedHistory(History):
    """A history for prompt_toolkit over a sealed log.

    Args:
        sealed: Where the lines are kept.
    """

    def __init__(self, sealed: SealedLog) -> None:
        super().__init__()
        self._sealed = sealed

    def load_history_strings(self) -> Iterable[str]:
        """The lines, newest first; a file that was tampered with is no reason to have no prompt."""
        found: list[str] = []
        try:
            found.extend(self._sealed.lines())
        except StoreError as error:
            log.warning("the shell's history is cut short: %s", error)
        return reversed(found)

    def store_string(self, string: str) -> None:
        """Keep a line."""
        try:
            self._sealed.append(string)
        except StoreError as error:
            log.warning("a line isn't in the history: %s", error)
