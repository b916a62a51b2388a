"""What the files of a workspace were before a command, sealed in the store.

Most commands change nothing, and the next one finds the files as they were: so what was sealed for one is kept for the
next, as long as the file has the same stamp. A pre-image always belongs to somebody: to the record here, or while a
command runs, and afterwards where it is needed, to the journal entry of that command. It changes hands in one
transaction.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from llmasos.core.base.errors import SyscallError
from llmasos.core.kernel.store import Store
from llmasos.services.commands.survey import Thing, UnkeptError, shown
from llmasos.services.files import origin
from llmasos.services.files.place import Place

KIND = "command.kept"
"""One record, of the workspace in which a command ran last."""
BATCH_BYTES, BATCH_FILES = 8 << 20, 500
"""How much is sealed in one transaction: others wait for it."""
UNSURE = 1_000_000_000
"""Nanoseconds. A file that was changed so shortly before it was read can be changed again and keep its stamp."""
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing as it was, with what brings it back.

    Attributes:
        thing: What was seen.
        digest: SHA-256 of a file's content.
        blob: The pre-image's id; empty for an empty file and for what is no file.
        sure: Whether the same stamp means the same content.
        made_by: Whose words a file says, as its label names it.
    """

    thing: Thing
    digest: str = ""
    blob: str = ""
    sure: bool = True
    made_by: tuple[str, ...] = ()

    def to_json(self) -> list[Any]:
        """For the store."""
        return [self.thing.to_json(), self.digest, self.blob, self.sure, *self.made_by]

    @staticmethod
    def from_json(value: list[Any]) -> Kept:
        """It again."""
        thing, digest, blob, sure, *made_by = value
        return Kept(Thing.from_json(thing), digest, blob, sure, tuple(made_by))

    def is_still(self, thing: Thing) -> bool:
        """Whether a file is surely what was kept, without reading it."""
        known = self.thing
        return self.sure and (known.stamp, known.size, known.mtime) == (thing.stamp, thing.size, thing.mtime)


Before = Mapping[str, Kept]
"""Path from the workspace's top -> what was there."""


def keep(store: Store, root: Path, things: Mapping[str, Thing], stop: threading.Event) -> Before:
    """Seal what isn't sealed yet; afterwards all pre-images belong to the record.

    Args:
        store: Where.
        root: The workspace's real path.
        things: What is in it.
        stop: Asks it to give up.

    Raises:
        UnkeptError: A file can't be read, or is being changed.
    """
    _let_go_of_others(store, root)
    known = of_record(store, root)
    kept: dict[str, Kept] = {}
    wanted: list[str] = []
    for path, thing in things.items():
        old = known.get(path)
        if thing.kind != "file":
            kept[path] = Kept(thing)
        elif old is not None and old.is_still(thing):
            kept[path] = replace(old, thing=thing)
        else:
            wanted.append(path)
    stale = {one.blob for path, one in known.items() if path not in kept} - {""}
    for batch in _batches(wanted, things):
        if stop.is_set():
            raise SyscallError("ECANCELED", "It was stopped before anything was done.")
        with store.transaction():
            for blob in stale:
                store.delete_blob(blob)
            stale = set()
            for path in batch:
                kept[path] = _sealed(store, Place(root, tuple(path.split("/"))))
            _put(store, root, kept)
    if stale:
        with store.transaction():
            for blob in stale:
                store.delete_blob(blob)
            _put(store, root, kept)
    return kept


def of_record(store: Store, root: Path) -> dict[str, Kept]:
    """What the record has of a workspace's files."""
    value = store.get(KIND, str(root)) or {}
    return {path: Kept.from_json(one) for path, one in value.items()}


def give_back(store: Store, root: Path, unchanged: Before) -> list[str]:
    """Give pre-images to the record, inside a transaction.

    Args:
        store: Where.
        root: The workspace's real path.
        unchanged: Files that are what they were.

    Returns:
        The blobs that the record has now; of a file that it had already, it keeps the one it had.
    """
    known = of_record(store, root)
    new = {path: one for path, one in unchanged.items() if path not in known and one.blob}
    _put(store, root, {**known, **new})
    return [one.blob for one in new.values()]


def is_sure(thing: Thing, read_at: int) -> bool:
    """Whether a file that was read then had rested before, so that another content will have another stamp."""
    return read_at - thing.stamp[2] > UNSURE


def digest(place: Place) -> str:
    """The digest of a file's content."""
    with place.reader() as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def blobs(before: Iterable[Kept]) -> tuple[str, ...]:
    """The pre-images among things."""
    return tuple(dict.fromkeys(one.blob for one in before if one.blob))


def _sealed(store: Store, place: Place) -> Kept:
    blob = ""
    for _ in range(_TRIES):
        try:
            with place.reader() as file:
                started = Thing.of(os.fstat(file.fileno()))
                began = time.time_ns()
                hashing = _Hashing(file)
                if started.size:
                    blob = store.put_blob(cast("BinaryIO", hashing), id=blob)
                made_by = origin.read_from(file.fileno())
                ended = Thing.of(os.fstat(file.fileno()))
        except (OSError, SyscallError) as error:
            raise UnkeptError(f"{shown('/'.join(place.parts))} can't be read ({error})") from None
        if started == ended and hashing.size == started.size:
            return Kept(started, hashing.digest.hexdigest(), blob, is_sure(started, began), made_by)
    raise UnkeptError(f"{shown('/'.join(place.parts))} is being changed by another program")


def _batches(paths: list[str], things: Mapping[str, Thing]) -> Iterable[list[str]]:
    batch: list[str] = []
    size = 0
    for path in paths:
        batch.append(path)
        size += things[path].size
        if size >= BATCH_BYTES or len(batch) >= BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _put(store: Store, root: Path, kept: Before) -> None:
    files = {path: one.to_json() for path, one in kept.items() if one.blob}
    if files:
        store.put(KIND, str(root), files, there=True)
    else:
        store.delete(KIND, str(root))


def _let_go_of_others(store: Store, root: Path) -> None:
    """Another workspace's pre-images go: one workspace is sealed twice, not all in which commands ever ran."""
    for record in list(store.scan(KIND)):
        if record.id != str(root):
            with store.transaction():
                for one in of_record(store, Path(record.id)).values():
                    store.delete_blob(one.blob)
                store.delete(KIND, record.id)


class _Hashing:
    """A file that is read through, with the digest of what was read."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.size = 0

    def read(self, size: int) -> bytes:
        """Read."""
        piece = self._file.read(size)
        self.digest.update(piece)
        self.size += len(piece)
        return piece
