"""What somebody with an editor can do to a home unseen: each change is made to a copy, and looked for as a start does.

    python -m benchmarks.tampering

The audit log: each entry edited, left out, put twice, exchanged with the next one; the log cut off behind each; each file
emptied or removed; an older copy of it put back. The store: each record and each part of a blob changed, left out, exchanged
with another one, put back as it was before; what says of all of them together; an older copy of the whole file, and of the
whole home. A change is seen where the home opens read-only, or 'llmasos backup verify' or 'llmasos doctor' name it.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.row import at_most, row
from llmasos.core.base.clock import SystemClock
from llmasos.core.base.errors import StoreError
from llmasos.core.kernel.audit import Anchor, AuditLog, Record, verify
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.store.blobs import PART_BYTES

COMMAND = "python -m benchmarks.tampering"
ENTRIES = 12
"""Entries of the log at each of the states, and records of the store."""
AUDIT, STORE, ANCHOR = "audit", "store.db", "anchor.jsonl"

Change = Callable[[Path, Path], None]
"""Made to a home; it is given the same home of a moment before too."""


def rows(entries: int = ENTRIES) -> list[dict[str, Any]]:
    """The figures as rows."""
    with tempfile.TemporaryDirectory() as folder:
        missed, count = undetected(Path(folder), entries)
    for what in missed:
        print(f"unseen: {what}", file=sys.stderr)
    return [row("tamper_undetected", len(missed), "changes", n=count, command=COMMAND, **at_most(len(missed), 0))]


def undetected(folder: Path, entries: int, more: dict[str, Change] | None = None) -> tuple[list[str], int]:
    """Which changes nobody sees, and of how many.

    Args:
        folder: An empty one.
        entries: How large log and store are.
        more: Changes beside all others.
    """
    older, newer = folder / "older", folder / "newer"
    _lived(newer / "home", entries)
    shutil.copytree(newer, older)
    _lived(newer / "home", entries)
    assert not _seen(newer / "home"), "what nobody changed is whole"
    changes = {**dict(_changes(newer / "home", older / "home")), **(more or {})}
    missed = []
    for name, change in changes.items():
        copy = folder / "copy"
        shutil.copytree(newer, copy)
        change(copy / "home", older / "home")
        if not _seen(copy / "home"):
            missed.append(name)
        shutil.rmtree(copy)
    return missed, len(changes)


def _lived(home: Path, entries: int) -> None:
    """Some more of a life: records made, changed and deleted, blobs, entries of the log, and a checkpoint."""
    keyring = Keyring.open(home)
    with Store.open(home, keyring) as store:
        log = _log(home, keyring, store)
        begun = store.count("task")
        for number in range(begun, begun + entries):
            store.put("task", str(number), {"text": f"task {number}"}, subject=("person", "alice")[number % 2])
            log.append(Record(at="2026-03-01T12:00:00+00:00", actor="user:ada", syscall="tasks.add", entry=number))
        store.put("task", "0", {"text": f"changed, with {begun} there"})
        store.put_blob(bytes(2 * PART_BYTES + 1 + begun), id="large")
        store.put("note", "gone", begun)
        if begun:
            store.delete("note", "gone")
        log.close()


def _log(home: Path, keyring: Keyring, store: Store) -> AuditLog:
    anchor = Anchor(home.with_name(ANCHOR))
    return AuditLog(home / AUDIT, keyring, SystemClock(), anchor, facts=store.facts, doubts=store.older_than)


def _seen(home: Path) -> bool:
    """Whether a start, or somebody who looks, sees that something isn't as it was."""
    try:
        keyring = Keyring.open(home)
        with Store.open(home, keyring) as store:
            log = _log(home, keyring, store)
            points = list(Anchor(home.with_name(ANCHOR)).checkpoints(keyring.store_id.hex()))
            if log.trouble or verify(home / AUDIT, points, keyring)[1]:
                return True
            store.verify()
    except StoreError:
        return True
    return False


def _changes(home: Path, older: Path) -> Iterator[tuple[str, Change]]:
    yield from _of_the_log(home)
    yield from _of_the_store(home)
    yield "audit: an older copy", lambda home, older: _put_back(home, older, AUDIT)
    yield "store: an older copy", lambda home, older: _put_back(home, older, STORE)
    yield "home: an older copy", lambda home, older: _put_back(home, older, ".")
    yield "audit: all of it removed", lambda home, _: shutil.rmtree(home / AUDIT)
    yield "store: removed", lambda home, _: (home / STORE).unlink()


def _put_back(home: Path, older: Path, name: str) -> None:
    target, source = home / name, older / name
    if source.is_file():
        shutil.copy(source, target)
    else:
        shutil.rmtree(target)
        shutil.copytree(source, target)


def _of_the_log(home: Path) -> Iterator[tuple[str, Change]]:
    for path in sorted((home / AUDIT).glob("*.log")):
        name, count = path.name, len(path.read_bytes().splitlines())
        yield f"audit: {name} emptied", _written(name, lambda _: [])
        yield f"audit: {name} removed", lambda home, _, name=name: (home / AUDIT / name).unlink()
        for at in range(count):
            yield f"audit: line {at} edited", _written(name, lambda lines, at=at: _with(lines, at, _edited(lines[at])))
            yield f"audit: line {at} left out", _written(name, lambda lines, at=at: lines[:at] + lines[at + 1 :])
            yield f"audit: line {at} twice", _written(name, lambda lines, at=at: lines[: at + 1] + lines[at:])
            yield f"audit: cut off before line {at}", _written(name, lambda lines, at=at: lines[:at])
            if at:
                yield (
                    f"audit: lines {at - 1} and {at} exchanged",
                    _written(name, lambda lines, at=at: [*lines[: at - 1], lines[at], lines[at - 1], *lines[at + 1 :]]),
                )


def _written(name: str, change: Callable[[list[bytes]], list[bytes]]) -> Change:
    def write(home: Path, _: Path) -> None:
        path = home / AUDIT / name
        path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))

    return write


def _with(lines: list[bytes], at: int, line: bytes) -> list[bytes]:
    return [*lines[:at], line, *lines[at + 1 :]]


def _edited(line: bytes) -> bytes:
    """Another character in the middle of it."""
    at = len(line) // 2
    return line[:at] + (b"A" if line[at : at + 1] != b"A" else b"B") + line[at + 1 :]


def _of_the_store(home: Path) -> Iterator[tuple[str, Change]]:
    with closing(sqlite3.connect(home / STORE)) as db:
        places = [seq for (seq,) in db.execute("SELECT seq FROM records")]
        parts = db.execute("SELECT token, part FROM blobs").fetchall()
    for at, seq in enumerate(places):
        other = places[at - 1]
        yield f"store: record {seq} changed", _sql("UPDATE records SET sealed = sealed || x'00' WHERE seq = ?", seq)
        yield f"store: record {seq} left out", _sql("DELETE FROM records WHERE seq = ?", seq)
        yield f"store: record {seq} of another revision", _sql("UPDATE records SET rev = rev + 1 WHERE seq = ?", seq)
        yield f"store: record {seq} elsewhere", _sql("UPDATE records SET seq = seq + 1000 WHERE seq = ?", seq)
        yield (
            f"store: record {seq} as {other}",
            _sql("UPDATE records SET sealed = (SELECT sealed FROM records WHERE seq = ?) WHERE seq = ?", other, seq),
        )
        yield f"store: record {seq} as it was", lambda home, older, seq=seq: _as_it_was(home, older, seq)
    for token, part in parts:
        where = "WHERE token = ? AND part = ?"
        yield f"store: part {part} changed", _sql(f"UPDATE blobs SET sealed = sealed || x'00' {where}", token, part)
        yield f"store: part {part} left out", _sql(f"DELETE FROM blobs {where}", token, part)
    yield "store: the older digest", lambda home, older: _older_rows(home, older, "state")
    yield "store: no digest", _sql("DELETE FROM state")
    yield "store: a revision back", _sql("UPDATE state SET revision = revision - 1")
    yield "store: all records left out", _sql("DELETE FROM records")
    yield "store: all records as they were", lambda home, older: _older_rows(home, older, "records")
    yield "store: all blobs as they were", lambda home, older: _older_rows(home, older, "blobs")


def _sql(sql: str, *values: Any) -> Change:
    def change(home: Path, _: Path) -> None:
        with closing(sqlite3.connect(home / STORE, isolation_level=None)) as db:
            assert db.execute(sql, values).rowcount

    return change


def _as_it_was(home: Path, older: Path, seq: int) -> None:
    """An older form of a record, or what was at its place, or the record deleted where there was none."""
    with closing(sqlite3.connect(older / STORE)) as db:
        found = db.execute("SELECT seq, token, scope, rev, sealed FROM records WHERE seq = ?", (seq,)).fetchone()
    with closing(sqlite3.connect(home / STORE, isolation_level=None)) as db:
        before = db.execute("SELECT seq, token, scope, rev, sealed FROM records WHERE seq = ?", (seq,)).fetchone()
        db.execute("DELETE FROM records WHERE seq = ?", (seq,))
        if found and found != before:
            db.execute("INSERT OR REPLACE INTO records (seq, token, scope, rev, sealed) VALUES (?, ?, ?, ?, ?)", found)


def _older_rows(home: Path, older: Path, table: str) -> None:
    with closing(sqlite3.connect(home / STORE, isolation_level=None)) as db:
        db.execute("ATTACH DATABASE ? AS older", (str(older / STORE),))
        db.execute(f"DELETE FROM {table}")
        db.execute(f"INSERT INTO {table} SELECT * FROM older.{table}")


if __name__ == "__main__":
    print(json.dumps({"rows": rows()}, indent=1))
