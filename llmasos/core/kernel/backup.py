"""A home in one file: made while it is used, tested without touching it, put back.

The file is a tar. What was sealed stays sealed in it: the store, the audit log with its checkpoints, the sealed logs.
The keyring is in it only where that was asked for, still wrapped; a key file never is. `manifest.json`, the last one,
has the size and SHA-256 of each other one, and a tag over all that only this home's keys can make.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from llmasos.core.base.durable import owner_only, sync_folder
from llmasos.core.base.errors import StoreError
from llmasos.core.base.foreign import parse_json
from llmasos.core.kernel import crypto, home
from llmasos.core.kernel.audit import FOLDER as AUDIT
from llmasos.core.kernel.audit import Anchor, verify
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store

FORMAT = 1
MANIFEST = "manifest.json"
CHECKPOINTS = "checkpoints.jsonl"
ENDING = ".llmasos-backup"
_STEP = 1 << 20
_MANIFEST_BYTES = 64 << 20
"""No home has so many files that its manifest is larger."""
_NAME = re.compile(r"[^/\0]+(/[^/\0]+)*")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself.

    Attributes:
        store: The store id of its home, hexadecimal.
        at: When it was made, ISO 8601.
        keys: Whether the keyring is in it.
        files: Size and SHA-256 of each member.
    """

    store: str
    at: str
    keys: bool
    files: dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Tested:
    """What a restore test found: how many records and blobs, and how many entries of the audit log."""

    records: int
    entries: int


def make(store: Store, anchor: Anchor, target: Path, *, at: str, with_keys: bool = False) -> Manifest:
    """Write a backup of a home, also while a kernel runs in it.

    Args:
        store: The home's store.
        anchor: Where its checkpoints are.
        target: The file; there must be none yet.
        at: When, ISO 8601.
        with_keys: Put the keyring in.

    Raises:
        StoreError: It can't be written.
    """
    if target.exists():
        raise StoreError(f"{target} is there already.", "Choose another name.")
    fresh, copy = (target.with_name(f".{target.name}.{ending}") for ending in ("new", "store"))
    files: dict[str, list[Any]] = {}
    try:
        owner = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(owner, "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                # What is signed first, what it is about last: then each is at least as new as what tells of it.
                points = b"".join(point.line for point in anchor.checkpoints(store.keyring.store_id.hex()))
                files[CHECKPOINTS] = _put(tar, CHECKPOINTS, io.BytesIO(points))
                for path in home.kept(store.home):
                    content = _whole_lines(path, (store.home / path).read_bytes())
                    files[path.as_posix()] = _put(tar, path.as_posix(), io.BytesIO(content))
                store.backup(copy)
                with copy.open("rb") as sealed:
                    files[home.STORE] = _put(tar, home.STORE, sealed)
                if with_keys:
                    keys = (store.home / home.KEYRING).read_bytes()
                    files[home.KEYRING] = _put(tar, home.KEYRING, io.BytesIO(keys))
                manifest = Manifest(store.keyring.store_id.hex(), at, with_keys, files)
                said = {**_said(manifest), "tag": _tag(store.keyring, manifest)}
                _put(tar, MANIFEST, io.BytesIO(json.dumps(said, indent=1).encode()))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise StoreError(
            f"The backup {target} can't be written: {error.strerror}.", "See its disk and owner."
        ) from error
    finally:
        copy.unlink(missing_ok=True)
        fresh.unlink(missing_ok=True)
    return manifest


def read_manifest(path: Path) -> Manifest:
    """What a backup says of itself; whether it is true only `test` tells.

    Raises:
        StoreError: There is none, or it is no backup.
    """
    with _opened(path) as tar:
        return _manifest(path, tar)[0]


def unpack(path: Path, folder: Path) -> Manifest:
    """Put the members of a backup into a folder, each held to its SHA-256.

    Raises:
        StoreError: It is damaged.
    """
    with _opened(path) as tar:
        manifest, _ = _manifest(path, tar)
        for name, (size, digest) in manifest.files.items():
            member = _member(tar, name)
            target = folder / name
            for parent in reversed(PurePosixPath(name).parents[:-1]):
                owner_only(folder / parent)
            # Before it is copied: what isn't as large as it was is nothing to fill a disk with.
            there = tar.extractfile(member) if member is not None and member.size == size else None
            if there is None or _copy(there, target) != [size, digest]:
                raise StoreError(f"The backup {path} is damaged: {name} isn't what was written.", "Take another one.")
    return manifest


def test(path: Path, folder: Path, keyring: Keyring) -> Tested:
    """Try an unpacked backup out: every tag, the digest of the store, the audit log and its checkpoints.

    Args:
        path: The backup, to name it and to read its tag.
        folder: Where it was unpacked; what was shredded since is swept out there.
        keyring: Its home's keys.

    Raises:
        StoreError: Something in it isn't what it was.
    """
    with _opened(path) as tar:
        manifest, tag = _manifest(path, tar)
    if manifest.store != keyring.store_id.hex() or tag != _tag(keyring, manifest):
        raise StoreError(f"The backup {path} wasn't made with these keys, or was changed.", "Take another one.")
    points = list(Anchor(folder / CHECKPOINTS).checkpoints(manifest.store))
    entries, wrong = verify(folder / AUDIT, points, keyring)
    newest = points[-1].facts if points else {}
    with Store.open(folder, keyring) as store:
        wrong += [doubts] if (doubts := store.older_than(newest)) else []
        records = store.verify()
    if wrong:
        raise StoreError(f"The backup {path} isn't sound: {'; '.join(wrong)}.", "Take another one.")
    return Tested(records, entries)


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, mode="r:") as tar:
            yield tar
    # ValueError and OverflowError: the library takes some numbers of a header as they are.
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else "it is no backup, or cut off"
        raise StoreError(f"The backup {path} can't be read: {what}.", "Take another one.") from None


def _manifest(path: Path, tar: tarfile.TarFile) -> tuple[Manifest, str]:
    try:
        member = _member(tar, MANIFEST)
        content = tar.extractfile(member) if member and member.size <= _MANIFEST_BYTES else None
        if content is None:
            raise ValueError
        said = parse_json(content.read())
        manifest = Manifest(str(said["store"]), str(said["at"]), bool(said["keys"]), dict(said["files"]))
        form, tag = int(said["format"]), str(said["tag"])
        if not all(_harmless(name) and _is_fact(fact) for name, fact in manifest.files.items()):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise StoreError(f"{path} is no backup of llmasos, or is damaged.", "Take another one.") from None
    if form > FORMAT:
        raise StoreError(f"The backup {path} was written by a newer llmasos.", "Update llmasos.")
    return manifest, tag


def _member(tar: tarfile.TarFile, name: str) -> tarfile.TarInfo | None:
    """A member that is a plain file, as all of ours are: no link to follow, no file that claims to be mostly holes."""
    found = tar.getmember(name) if name in tar.getnames() else None
    return found if found and found.isreg() and not found.issparse() else None


def _is_fact(said: Any) -> bool:
    """Whether it is a size and a SHA-256."""
    return isinstance(said, list) and [type(one) for one in said] == [int, str]


def _harmless(name: str) -> bool:
    """Whether a name stays in its folder, and is one that a home has."""
    parts = PurePosixPath(name).parts
    if not _NAME.fullmatch(name) or ".." in parts or "." in parts:
        return False
    if len(parts) > 1:
        return parts[0] in home.FOLDERS
    known = name in (home.STORE, home.KEYRING, home.SETTINGS, CHECKPOINTS)
    return known or PurePosixPath(name).match(home.SEALED)


def _put(tar: tarfile.TarFile, name: str, source: BinaryIO) -> list[Any]:
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    digest = hashlib.sha256()
    tar.addfile(info, _Hashing(source, digest))
    return [size, digest.hexdigest()]


class _Hashing(io.RawIOBase):
    """Reads, and hashes what it read."""

    def __init__(self, source: BinaryIO, digest: Any) -> None:
        self._source, self._digest = source, digest

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._digest.update(data)
        return data


def _copy(source: Any, target: Path) -> list[Any]:
    digest, size = hashlib.sha256(), 0
    owner = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(owner, "wb") as file:
        while data := source.read(_STEP):
            file.write(data)
            digest.update(data)
            size += len(data)
        file.flush()
        os.fsync(file.fileno())
    return [size, digest.hexdigest()]


def _whole_lines(path: Path, content: bytes) -> bytes:
    """The audit log without a line that is just being written."""
    return content[: content.rfind(b"\n") + 1] if path.parts[0] == AUDIT else content


def _said(manifest: Manifest) -> dict[str, Any]:
    return {
        "format": FORMAT, "store": manifest.store, "at": manifest.at, "keys": manifest.keys, "files": manifest.files,
    }  # fmt: skip


def _tag(keyring: Keyring, manifest: Manifest) -> str:
    tagger = crypto.Tagger(keyring.derive("backup"))
    return tagger.tag(json.dumps(_said(manifest), sort_keys=True).encode()).hex()
