"""What a store is as a whole: how often it was changed, and a digest that each of its rows is part of.

    element = AES of 16 bytes that no other row, and no other writing of this row, has: its nonce or edition
    total   = sum of all elements modulo 2^128
    row     = revision, AES-256-GCM(total, seals; AAD = store, revision)

A keyed multiset hash (MSet-Add-Hash of Clarke, Devadas, van Dijk, Gassend and Suh, "Incremental Multiset Hash
Functions and Their Application to Memory Integrity Checking", ASIACRYPT 2003): a row that comes or goes is one
addition, not a pass over all. The total is sealed and the elements are under a key, so that nobody who sees the file
learns sums to solve for. It is written in the same transaction as the rows. So a row that was deleted, or put back as
it once was, is found by `Store.verify`; that the file was put back whole, together with this row, only the revision
tells whoever wrote down a newer one elsewhere (audit/anchor.py).
"""

from __future__ import annotations

from itertools import islice
from struct import Struct
from struct import error as StructError  # noqa: N812  the module names it like a variable
from typing import NamedTuple

from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import crypto
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store.database import Database

TOTAL_BYTES = 16
_MODULUS = 1 << 8 * TOTAL_BYTES
_COUNT = Struct(">Q")
_PART = Struct(">Q")
_AT_ONCE = 10_000


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
        self._records = crypto.Blocks(keyring.derive("store/digest/records"))
        self._parts = crypto.Blocks(keyring.derive("store/digest/parts"))
        self._cipher = crypto.Cipher(keyring.derive("store/state"))
        self._outside = crypto.Tagger(keyring.derive("store/anchor"))
        self._aad = b"llmasos/state/1" + keyring.store_id
        self.frozen = ""
        # What the transaction that is open brings and takes, for one sum at its end: see `mark`.
        self._lists: tuple[list[bytes], ...] = ([], [], [], [])
        self._newest: tuple[bytes, Whole] = b"", Whole(0, 0, 0)
        """What this program wrote or read last, so that it needn't be opened again while nobody else writes."""

    def record_in(self, token: bytes, sealed: bytes) -> None:
        """A record was written."""
        if self.frozen:
            self._refuse()
        # The nonce is drawn for each sealing, and what is sealed with it is bound to the row's place and revision.
        self._lists[0].append(sealed[:12] + token[:4])

    def record_out(self, token: bytes, nonce: bytes) -> None:
        """A record went; the first bytes of what was sealed say which writing of it."""
        if self.frozen:
            self._refuse()
        try:
            block = nonce[:12] + token[:4]
        except TypeError:  # the nonce comes from the file, and SQLite holds any type
            raise self._changed() from None
        self._lists[1].append(self._whole(block))

    def part_in(self, part: int, edition: bytes) -> None:
        """A part of a blob was written; the edition is drawn for each writing."""
        if self.frozen:
            self._refuse()
        self._lists[2].append(edition + _PART.pack(part))

    def part_out(self, part: int, edition: bytes) -> None:
        """A part of a blob went."""
        if self.frozen:
            self._refuse()
        try:
            block = edition + _PART.pack(part)
        except (TypeError, StructError):  # both come from the file
            raise self._changed() from None
        self._lists[3].append(self._whole(block))

    def mark(self) -> list[int]:
        """Where the transaction is, to `go_back` to if its inner part is rolled back."""
        return list(map(len, self._lists))

    def go_back(self, mark: list[int]) -> None:
        """Forget what came after a mark."""
        for some, size in zip(self._lists, mark, strict=True):
            del some[size:]

    def begin(self) -> None:
        """A transaction begins."""
        self.go_back([0, 0, 0, 0])

    def end(self) -> None:
        """Write the row, before the transaction that changed something is committed."""
        if any(self._lists):
            whole = self.read()
            total = (whole.total + self._delta()) % _MODULUS
            seals = whole.seals + len(self._lists[0]) + len(self._lists[2])
            self._write(Whole(whole.revision + 1, total, seals))
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
        except (StoreError, StructError, TypeError, ValueError):  # no row, or one of other types: SQLite takes any
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
        return self._of_all()[0] == (self.read().total + self._delta()) % _MODULUS

    def adopt(self) -> None:
        """Take the rows as they are: of a store that had no digest yet."""
        total, count = self._of_all()
        self._db.execute("DELETE FROM state")
        self._db.execute("INSERT INTO state (id, revision, sealed) VALUES (1, 0, x'')")
        self._write(Whole(1, total, count))

    def _of_all(self) -> tuple[int, int]:
        """The total of all rows, and how many there are."""
        total = count = 0
        records = (
            nonce + token[:4] for nonce, token in self._db.rows("SELECT substr(sealed, 1, 12), token FROM records")
        )
        parts = (edition + _PART.pack(part) for edition, part in self._db.rows("SELECT edition, part FROM blobs"))
        try:
            for blocks, numbers in ((records, self._records), (parts, self._parts)):
                while some := list(islice(blocks, _AT_ONCE)):
                    total += numbers.total(some)
                    count += len(some)
        except (TypeError, ValueError, StructError):  # SQLite holds any type, of any length
            raise self._changed() from None
        return total % _MODULUS, count

    def _delta(self) -> int:
        records_in, records_out, parts_in, parts_out = self._lists
        records = self._records.total(records_in) - self._records.total(records_out)
        return records + self._parts.total(parts_in) - self._parts.total(parts_out)

    def _whole(self, block: bytes) -> bytes:
        if len(block) != TOTAL_BYTES:
            raise self._changed()
        return block

    def _changed(self) -> StoreError:
        return StoreError(f"The store {self._db.path} was changed outside.", "Restore the latest backup.")

    def _refuse(self) -> None:
        raise StoreError(
            f"Nothing is changed in the store {self._db.path}: {self.frozen}.", "See 'llmasos audit verify'."
        )

    def _write(self, whole: Whole) -> None:
        body = whole.total.to_bytes(TOTAL_BYTES, "big") + _COUNT.pack(whole.seals)
        sealed = self._cipher.seal(body, self._aad + _COUNT.pack(whole.revision))
        self._db.execute("UPDATE state SET revision = ?, sealed = ? WHERE id = 1", (whole.revision, sealed))
        self._newest = sealed, whole
