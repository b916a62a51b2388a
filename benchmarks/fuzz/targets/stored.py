"""The store's file, its pages and its rows, and backups of a whole home."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sqlite3
import tarfile
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.fuzz.mutate import Bytes, Json
from benchmarks.fuzz.target import Target
from benchmarks.fuzz.targets.sealed import made, the_same_keys
from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import backup
from llmasos.core.kernel.audit import Anchor
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store

_TABLES = {
    "records": ("seq", "token", "scope", "rev", "sealed"), "scopes": ("id", "subject", "key_version", "kind", "began"),
    "blobs": ("token", "part", "last", "scope", "edition", "sealed"), "state": ("id", "revision", "sealed"),
    "header": ("id", "mode", "key_check"),
}  # fmt: skip
_CELLS: tuple[Any, ...] = (
    None, 0, 1, -1, 2, 3, 2**31, 2**63 - 1, -(2**63), 0.5, 1e300, float("inf"), "", "1", "text", "字", "x" * 3000, b"",
    b"\0", b"\xff" * 12, b"\xff" * 16, bytes(28), bytes(100_000),
)  # fmt: skip


def a_store(home: Path) -> Keyring:
    """A home with a store in which there is a little of everything."""
    keyring = made(home)
    with the_same_keys(), Store.open(home, keyring) as store:
        for number in range(12):
            store.put("note", str(number), {"text": f"note {number} 记", "n": number})
        store.put("memory", "1", ["x"], subject="character:1")
        store.put("memory", "2", {"a": None}, subject="character:2")
        store.put_blob(b"small", id="s")
        store.put_blob(bytes(600_000), id="l")
        store.delete("note", "3")
        store.shred("character:2")
    with contextlib.closing(sqlite3.connect(home / "store.db")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("VACUUM")
    return keyring


class Stores(Target):
    """store.db with pages that were overwritten, and with rows that hold what they never should."""

    name = "stores"
    share = 1
    expected = (StoreError,)

    def __init__(self, folder: Path) -> None:
        self._home = folder / "home"
        self._keyring = a_store(self._home)
        # Two blobs of 600 kB make it large; what is changed lies in the rest as well.
        self._seed = (self._home / "store.db").read_bytes()
        self._bytes = Bytes([self._seed])
        super().__init__(folder, self._bytes)
        self._scratch = folder / "scratch.db"

    def make(self, rng: Random) -> bytes:
        """The file after some edits of cells, or of pages."""
        if rng.random() < 0.5:
            data = self._seed
            for _ in range(rng.randrange(1, 5)):
                at = rng.randrange(len(data)) if rng.random() < 0.5 else rng.randrange(4096 * 12) % len(data)
                piece = rng.choice((rng.randbytes(rng.randrange(1, 9)), bytes(rng.randrange(1, 200)), b"\xff" * 4))
                data = data[:at] + piece + data[at + len(piece) :]
            match rng.randrange(12):
                case 0:
                    return data[: rng.randrange(len(data))]
                case 1:  # a page in the place of another
                    a, b = (4096 * rng.randrange(len(data) // 4096) for _ in range(2))
                    return data[:a] + data[b : b + 4096] + data[a + 4096 :]
            return data
        self._scratch.write_bytes(self._seed)
        with contextlib.closing(sqlite3.connect(self._scratch, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=OFF")
            for _ in range(rng.randrange(1, 4)):
                with contextlib.suppress(sqlite3.Error, OverflowError):
                    self._edit(rng, db)
        return self._scratch.read_bytes()

    def _edit(self, rng: Random, db: sqlite3.Connection) -> None:
        table = rng.choice(list(_TABLES))
        column = rng.choice(_TABLES[table])
        row = f"rowid = (SELECT rowid FROM {table} ORDER BY rowid LIMIT 1 OFFSET {rng.randrange(8)})"
        match rng.randrange(12):
            case 0:
                db.execute(f"DELETE FROM {table} WHERE {row}")
            case 1:
                db.execute(f"DELETE FROM {table}")
            case 2:
                db.execute(f"DROP TABLE {table}")
            case 3:
                db.execute(
                    f"UPDATE {table} SET {column} = (SELECT {column} FROM {table} ORDER BY rowid DESC LIMIT 1) WHERE {row}"
                )
            case 4:
                db.execute(f"PRAGMA user_version={rng.choice((0, 1, 2, 3, 4, -1, 2**31 - 1))}")
            case 5:
                db.execute(f"INSERT INTO {table} SELECT * FROM {table} WHERE {row}")
            case 6:
                db.execute("CREATE TRIGGER t AFTER INSERT ON records BEGIN DELETE FROM records; END")
            case _:
                db.execute(f"UPDATE {table} SET {column} = ? WHERE {row}", (rng.choice(_CELLS),))

    def run(self, data: bytes) -> None:
        """All that is in it, or that it was changed."""
        for ending in ("", "-wal", "-shm", "-journal"):
            (self._home / f"store.db{ending}").unlink(missing_ok=True)
        (self._home / "store.db").write_bytes(data)
        errors = 0
        with Store.open(self._home, self._keyring) as store:
            for look in (
                lambda: list(store.scan("note")), lambda: list(store.scan("memory", newest_first=True)),
                lambda: list(store.all()), lambda: store.get("note", "5"), lambda: store.get_blob("s"),
                lambda: store.get_blob("l"), lambda: store.count("note"), lambda: store.facts(), lambda: store.seals(),
                lambda: store.blob_bytes(), lambda: store.put("note", "new", 1), lambda: store.delete("note", "5"),
                lambda: store.verify(),
            ):  # fmt: skip
                try:
                    look()
                except StoreError:
                    errors += 1
        if errors:
            raise StoreError(f"{errors} of it can't be read.")


class Backups(Target):
    """Backup files: what they say of themselves, unpacked, and tried out."""

    name = "backups"
    share = 4
    expected = (StoreError,)

    def __init__(self, folder: Path) -> None:
        home = folder / "home"
        self._keyring = a_store(home)
        with Store.open(home, self._keyring) as store:
            store.delete_blob("l")
            whole = folder / "whole"
            backup.make(store, Anchor(folder / "anchor"), whole, at="2026-11-27", with_keys=True)
        self._whole = whole.read_bytes()
        self._members = {}
        with tarfile.open(whole) as tar:
            for member in tar.getmembers():
                content = tar.extractfile(member)
                self._members[member.name] = content.read() if content else b""
        self._manifest = Json(
            [json.loads(self._members[backup.MANIFEST])], ("store", "at", "keys", "files", "format", "tag")
        )
        self._bytes = Bytes([whole.read_bytes()[: 60 << 10]], [b"ustar", b"manifest.json", b"0000644\0", b"\x80"])
        super().__init__(folder, self._bytes)

    def make(self, rng: Random) -> bytes:
        """A tar whose parts are odd, or one that was changed as bytes."""
        if rng.random() < 0.05:
            return self._whole
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=rng.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))) as tar:
            names = [name for name in self._members if name != "store.db" or rng.random() < 0.5]
            rng.shuffle(names)
            for name in names:
                content = self._members[name]
                if name == backup.MANIFEST and rng.random() < 0.6:
                    content = self._manifest(rng)
                _put(rng, tar, name, content)
            if rng.random() < 0.1:
                _put(rng, tar, rng.choice(("../x", "/etc/x", "audit/x", "policies/a/b", "x" * 300)), b"x")
        data = out.getvalue()
        return self._bytes.edited(rng, data[: 60 << 10]) if rng.random() < 0.25 else data

    def run(self, data: bytes) -> None:
        """A backup that is whole, or that it isn't."""
        path = self.folder / "a.llmasos-backup"
        path.write_bytes(data)
        manifest = backup.read_manifest(path)
        assert all(".." not in name.split("/") and not name.startswith("/") for name in manifest.files)
        into = self.folder / "into"
        try:
            into.mkdir()
            backup.unpack(path, into)
            backup.test(path, into, self._keyring)
        finally:
            shutil.rmtree(into)


def _put(rng: Random, tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    if rng.random() < 0.12:
        info.type = rng.choice(
            (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE, b"S", b"Z")
        )
        info.linkname = rng.choice((name, backup.MANIFEST, "/etc/passwd", "../..", ""))
    if rng.random() < 0.08:
        info.pax_headers = {
            rng.choice(("size", "mtime", "path", "GNU.sparse.size", "GNU.sparse.map", "GNU.sparse.major", "GNU.sparse.realsize")):
            rng.choice(("1", "-1", "9" * 20, "0,1,2", "x", "1e9", name))
        }  # fmt: skip
    tar.addfile(info, io.BytesIO(content))


TARGETS: tuple[type[Target], ...] = (Stores, Backups)
