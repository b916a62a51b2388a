"""What is typed while nobody asked: not echoed into the output, and never taken for an answer."""

from __future__ import annotations

import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prompt_toolkit.application import get_app_session
from prompt_toolkit.input.typeahead import clear_typeahead

_NO_TERMINAL = (OSError, ValueError, AttributeError, termios.error)


@contextmanager
def unechoed() -> Iterator[None]:
    """Keys don't show meanwhile; the next prompt gets them. Without a terminal nothing changes."""
    try:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except _NO_TERMINAL:
        yield
        return
    quiet = termios.tcgetattr(descriptor)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


def forget_typed() -> None:
    """Drop keys that were pressed before a question could be read: a "y" among them is no consent."""
    clear_typeahead(get_app_session().input)
    with suppress(*_NO_TERMINAL):
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
