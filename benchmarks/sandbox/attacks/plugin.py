"""A hostile plugin: each attack is a function that returns something true if it got what it wanted."""

from __future__ import annotations

from llmasos.sdk import syscall

from . import files, honest, kernel, processes, resources, sockets

ATTACKS = {
    name: attack
    for room in (files, sockets, processes, kernel, resources)
    for name, attack in vars(room).items()
    if callable(attack) and getattr(attack, "__module__", "") == room.__name__ and not name.startswith("_")
}
NEEDS = {name: need for name, need in vars(honest).items() if callable(need) and not name.startswith("_")}


@syscall(effect="read")
def names() -> dict:
    """Name all attacks and all needs."""
    needs = [name for name, need in NEEDS.items() if need.__module__ == honest.__name__]
    return {"attacks": list(ATTACKS), "needs": needs}


@syscall(effect="read")
def attack(name: str, ground: dict) -> dict:
    """Try one attack.

    Args:
        name: Which.
        ground: Where things are.
    """
    try:
        won = ATTACKS[name](ground)
    except Exception as error:  # noqa: BLE001 - however it failed, it failed
        return {"won": False, "said": f"{type(error).__name__}: {error}"[:300]}
    return {"won": bool(won), "said": str(won)[:300]}


@syscall(effect="read")
def need(name: str) -> str:
    """Do what an honest plugin may want to do.

    Args:
        name: Which.
    """
    return str(NEEDS[name]())
