"""Requests of somebody who watches: what a sentence was read as is shown before any of it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmasos.core.kernel.session import Session
from llmasos.services.interpreter.reading import Reading
from llmasos.services.requests import Requests, Way
from llmasos.shell.front import TerminalFront

if TYPE_CHECKING:
    from llmasos.compose import Machine


class WatchedRequests(Requests):
    """The same requests, with a front end that hears of each reading.

    Args:
        machine: Whose kernel and interpreter.
        front: Where the reading is shown.
    """

    def __init__(self, machine: Machine, front: TerminalFront) -> None:
        super().__init__(machine.kernel, machine.interpreter)
        self._front = front

    async def understand(self, session: Session, line: str, *, appended: str = "") -> tuple[Reading, Way]:
        """The program that a line means, shown where the model read it and no question about it follows."""
        reading, way = await super().understand(session, line, appended=appended)
        if way == "model" and reading.program and reading.alternative is None:
            self._front.understood(reading)
        return reading, way
