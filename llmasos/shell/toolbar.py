"""The line under the prompt: which model, how fast, what runs, under which policy, where."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from llmasos.core.kernel.session import Session
from llmasos.shell.safe import one_line, shortened

if TYPE_CHECKING:
    from llmasos.compose import Machine

LOADING = "loading the model…"
NO_MODEL = "no model"
SPEED = "tok/s"
PROCESSES = ("process", "processes")
POLICY = "policy"
BETWEEN = "  ·  "

FRESH = 1.0
"""Seconds for which figures are kept: the toolbar is drawn at every key."""


class Toolbar:
    """The toolbar's text, cheap to ask for.

    Args:
        machine: What it tells about.
        session: Where the person is.
    """

    def __init__(self, machine: Machine, session: Session) -> None:
        self._machine = machine
        self._session = session
        self.failed = False
        """Whether the model couldn't be loaded."""
        self._figures = ""
        self._at = -FRESH

    def __call__(self) -> str:
        """The line."""
        now = time.monotonic()
        if now - self._at >= FRESH:
            self._at, self._figures = now, BETWEEN.join(self._parts())
        return f" {self._figures}{BETWEEN}{self._where()}"

    def refresh(self) -> None:
        """Forget the figures: something has changed."""
        self._at = -FRESH

    def _parts(self) -> list[str]:
        machine = self._machine
        parts = [self._model()]
        alive = sum(process.alive for process in machine.kernel.processes)
        parts.append(f"{alive} {PROCESSES[alive != 1]}")
        parts.append(f"{POLICY} {machine.kernel.policy.name}")
        return [part for part in parts if part]

    def _model(self) -> str:
        machine = self._machine
        if self.failed:
            return NO_MODEL
        if machine.interpreting.loaded is None:
            return LOADING
        engines = [slot.loaded for slot in (machine.speech, machine.interpreting) if slot.loaded]
        speed = next((s for e in engines if (s := e.stats().get("tokens_per_second", 0.0)) > 0), 0.0)
        name = shortened(machine.settings.model.rpartition("/")[2], 24)
        return f"{name}  {speed:.0f} {SPEED}" if speed else name

    def _where(self) -> str:
        session = self._session
        return one_line(f"{session.workspace.name}/{session.cwd}".rstrip("/"))
