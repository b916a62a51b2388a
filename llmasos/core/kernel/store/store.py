"""Records by kind and id, sealed one by one, each with the key of its subject.

    record = nonce | AES-256-GCM(DEK of the subject, [kind, id, subject, value])
    AAD    = format | store | subject | key version | kind | id | place in order | revision

Subject, kind and id are keyed tags there, as in the tables: names and values exist only in memory.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from struct import error as StructError  # noqa: N812  the module names it like a variable
from typing import Any, BinaryIO, NamedTuple

from llmasos.core.base.durable import locked, owner_only
from llmasos.core.base.errors import StoreError
from llmasos.core.base.types import JSON
from llmasos.core.kernel import crypto
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import blobs, schema, sqlcipher
from llmasos.core.kernel.store.blobs import Blobs
from llmasos.core.kernel.store.database import Database, new_file
from llmasos.core.kernel.store.scopes import Scope, Scopes
from llmasos.core.kernel.store.snapshot import FOLDER as SNAPSHOTS
from llmasos.core.kernel.store.snapshot import Snapshot
from llmasos.core.kernel.store.state import State

FILE = "store.db"
LOCK = "store.lock"
PERSON = "person"
SCAN_STEP = 128
WORN = 1 << 30
"""Seals of one key from which rotation is suggested: a quarter of what random nonces are safe for."""
REVISION, DIGEST = "store_revision", "store_digest"
"""What the facts of a checkpoint call them."""

_PLACE = Struct(">QQ")
_NONCE, _UNOPENED = crypto.NONCE_BYTES, crypto.UNOPENED
_OTHER_TYPES = TypeError, StructError
"""What comes of a cell of another type: SQLite holds any in any column."""
# One encoder for all: json.dumps with arguments builds one for each call. Lone surrogates (from file names
# that are no UTF-8) are kept, and so must be encoded with surrogatepass.
_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
# What json.loads calls, without the looks before and behind it: what opens was sealed here.
_from_json = json.JSONDecoder().raw_decode

_NEXT = "SELECT coalesce(max(seq), 0) + 1 FROM records"
# New records are the common case, and the conflict clause tells a new one from an old one without a look-up.
_ADD = """INSERT INTO records (seq, token, scope, rev, sealed) VALUES (?, ?, ?, 1, ?)
    ON CONFLICT (token) DO NOTHING"""
# The first 12 bytes of what is sealed are its nonce, which tells one writing of a record from all others.
_AGAIN = "SELECT seq, rev + 1, substr(sealed, 1, 12) FROM records WHERE token = ?"
_CHANGE = "UPDATE records SET scope = ?, rev = ?, sealed = ? WHERE seq = ?"
_REMOVE = "DELETE FROM records WHERE token = ? RETURNING substr(sealed, 1, 12)"
_POINT = "SELECT seq, scope, rev, sealed FROM records WHERE token = ?"
_SEVERAL = "SELECT token, seq, scope, rev, sealed FROM records WHERE seq IN (%s) ORDER BY seq"

_THERE = "SELECT 1 FROM scopes WHERE id = ?"
_OF_SCOPE = "SELECT token, seq, scope, rev, sealed FROM records WHERE scope = ? LIMIT ?"
_FURTHER = "SELECT token, seq, scope, rev, sealed FROM records WHERE seq > ? ORDER BY seq LIMIT ?"


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

    Attributes:
        home: The folder of all state.
        keyring: Its keys.
    """

    def __init__(self, db: Database, keyring: Keyring) -> None:
        self.home = db.path.parent
        self.keyring = keyring
        self._db = db
        self._state = State(db, keyring)
        self._scopes = Scopes(db, keyring, self._state)
        self._blobs = Blobs(db, self._scopes, self._state)
        self._next_seq = 0
        self._point = db.cursor.execute

    @classmethod
    def open(cls, home: Path, keyring: Keyring, *, pages_sealed: bool = False) -> Store:
        """Open a home's store, or make one where the keyring was never used.

        Args:
            home: The folder of all state.
            keyring: Its keys.
            pages_sealed: Whether the pages of a new one are sealed; one that is there is opened as it is.

        Raises:
            StoreError: Missing, damaged, another mode, another home's; nothing is created or changed then.
        """
        owner_only(home)
        path = home / FILE
        with locked(home / LOCK):
            keyring.refresh()
            if not path.exists():
                if keyring.live():
                    raise StoreError(f"The store {path} is missing.", "Its keys are there: restore its latest backup.")
                new_file(path)
            elif path.stat().st_mode & 0o077:
                path.chmod(0o600)
            new = not keyring.live()
            sealed = sqlcipher.are_sealed(path) if path.stat().st_size else pages_sealed
            db = Database(path, keyring.derive(sqlcipher.LABEL) if sealed else None)
            try:
                store = cls(db, keyring)
                schema.prepare(db, keyring, store._state)
                if new:
                    # Before the first key is written, which would make an empty store a damaged one.
                    store.sync()
                with store.transaction():
                    store._scopes.sweep()
            except BaseException:
                db.close()
                raise
        return store

    @property
    def pages(self) -> str:
        """What seals the file's pages; empty where nothing does."""
        return sqlcipher.version() if self._db.sealed else ""

    def put(self, kind: str, id: str, value: JSON, *, subject: str = PERSON, there: bool = False) -> None:
        """Write a record, in place of the one there was.

        Args:
            kind: What it is.
            id: Its name within kind and subject.
            value: Its value.
            subject: Whose key seals it.
            there: Whether there is likely one already; writing is faster where that is right.

        Raises:
            ValueError: NaN or infinity, which are no JSON.
            TypeError: The value is no JSON.
        """
        body = _to_json((kind, id, subject, value)).encode("utf-8", "surrogatepass")
        with self._db.lock:
            if self._db.depth:
                self._put(kind, id, body, subject, there)
            else:
                with self.transaction():
                    self._put(kind, id, body, subject, there)

    def _put(self, kind: str, id: str, body: bytes, subject: str, there: bool) -> None:
        scope = self._scopes.need(kind, subject)
        token = scope.token(id)
        if there and self._put_again(scope, token, body):
            return
        seq = self._next_seq or self._db.one(_NEXT)[0]
        try:
            place = _PLACE.pack(seq, 1)
        except StructError:  # somebody put a row at the last place that there is
            raise self._changed() from None
        sealed = scope.cipher.seal(body, scope.aad + token + place)
        added = self._db.execute(_ADD, (seq, token, scope.id, sealed))
        self._next_seq = seq + added
        if added:
            self._state.record_in(token, sealed)
        else:
            self._put_again(scope, token, body)

    def _put_again(self, scope: Scope, token: bytes, body: bytes) -> bool:
        """Write a record in place of the one there is; False where there is none."""
        row = self._db.point(_AGAIN, (token,))
        if row is None:
            return False
        seq, rev, nonce = row
        try:
            place = _PLACE.pack(seq, rev)
        except StructError:  # SQLite holds any number, and what is none
            raise self._changed() from None
        sealed = scope.cipher.seal(body, scope.aad + token + place)
        self._db.execute(_CHANGE, (scope.id, rev, sealed, seq))
        self._state.record_out(token, nonce)
        self._state.record_in(token, sealed)
        return True

    def get(self, kind: str, id: str, *, subject: str = PERSON) -> Any:
        """A record's value, or None.

        Raises:
            StoreError: The record was changed outside.
        """
        # All is written out here that `Database.point` and `_open` do: of a point read each call takes its part.
        with self._db.lock:
            while True:
                scope = self._scopes.ready.get((kind, subject)) or self._scopes.known(kind, subject)
                if scope is not None:
                    token = scope.token(id)
                    try:
                        row = next(self._point(_POINT, (token,)), None)
                    except self._db.errors as error:
                        raise self._db.readable(error) from error
                    if row is not None:
                        seq, scope_id, rev, sealed = row
                        try:
                            if scope_id != scope.id:
                                scope = self._scopes.of_row(scope, scope_id)
                            body = scope.decrypt(sealed[:_NONCE], sealed[_NONCE:], scope.place(token, seq, rev))
                        except _UNOPENED:
                            raise crypto.unopened() from None
                        except _OTHER_TYPES:
                            raise self._changed() from None
                        return _from_json(body.decode("utf-8", "surrogatepass"))[0][3]
                # Nothing there: true, unless another process gave the subject a new key since we looked.
                if not self._scopes.refresh():
                    return None

    def delete(self, kind: str, id: str, *, subject: str = PERSON) -> bool:
        """Delete a record; says whether there was one."""
        with self.transaction():
            scope = self._scopes.known(kind, subject)
            if scope is None:
                return False
            token = scope.token(id)
            gone = self._db.all(_REMOVE, (token,))
            for (nonce,) in gone:
                self._state.record_out(token, nonce)
            return bool(gone)

    def scan(self, kind: str, *, subject: str | None = None, newest_first: bool = False) -> Iterator[Record]:
        """The records of a kind in order of insertion, of one subject or of all.

        They are those that were there at the first step; one that is deleted meanwhile is left out. Nothing
        is locked between two steps, so the loop may write.

        Raises:
            StoreError: A record was changed outside.
        """
        with self._db.lock:
            wanted = self._scopes.of_kind(kind, subject)
            places = [seq for id in wanted for (seq,) in self._db.all("SELECT seq FROM records WHERE scope = ?", (id,))]
        if None in places:  # an index whose pages were changed
            raise self._changed()
        places.sort(reverse=newest_first)
        for at in range(0, len(places), SCAN_STEP):
            some = places[at : at + SCAN_STEP]
            with self._db.lock:
                rows = self._db.all(_SEVERAL % ",".join("?" * len(some)), some)
            if newest_first:
                rows.reverse()
            for row in rows:
                # Else deleted meanwhile, and another record has its place.
                if row[2] in wanted:
                    kind, id, of, value = self._open(wanted[row[2]], *row)
                    yield Record(kind, id, of, value, row[1])

    def all(self) -> Iterator[Record]:
        """All records of all kinds and subjects, as `scan` gives them.

        Raises:
            StoreError: A record was changed outside.
        """
        at = -1
        while True:
            with self._db.lock:
                self._scopes.refresh()
                rows = self._db.all(_FURTHER, (at, SCAN_STEP))
                opened = [(row[1], self._open(scope, *row)) for row in rows if (scope := self._scopes.by_id(row[2]))]
            for seq, (kind, id, of, value) in opened:
                yield Record(kind, id, of, value, seq)
            if not rows:
                return
            at = rows[-1][1]

    def count(self, kind: str, *, subject: str | None = None) -> int:
        """How many records of a kind there are."""
        with self._db.lock:
            return sum(
                self._db.one("SELECT count(*) FROM records WHERE scope = ?", (id,))[0]
                for id in self._scopes.of_kind(kind, subject)
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
            self._blobs.write(self._scopes.need(blobs.KIND, subject), id, data)
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
            self._scopes.refresh()
            scope = self._scopes.known(blobs.KIND, subject)
        if scope is not None:
            yield from self._blobs.parts(scope, scope.token(id))

    def delete_blob(self, id: str, *, subject: str = PERSON) -> bool:
        """Delete a blob; says whether there was one."""
        with self.transaction():
            scope = self._scopes.known(blobs.KIND, subject)
            return scope is not None and self._blobs.delete(scope, id)

    @contextmanager
    def transaction(self) -> Iterator[bool]:
        """What is written inside happens as a whole or, if the body raises, not at all; nests.

        Gives whether it is the outermost one, which nothing else can take back. Other threads wait meanwhile: keep it
        short, and never `await` inside.
        """
        with self._db.transaction() as outermost:
            if outermost:
                # With the write lock held nobody else inserts, and a key shredded elsewhere is known now.
                self._next_seq = 0
                self._scopes.refresh()
                self._state.begin()
            mark = self._state.mark()
            try:
                yield outermost
                if outermost:
                    self._state.end()
            except BaseException:
                self._scopes.clear()
                self._state.go_back(mark)
                raise

    def shred(self, subject: str) -> bool:
        """Drop a subject's key, then its records and blobs; old backups of them are unreadable from then on.

        The key goes first: killed in between, what is left can't be read, and the next `open` sweeps it out.

        Returns:
            Whether there was anything.

        Raises:
            StoreError: Called inside a transaction, which could not take it back.
        """
        with self._db.lock:
            if self._db.depth:
                raise StoreError("A subject can't be shredded inside a transaction.")
            if self._state.frozen:
                raise StoreError(
                    f"Nothing is erased from the store: {self._state.frozen}.", "See 'llmasos audit verify'."
                )
            had_key = self.keyring.shred(subject)
            self._scopes.clear()
            with self.transaction():
                self._scopes.sweep()
            self._db.all("PRAGMA incremental_vacuum")
            self._db.all("PRAGMA wal_checkpoint(TRUNCATE)")
        return had_key

    def rotate(self) -> int:
        """Give every subject a new key, and seal with it all that there is; goes on where one was killed in the middle.

        Others may use the store meanwhile: each record opens with the key that sealed it.

        Returns:
            How many records and blobs were sealed anew.

        Raises:
            StoreError: Nothing may be changed, or something was changed outside.
        """
        if self.frozen:
            raise StoreError(f"Nothing is changed in the store: {self.frozen}.", "See 'llmasos audit verify'.")
        with self._db.lock:
            if not self._scopes.outdated():
                self.keyring.rotate()
                self._scopes.clear()
            outdated = self._scopes.outdated()
        return sum(self._reseal(scope) for scope in outdated)

    def _reseal(self, old: Scope) -> int:
        count = 0
        while True:
            with self.transaction():
                # Anew each time: a subject may be shredded meanwhile.
                scope = self._scopes.by_id(old.id) if self._db.one(_THERE, (old.id,)) else None
                if scope is None:
                    return count
                rows = self._db.all(_OF_SCOPE, (old.id, SCAN_STEP))
                tokens = self._db.all("SELECT DISTINCT token FROM blobs WHERE scope = ? LIMIT 1", (old.id,))
                if not rows and not tokens:
                    self._db.execute("DELETE FROM scopes WHERE id = ?", (old.id,))
                    self._scopes.clear()
                    return count
                new = self._scopes.newer(scope)
                for token, seq, scope_id, rev, sealed in rows:
                    body = self._body(scope, token, (seq, scope_id, rev, sealed))
                    again = new.cipher.seal(body, new.aad + token + _PLACE.pack(seq, rev + 1))
                    self._db.execute(_CHANGE, (new.id, rev + 1, again, seq))
                    self._state.record_out(token, sealed)
                    self._state.record_in(token, again)
                for (token,) in tokens:
                    self._blobs.reseal(scope, new, token)
                count += len(rows) + len(tokens)

    def outdated(self) -> bool:
        """Whether something is still sealed with older keys: a rotation was killed in the middle."""
        with self._db.lock:
            return bool(self._scopes.outdated())

    def seals(self) -> int:
        """How often the key that was used most can have been used, at most; above `WORN` it should be rotated."""
        with self._db.lock:
            return self._scopes.seals()

    def verify(self) -> int:
        """Check the file, open every record and blob, and hold all to the digest; returns how many there are.

        Raises:
            StoreError: Something is damaged or was changed outside: also where a row was deleted, or put back as it
                once was.
        """
        with self.transaction():
            (found,) = self._db.one("PRAGMA integrity_check(1)")
            if found != "ok":
                raise StoreError(f"The store {self._db.path} is damaged: {found}.", "Restore the latest backup.")
            self._scopes.sweep()
            places = [seq for (seq,) in self._db.all("SELECT seq FROM records")]
            for seq in places:
                row = self._db.one(_SEVERAL % "?", (seq,))
                if row is None:  # an index that names what isn't there
                    raise self._changed()
                self._open(self._live(row[2]), *row)
            tokens = self._db.all("SELECT DISTINCT token, scope FROM blobs")
            for token, scope_id in tokens:
                for _ in self._blobs.parts(self._live(scope_id), token):
                    pass
            if not self._state.fits():
                raise StoreError(
                    f"The store {self._db.path} isn't what was written: rows are missing, or are older ones.",
                    "Restore the latest backup.",
                )
            return len(places) + len(tokens)

    def blob_size(self, id: str, *, subject: str = PERSON) -> int:
        """Bytes of a blob as it is kept; 0 where there is none."""
        with self._db.lock:
            scope = self._scopes.known(blobs.KIND, subject)
            return self._blobs.size(scope, id) if scope is not None else 0

    def blob_bytes(self) -> int:
        """Bytes of all blobs: above all of what undoing needs."""
        with self._db.lock:
            return int(self._db.one("SELECT coalesce(sum(length(sealed)), 0) FROM blobs")[0])

    def facts(self) -> dict[str, JSON]:
        """What tells this store from an older copy of it: its revision, and its digest as others may see it.

        They survive power loss when this returns, so that what is signed elsewhere can't be newer than the disk.
        """
        with self._db.lock:
            facts: dict[str, JSON] = {REVISION: self._state.read().revision, DIGEST: self._state.outside()}
        self.sync()
        return facts

    def sync(self) -> None:
        """Make all that was written until now survive power loss too."""
        self._db.sync()

    def older_than(self, signed: Mapping[str, Any]) -> str:
        """Why this store isn't the one of which these facts were signed, or what came of it; empty where it may be."""
        there = signed.get(REVISION)
        if not isinstance(there, int):
            return ""
        with self._db.lock:
            revision, digest = self._state.read().revision, self._state.outside()
        if revision < there:
            return f"the store is older than the one that was signed: revision {revision}, not {there}"
        if revision == there and digest != signed.get(DIGEST):
            return f"the store isn't the one that was signed as revision {there}"
        return ""

    def freeze(self, why: str) -> None:
        """From now on change nothing."""
        self._state.frozen = why

    @property
    def frozen(self) -> str:
        """Why nothing may be changed; empty where it may."""
        return self._state.frozen

    def snapshot(self, name: str, *, subject: str = PERSON) -> Snapshot:
        """What is kept beside the store under a name, computed from it, and gone when its subject is shredded."""
        with self._db.lock:
            dek = self.keyring.dek(subject)
        token = self.keyring.token(f"{subject}\n{name}")
        cipher = crypto.Cipher(crypto.derive(dek.key, "snapshot"))
        return Snapshot(self.home / SNAPSHOTS / token.hex(), cipher, self.keyring.store_id + token)

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

    def _open(self, scope: Scope, token: bytes, *row: Any) -> Any:
        """The record's [kind, id, subject, value]; the whole row is bound, nothing in it can be swapped."""
        body = self._body(scope, token, row)
        return _from_json(body.decode("utf-8", "surrogatepass"))[0]

    def _body(self, scope: Scope, token: bytes, row: tuple[int, int, int, bytes]) -> bytes:
        seq, scope_id, rev, sealed = row
        try:
            if scope_id != scope.id:  # sealed before or after the key was rotated
                scope = self._scopes.of_row(scope, scope_id)
            # A record is small, so that slices cost less than a view of it.
            place = scope.aad + token + _PLACE.pack(seq, rev)
            return scope.cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], place)
        except _UNOPENED:
            raise crypto.unopened() from None
        except _OTHER_TYPES:
            raise self._changed() from None

    def _live(self, scope_id: int) -> Scope:
        scope = self._scopes.by_id(scope_id)
        if scope is None:
            raise self._changed()
        return scope

    def _changed(self) -> StoreError:
        return StoreError(f"The store {self._db.path} was changed outside.", "Restore the latest backup.")
