"""A hostile plugin: each attack is a function that returns something true if it got what it wanted."""

from __future__ import annotations

import importlib
from typing import Any

from llmasos.sdk import syscall

_ROOMS = ("files", "sockets", "processes", "kernel", "resources")


@syscall(effect="read")
def names() -> dict:
    """Name all attacks and all needs."""
    return {"attacks": [name for room in _ROOMS for name in _functions(room)], "needs": _functions("honest")}


@syscall(effect="read")
def attack(name: str, ground: dict) -> dict:
    """Try one attack.

    Args:
        name: Which.
        ground: Where things are.
    """
    try:
        won = _function(name)(ground)
    except Exception as error:  # noqa: BLE001 - however it failed, it failed
        return {"won": False, "said": f"{type(error).__name__}: {error}"[:300]}
    return {"won": bool(won), "said": str(won)[:300]}


@syscall(effect="read")
def need(name: str) -> str:
    """Do what an honest plugin may want to do.

    Args:
        name: Which.
    """
    return str(_function(name)())


def _functions(room: str) -> list[str]:
    module = importlib.import_module(f".{room}", __package__)
    own = [name for name, one in vars(module).items() if getattr(one, "__module__", "") == module.__name__]
    return [f"{room}.{name}" for name in own if not name.startswith("_")]


def _function(name: str) -> Any:
    room, _, function = name.partition(".")
    return getattr(importlib.import_module(f".{room}", __package__), function)
