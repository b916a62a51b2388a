"""The habit words that only move about: `cd` and `pwd`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llmasos.core.base.errors import SyscallError
from llmasos.core.kernel.session import Session
from llmasos.services.files.resolve import OPTIONS, candidates, missing
from llmasos.services.files.said import clean
from llmasos.services.files.space import Space

_BEFORE = "files.cwd_before"


def cd(session: Session, said: str = "~", private: Sequence[Path] = ()) -> str:
    """Change the session's current folder.

    Args:
        session: Whose.
        said: A folder as a person says it, `..`, `~` for the workspace's top, or `-` for the one before.
        private: Real paths that can't be entered.

    Returns:
        The new current folder, relative to the workspace, "" at its top.

    Raises:
        SyscallError: ENOENT; ENOTDIR; EACCES, it is outside the workspace; EAMBIG.
    """
    space = Space.of(session, private)
    text = clean(said or "~")
    if text == "-":
        text = "~/" + str(session.state.get(_BEFORE, session.cwd))
    found = candidates(space, text, want="folder")
    if not found:
        if candidates(space, text, want="file", anywhere=False):
            raise SyscallError("ENOTDIR", f"{text} is a file.", "Go to the folder it is in.")
        raise missing(space, text, "folder")
    if len(found) > 1:
        shown = tuple(place.shown for place in found)
        raise SyscallError("EAMBIG", f"{text!r} can be {', '.join(shown[:OPTIONS])}.", "Say which.", choices=shown)
    session.state[_BEFORE] = session.cwd
    session.cwd = "/".join(found[0].parts)
    return session.cwd


def pwd(session: Session) -> str:
    """The whole path of the current folder."""
    space = Space.of(session)
    return str(space.root.joinpath(*space.cwd))
