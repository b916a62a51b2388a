"""One SQLite connection behind a lock: its settings, transactions, and errors that a person can read.

It knows nothing of records. Where its pages are sealed, the connection is sqlcipher.py's, and all else the same.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llmasos.core.base.durable import sync_file, sync_folder
from llmasos.core.base.errors import StoreError
from llmasos.core.kernel.store import sqlcipher

BUSY_SECONDS = 30.0
SETTINGS = (
    # Before the first table: freed pages go back to the file system when something is shredded.
    "PRAGMA auto_vacuum=INCREMENTAL",
    # An acknowledged write survives kill -9, not power loss; the keyring, which must, syncs by itself.
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA secure_delete=ON",
    "PRAGMA temp_store=MEMORY",
    # A foreign file's triggers and views must not run our functions.
    "PRAGMA trusted_schema=OFF",
)
REMEDIES = {
    "SQLITE_BUSY": f"Another program held it for {BUSY_SECONDS:.0f} seconds; end that one and try again.",
    "SQLITE_FULL": "The disk is full; make room and try again.",
    "SQLITE_READONLY": "The file can't be written; check its owner and permissions.",
    "SQLITE_CANTOPEN": "The file can't be opened; check its owner and permissions.",
    "SQLITE_CORRUPT": "The file is damaged; restore the latest backup.",
    "SQLITE_NOTADB": "The file is damaged; restore the latest backup.",
}


_ERRORS: tuple[type[Exception], ...] = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite's module raises of a file that others wrote: also where the words of an error are no text."""


class Database:
    """A connection that threads share.

    Args:
        path: The file.
        key: Of its pages, where they are sealed.

    Attributes:
        lock: Held by whoever talks to the connection, and for the whole of a transaction.
        depth: Transactions open now, one in the other; written only with the lock held.
        cursor: One that is made once, for reads of one row, with the lock held.
        errors: What the connection raises; `readable` makes of it what a person can read.
    """

    def __init__(self, path: Path, key: bytes | None = None) -> None:
        self.path = path
        self._key = key
        self.errors = _ERRORS if key is None else (*_ERRORS, sqlcipher.module(path).Error)
        self.lock = threading.RLock()
        self.depth = 0
        self._named = 0  # the inode of the log whose name is on the disk
        try:
            self._connection = self._connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        except self.errors as error:
            raise self.readable(error) from error
        self.cursor = self._connection.cursor()
        try:
            for setting in SETTINGS:
                self.all(setting)
        except BaseException:
            self._connection.close()
            raise

    @property
    def sealed(self) -> bool:
        """Whether its pages are."""
        return self._key is not None

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement; returns the number of rows it changed."""
        try:
            return self._connection.execute(sql, values).rowcount
        except self.errors as error:
            raise self.readable(error) from error

    def one(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first row, or None."""
        try:
            return self._connection.execute(sql, values).fetchone()
        except self.errors as error:
            raise self.readable(error) from error

    def point(self, sql: str, values: Sequence[Any]) -> Any:
        """The one row of a key, or None: by a cursor that is made once; with the lock held."""
        try:
            # With the last row the statement is over, so that it holds no old state of the file.
            return self.cursor.execute(sql, values).fetchone()
        except self.errors as error:
            raise self.readable(error) from error

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except self.errors as error:
            raise self.readable(error) from error

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        """All rows, one after the other; nothing may be written meanwhile."""
        try:
            yield from self._connection.execute(sql, values)
        except self.errors as error:
            raise self.readable(error) from error

    def sync(self) -> None:
        """Make what is committed survive power loss too: the log that SQLite writes first is synced."""
        log = self.path.with_name(f"{self.path.name}-wal")
        with self.lock, contextlib.suppress(FileNotFoundError):  # without a log it is all in the file, and synced
            sync_file(log)
            made = log.stat().st_ino
            if made != self._named:
                sync_folder(self.path.parent)
                self._named = made

    @contextmanager
    def transaction(self) -> Iterator[bool]:
        """All or nothing; inside another one, of the inner part. Yields whether it is the outermost."""
        with self.lock:
            outermost = not self.depth
            point = f"depth{self.depth}"
            # IMMEDIATE takes the write lock now: waiting for it later, after a read, can't work in WAL mode.
            self.execute("BEGIN IMMEDIATE" if outermost else f"SAVEPOINT {point}")
            self.depth += 1
            try:
                yield outermost
                self.execute("COMMIT" if outermost else f"RELEASE {point}")
            except BaseException:
                # After a full disk SQLite may have rolled back already.
                if self._connection.in_transaction:
                    for step in ["ROLLBACK"] if outermost else [f"ROLLBACK TO {point}", f"RELEASE {point}"]:
                        self.execute(step)
                raise
            finally:
                self.depth -= 1

    def backup(self, path: Path) -> None:
        """Copy the database whole to a new file, also while other programs use it."""
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        new_file(fresh)
        with self.lock:
            try:
                target = self._connect(fresh)
                try:
                    self._connection.backup(target)
                finally:
                    target.close()
            except self.errors as error:
                raise self.readable(error) from error
        sync_file(fresh)
        fresh.replace(path)
        sync_folder(path.parent)

    def close(self) -> None:
        """Close the connection; closing twice is no error."""
        with self.lock:
            self._connection.close()

    def readable(self, error: Exception) -> StoreError:
        """What is told of one of `errors`: what happened, and what to do."""
        if isinstance(error, UnicodeDecodeError):
            return StoreError(
                f"The store {self.path} can't be used: it holds text that is none.", REMEDIES["SQLITE_CORRUPT"]
            )
        # A closed connection has no code of its own.
        name = str(getattr(error, "sqlite_errorname", ""))
        remedy = next((text for code, text in REMEDIES.items() if name.startswith(code)), "")
        return StoreError(f"The store {self.path} can't be used: {error}.", remedy)

    def _connect(self, path: Path, **options: Any) -> sqlite3.Connection:
        return sqlite3.connect(path, **options) if self._key is None else sqlcipher.connect(path, self._key, **options)


def new_file(path: Path) -> None:
    """Make an empty file that only its owner can read. SQLite gives its side files the same mode.

    The file must be new: closing a second descriptor of an open database drops SQLite's locks on it.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
