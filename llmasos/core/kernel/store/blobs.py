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
from struct import error as StructError  # noqa: N812  the module names it like a variable
from typing import BinaryIO

from llmasos.core.base.errors import StoreError
from llmasos.core.kernel.store.database import Database
from llmasos.core.kernel.store.scopes import Scope, Scopes
from llmasos.core.kernel.store.state import State

PART_BYTES = 256 * 1024
# The scope of blobs; no kind of a record, so that the two can't be taken for each other.
KIND = "\0blob"
_PLACE = Struct(">Q?")
_PART = "SELECT last, edition, sealed, scope FROM blobs WHERE token = ? AND part = ?"
_RESEAL = "UPDATE blobs SET scope = ?, edition = ?, sealed = ? WHERE token = ? AND part = ?"


class Blobs:
    """The table of blobs. Who writes holds a transaction."""

    def __init__(self, db: Database, scopes: Scopes, state: State) -> None:
        self._db = db
        self._scopes = scopes
        self._state = state

    def write(self, scope: Scope, blob_id: str, data: bytes | BinaryIO) -> None:
        """Write a blob whole, in place of the one there was."""
        source = io.BytesIO(data) if isinstance(data, bytes | bytearray | memoryview) else data
        token, edition = scope.token(blob_id), secrets.token_bytes(8)
        self._drop(token)
        part, here = 0, source.read(PART_BYTES)
        while True:
            after = source.read(PART_BYTES) if here else b""
            sealed = scope.cipher.seal(here, scope.aad + token + edition + _PLACE.pack(part, not after))
            self._db.execute(
                "INSERT INTO blobs (token, part, last, scope, edition, sealed) VALUES (?, ?, ?, ?, ?, ?)",
                (token, part, not after, scope.id, edition, sealed),
            )
            self._state.part_in(part, edition)
            if not after:
                return
            part, here = part + 1, after

    def parts(self, scope: Scope, token: bytes) -> Iterator[bytes]:
        """The parts in order; none where there is no such blob.

        Raises:
            StoreError: It was changed, cut off, or replaced while it was read.
        """
        part, first_edition = 0, None
        while True:
            with self._db.lock:
                row = self._db.one(_PART, (token, part))
                of = self._scopes.of_row(scope, row[3]) if row else scope
            if row is None and not part and not self._db.one("SELECT 1 FROM blobs WHERE token = ?", (token,)):
                return
            if row is None or first_edition not in (None, row[1]):
                raise StoreError("A stored file is cut off, or was replaced while it was read.", "Try again.")
            last, first_edition, sealed, _ = row
            try:
                yield of.cipher.open(sealed, of.aad + token + first_edition + _PLACE.pack(part, last))
            except (TypeError, StructError):  # SQLite holds any type in any column
                raise StoreError("A stored file was changed outside.", "Restore the latest backup.") from None
            if last:
                return
            part += 1

    def reseal(self, old: Scope, new: Scope, token: bytes) -> None:
        """Seal a blob with a newer key: inside a transaction."""
        edition = secrets.token_bytes(8)
        for (part,) in self._db.all("SELECT part FROM blobs WHERE token = ? AND scope = ?", (token, old.id)):
            last, before, sealed, _ = self._db.one(_PART, (token, part))
            body = old.cipher.open(sealed, old.aad + token + before + _PLACE.pack(part, last))
            again = new.cipher.seal(body, new.aad + token + edition + _PLACE.pack(part, last))
            self._db.execute(_RESEAL, (new.id, edition, again, token, part))
            self._state.part_out(part, before)
            self._state.part_in(part, edition)

    def delete(self, scope: Scope, blob_id: str) -> bool:
        """Delete a blob; says whether there was one."""
        return self._drop(scope.token(blob_id))

    def size(self, scope: Scope, blob_id: str) -> int:
        """Bytes of a blob, sealed."""
        sql = "SELECT coalesce(sum(length(sealed)), 0) FROM blobs WHERE token = ?"
        return int(self._db.one(sql, (scope.token(blob_id),))[0])

    def _drop(self, token: bytes) -> bool:
        gone = self._db.all("DELETE FROM blobs WHERE token = ? RETURNING part, edition", (token,))
        for part, edition in gone:
            self._state.part_out(part, edition)
        return bool(gone)
