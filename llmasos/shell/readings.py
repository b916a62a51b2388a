"""`llmasos readings`: what the person's own sentences mean, as they explained or confirmed it; listed and removed."""

from __future__ import annotations

import json

from llmasos.client import Client
from llmasos.core.base.errors import UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.session import Nobody
from llmasos.services.interpreter.reading import Kept, say
from llmasos.shell.safe import one_line
from llmasos.shell.seat import session

NOTHING = "Nothing is kept. A reading is kept when you pick it or explain what you meant."


async def run_readings(settings: Settings, action: str, number: str, *, as_json: bool) -> int:
    """List what is kept, or remove one.

    Raises:
        UsageError: There is no such number.
    """
    async with session(settings, Nobody()) as client:
        if action == "remove":
            print(await remove(client, number))
        elif as_json:
            rows = [{"number": n, "said": k.said, "calls": _calls(k), "at": k.at} for n, k in await _numbered(client)]
            print(json.dumps(rows, ensure_ascii=False, indent=1))
        else:
            print("\n".join(await lines(client)))
        return 0


async def lines(client: Client) -> list[str]:
    """What is kept, numbered, a line each."""
    told = [f"{n:3}  {one_line(k.said)}  →  {one_line(say(k.program))}" for n, k in await _numbered(client)]
    return told or [NOTHING]


async def remove(client: Client, number: str) -> str:
    """Remove the reading of a number; says which.

    Raises:
        UsageError: There is no such number.
    """
    for n, kept in await _numbered(client):
        if str(n) == number:
            await client.forget_reading(kept.id)
            return f"No longer kept: {one_line(kept.said)}"
    raise UsageError(f"There is no reading {number or 'without a number'}.", "'llmasos readings' numbers them.")


async def _numbered(client: Client) -> list[tuple[int, Kept]]:
    return list(enumerate(await client.readings(), 1))


def _calls(kept: Kept) -> list[dict[str, object]]:
    return [call.to_json() for call in kept.program]
