"""Which lines are native commands: those that begin with "!". Nothing but a line that a person typed becomes one."""

from __future__ import annotations

from llmasos.core.base.errors import UsageError

RUN = "system.run"
"""The syscall. No sentence means it, no model writes it, no job, app or plugin makes it."""
SIGN = "!"


def typed(line: str) -> str | None:
    """The command of a line, None where it is none.

    Raises:
        UsageError: There is nothing behind the sign.
    """
    line = line.strip()
    if not line.startswith(SIGN):
        return None
    command = line.removeprefix(SIGN).strip()
    if not command:
        raise UsageError("There is no command behind the '!'.", "For example: !ls -la")
    return command
