"""Taking changes to files back, where things still are as the change left them; else nothing is done.

A crash can lie between the journal's entry and the effect. Then things are as they were *before* it, which is
what undo wants anyway: that is said and nothing is done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmasos.core.base.errors import SyscallError
from llmasos.core.kernel.syscall import inverse
from llmasos.core.kernel.trap import Caller
from llmasos.services.files import effects, imprint, origin, seal
from llmasos.services.files.place import Place, drop_folders, folders, missing_folders
from llmasos.services.files.task import in_thread
from llmasos.services.files.trouble import in_words

NOTHING = "Nothing had happened to {}; it is as it was."


class Undo:
    """The inverses of `files.*`."""

    @inverse("files.unwrite")
    async def unwrite(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Bring an overwritten text back, or remove a file that was new."""
        place = _place(payload)
        with in_words(f"undo the change of {place.shown}"):
            status = place.stat()
            now = await in_thread(lambda _: imprint.file_digest(place))
            before = payload.get("before")
            if now == (before or "") and (before or status is None):
                drop_folders(_made(payload))
                return NOTHING.format(place.shown)
            if now != payload["after"]:
                raise _stale(place)
            if before is None:
                effects.remove(place)
                drop_folders(_made(payload))
                return f"Removed {place.shown}, which was new."
            old = _blob(caller, payload, place)
            effects.write_atomic(
                place, old, expected=status, mode=payload["mode"], mtime_ns=payload["mtime"],
                made_by=payload.get("made_by", ()),
            )  # fmt: skip
        return f"{place.shown} has its old text again."

    @inverse("files.unappend")
    async def unappend(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Cut off what was added."""
        place = _place(payload)
        with in_words(f"undo the change of {place.shown}"):
            now, added = await in_thread(lambda _: _split(place, payload["size"]))
            if now != payload["before"]:
                raise _stale(place)
            if not added:
                return NOTHING.format(place.shown)
            if len(added) != payload["length"] or imprint.digest(added) != payload["added"]:
                raise _stale(place)
            effects.truncate(place, payload["size"], mtime_ns=payload["mtime"])
            origin.put(place, payload.get("made_by", ()))
        return f"{place.shown} ends where it ended before."

    @inverse("files.uncopy")
    async def uncopy(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Remove a copy."""
        place = _place(payload)
        with in_words(f"remove the copy {place.shown}"):
            await in_thread(lambda _: effects.remove(place.parent.child(payload["spare"])))  # a crash while it was made
            if not place.exists():
                drop_folders(_made(payload))
                return NOTHING.format(place.shown)
            now = await in_thread(lambda stop: imprint.imprint(place, content=payload["content"], stop=stop))
            if now != payload["imprint"]:
                raise _stale(place)
            await in_thread(lambda _: effects.remove(place))
            drop_folders(_made(payload))
        return f"Removed the copy {place.shown}."

    @inverse("files.unmove")
    async def unmove(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Move it back to where it was."""
        place = _place(payload)
        source = Place(place.root, tuple(payload["source"]))
        with in_words(f"move {place.shown} back"):
            now = await in_thread(lambda _: imprint.imprint(place, content=False))
            if not now and await in_thread(lambda _: imprint.imprint(source, content=False)) == payload["imprint"]:
                drop_folders(_made(payload))
                return NOTHING.format(source.shown)
            if now != payload["imprint"]:
                raise _stale(place)
            if source.exists():
                raise SyscallError(
                    "ESTALE",
                    f"Something else is called {source.shown} by now; nothing was done.",
                    "Rename that first.",
                )
            with folders(source.parent, missing_folders(source.parent)):
                effects.rename(place, source)
            drop_folders(_made(payload))
        return f"Moved {place.shown} back to {source.shown}."

    @inverse("files.undelete")
    async def undelete(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Bring a deleted file or folder back from the store."""
        place = _place(payload)
        aside = place.parent.child(payload["spare"])
        with in_words(f"bring {place.shown} back"):
            if await _still_there(place, payload):
                return NOTHING.format(place.shown)
            data = _blob(caller, payload, place)
            with folders(place.parent, missing_folders(place.parent)):
                await in_thread(lambda _: seal.unpack(data, place, effects.temporary()))
            await in_thread(lambda _: effects.remove(aside))  # what a crash while it was deleted has left
        return f"Brought {place.shown} back."

    @inverse("files.untrash")
    async def untrash(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Bring a deleted file or folder back from the workspace's trash."""
        place = _place(payload)
        aside = Place(place.root, tuple(payload["aside"]))
        with in_words(f"bring {place.shown} back"):
            if await _still_there(place, payload):
                drop_folders(_made(payload))
                return NOTHING.format(place.shown)
            if not aside.exists():
                raise SyscallError(
                    "ESTALE",
                    f"{place.shown} isn't in the trash any more, from which things go after a time (keep_trash) or for "
                    "room (keep_trash_mb); nothing was done.",
                )
            if await in_thread(lambda _: imprint.imprint(aside, content=False)) != payload["imprint"]:
                raise SyscallError(
                    "ESTALE",
                    f"{place.shown} was changed or removed in the trash; nothing was done.",
                    f"Look at {aside.shown}.",
                )
            with folders(place.parent, missing_folders(place.parent)):
                effects.rename(aside, place)
            drop_folders([aside.parent.parent, aside.parent])
        return f"Brought {place.shown} back."

    @inverse("files.unmkdir")
    async def unmkdir(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Remove a folder that was made and is still empty."""
        place = _place(payload)
        with in_words(f"remove the folder {place.shown}"):
            if not place.exists():
                drop_folders(_made(payload))
                return NOTHING.format(place.shown)
            if not place.is_folder() or any(place.path.iterdir()):
                raise SyscallError(
                    "ESTALE",
                    f"{place.shown} isn't empty any more; nothing was done.",
                    "Delete it if you mean it.",
                )
            drop_folders(_made(payload))
        return f"Removed the folder {place.shown}."


async def _still_there(place: Place, payload: dict[str, Any]) -> bool:
    """Whether a deletion never happened.

    Raises:
        SyscallError: ESTALE, something else has taken the place.
    """
    now = await in_thread(lambda _: imprint.imprint(place, content=False))
    if now and now != payload["imprint"]:
        raise SyscallError(
            "ESTALE",
            f"Something else is called {place.shown} by now; nothing was done.",
            "Rename that first.",
        )
    return bool(now)


def _place(payload: dict[str, Any]) -> Place:
    return Place(Path(payload["root"]), tuple(payload["parts"]))


def _made(payload: dict[str, Any]) -> list[Place]:
    return [Place(Path(payload["root"]), tuple(parts)) for parts in payload.get("made", [])]


def _blob(caller: Caller, payload: dict[str, Any], place: Place) -> bytes:
    data = caller.kernel.store.get_blob(payload["blob"])
    if data is None:
        raise SyscallError(
            "ESTALE",
            f"What was kept of {place.shown} is gone; nothing was done.",
            "It was kept only for a time.",
        )
    return data


def _split(place: Place, size: int) -> tuple[str, bytes]:
    """The digest of a file's beginning, and what comes after; empty where it is shorter or gone."""
    status = place.stat()
    if status is None or status.st_size < size:
        return "", b""
    with place.reader() as file:
        head = file.read(size)
        return imprint.digest(head), file.read()


def _stale(place: Place) -> SyscallError:
    return SyscallError(
        "ESTALE",
        f"{place.shown} has changed since; nothing was done.",
        "Look at it before you decide what to keep.",
    )
