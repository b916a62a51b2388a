"""Which character a person means by a name."""

from __future__ import annotations

from llmasos.core.kernel.trap import Caller
from llmasos.services.characters.cast import Cast, Character
from llmasos.services.matching import pick


async def named(caller: Caller, cast: Cast, name: str) -> Character:
    """The character that is meant; the one that was shown, where there was a preview.

    Raises:
        SyscallError: ENOENT with who there is; EAMBIG.
    """
    person = caller.session.person
    shown = cast.get(caller.session.state.pop(_shown(caller, name), ""))
    known = shown or cast.find(person, name)
    if known:
        return known
    found: Character = await pick(
        caller,
        name,
        cast.of(person),
        names=lambda c: [c.name],
        label=lambda c: c.name,
        what="character",
        remedy=f"'character.create {name[:40]}' makes one.",
    )
    return found


async def meant(caller: Caller, cast: Cast, name: str) -> Character:
    """`named` for a preview: asked once, the answer holds for the call."""
    caller.session.state.pop(_shown(caller, name), None)  # of a call that was then refused
    character = await named(caller, cast, name)
    caller.session.state[_shown(caller, name)] = character.id
    return character


def _shown(caller: Caller, name: str) -> str:
    return f"{caller.call.syscall} {name}"
