"""Which character a person means by a name."""

from __future__ import annotations

from llmasos.core.base.errors import SyscallError
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


async def only(caller: Caller, cast: Cast, question: str) -> Character:
    """A person's only character; of several, the one that is chosen.

    Raises:
        SyscallError: ENOENT, there is none; EAMBIG, nobody chooses.
    """
    known = cast.of(caller.session.person)
    if not known:
        raise SyscallError("ENOENT", "There are no characters yet.", "'create a character called Alice' makes one.")
    if len(known) == 1:
        return known[0]
    chosen = await caller.choose(question, [character.name for character in known])
    return next(character for character in known if character.name == chosen)


async def meant(caller: Caller, cast: Cast, name: str) -> Character:
    """`named` for a preview: asked once, the answer holds for the call."""
    caller.session.state.pop(_shown(caller, name), None)  # of a call that was then refused
    character = await named(caller, cast, name)
    caller.session.state[_shown(caller, name)] = character.id
    return character


def _shown(caller: Caller, name: str) -> str:
    return f"{caller.call.syscall} {name}"
