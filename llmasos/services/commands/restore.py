"""Taking back what a command changed, where things still are as it left them; else nothing is done.

Done in steps that can be done again: a crash in the middle leaves things that are as before or as after, and both are
known. What has to go is moved aside in one step first.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from llmasos.core.base.errors import SyscallError
from llmasos.services.commands.changes import Change, tree_imprint
from llmasos.services.commands.keeping import digest
from llmasos.services.commands.survey import look, shown
from llmasos.services.files import effects
from llmasos.services.files.place import Place

Content = Callable[[str], bytes | None]
"""The pre-image of an id."""


def restore(root: Path, changes: list[Change], spare: str, content: Content, stop: threading.Event) -> None:
    """Make everything what it was.

    Args:
        root: The workspace's real path.
        changes: What a command changed.
        spare: A temporary name in the workspace, the same for each try.
        content: Gives pre-images.
        stop: Asks it to give up.

    Raises:
        SyscallError: ESTALE, something has changed since; nothing was done.
    """
    aside = Place(root, (spare,))
    effects.remove(aside)
    changes = [change for change in changes if not _is_back(root, change)]
    for change in changes:
        _check(root, change)
        if change.before and change.before.blob and content(change.before.blob) is None:
            raise SyscallError(
                "ESTALE", f"What was kept of {shown(change.path)} is gone; nothing was done.", "It was kept for a time."
            )
    if stop.is_set():
        raise SyscallError("ECANCELED", "It was stopped before anything was done.")
    for change in changes:
        _open_up(root, change)
    for change in sorted(changes, key=lambda change: change.path, reverse=True):
        if change.after and (change.before is None or change.before.thing.kind != change.after.kind):
            effects.rename(_place(root, change), aside)
            effects.remove(aside)
    changes.sort(key=lambda change: change.path)
    for change in changes:
        _bring_back(root, change, content)
    for change in reversed(changes):
        if change.before and change.before.thing.kind == "folder":
            _set_mode(_place(root, change), change.before.thing.mode)
    os.sync()  # once for all: one by one, ten thousand files would take a minute


def lost(changes: list[Change]) -> list[str]:
    """What nothing brings back: pipes, sockets and devices that a command removed."""
    return [shown(c.path) for c in changes if c.before and c.before.thing.kind == "special"]


def _is_back(root: Path, change: Change) -> bool:
    """Whether it is what it was already."""
    now, before = look(root, change.path), change.before
    if now is None or before is None:
        return now is None and before is None
    # A file can be changed and look as before: of the same size, and with its old time.
    return before.thing.looks_like(now) and (now.kind != "file" or digest(_place(root, change)) == before.digest)


def _check(root: Path, change: Change) -> None:
    now = look(root, change.path)
    if now and change.before and now.kind == change.before.thing.kind == "folder":
        return  # only its mode differs, and a try before this one may have set it
    same = (now is None) == (change.after is None)
    if now is not None and change.after is not None:
        same = change.after.looks_like(now)
        if same and change.is_new_folder:
            same = bool(change.imprint) and tree_imprint(root, change.path) == change.imprint
    if not same:
        raise SyscallError(
            "ESTALE",
            f"{shown(change.path)} has changed since; nothing was done.",
            "Look at it before you decide what to keep.",
        )


def _open_up(root: Path, change: Change) -> None:
    """Let a folder that stays be changed in: a command may have locked it, and gets its mode at the end."""
    if change.before and change.after and change.before.thing.kind == change.after.kind == "folder":
        _set_mode(_place(root, change), change.after.mode | 0o700)


def _bring_back(root: Path, change: Change, content: Content) -> None:
    before = change.before
    if before is None:
        return
    place, thing = _place(root, change), before.thing
    now = place.stat()
    if thing.kind == "folder":
        if now is None:
            with place.folder() as (folder, name):
                os.mkdir(name, 0o700, dir_fd=folder)
    elif thing.kind == "file":
        data = content(before.blob) if before.blob else b""
        assert data is not None, "looked at before anything was done"
        effects.write_atomic(
            place, data, expected=now, mode=thing.mode, mtime_ns=thing.mtime, sync=False, made_by=before.made_by
        )
    elif thing.kind == "link":
        with place.folder() as (folder, name):
            if now is not None:
                os.unlink(name, dir_fd=folder)
            os.symlink(thing.target, name, dir_fd=folder)


def _set_mode(place: Place, mode: int) -> None:
    with place.folder() as (folder, name):
        # By O_PATH, for a folder that its owner can't read has a mode too.
        descriptor = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.chmod(f"/proc/self/fd/{descriptor}", mode)  # noqa: PTH101 - an open folder
        finally:
            os.close(descriptor)


def _place(root: Path, change: Change) -> Place:
    return Place(root, tuple(change.path.split("/")))
