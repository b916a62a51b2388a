"""The program as a person starts it: another process, its own home, its output in pipes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import llmasos

CHECKOUT = Path(llmasos.__file__).parents[1]
HANGS = 120
"""Seconds after which a program counts as hanging; nothing is measured by it."""


@dataclass
class Program:
    """`llmasos` in a home and a workspace.

    Attributes:
        home: The folder of all state.
        workspace: Where it is started.
        environment: Variables beside those of the tests.
    """

    home: Path
    workspace: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, *args: str, code: str = "", stdin: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start it; or some Python code instead of its command line."""
        command = [sys.executable, "-c", code, *args] if code else [sys.executable, "-m", "llmasos", *args]
        return subprocess.Popen(
            command, cwd=self.workspace, env=self.variables(), text=True, encoding="utf-8",
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *args: str, stdin: str = "", code: str = "") -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        with self.start(*args, code=code) as process:
            try:
                out, err = process.communicate(stdin, timeout=HANGS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def ok(self, *args: str, stdin: str = "", code: str = "") -> str:
        """What it prints where it succeeds."""
        done = self.run(*args, stdin=stdin, code=code)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *args: str, stdin: str = "") -> Any:
        """The JSON it prints; the exit code is the caller's business."""
        return json.loads(self.run(*args, stdin=stdin).stdout)

    def variables(self) -> dict[str, str]:
        """The environment it runs in."""
        inherited = {k: v for k, v in os.environ.items() if k == "LLMASOS_CACHE" or not k.startswith("LLMASOS_")}
        given = {"LLMASOS_HOME": str(self.home), "LLMASOS_OWNER": "ada", "PYTHONPATH": str(CHECKOUT)}
        return {**inherited, **given, **self.environment}
