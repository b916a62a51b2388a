"""`llmasos readings`: what the person's own sentences mean, as they explained or confirmed it; listed and removed."""

from __future__ import annotations

import json

from llmasos.compose import Machine, compose
from llmasos.core.base.errors import UsageError
from llmasos.core.base.settings import Settings
from llmasos.services.interpreter.kept import Kept
from llmasos.services.interpreter.reading import say
from llmasos.shell import keys
from llmasos.shell.safe import one_line

NOTHING = "Nothing is kept. A reading is kept when you pick it or explain what you meant."


async def run_readings(settings: Settings, action: str, number: str, *, as_json: bool) -> int:
    """List what is kept, or remove one.

    Raises:
        UsageError: There is no such number.
    """
    machine = await compose(settings, ask=keys.asker())
    try:
        if action == "remove":
            print(remove(machine, number))
        elif as_json:
            rows = [{"number": n, "said": k.said, "calls": _calls(k), "at": k.at} for n, k in _numbered(machine)]
            print(json.dumps(rows, ensure_ascii=False, indent=1))
        else:
            print("\n".join(lines(machine)))
        return 0
    finally:
        await machine.close()


def lines(machine: Machine) -> list[str]:
    """What is kept, numbered, a line each."""
    return [f"{n:3}  {one_line(k.said)}  →  {one_line(say(k.program))}" for n, k in _numbered(machine)] or [NOTHING]


def remove(machine: Machine, number: str) -> str:
    """Remove the reading of a number; says which.

    Raises:
        UsageError: There is no such number.
    """
    for n, kept in _numbered(machine):
        if str(n) == number:
            machine.kept.remove(machine.person, kept.id)
            return f"No longer kept: {one_line(kept.said)}"
    raise UsageError(f"There is no reading {number or 'without a number'}.", "'llmasos readings' numbers them.")


def _numbered(machine: Machine) -> list[tuple[int, Kept]]:
    return list(enumerate(machine.kept.of(machine.person), 1))


def _calls(kept: Kept) -> list[dict[str, object]]:
    return [call.to_json() for call in kept.program]
