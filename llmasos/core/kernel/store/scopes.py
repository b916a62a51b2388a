"""A scope is one kind of records of one subject under one version of its key.

It says what they are named and sealed with. A record's row names its scope by a small number; subject,
version and kind stand once, in the table of scopes, and are bound into every sealed record. A scope goes only
when its subject is shredded.
"""

from __future__ import annotations

from functools import partial
from struct import Struct

from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import crypto
from llmasos.core.kernel.keyring import Dek, Keyring
from llmasos.core.kernel.store.database import Database
from llmasos.core.kernel.store.state import State

_VERSION = Struct(">Q")


class Scope:
    """One scope, ready to name and seal.

    Attributes:
        id: Its number in the file.
        version: Of the subject's key.
        cipher: Seals with that key.
        aad: Format, store, subject, key version and kind: the first part of every record's associated data.
        decrypt: The cipher's, for the point read.
        place: The associated data of a record whole, in one call: from its name, its place in order and its revision.
            Only of a name that `token` made: one of another length, as a changed file may hold, would be cut or filled.
    """

    __slots__ = ("aad", "cipher", "decrypt", "id", "place", "subject", "token", "version")

    def __init__(self, id: int, store_id: bytes, kind: bytes, dek: Dek) -> None:
        self.id = id
        self.subject, self.version = dek.token, dek.version
        self.cipher = crypto.Cipher(crypto.derive(dek.key, "rec"))
        # Names are keyed by the subject's own key: once it is shredded, nobody can even test a guess of one.
        # By its first one, so that a record keeps its name when keys rotate.
        self.token = crypto.Tagger(crypto.derive(dek.first, "idx"), kind).tag_text
        """How a name of this scope is written in the file."""
        self.aad = b"llmasos/rec/1" + store_id + dek.token + _VERSION.pack(dek.version) + kind
        self.decrypt = self.cipher.decrypt
        self.place = partial(Struct(f">{len(self.aad)}s{crypto.TAG_BYTES}sQQ").pack, self.aad)


class Scopes:
    """The scopes of a store. Its caller holds the database lock.

    Attributes:
        ready: Those of the newest keys by kind and subject, as far as they were asked for; `known` finds the rest.
    """

    def __init__(self, db: Database, keyring: Keyring, state: State) -> None:
        self._db = db
        self._keyring = keyring
        self._state = state
        self._kinds = crypto.Tagger(keyring.derive("kinds"))
        self.ready: dict[tuple[str, str], Scope] = {}
        self._by_id: dict[int, Scope] = {}

    def known(self, kind: str, subject: str) -> Scope | None:
        """The scope, if anything was ever kept in it."""
        scope = self.ready.get((kind, subject))
        if scope is None:
            token = self._keyring.token(subject)
            for version in self._keyring.versions(token):  # while keys rotate, there may be none of the newest
                dek = self._keyring.find(token, version)
                scope = self._find(self._kind(kind), dek) if dek is not None else None
                if scope is not None:
                    break
            if scope is not None and self._is_newest(scope):
                self.ready[kind, subject] = scope
        return scope

    def need(self, kind: str, subject: str) -> Scope:
        """The scope, made where it is missing: inside a transaction."""
        scope = self.ready.get((kind, subject))
        if scope is None:
            scope = self.ready[kind, subject] = self._made(self._kind(kind), self._keyring.dek(subject))
        return scope

    def newer(self, old: Scope) -> Scope:
        """The scope of the same kind and subject under its newest key, made where it is missing."""
        dek = self._keyring.find(old.subject)
        assert dek is not None
        (kind,) = self._db.one("SELECT kind FROM scopes WHERE id = ?", (old.id,))
        return self._made(kind, dek)

    def outdated(self) -> list[Scope]:
        """The scopes of older keys: what is sealed with them waits to be sealed anew."""
        self.refresh()
        scopes = (self.by_id(id) for (id,) in self._db.all("SELECT id FROM scopes"))
        return [scope for scope in scopes if scope is not None and not self._is_newest(scope)]

    def of_row(self, scope: Scope, id: int) -> Scope:
        """The scope that a row of this scope's kind and subject was sealed in: under an older or newer key.

        Raises:
            StoreError: There is no such scope.
        """
        other = scope if id == scope.id else self.by_id(id)
        if other is None or other.subject != scope.subject:
            raise StoreError(f"The store {self._db.path} was changed outside.", "Restore the latest backup.")
        return other

    def seals(self) -> int:
        """How often the key that was used most can have been used: an upper bound."""
        rows = self._db.all("SELECT subject, key_version, min(began) FROM scopes GROUP BY subject, key_version")
        if any(tuple(map(type, row)) != (bytes, int, int) for row in rows):  # SQLite holds any type in any column
            raise StoreError(f"The store {self._db.path} was changed outside.", "Restore the latest backup.")
        newest = [began for subject, version, began in rows if version in self._keyring.versions(subject)[:1]]
        return self._state.read().seals - min(newest, default=self._state.read().seals)

    def of_kind(self, kind: str, subject: str | None) -> dict[int, Scope]:
        """The scopes of a kind by number, of one subject or of all."""
        if subject is not None:
            whose = (self._kind(kind), self._keyring.token(subject))
            rows = self._db.all("SELECT id FROM scopes WHERE kind = ? AND subject = ?", whose)
        else:
            rows = self._db.all("SELECT id FROM scopes WHERE kind = ?", (self._kind(kind),))
        # After the rows: a subject is in the keyring before it is in the store.
        self.refresh()
        found = (self.by_id(id) for (id,) in rows)
        return {scope.id: scope for scope in found if scope is not None}

    def by_id(self, id: int) -> Scope | None:
        """The scope with a number; None where it was shredded.

        Raises:
            StoreError: There is no such scope, or its key was never in this keyring.
        """
        scope = self._by_id.get(id)
        if scope is None:
            row = self._db.one("SELECT subject, key_version, kind FROM scopes WHERE id = ?", (id,))
            if row is None or tuple(map(type, row)) != (bytes, int, bytes):
                raise StoreError(f"The store {self._db.path} was changed outside.", "Restore the latest backup.")
            subject, version, kind = row
            if self._keyring.shredded(subject) >= version:
                return None
            dek = self._keyring.find(subject, version)
            if dek is None and self.refresh():  # another program gave it a key since we looked
                dek = self._keyring.find(subject, version)
            if dek is None:
                raise StoreError(
                    f"The store {self._db.path} has records whose key isn't in the keyring.",
                    "Restore the newest keyring.json, or the backup of the store that belongs to this one.",
                )
            scope = self._by_id[id] = Scope(id, self._keyring.store_id, kind, dek)
        return scope

    def sweep(self) -> None:
        """Delete what was sealed with shredded keys: inside a transaction.

        Raises:
            StoreError: A key was never in this keyring, so that nothing may be deleted.
        """
        for (id,) in self._db.all("SELECT id FROM scopes"):
            if self.by_id(id) is None:
                for token, nonce in self._db.all(
                    "DELETE FROM records WHERE scope = ? RETURNING token, substr(sealed, 1, 12)", (id,)
                ):
                    self._state.record_out(token, nonce)
                gone = self._db.all("DELETE FROM blobs WHERE scope = ? RETURNING part, edition", (id,))
                for part, edition in gone:
                    self._state.part_out(part, edition)
                self._db.execute("DELETE FROM scopes WHERE id = ?", (id,))

    def refresh(self) -> bool:
        """Take up what another process changed in the keyring; says whether there was anything."""
        changed = self._keyring.refresh()
        if changed:
            self.clear()
        return changed

    def clear(self) -> None:
        """Forget all scopes made ready: keys changed, or the transaction that made them was rolled back."""
        self.ready.clear()
        self._by_id.clear()

    def _is_newest(self, scope: Scope) -> bool:
        return self._keyring.versions(scope.subject)[:1] == [scope.version]

    def _made(self, kind: bytes, dek: Dek) -> Scope:
        scope = self._find(kind, dek)
        if scope is None:
            values = (dek.token, dek.version, kind, self._state.read().seals)
            self._db.execute("INSERT INTO scopes (subject, key_version, kind, began) VALUES (?, ?, ?, ?)", values)
            scope = self._find(kind, dek)
        assert scope is not None
        return scope

    def _find(self, kind: bytes, dek: Dek) -> Scope | None:
        row = self._db.one(
            "SELECT id FROM scopes WHERE subject = ? AND key_version = ? AND kind = ?",
            (dek.token, dek.version, kind),
        )
        return self.by_id(row[0]) if row is not None else None

    def _kind(self, kind: str) -> bytes:
        return self._kinds.tag(kind.encode("utf-8", "surrogatepass"))
