"""The front end of a session in a pipe, with nobody to answer."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from llmasos.core.base.types import Call, Result
from llmasos.core.kernel.session import Answer, Consent
from llmasos.services.commands.typed import RUN
from llmasos.shell import plain
from llmasos.shell.safe import safe


class PipeFront:
    """Results as plain text to one stream, calls and remarks to another; nobody is there to answer.

    Args:
        yes: Consent to what policy asks about.
        out: Where results go; stdout where None.
        err: Where remarks go; stderr where None.
    """

    def __init__(self, yes: bool = False, *, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.yes = yes
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._wrote = False

    async def before(self, call: Call, shown: Mapping[str, str], effect: str) -> None:
        """The call with resolved values; a command is what was typed."""
        if call.syscall != RUN:
            self._remark(plain.call(call.syscall, shown, effect))

    async def after(self, result: Result) -> None:
        """The result, and what is to be known beside it."""
        said = "" if self._wrote else plain.result(result)
        self._wrote = False
        if said:
            # A terminal is protected; a pipe gets the words as they are.
            self._out.write((safe(said) if self._out.isatty() else said) + "\n")
            self._out.flush()
        self._remark(plain.remark(result))

    async def consent(self, question: Consent) -> Answer | None:
        """Yes where it was said beforehand, else nobody is there."""
        return "once" if self.yes else None

    async def choose(self, question: str, options: Sequence[str]) -> int | None:
        """Nobody chooses; the error that follows lists the options."""
        return None

    async def explain(self, question: str, options: Sequence[str]) -> int | str | None:
        """Nobody explains."""
        return None

    async def secret(self, question: str, *, hidden: bool = True) -> str | None:
        """Nobody types."""
        return None

    async def words(self, piece: str) -> None:
        """Nothing: the whole text is in the result."""

    async def written(self, piece: str) -> None:
        """Passed on as it comes, byte for byte."""
        self._wrote = True
        if self._out.isatty() or not hasattr(self._out, "buffer"):
            self._out.write(safe(piece))
        else:
            self._out.buffer.write(piece.encode(errors="surrogateescape"))
        self._out.flush()

    def _remark(self, words: str) -> None:
        if words:
            self._err.write((safe(words) if self._err.isatty() else words) + "\n")
            self._err.flush()
