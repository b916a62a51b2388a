"""Bytes of any size, sealed in parts, so that a large one never stands in memory twice.

As in the STREAM construction, each part is bound to its place, and the last one says that it is the last: no
part can be swapped, dropped, or cut off unseen. The edition, random for each writing, keeps old parts of a
blob out of its newer form.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from struct import Struct
from typing import BinaryIO

from llmasos.core.base.errors import StoreError
from llmasos.core.kernel.store.database import Database
from llmasos.core.kernel.store.keys import SubjectKeys

PART_BYTES = 256 * 1024
_PLACE = Struct(">HQ?")


class Blobs:
    """The table of blobs. Its caller holds the database lock, and for writing a transaction."""

    def __init__(self, db: Database, store_id: bytes) -> None:
        self._db = db
        self._prefix = b"llmasos/blob/1" + store_id

    def write(self, keys: SubjectKeys, blob_id: str, data: bytes | BinaryIO) -> None:
        """Write a blob whole, in place of the one there was."""
        source = io.BytesIO(data) if isinstance(data, bytes | bytearray | memoryview) else data
        token = _token(keys, blob_id)
        edition = secrets.token_bytes(8)
        self._db.execute("DELETE FROM blobs WHERE token = ?", (token,))
        part, here = 0, source.read(PART_BYTES)
        while True:
            after = source.read(PART_BYTES) if here else b""
            aad = self._aad(keys.token, token, edition, keys.version, part, not after)
            self._db.execute(
                "INSERT INTO blobs VALUES (?, ?, ?, ?, ?, ?, ?)",
                (token, part, not after, keys.token, keys.version, edition, keys.cipher.seal(here, aad)),
            )
            if not after:
                return
            part, here = part + 1, after

    def parts(self, keys: SubjectKeys, blob_id: str) -> Iterator[bytes]:
        """The parts in order; none where there is no such blob.

        Raises:
            StoreError: It was changed, cut off, or replaced while it was read.
        """
        return self.parts_of(keys, _token(keys, blob_id))

    def parts_of(self, keys: SubjectKeys, token: bytes) -> Iterator[bytes]:
        """The same, for a blob known only by its token."""
        part, edition = 0, b""
        while True:
            with self._db.lock:
                row = self._db.one(
                    "SELECT last, subject, key_version, edition, sealed FROM blobs"
                    " WHERE token = ? AND part = ?",
                    (token, part),
                )
            if row is None and not part:
                return
            if row is None or (part and row[3] != edition):
                raise StoreError("A blob is cut off, or was replaced while it was read.", "Try again.")
            last, subject, version, edition, sealed = row
            yield keys.cipher.open(sealed, self._aad(subject, token, edition, version, part, bool(last)))
            if last:
                return
            part += 1

    def delete(self, keys: SubjectKeys, blob_id: str) -> bool:
        """Delete a blob; says whether there was one."""
        return self._db.execute("DELETE FROM blobs WHERE token = ?", (_token(keys, blob_id),)) > 0

    def _aad(
        self, subject: bytes, token: bytes, edition: bytes, version: int, part: int, last: bool
    ) -> bytes:
        return self._prefix + subject + token + edition + _PLACE.pack(version, part, last)


def _token(keys: SubjectKeys, blob_id: str) -> bytes:
    return keys.names.tag(b"blob\0" + blob_id.encode("utf-8", "surrogatepass"))
