"""Records by kind and id, sealed one by one, each with the key of its subject.

    record = nonce | AES-256-GCM(DEK of the subject, [kind, id, subject, value])
    AAD    = format | store id | tags of subject, kind, id | key version | place in order | revision

What SQLite sees is sealed records and HMAC tags; names and values exist only in memory.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from struct import error as StructError  # noqa: N812  the module names it like a variable
from typing import Any, BinaryIO, NamedTuple

from llmasos.core.base.errors import StoreError
from llmasos.core.base.types import JSON
from llmasos.core.kernel import crypto
from llmasos.core.kernel.durable import locked, owner_only
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import schema
from llmasos.core.kernel.store.blobs import Blobs
from llmasos.core.kernel.store.database import Database, new_file
from llmasos.core.kernel.store.keys import Keys, SubjectKeys

FILE = "store.db"
LOCK = "store.lock"
PERSON = "person"
SCAN_STEP = 128
IN_STEP = 500

_PLACE = Struct(">HQQ")
# One encoder for all: json.dumps with arguments builds a new one for each call. Lone surrogates (file names that
# are no UTF-8) are kept, and so must be encoded with surrogatepass.
_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_from_json = json.JSONDecoder().decode

_COLUMNS = "seq, token, kind, subject, key_version, rev, sealed"


class Record(NamedTuple):
    """One record as `scan` gives it.

    Attributes:
        kind: What it is, as a service names it.
        id: Its name within the kind and subject.
        subject: Whom it is about, and so whose key seals it.
        value: The value, as JSON brings it back: tuples are lists, and the keys of mappings are text.
        seq: Its place in the order of insertion; a later `put` of the same record keeps it.
    """

    kind: str
    id: str
    subject: str
    value: Any
    seq: int


class Store:
    """One home's store. Safe for threads; several processes may have it open at once.

    Every method either did what it says or raises; what it did survives `kill -9`.
    """

    def __init__(self, db: Database, keyring: Keyring) -> None:
        self.keyring = keyring
        self._db = db
        self._keys = Keys(keyring)
        self._blobs = Blobs(db, keyring.store_id)
        self._prefix = b"llmasos/rec/1" + keyring.store_id
        self._kind_tags = crypto.Tagger(keyring.derive("kinds"))
        self._kinds: dict[str, bytes] = {}
        self._next_seq = 0

    @classmethod
    def open(cls, home: Path, keyring: Keyring) -> Store:
        """Open a home's store, or make one where the keyring was never used.

        Raises:
            StoreError: Missing, damaged, another mode, another home's; nothing is created or changed then.
        """
        owner_only(home)
        path = home / FILE
        with locked(home / LOCK):
            keyring.refresh()
            if not path.exists():
                if keyring.live():
                    raise StoreError(
                        f"The store {path} is missing, but its keys are there.", "Restore the latest backup."
                    )
                new_file(path)
            elif path.stat().st_mode & 0o077:
                path.chmod(0o600)
            db = Database(path)
            try:
                schema.prepare(db, keyring)
                store = cls(db, keyring)
                store._sweep()
            except BaseException:
                db.close()
                raise
        return store

    def put(self, kind: str, id: str, value: JSON, *, subject: str = PERSON) -> None:
        """Write a record, in place of the one there was.

        Raises:
            ValueError: NaN or infinity, which are no JSON.
            TypeError: The value is no JSON.
        """
        body = _to_json((kind, id, subject, value)).encode("utf-8", "surrogatepass")
        if self._db.depth:
            with self._db.lock:
                # Else it was another thread's transaction, which ended while we waited for the lock.
                if self._db.depth:
                    self._put(kind, id, body, subject)
                    return
        with self.transaction():
            self._put(kind, id, body, subject)

    def _put(self, kind: str, id: str, body: bytes, subject: str) -> None:
        keys = self._keys.need(subject)
        tag = self._kind(kind)
        token = keys.names.tag(tag + id.encode("utf-8", "surrogatepass"))
        seq = self._next_seq or self._db.one("SELECT coalesce(max(seq), 0) + 1 FROM records")[0]
        # New records are the common case, and this tells a new one from an old one without a look-up.
        added = self._db.execute(
            f"INSERT INTO records ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, 1, ?) ON CONFLICT (token) DO NOTHING",  # noqa: S608
            (seq, token, tag, keys.token, keys.version, self._seal(keys, tag, token, seq, 1, body)),
        )
        self._next_seq = seq + added
        if not added:
            seq, rev = self._db.one("SELECT seq, rev + 1 FROM records WHERE token = ?", (token,))
            self._db.execute(
                "UPDATE records SET rev = ?, sealed = ? WHERE seq = ?",
                (rev, self._seal(keys, tag, token, seq, rev, body), seq),
            )

    def get(self, kind: str, id: str, *, subject: str = PERSON) -> Any:
        """A record's value, or None.

        Raises:
            StoreError: The record was changed outside.
        """
        tag = self._kind(kind)
        name = tag + id.encode("utf-8", "surrogatepass")
        with self._db.lock:
            while True:
                keys = self._keys.known(subject)
                if keys is not None:
                    row = self._db.one(
                        f"SELECT {_COLUMNS} FROM records WHERE token = ?",  # noqa: S608  a constant of ours
                        (keys.names.tag(name),),
                    )
                    if row is not None:
                        return self._open(keys, row)[3]
                # Nothing there: true, unless another process gave the subject a new key since we looked.
                if not self._keys.refresh():
                    return None

    def delete(self, kind: str, id: str, *, subject: str = PERSON) -> bool:
        """Delete a record; says whether there was one."""
        with self.transaction():
            keys = self._keys.known(subject)
            if keys is None:
                return False
            token = keys.names.tag(self._kind(kind) + id.encode("utf-8", "surrogatepass"))
            return self._db.execute("DELETE FROM records WHERE token = ?", (token,)) > 0

    def scan(self, kind: str, *, subject: str | None = None, newest_first: bool = False) -> Iterator[Record]:
        """The records of a kind in order of insertion, of one subject or of all.

        They are those that were there at the first step; one that is deleted meanwhile is left out. Nothing is
        locked between two steps, so the loop may write.

        Raises:
            StoreError: A record was changed outside.
        """
        tag = self._kind(kind)
        with self._db.lock:
            subjects = self._subjects(subject)
            places = sorted(
                seq
                for some in _slices(subjects, IN_STEP)
                for (seq,) in self._db.all(
                    f"SELECT seq FROM records WHERE kind = ? AND subject IN ({_marks(some)})",  # noqa: S608
                    (tag, *some),
                )
            )
        if newest_first:
            places.reverse()
        wanted = set(subjects)
        for some in _slices(places, SCAN_STEP):
            with self._db.lock:
                rows = self._db.all(
                    f"SELECT {_COLUMNS} FROM records WHERE seq IN ({_marks(some)})"  # noqa: S608
                    f" ORDER BY seq {'DESC' if newest_first else 'ASC'}",
                    some,
                )
                records = [self._record(row) for row in rows if row[2] == tag and row[3] in wanted]
            yield from (record for record in records if record is not None)

    def count(self, kind: str, *, subject: str | None = None) -> int:
        """How many records of a kind there are."""
        tag = self._kind(kind)
        with self._db.lock:
            return sum(
                self._db.one(
                    f"SELECT count(*) FROM records WHERE kind = ? AND subject IN ({_marks(some)})",  # noqa: S608
                    (tag, *some),
                )[0]
                for some in _slices(self._subjects(subject), IN_STEP)
            )

    def put_blob(self, data: bytes | BinaryIO, *, id: str = "", subject: str = PERSON) -> str:
        """Keep bytes, or a binary file from where it stands to its end.

        Args:
            data: What to keep.
            id: Its name, in place of the one there was; empty for a new random one.
            subject: Whose key seals it.

        Returns:
            The id.
        """
        id = id or secrets.token_hex(16)
        with self.transaction():
            self._blobs.write(self._keys.need(subject), id, data)
        return id

    def get_blob(self, id: str, *, subject: str = PERSON) -> bytes | None:
        """A blob whole, or None.

        Raises:
            StoreError: It was changed outside.
        """
        with self._db.lock:
            parts = list(self.blob_parts(id, subject=subject))
        return b"".join(parts) if parts else None

    def blob_parts(self, id: str, *, subject: str = PERSON) -> Iterator[bytes]:
        """A blob in parts of at most 256 KiB, for one too large for memory; no parts where there is none."""
        with self._db.lock:
            self._keys.refresh()
            keys = self._keys.known(subject)
        if keys is not None:
            yield from self._blobs.parts(keys, id)

    def delete_blob(self, id: str, *, subject: str = PERSON) -> bool:
        """Delete a blob; says whether there was one."""
        with self.transaction():
            keys = self._keys.known(subject)
            return keys is not None and self._blobs.delete(keys, id)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written inside happens as a whole or, if the body raises, not at all; nests.

        Other threads wait meanwhile: keep it short, and never `await` inside.
        """
        with self._db.transaction() as outermost:
            if outermost:
                # With the write lock held nobody else inserts, and a key shredded elsewhere is known from here on.
                self._next_seq = 0
                self._keys.refresh()
            yield

    def shred(self, subject: str) -> bool:
        """Drop a subject's key, then its records and blobs; old backups of them are unreadable from then on.

        The key goes first: killed in between, what is left can't be read, and the next `open` sweeps it out.

        Raises:
            StoreError: Called inside a transaction, which could not take it back.
        """
        with self._db.lock:
            if self._db.depth:
                raise StoreError("A subject can't be shredded inside a transaction.")
            self._keys.clear()
            had_key = self.keyring.shred(subject)
            self._sweep()
            self._db.all("PRAGMA incremental_vacuum")
            self._db.all("PRAGMA wal_checkpoint(TRUNCATE)")
        return had_key

    def verify(self) -> int:
        """Check the file and open every record and blob; returns how many there are.

        Raises:
            StoreError: Something is damaged or was changed outside.
        """
        with self._db.lock:
            (found,) = self._db.one("PRAGMA integrity_check(1)")
            if found != "ok":
                raise StoreError(
                    f"The store {self._db.path} is damaged: {found}.", "Restore the latest backup."
                )
            self._sweep()
            seqs = [seq for (seq,) in self._db.all("SELECT seq FROM records")]
            for seq in seqs:
                row = self._db.one(f"SELECT {_COLUMNS} FROM records WHERE seq = ?", (seq,))  # noqa: S608
                self._record(row)
            tokens = self._db.all("SELECT DISTINCT token, subject FROM blobs")
            for token, subject in tokens:
                keys = self._keys.by_token(subject)
                if keys is None:
                    raise self._foreign()
                for _ in self._blobs.parts_of(keys, token):
                    pass
            return len(seqs) + len(tokens)

    def backup(self, path: Path) -> None:
        """Copy the store to a file, also while it is used. It stays sealed; the keyring is backed up apart.

        Raises:
            StoreError: Called inside a transaction, or the file can't be written.
        """
        with self._db.lock:
            if self._db.depth:
                raise StoreError("A backup can't be made inside a transaction.")
            self._db.backup(path)

    def close(self) -> None:
        """Close the store."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _kind(self, kind: str) -> bytes:
        tag = self._kinds.get(kind)
        if tag is None:
            tag = self._kinds[kind] = self._kind_tags.tag(kind.encode("utf-8", "surrogatepass"))
        return tag

    def _subjects(self, subject: str | None) -> list[bytes]:
        self._keys.refresh()
        return self.keyring.live() if subject is None else [self.keyring.token(subject)]

    def _seal(self, keys: SubjectKeys, tag: bytes, token: bytes, seq: int, rev: int, body: bytes) -> bytes:
        return keys.cipher.seal(
            body, self._prefix + keys.token + tag + token + _PLACE.pack(keys.version, seq, rev)
        )

    def _open(self, keys: SubjectKeys, row: Sequence[Any]) -> Any:
        """The record's [kind, id, subject, value]; bound to the whole row, so that nothing can be swapped."""
        seq, token, tag, subject, version, rev, sealed = row
        try:
            aad = self._prefix + subject + tag + token + _PLACE.pack(version, seq, rev)
            body = keys.cipher.open(sealed, aad)
        except (TypeError, StructError):  # SQLite holds any type in any column
            raise self._changed() from None
        return _from_json(body.decode("utf-8", "surrogatepass"))

    def _record(self, row: Sequence[Any]) -> Record | None:
        subject_token, version = row[3], row[4]
        if not isinstance(subject_token, bytes) or not isinstance(version, int):
            raise self._changed()
        if self.keyring.shredded(subject_token) >= version:
            return None
        keys = self._keys.by_token(subject_token)
        if keys is None:
            raise self._foreign()
        kind, id, subject, value = self._open(keys, row)
        return Record(kind, id, subject, value, row[0])

    def _sweep(self) -> None:
        """Delete what was sealed with shredded keys; refuse records whose key was never in this keyring."""
        with self.transaction():
            for table in ("records", "blobs"):
                # A loose index scan: one step for each subject, however many records there are.
                subjects = self._db.all(
                    f"WITH RECURSIVE found(subject) AS (SELECT min(subject) FROM {table}"  # noqa: S608
                    f" UNION ALL SELECT (SELECT min(subject) FROM {table} WHERE subject > found.subject) FROM found"
                    " WHERE found.subject IS NOT NULL) SELECT subject FROM found WHERE subject IS NOT NULL"
                )
                for (subject,) in subjects:
                    if not isinstance(subject, bytes):
                        raise self._changed()
                    gone = self.keyring.shredded(subject)
                    if gone:
                        self._db.execute(
                            f"DELETE FROM {table} WHERE subject = ? AND key_version <= ?",  # noqa: S608
                            (subject, gone),
                        )
                    elif self._keys.by_token(subject) is None:
                        raise self._foreign()

    def _changed(self) -> StoreError:
        return StoreError(f"The store {self._db.path} was changed outside.", "Restore the latest backup.")

    def _foreign(self) -> StoreError:
        return StoreError(
            f"The store {self._db.path} has records whose key isn't in the keyring.",
            "Restore the newest keyring.json, or the backup of the store that belongs to this one.",
        )


def _slices(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _marks(items: Sequence[object]) -> str:
    return ",".join("?" * len(items))
