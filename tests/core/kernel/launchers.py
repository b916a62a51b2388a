"""Launchers for tests: the zygote as us or as an ordinary user, with some layers, on a machine that has less."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.sandbox.matrix import Weakened
from llmasos.core.kernel.sandbox import Launcher, landlock, seccomp, zygote
from tests.core.kernel import poorer

SOMEBODY = 1500
"""An ordinary user, for tests that root runs."""
AS_SOMEBODY = ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups", "--"]
CONFINES = landlock.abi() >= landlock.ABI and seccomp.is_available()
"""Whether the machine that the tests run on can confine plugins."""


def _python_of_somebody() -> str:
    for python in (sys.executable, "/usr/bin/python3"):
        look = "import ctypes, sys; assert sys.version_info >= (3, 11); open(sys.argv[1]).close()"
        command = [*AS_SOMEBODY, "env", python, "-I", "-S", "-c", look, zygote.__file__]  # setpriv itself can start any
        able = not os.geteuid() and Path(python).exists() and shutil.which("setpriv")
        if able and not subprocess.run(command, capture_output=True, check=False).returncode:
            return python
    return ""


PYTHON = _python_of_somebody()
"""A Python that an ordinary user can start, with our code; empty where there is none, or we are no root."""


def on(machine: str, command: list[str]) -> list[str]:
    """A command, on a machine that has less."""
    return [command[0], "-I", "-S", poorer.__file__, machine, *command] if machine else command


class Mine(Weakened):
    """Starts the zygote as us."""

    owner: tuple[int, int] | None = None
    machine = ""

    def _command(self, control: int) -> list[str]:
        return on(self.machine, super()._command(control))


class Somebodys(Mine):
    """Starts the zygote as an ordinary user."""

    owner = (SOMEBODY, SOMEBODY)

    def _command(self, control: int) -> list[str]:
        command = [PYTHON, *Weakened._command(self, control)[1:]]
        return [*AS_SOMEBODY, *on(self.machine, command)]


class Poorer(Launcher):
    """Starts the real zygote on a machine that has less."""

    machine = ""

    def _command(self, control: int) -> list[str]:
        return on(self.machine, super()._command(control))
