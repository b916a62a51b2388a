"""A real terminal for the program: a pseudo-terminal, whose other end is the test."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from tests.system.program import HANGS, Program

ALTERNATE, NORMAL = b"\x1b[?1049h", b"\x1b[?1049l"
HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"
HOME = b"\x1b[H"
_STEERING = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """`llmasos` in a terminal of its own.

    Args:
        program: Where it runs.
        *args: Its command line.
        code: Some Python code instead of the command line.
        size: Columns and lines.
    """

    def __init__(self, program: Program, *args: str, code: str = "", size: tuple[int, int] = (80, 24)) -> None:
        self._ours, self._theirs = os.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self._theirs)
        self.written = b""
        self.process = subprocess.Popen(
            [sys.executable, *(["-c", code] if code else ["-m", "llmasos"]), *args],
            cwd=program.workspace, env={**program.variables(), "TERM": "xterm-256color"},
            stdin=self._theirs, stdout=self._theirs, stderr=self._theirs,
            preexec_fn=lambda: os.login_tty(os.dup(0)),  # so that Ctrl-C and resizing are signals to it
        )  # fmt: skip

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    @property
    def modes(self) -> list[Any]:
        """Echo, lines, keys that are signals, as termios has them."""
        return termios.tcgetattr(self._theirs)

    @property
    def frames(self) -> list[list[str]]:
        """What was drawn, each time from the top left; the last one may not be whole yet."""
        screen = self.written.partition(ALTERNATE)[2].partition(NORMAL)[0]
        drawn = (_STEERING.sub(b"", frame).decode(errors="replace") for frame in screen.split(HOME))
        return [frame.split("\r\n") for frame in drawn if frame]

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def until(self, holds: Callable[[], object]) -> None:
        """Read what is drawn until something holds."""
        end = time.monotonic() + HANGS
        while not holds():
            assert time.monotonic() < end, self.written[-2000:]
            self._read(0.1)

    def ends(self) -> int:
        """The exit code, when all that was drawn is read."""
        self.until(lambda: self.process.poll() is not None)
        while self._read(0):
            continue
        return self.process.wait()

    def _read(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        self.written += os.read(self._ours, 65536)
        return True
