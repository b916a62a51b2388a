"""Front ends of commands that may ask for a user and a password: typed at a terminal, or piped in, a line each."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

from llmasos.core.base.settings import Settings
from llmasos.core.kernel.session import FrontEnd, Nobody
from llmasos.shell import keys
from llmasos.shell.pipe_front import PipeFront
from llmasos.shell.seat import each, stdin_lines


def front_of(settings: Settings, output: str) -> FrontEnd:
    """The front end of such a command.

    Args:
        settings: What the person set.
        output: How results are printed.
    """
    if output != "text":
        return _QuietTyped(yes=settings.yes)
    if keys.at_terminal() and sys.stdout.isatty():
        from llmasos.shell.front import TerminalFront  # a terminal's libraries take a quarter of a second

        return TerminalFront(yes=settings.yes)
    return _Typed(yes=settings.yes)


class _Lines:
    """What is piped in: secrets, a line each."""

    def __init__(self) -> None:
        self._lines: AsyncIterator[bytes] | None = None

    async def next(self) -> str | None:
        """The next line; None at the end, and at a terminal."""
        if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
            return None
        self._lines = self._lines or each(stdin_lines())
        line = await anext(self._lines, None)
        return line.decode(errors="replace").rstrip("\r\n") or None if line is not None else None


class _Typed(PipeFront):
    """As any pipe, with secrets piped in."""

    def __init__(self, yes: bool = False) -> None:
        super().__init__(yes)
        self._typed = _Lines()

    async def secret(self, question: str, *, hidden: bool = True) -> str | None:
        """The next line that is piped in."""
        return await self._typed.next()


class _QuietTyped(Nobody):
    """Shows nothing, with secrets piped in."""

    def __init__(self, *, yes: bool = False) -> None:
        super().__init__(yes=yes)
        self._typed = _Lines()

    async def secret(self, question: str, *, hidden: bool = True) -> str | None:
        """The next line that is piped in."""
        return await self._typed.next()
