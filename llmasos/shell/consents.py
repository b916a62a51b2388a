"""`llmasos consents`: what the person agreed to for longer than once; listed and revoked."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

from llmasos.client import Client
from llmasos.core.base.errors import UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.grant import Grant
from llmasos.core.kernel.session import Nobody
from llmasos.shell.safe import one_line
from llmasos.shell.seat import session

NOTHING = "Nothing was consented to for longer than once. 'a' or '1h' at a question does that."


async def run_consents(settings: Settings, action: str, number: str, *, as_json: bool) -> int:
    """List what is held, or revoke one.

    Raises:
        UsageError: There is no such number.
    """
    async with session(settings, Nobody()) as client:
        if action == "revoke":
            told = await revoke(client, number)
            print(json.dumps({"revoked": int(number)}) if as_json else told)
        elif as_json:
            rows = [{**asdict(grant), "pattern": str(grant.pattern)} for grant in await client.consents()]
            print(json.dumps(rows, ensure_ascii=False, indent=1))
        else:
            print("\n".join(await lines(client)))
        return 0


async def lines(client: Client) -> list[str]:
    """What is held, numbered, a line each."""
    own = f"user:{client.session.person}"
    return [_line(grant, own) for grant in await client.consents()] or [NOTHING]


async def revoke(client: Client, number: str) -> str:
    """Revoke the consent of a number; says which.

    Raises:
        UsageError: There is no such number.
    """
    if not number.isdecimal() or len(number) > 9:
        raise UsageError(f"There is no consent {number or 'without a number'}.", "'llmasos consents' numbers them.")
    return f"Revoked: {one_line(str((await client.revoke_consent(int(number))).pattern))}"


def _line(grant: Grant, own: str) -> str:
    until = "in one session" if grant.session else "always"
    if grant.until:
        until = f"until {datetime.fromisoformat(grant.until):%a %d %b %Y %H:%M}"
    whose = "" if grant.subject == own else f"  for {one_line(grant.subject)}"
    labels = f"  from {one_line(', '.join(grant.labels))}" if grant.labels else ""
    return f"{grant.number:3}  {one_line(str(grant.pattern))}  {until}{whose}{labels}"
