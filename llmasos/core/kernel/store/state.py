"""What a store is as a whole: how often it was changed, and a digest that each of its rows is part of.

    element = keyed BLAKE2b of what no other row, and no other writing of this row, has
    total   = sum of all elements modulo 2^256
    row     = revision, AES-256-GCM(total, seals; AAD = store, revision)

A keyed multiset hash (MSet-Add-Hash of Clarke, Devadas, van Dijk, Gassend and Suh, "Incremental Multiset Hash
Functions and Their Application to Memory Integrity Checking", ASIACRYPT 2003): a row that comes or goes is one
addition, not a pass over all. The total is sealed, so that nobody who sees the file learns sums to solve for. It is
written in the same transaction as the rows. So a row that was deleted, or put back as it once was, is found by
`Store.verify`; that the file was put back whole, together with this row, only the revision tells whoever wrote down a
newer one elsewhere (audit/anchor.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import crypto
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store.database import Database

TOTAL_BYTES = 32
_MODULUS = 1 << 8 * TOTAL_BYTES
_COUNT = Struct(">Q")
_PART = Struct(">Q")


class Whole(NamedTuple):
    """The state row, opened.

    Attributes:
        revision: Transactions that changed something, since the store was made.
        total: Sum of the elements of all rows.
        seals: How often anything was sealed, by whatever key.
    """

    revision: int
    total: int
    seals: int


class State:
    """The state row, and what the transaction that is open does to it. Its caller holds the database lock.

    Attributes:
        frozen: Why nothing may be changed; empty where it may.
    """

    def __init__(self, db: Database, keyring: Keyring) -> None:
        self._db = db
        self._elements = hashlib.blake2b(key=keyring.derive("store/digest"), digest_size=TOTAL_BYTES)
        self._cipher = crypto.Cipher(keyring.derive("store/state"))
        self._outside = crypto.Tagger(keyring.derive("store/anchor"))
        self._aad = b"llmasos/state/1" + keyring.store_id
        self.frozen = ""
        self._delta, self._seals, self._changed = 0, 0, False
        self._newest: tuple[bytes, Whole] = b"", Whole(0, 0, 0)
        """What this program wrote or read last, so that it needn't be opened again while nobody else writes."""

    def record_in(self, token: bytes, sealed: bytes) -> None:
        """A record was written."""
        self._change(self._record(token, sealed), 1)

    def record_out(self, token: bytes, nonce: bytes) -> None:
        """A record went; the first bytes of what was sealed say which writing of it."""
        self._change(-self._record(token, nonce), 0)

    def part_in(self, token: bytes, part: int, edition: bytes) -> None:
        """A part of a blob was written."""
        self._change(self._part(token, part, edition), 1)

    def part_out(self, token: bytes, part: int, edition: bytes) -> None:
        """A part of a blob went."""
        self._change(-self._part(token, part, edition), 0)

    def mark(self) -> tuple[int, int, bool]:
        """Where the transaction is, to `go_back` to if its inner part is rolled back."""
        return self._delta, self._seals, self._changed

    def go_back(self, mark: tuple[int, int, bool]) -> None:
        """Forget what came after a mark."""
        self._delta, self._seals, self._changed = mark

    def begin(self) -> None:
        """A transaction begins."""
        self.go_back((0, 0, False))

    def end(self) -> None:
        """Write the row, before the transaction that changed something is committed."""
        if self._changed:
            whole = self.read()
            total = (whole.total + self._delta) % _MODULUS
            self._write(Whole(whole.revision + 1, total, whole.seals + self._seals))
            self.begin()

    def read(self) -> Whole:
        """The row as it is stored.

        Raises:
            StoreError: It was changed outside.
        """
        row = self._db.one("SELECT revision, sealed FROM state")
        try:
            revision, sealed = row
            if sealed == self._newest[0] and revision == self._newest[1].revision:
                return self._newest[1]
            body = self._cipher.open(sealed, self._aad + _COUNT.pack(revision))
        except Exception:  # noqa: BLE001  SQLite holds any type in any column
            raise StoreError(
                f"The store {self._db.path} was changed outside: its digest isn't its own.",
                "Restore the latest backup.",
            ) from None
        whole = Whole(revision, int.from_bytes(body[:TOTAL_BYTES], "big"), _COUNT.unpack(body[TOTAL_BYTES:])[0])
        self._newest = sealed, whole
        return whole

    def outside(self) -> str:
        """The digest as others may see it: equal ones are equal, and it says nothing else."""
        whole = self.read()
        return self._outside.tag(_COUNT.pack(whole.revision) + whole.total.to_bytes(TOTAL_BYTES, "big")).hex()

    def fits(self) -> bool:
        """Whether the rows are those that were written: a pass over all of them."""
        return sum(self._of_all()) % _MODULUS == (self.read().total + self._delta) % _MODULUS

    def adopt(self) -> None:
        """Take the rows as they are: of a store that had no digest yet."""
        elements = list(self._of_all())
        self._db.execute("DELETE FROM state")
        self._db.execute("INSERT INTO state (id, revision, sealed) VALUES (1, 0, x'')")
        self._write(Whole(1, sum(elements) % _MODULUS, len(elements)))

    def _of_all(self) -> Iterator[int]:
        try:
            for token, nonce in self._db.rows("SELECT token, substr(sealed, 1, 12) FROM records"):
                yield self._record(token, nonce)
            for token, part, edition in self._db.rows("SELECT token, part, edition FROM blobs"):
                yield self._part(token, part, edition)
        except (TypeError, ValueError):
            raise StoreError(f"The store {self._db.path} was changed outside.", "Restore the latest backup.") from None

    def _record(self, token: bytes, sealed: bytes) -> int:
        # The nonce is drawn for each sealing, and what is sealed with it is bound to the row's place and revision.
        state = self._elements.copy()
        state.update(b"r" + token + sealed[: crypto.NONCE_BYTES])
        return int.from_bytes(state.digest(), "big")

    def _part(self, token: bytes, part: int, edition: bytes) -> int:
        state = self._elements.copy()
        state.update(b"b" + token + _PART.pack(part) + edition)
        return int.from_bytes(state.digest(), "big")

    def _change(self, element: int, seals: int) -> None:
        if self.frozen:
            raise StoreError(
                f"Nothing is changed in the store {self._db.path}: {self.frozen}.", "See 'llmasos audit verify'."
            )
        self._delta += element
        self._seals += seals
        self._changed = True

    def _write(self, whole: Whole) -> None:
        body = whole.total.to_bytes(TOTAL_BYTES, "big") + _COUNT.pack(whole.seals)
        sealed = self._cipher.seal(body, self._aad + _COUNT.pack(whole.revision))
        self._db.execute("UPDATE state SET revision = ?, sealed = ? WHERE id = 1", (whole.revision, sealed))
        self._newest = sealed, whole
