"""A file or folder as one run of bytes, for the encrypted store, and back.

    8 bytes length of the list | list as JSON | contents one after another

The list has one entry for each thing, folders before what is in them.
"""

from __future__ import annotations

import json
import os
import stat
import threading
from typing import Any

from llmasos.core.base.errors import SyscallError
from llmasos.services.files import origin
from llmasos.services.files.effects import remove_in, rename_new
from llmasos.services.files.imprint import tree
from llmasos.services.files.place import Place, open_file

LIMIT = 32 << 20
"""Bytes that are sealed at once; more stays in the workspace's own trash."""

ENTRIES = 20_000
"""Files and folders that are sealed at once."""

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def pack(place: Place, stop: threading.Event) -> bytes:
    """All of a file, link or folder, with permissions and times.

    Raises:
        SyscallError: E2BIG, it is larger than `LIMIT` by now; EACCES, a special file is among it.
    """
    entries: list[dict[str, Any]] = []
    contents: list[bytes] = []
    total = 0
    with place.folder() as (folder, name):
        for path, descriptor, below, status in tree(folder, name):
            if stop.is_set():
                raise SyscallError("ECANCELED", "It was stopped before anything was done.")
            entry: dict[str, Any] = {
                "path": path,
                "mode": stat.S_IMODE(status.st_mode),
                "mtime": status.st_mtime_ns,
            }
            if stat.S_ISDIR(status.st_mode):
                entry["kind"] = "folder"
            elif stat.S_ISLNK(status.st_mode):
                entry |= {"kind": "link", "target": os.readlink(below, dir_fd=descriptor)}
            else:
                with os.fdopen(open_file(descriptor, below, place.shown), "rb") as file:
                    data = file.read(LIMIT - total + 1)
                    made_by = origin.read_from(file.fileno())
                total += len(data)
                if total > LIMIT:
                    raise SyscallError(
                        "E2BIG", f"{place.shown} is growing while it is read.", "Say it again when it rests."
                    )
                entry |= {"kind": "file", "size": len(data), **({"made_by": made_by} if made_by else {})}
                contents.append(data)
            entries.append(entry)
    # surrogateescape keeps names that are no text; JSON itself carries them as escapes
    listed = json.dumps(entries).encode()
    return b"".join([len(listed).to_bytes(8, "big"), listed, *contents])


def unpack(data: bytes, place: Place, spare: str) -> None:
    """Bring it back, whole under its old name or not at all.

    Args:
        data: What `pack` returned.
        place: Where; its folder exists.
        spare: A temporary name in that folder.

    Raises:
        FileExistsError: Something is there again.
    """
    end = 8 + int.from_bytes(data[:8], "big")
    entries: list[dict[str, Any]] = json.loads(data[8:end])
    with place.folder() as (folder, name):
        remove_in(folder, spare)  # what a crash in the middle of this may have left
        try:
            for entry in entries:
                size = entry.get("size", 0)
                _make(folder, spare, entry, data[end : end + size])
                end += size
            for entry in reversed(entries):  # a folder's time changes with what is put into it, so from the inside out
                if entry["kind"] == "folder":
                    _finish_folder(folder, spare, entry)
            rename_new(folder, spare, folder, name)
        except BaseException:
            remove_in(folder, spare)
            raise
        os.fsync(folder)


def _make(folder: int, spare: str, entry: dict[str, Any], data: bytes) -> None:
    path = f"{spare}/{entry['path']}" if entry["path"] else spare
    times = (entry["mtime"], entry["mtime"])
    if entry["kind"] == "folder":
        os.mkdir(path, 0o700, dir_fd=folder)
    elif entry["kind"] == "link":
        os.symlink(entry["target"], path, dir_fd=folder)
        os.utime(path, ns=times, dir_fd=folder, follow_symlinks=False)
    else:
        with os.fdopen(os.open(path, _NEW_FILE, 0o600, dir_fd=folder), "wb") as file:
            file.write(data)
            file.flush()
            origin.put_on(file.fileno(), entry.get("made_by", ()))
            os.fchmod(file.fileno(), entry["mode"])
            os.utime(file.fileno(), ns=times)
            os.fsync(file.fileno())


def _finish_folder(folder: int, spare: str, entry: dict[str, Any]) -> None:
    path = f"{spare}/{entry['path']}" if entry["path"] else spare
    descriptor = os.open(path, _FOLDER, dir_fd=folder)
    try:
        os.fchmod(descriptor, entry["mode"])
        os.utime(descriptor, ns=(entry["mtime"], entry["mtime"]))
    finally:
        os.close(descriptor)
