"""A terminal taken for a live view: its other screen, its keys without Enter, and given back as it was."""

from __future__ import annotations

import os
import signal
import sys
import termios
import tty
from contextlib import ExitStack, suppress
from types import TracebackType

from rich.console import Console, ConsoleDimensions, RenderableType
from rich.live import Live


class FullScreen:
    """The terminal within a `with`.

    A frame is written over the one before in one piece, and nothing is cleared in between: that would flicker.

    Args:
        console: The terminal; keys come from stdin.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._taken = ExitStack()

    def __enter__(self) -> FullScreen:
        self._take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A terminal that was closed can't be written to; that is no second error.
        with suppress(OSError, termios.error):
            self._taken.close()

    def show(self, view: RenderableType) -> None:
        """Draw a frame in the size that the terminal has now, whatever COLUMNS says."""
        size = os.get_terminal_size(self._console.file.fileno())
        self._console.size = ConsoleDimensions(size.columns or 80, size.lines or 24)
        if self._live:
            self._live.update(view, refresh=True)

    def suspend(self) -> None:
        """Give the terminal back, stop this program as Ctrl-Z does, and take the terminal again when it goes on."""
        self._taken.close()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()

    def _take(self) -> None:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        with ExitStack() as taken:
            # Flushed: what was typed at the view isn't meant for the program after it.
            taken.callback(termios.tcsetattr, descriptor, termios.TCSAFLUSH, before)
            tty.setcbreak(descriptor)
            live = Live(
                console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
            )
            self._live = taken.enter_context(live)
            self._taken = taken.pop_all()
