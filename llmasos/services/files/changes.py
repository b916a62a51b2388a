"""The effects of `files.*`: each looks, keeps what takes it back, acts, and says what was done.

The order is always the same: what undo needs is in the journal before the first byte changes.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.values import done
from llmasos.core.kernel.trap import Caller
from llmasos.services.files import effects, imprint, origin, seal, trash
from llmasos.services.files.place import TRASH, Place, folders, missing_folders
from llmasos.services.files.space import Space
from llmasos.services.files.task import in_thread
from llmasos.services.files.text import Text, decode, encode, kind, size_words
from llmasos.services.files.trouble import in_words

LIMIT = 8 << 20
"""Bytes of text that one call writes."""

_PROBED = 64 * 1024


@dataclass(frozen=True, slots=True)
class Room:
    """Where a change happens: the caller and the space it sees.

    Attributes:
        caller: Who makes it.
        space: What they see.
        keep_trash: Days that something lies in the trash at most; 0 leaves it there.
        keep_trash_bytes: How much lies there at most; the oldest go. 0 is no limit.
    """

    caller: Caller
    space: Space
    keep_trash: int = 0
    keep_trash_bytes: int = 0

    async def keep(self, inverse: str, place: Place, payload: dict[str, Any], data: bytes | None = None) -> None:
        """Persist what takes a change back, its sealed bytes first."""
        payload = {"root": str(place.root), "parts": list(place.parts), **payload}
        if data is None:
            self.caller.prepare(inverse, payload)
            return
        store = self.caller.kernel.store
        # One transaction, so that a kill leaves no blob that no entry knows of.
        with store.transaction():
            blob = store.put_blob(data)
            self.caller.prepare(inverse, {**payload, "blob": blob}, blobs=(blob,))


async def write(room: Room, place: Place, content: str, made_by: Sequence[str] = ()) -> dict[str, Any]:
    """Create or overwrite a text file.

    Args:
        room: Where.
        place: Which file.
        content: The text.
        made_by: Whose words it is, where no person's; the file is labelled so.
    """
    data = _bounded(content.encode())
    status = check_writable(place)
    with in_words(f"write {place.shown}"):
        old = await in_thread(lambda _: _content(place)) if status else None
        if old == data and set(made_by) <= set(origin.read(place)):
            return done(f"{place.shown} says that already.", ref=room.space.ref(place))
        made = missing_folders(place.parent)
        payload: dict[str, Any] = {"after": imprint.digest(data), "made": _listed(made)}
        if status is not None and old is not None:
            payload |= {
                "before": imprint.digest(old),
                "mode": stat.S_IMODE(status.st_mode),
                "mtime": status.st_mtime_ns,
                "made_by": list(origin.read(place)),
            }
        await room.keep("files.unwrite", place, payload, old)
        with folders(place.parent, made):
            kept = await in_thread(lambda _: effects.write_atomic(place, data, expected=status, made_by=made_by))
        label = origin.note(made_by, kept=kept)
    size = size_words(len(data))
    if status is None:
        return done(f"Wrote {place.shown} ({size}).", ref=room.space.ref(place), note=label)
    note = f"Undo brings the old text back. {label}".strip()
    return done(f"Overwrote {place.shown} ({size}).", ref=room.space.ref(place), note=note)


async def append(room: Room, place: Place, content: str, made_by: Sequence[str] = ()) -> dict[str, Any]:
    """Add text at the end of a file, in its encoding, on a line of its own; `made_by` as in `write`."""
    status = check_writable(place)
    if status is None or not status.st_size:
        result = await write(room, place, content, made_by)
        return {**result, "message": f"Added to {place.shown}."} if status else result
    with in_words(f"add to {place.shown}"):
        before = await in_thread(lambda _: imprint.file_digest(place))
        head, tail = await in_thread(lambda _: _ends(place, status.st_size))
        text = decode(head, cut=len(head) < status.st_size)
        if text is None:
            raise SyscallError(
                "EILSEQ",
                f"{place.shown} is {kind(place.name, head)}, not text.",
                "Text can't be added to it.",
            )
        data = _bounded(_line(place, content, text, tail))
        known = origin.read(place)
        payload = {
            "size": status.st_size,
            "mtime": status.st_mtime_ns,
            "before": before,
            "added": imprint.digest(data),
            "made_by": list(known),
        }
        await room.keep("files.unappend", place, {**payload, "length": len(data)})
        await in_thread(lambda _: effects.append(place, data, expected=status))
        label = origin.note(made_by, kept=bool(made_by) and origin.put(place, {*known, *made_by}))
    return done(f"Added to {place.shown}.", ref=room.space.ref(place), note=label)


async def copy(room: Room, source: Place, destination: Place) -> dict[str, Any]:
    """Copy a file or folder."""
    with in_words(f"copy {source.shown}"):
        size, count = await in_thread(lambda _: check_copyable(source))
        content = size <= imprint.HASHED
        print_ = await in_thread(lambda stop: imprint.imprint(source, content=content, stop=stop))
        made = missing_folders(destination.parent)
        spare = effects.temporary()
        payload = {"imprint": print_, "content": content, "made": _listed(made), "spare": spare}
        await room.keep("files.uncopy", destination, payload)
        with folders(destination.parent, made):
            await in_thread(lambda stop: effects.copy(source, destination, spare, stop))
    many = f" ({count:,} items, {size_words(size)})" if count > 1 else ""
    return done(f"Copied {source.shown} to {destination.shown}{many}.", ref=room.space.ref(destination))


async def move(room: Room, source: Place, destination: Place) -> dict[str, Any]:
    """Move or rename a file or folder."""
    with in_words(f"move {source.shown}"):
        print_ = await in_thread(lambda stop: imprint.imprint(source, content=False, stop=stop))
        made = missing_folders(destination.parent)
        payload = {"source": list(source.parts), "imprint": print_, "made": _listed(made)}
        await room.keep("files.unmove", destination, payload)
        with folders(destination.parent, made):
            effects.rename(source, destination)
    verb = "Renamed" if source.parent == destination.parent else "Moved"
    return done(f"{verb} {source.shown} to {destination.shown}.", ref=room.space.ref(destination))


async def delete(room: Room, place: Place) -> dict[str, Any]:
    """Put a file or folder away: sealed in the store, or in the workspace's trash where it is too large."""
    with in_words(f"delete {place.shown}"):
        size, count, ordinary = await in_thread(lambda _: _weighed(place))
        if size > seal.LIMIT or count > seal.ENTRIES or not ordinary:
            return await _put_aside(room, place, size)
        print_ = await in_thread(lambda stop: imprint.imprint(place, content=False, stop=stop))
        data = await in_thread(lambda stop: seal.pack(place, stop))
        aside = place.parent.child(effects.temporary())
        await room.keep("files.undelete", place, {"imprint": print_, "spare": aside.parts[-1]}, data)
        # Away in one step, so that a crash leaves all or nothing under its name; then it is taken apart.
        effects.rename(place, aside)
        if await in_thread(lambda _: imprint.imprint(aside, content=False)) != print_:
            effects.rename(aside, place)
            raise SyscallError(
                "EBUSY",
                f"{place.shown} was changed by another program just now; nothing was done.",
                "Say it again.",
            )
        left = await _taken_apart(aside)
    many = f" and what was in it ({count - 1:,} items)" if count > 1 else ""
    return done(f"Deleted {place.shown}{many}.", note=f"Undo brings it back.{left}")


async def mkdir(room: Room, place: Place) -> dict[str, Any]:
    """Create a folder, and those above it that are missing."""
    with in_words(f"make the folder {place.shown}"):
        made = missing_folders(place)
        await room.keep("files.unmkdir", place, {"made": _listed(made)})
        with folders(place, made):
            pass
    return done(f"Made the folder {place.shown}.", ref=room.space.ref(place))


def check_writable(place: Place) -> Any:
    """The status of a file that may be written; None where nothing is yet.

    Raises:
        SyscallError: EISDIR; EACCES, it is locked against changes; E2BIG, it is too large to be kept for
            undo.
    """
    status = place.stat()
    if status is None:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise SyscallError("EISDIR", f"{place.shown} is a folder.", "Name a file in it.")
    if not status.st_mode & 0o222:
        raise SyscallError("EACCES", f"{place.shown} is read-only.", "Change its permissions, or use another name.")
    if status.st_size > seal.LIMIT:
        raise SyscallError(
            "E2BIG",
            f"{place.shown} has {size_words(status.st_size)}; undo keeps up to {size_words(seal.LIMIT)}.",
            "Move it away first, or use another name.",
        )
    return status


def check_copyable(place: Place) -> tuple[int, int]:
    """How large a thing is and of how many parts, where it can be copied.

    Raises:
        SyscallError: EACCES, a special file is in it; EIO, the disk has no room.
    """
    size, count, ordinary = _weighed(place)
    if not ordinary:
        raise SyscallError(
            "EACCES",
            f"There is a pipe, socket or device in {place.shown}.",
            "Copy the files in it one by one.",
        )
    free = shutil.disk_usage(place.root).free
    if size > free:
        raise SyscallError(
            "EIO",
            f"Copying {place.shown} needs {size_words(size)}, and the disk has {size_words(free)} left.",
            "Free some space first.",
        )
    return size, count


async def _put_aside(room: Room, place: Place, size: int) -> dict[str, Any]:
    print_ = await in_thread(lambda stop: imprint.imprint(place, content=False, stop=stop))
    box = Place(place.root, (TRASH, effects.temporary()))
    made = missing_folders(box)
    aside = box.child(place.parts[-1])
    await room.keep("files.untrash", place, {"imprint": print_, "aside": list(aside.parts), "made": _listed(made)})
    with folders(box, made):
        effects.rename(place, aside)
    await in_thread(lambda stop: trash.empty(place.root, room.keep_trash, stop))
    most = room.keep_trash_bytes
    pushed_out = await in_thread(lambda stop: trash.make_room(place.root, most, stop, sparing=box.parts[-1]))
    went = f" To make room (keep_trash_mb), the oldest there went for good: {pushed_out}." if pushed_out else ""
    days = f", at most {room.keep_trash} days" if room.keep_trash else ""
    return done(
        f"Moved {place.shown} to the workspace's trash.",
        note=f"With {size_words(size)} it is too much to seal: it lies in {TRASH}, as readable as before, "
        f"until you undo this or remove it there{days}.{went}",
    )


async def _taken_apart(aside: Place) -> str:
    """Remove what was put aside; it is gone from its place already, so trouble here is only a note."""
    try:
        await in_thread(lambda _: effects.remove(aside))
    except OSError as error:
        return f" Some of it could not be removed ({error.strerror}) and lies in {aside.shown}."
    return ""


def _weighed(place: Place) -> tuple[int, int, bool]:
    """Bytes, things, and whether all of them are files, folders and links."""
    size = count = 0
    ordinary = True
    with place.folder() as (folder, name):
        for _, _, _, status in imprint.tree(folder, name):
            count += 1
            if stat.S_ISREG(status.st_mode):
                size += status.st_size
            ordinary = ordinary and stat.S_IFMT(status.st_mode) in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
    return size, count, ordinary


def _listed(places: list[Place]) -> list[list[str]]:
    return [list(place.parts) for place in places]


def _bounded(data: bytes) -> bytes:
    if len(data) > LIMIT:
        raise SyscallError(
            "E2BIG", f"The text has {size_words(len(data))}; {size_words(LIMIT)} is the limit.", "Split it."
        )
    return data


def _content(place: Place) -> bytes:
    with place.reader() as file:
        return file.read(seal.LIMIT + 1)


def _ends(place: Place, size: int) -> tuple[bytes, bytes]:
    """The first bytes of a file and its last four."""
    with place.reader() as file:
        head = file.read(_PROBED)
        file.seek(max(0, size - 4))
        return head, file.read(4)


def _line(place: Place, content: str, text: Text, tail: bytes) -> bytes:
    """The bytes that add a line as the file writes its lines."""
    encoding = text.encoding
    if encoding == "utf-16":
        # A rest has no mark of its own; the order is the one that the file's mark tells.
        encoding = "utf-16-le" if _little(place) else "utf-16-be"
    end = "\r\n" if "\r\n" in text.words else "\n"
    ended = tail.endswith(encode("\n", encoding))
    content = content.replace("\r\n", "\n").rstrip("\n")
    words = ("" if ended else "\n") + content + ("\n" if ended else "")
    try:
        return encode(words.replace("\n", end), encoding)
    except UnicodeEncodeError as error:
        raise SyscallError(
            "EILSEQ",
            f"{place.shown} is written in {encoding}, which has no {error.object[error.start]!r}.",
            "Write it as a new file in UTF-8.",
        ) from None


def _little(place: Place) -> bool:
    with place.reader() as file:
        return file.read(2) == b"\xff\xfe"
