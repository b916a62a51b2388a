"""The one door to the package `sqlcipher3` (extra `sqlcipher`): an SQLite of its own, which seals its pages."""

from __future__ import annotations

import importlib
import importlib.util
import sqlite3
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from llmasos.core.base.errors import StoreError

PACKAGE = "sqlcipher3"
EXTRA = "pip install 'llmasos[sqlcipher]'"
LABEL = "store/pages"
"""What the home's key of the pages is derived for."""


def available() -> bool:
    """Whether the package is installed."""
    return importlib.util.find_spec(PACKAGE) is not None


def are_sealed(path: Path) -> bool:
    """Whether a database that isn't empty is none to plain SQLite: its pages are sealed, or it is damaged."""
    # Immutable: neither locked, nor is what lies beside it touched.
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        return getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB"
    except UnicodeDecodeError:
        return False
    finally:
        connection.close()
    return False


def module(path: Path) -> ModuleType:
    """SQLCipher's module, for the store at a path.

    Raises:
        StoreError: It isn't installed.
    """
    try:
        return importlib.import_module(f"{PACKAGE}.dbapi2")
    except ImportError:
        raise StoreError(
            f"The store {path} is no plain SQLite file: its pages are sealed, or it is damaged.",
            f"Install what opens sealed pages ({EXTRA}), or restore a backup; nothing was changed.",
        ) from None


def connect(path: Path, key: bytes | None, **options: Any) -> sqlite3.Connection:
    """A connection of SQLCipher's, which behaves as one of the standard library.

    Args:
        path: The file.
        key: Of its pages; None where they are plain.
        options: As for `sqlite3.connect`.
    """
    connection = cast("sqlite3.Connection", module(path).connect(path, **options))
    connection.execute("PRAGMA cipher_log_level=NONE")  # it writes to stderr otherwise
    if key is not None:
        # A raw key: it comes from a key, and needs no stretching.
        connection.execute(f'PRAGMA key="{_raw(key)}"')
    return connection


def version() -> str:
    """What seals the pages."""
    connection = cast("sqlite3.Connection", module(Path()).connect(":memory:"))
    try:
        return f"SQLCipher {connection.execute('PRAGMA cipher_version').fetchone()[0]}"
    finally:
        connection.close()


def copy(path: Path, fresh: Path, key: bytes, *, sealed: bool) -> None:
    """Copy a database to a file that is empty yet, with its pages sealed or plain.

    Args:
        path: The database; the other way round.
        fresh: The copy; it isn't synced.
        key: Of the sealed ones.
        sealed: Whether those of the copy are.

    Raises:
        StoreError: It can't be read or written.
    """
    library = module(path)
    connection = connect(path, None if sealed else key, isolation_level=None)
    try:
        connection.execute("ATTACH DATABASE ? AS fresh KEY ?", (str(fresh), _raw(key) if sealed else ""))
        connection.execute("PRAGMA fresh.auto_vacuum=INCREMENTAL")  # before its first table
        connection.execute("SELECT sqlcipher_export('fresh')").fetchall()
        for what in ("user_version", "application_id"):  # which aren't copied
            (value,) = connection.execute(f"PRAGMA main.{what}").fetchone()
            connection.execute(f"PRAGMA fresh.{what}={int(value)}")
        connection.execute("DETACH DATABASE fresh")
    except library.Error as error:
        raise StoreError(f"The store {path} can't be written anew: {error}.", "It is as it was.") from error
    finally:
        connection.close()


def _raw(key: bytes) -> str:
    return f"x'{key.hex()}'"
