"""The optional layer below the store: SQLCipher seals whole pages, so that the file shows nothing but its size.

What records hold is sealed one by one above, with or without it. This hides how many there are, how large each is, in
which order they came and to how many scopes they belong. Its key is one of the home's own. A store has it from its
beginning (`Store.open`), or is written anew here.
"""

from __future__ import annotations

from pathlib import Path

from llmasos.core.base.durable import locked, sync_file, sync_folder
from llmasos.core.base.errors import StoreError
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import sqlcipher
from llmasos.core.kernel.store.database import Database, new_file
from llmasos.core.kernel.store.store import FILE, LOCK, Store


def rewrite(home: Path, keyring: Keyring, *, sealed: bool) -> int | None:
    """Write a home's store anew with its pages sealed, or plain; cut off in the middle, it is as it was.

    No other program may have it open.

    Returns:
        How many records and blobs are in it, all of which were looked at; None where its pages are so already.

    Raises:
        StoreError: It is damaged, is open elsewhere, or can't be written; nothing was changed.
    """
    path, key = home / FILE, keyring.derive(sqlcipher.LABEL)
    fresh = path.with_name(f".{path.name}.new")
    Store.open(home, keyring).close()  # it is this home's, and up to date
    with locked(home / LOCK):
        if sqlcipher.are_sealed(path) == sealed:
            return None
        _remove(fresh)  # of one that was killed; a log of it would be read as that of the new file
        new_file(fresh)
        try:
            sqlcipher.copy(path, fresh, key, sealed=sealed)
            # The last one that closes it takes its log in. Of another file, that log would be read as this one's.
            if path.with_name(f"{path.name}-wal").exists():
                raise StoreError(f"The store {path} is open elsewhere.", "End that program first.")
            db = Database(fresh, key if sealed else None)
            try:
                count = Store(db, keyring).verify()
            finally:
                db.close()
            sync_file(fresh)
        except BaseException:
            _remove(fresh)
            raise
        fresh.replace(path)
        sync_folder(home)
    return count


def _remove(path: Path) -> None:
    """Remove a database and what SQLite puts beside it."""
    for left in path.parent.glob(f"{path.name}*"):
        left.unlink()
