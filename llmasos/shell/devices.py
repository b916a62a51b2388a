"""`llmasos device`: the brokers that devices come from, connected and disconnected."""

from __future__ import annotations

import json
from dataclasses import dataclass

from llmasos.core.base.errors import UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.shell.once import exit_code
from llmasos.shell.seat import session
from llmasos.shell.secrets_front import front_of

_NEEDS = {
    "connect": "a name and an address, as: llmasos device connect home mqtt://192.168.1.5 --login",
    "disconnect": "the name of a broker, as: llmasos device disconnect home",
    "reconnect": "the name of a broker, as: llmasos device reconnect home",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for.

    Attributes:
        action: `list`, `sources`, `connect`, `disconnect` or `reconnect`.
        name: What the broker is called.
        address: Where one is that is connected.
        login: Whether it wants a user and a password.
    """

    action: str
    name: str = ""
    address: str = ""
    login: bool = False


async def run_device(settings: Settings, wanted: Wanted, output: str) -> int:
    """Do it, and print what came of it.

    Returns:
        0 done, else as for any call.

    Raises:
        UsageError: A name or an address is missing.
    """
    if wanted.action in _NEEDS and not (wanted.name and (wanted.address or wanted.action != "connect")):
        raise UsageError(f"device {wanted.action} needs more.", f"It takes {_NEEDS[wanted.action]}")
    front = front_of(settings, output)
    async with session(settings, front) as client:
        result = await client.trap(_call(wanted))
    if output != "text":
        print(json.dumps(result.to_json(), ensure_ascii=False))
    return exit_code([result])


def _call(wanted: Wanted) -> Call:
    match wanted.action:
        case "connect":
            return Call("device.connect", {"name": wanted.name, "address": wanted.address, "login": wanted.login})
        case "disconnect" | "reconnect":
            return Call(f"device.{wanted.action}", {"name": wanted.name})
    return Call(f"device.{wanted.action}", {})
