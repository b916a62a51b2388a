"""The line under the prompt: which model, how fast, what runs, under which policy, where."""

from __future__ import annotations

import time

from llmasos.client import Client
from llmasos.client.base import Glance
from llmasos.core.engine.openai.address import called, is_remote
from llmasos.shell.safe import one_line, shortened

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
        client: What it tells about.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
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
        glance = self._client.glance()
        count = glance.processes
        return [self._model(glance), f"{count} {PROCESSES[count != 1]}", f"{POLICY} {glance.policy}"]

    def _model(self, glance: Glance) -> str:
        if self.failed:
            return NO_MODEL
        if not glance.loaded:
            return LOADING
        name = shortened(called(glance.model), 40 if is_remote(glance.model) else 24)
        return f"{name}  {glance.speed:.0f} {SPEED}" if glance.speed else name

    def _where(self) -> str:
        session = self._client.session
        return one_line(f"{session.workspace.name}/{session.cwd}".rstrip("/"))
