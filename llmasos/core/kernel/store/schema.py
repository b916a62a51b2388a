"""The store's tables, how older ones are brought up to date, and whose store it is."""

from __future__ import annotations

from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import crypto
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store.database import Database
from llmasos.core.kernel.store.state import State

APPLICATION_ID = 0x4C4C4D53  # "LLMS", so that `file` and we know the file
MODE = "aead/1"
"""How records are sealed. Another mode is another format: it refuses to open rather than misread."""

# Appended, never edited. What is plain here is what a thief sees: how many records, how large, in what order.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"PRAGMA application_id={APPLICATION_ID}",
        """CREATE TABLE header (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            mode TEXT NOT NULL,
            key_check BLOB NOT NULL)""",
        """CREATE TABLE scopes (
            id INTEGER PRIMARY KEY,
            subject BLOB NOT NULL,
            key_version INTEGER NOT NULL,
            kind BLOB NOT NULL,
            UNIQUE (subject, key_version, kind))""",
        """CREATE TABLE records (
            seq INTEGER PRIMARY KEY,
            token BLOB NOT NULL UNIQUE,
            scope INTEGER NOT NULL,
            rev INTEGER NOT NULL,
            sealed BLOB NOT NULL)""",
        "CREATE INDEX records_by_scope ON records (scope)",
        """CREATE TABLE blobs (
            token BLOB NOT NULL,
            part INTEGER NOT NULL,
            last INTEGER NOT NULL,
            scope INTEGER NOT NULL,
            edition BLOB NOT NULL,
            sealed BLOB NOT NULL,
            PRIMARY KEY (token, part))""",
        "CREATE INDEX blobs_by_scope ON blobs (scope)",
    ),
    (
        """CREATE TABLE state (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            revision INTEGER NOT NULL,
            sealed BLOB NOT NULL)""",
        # How often anything had been sealed when the scope was made.
        "ALTER TABLE scopes ADD COLUMN began INTEGER NOT NULL DEFAULT 0",
    ),
    (),  # the digest is computed in another way
)
_DIGESTED = 3
"""The version from which on there is a digest."""


def prepare(db: Database, keyring: Keyring, state: State) -> None:
    """Make a new store's tables, or check that this is this home's store, and bring it up to date.

    Raises:
        StoreError: Another mode, another key, a newer version, or a file that lost its tables.
    """
    (version,) = db.one("PRAGMA user_version")
    if version > len(MIGRATIONS):
        raise StoreError(f"The store {db.path} was written by a newer llmasos.", "Update llmasos.")
    check = crypto.Tagger(keyring.derive("store/check")).tag(keyring.store_id + MODE.encode())
    if version:
        _check_header(db, check)
    elif keyring.live():
        # Keys that were used, and a file that holds nothing: it was emptied or replaced.
        raise StoreError(f"The store {db.path} is damaged: it is empty.", "Restore the latest backup.")
    with db.transaction():
        for step in MIGRATIONS[version:]:
            for statement in step:
                db.execute(statement)
        if not version:
            db.execute("INSERT INTO header VALUES (1, ?, ?)", (MODE, check))
        if version < _DIGESTED:
            state.adopt()
        db.execute(f"PRAGMA user_version={len(MIGRATIONS)}")


def _check_header(db: Database, check: bytes) -> None:
    row = db.one("SELECT mode, key_check FROM header")
    if row is None:
        raise StoreError(f"The store {db.path} is damaged: it has no header.", "Restore the latest backup.")
    if row[0] != MODE:
        raise StoreError(
            f"The store {db.path} is in mode {row[0]!r}, and this llmasos reads {MODE!r}.",
            "Use the version that wrote it; nothing was changed.",
        )
    if row[1] != check:
        raise StoreError(
            f"The store {db.path} belongs to another keyring.",
            "Restore the keyring.json and the store.db that belong together; nothing was changed.",
        )
