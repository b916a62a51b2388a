"""What a store is as a whole: rows that were removed or put back are found, and so is an older copy of all of it."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import StoreError
from llmasos.core.kernel.audit import Anchor, AuditLog
from llmasos.core.kernel.journal import Journal
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.store.blobs import PART_BYTES
from llmasos.core.kernel.store.store import REVISION


@contextmanager
def raw(home: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(home / "store.db", isolation_level=None)) as db:
        yield db


def reopen(home: Path) -> Store:
    return Store.open(home, Keyring.open(home))


def revision(store: Store) -> int:
    found = store.facts()[REVISION]
    assert isinstance(found, int)
    return found


def fill(store: Store) -> None:
    """Something of every kind of change."""
    for number in range(20):
        store.put("task", str(number), {"text": f"task {number}"})
    store.put("task", "3", "changed")
    store.put("task", "4", "changed", there=True)
    store.delete("task", "19")
    store.put("task", "19", "again")
    store.put("task", "of alice", 1, subject="alice")
    store.put("task", "of bob", 1, subject="bob")
    store.put_blob(b"x" * (2 * PART_BYTES + 1), id="large")
    store.put_blob(b"first", id="small")
    store.put_blob(b"second", id="small")
    store.put_blob(b"gone", id="gone")
    store.delete_blob("gone")
    store.put_blob(b"hers", id="hers", subject="alice")
    store.shred("alice")
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.put("task", "1", "not kept")
        store.delete("task", "2")
        raise ZeroDivisionError
    with store.transaction():
        store.put("task", "outer", 1)
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.put("task", "inner", 1)
            store.delete("task", "outer")
            raise ZeroDivisionError


def test_what_the_store_does_itself_fits(home: Path) -> None:
    with reopen(home) as store:
        fill(store)
        assert store.verify() == 22 + 2
    with reopen(home) as store:
        assert store.verify() == 22 + 2


def test_each_change_counts_once(store: Store) -> None:
    store.put("task", "1", 1)
    before = store.facts()
    store.get("task", "1")
    store.delete("task", "none")
    list(store.scan("task"))
    store.verify()
    with store.transaction():
        pass
    assert store.facts() == before
    with store.transaction():
        store.put("task", "2", 2)
        store.put("task", "3", 3)
    assert revision(store) == before[REVISION] + 1
    assert store.facts() != before


Change = Callable[[sqlite3.Connection, list[tuple[object, ...]]], None]


def a_record_deleted(db: sqlite3.Connection, older: list[tuple[object, ...]]) -> None:
    db.execute("DELETE FROM records WHERE seq = 5")


def its_older_form_put_back(db: sqlite3.Connection, older: list[tuple[object, ...]]) -> None:
    db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)", older[6])


def a_deleted_one_put_back(db: sqlite3.Connection, older: list[tuple[object, ...]]) -> None:
    db.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?)", older[7])


def one_made_again_in_its_older_form(db: sqlite3.Connection, older: list[tuple[object, ...]]) -> None:
    # Deleted as the newest, and made again: the same place and the same revision, only other words.
    db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)", older[-1])


def a_blob_deleted(db: sqlite3.Connection, older: list[tuple[object, ...]]) -> None:
    db.execute("DELETE FROM blobs")


def all_deleted(db: sqlite3.Connection, older: list[tuple[object, ...]]) -> None:
    db.execute("DELETE FROM records")
    db.execute("DELETE FROM blobs")


def the_digest_of_before(db: sqlite3.Connection, older: list[tuple[object, ...]]) -> None:
    db.execute("UPDATE state SET revision = revision - 1")


def no_digest(db: sqlite3.Connection, older: list[tuple[object, ...]]) -> None:
    db.execute("DELETE FROM state")


@pytest.mark.parametrize(
    "change",
    [
        a_record_deleted, its_older_form_put_back, a_deleted_one_put_back, one_made_again_in_its_older_form,
        a_blob_deleted, all_deleted, the_digest_of_before, no_digest,
    ],
    ids=lambda change: change.__name__,
)  # fmt: skip
def test_a_row_that_went_or_came_back_is_found(home: Path, change: Change) -> None:
    with reopen(home) as store:
        for number in range(10):
            store.put("task", str(number), f"old {number}")
        store.put_blob(b"a blob", id="blob")
    with raw(home) as db:
        older = db.execute("SELECT seq, token, scope, rev, sealed FROM records ORDER BY seq").fetchall()
    with reopen(home) as store:
        store.put("task", "6", "new")
        store.delete("task", "7")
        store.delete("task", "9")
        store.put("task", "9", "new")
        assert store.verify() == 10
    with raw(home) as db:
        change(db, older)
    with reopen(home) as store, pytest.raises(StoreError, match="Restore the latest backup"):
        store.verify()


@pytest.mark.parametrize(
    "sql",
    [
        f"UPDATE records SET seq = {2**63 - 1} WHERE seq = 2", f"UPDATE records SET rev = {2**63 - 1}",
        "UPDATE records SET rev = 0.5", "UPDATE records SET rev = -5", "UPDATE records SET sealed = 7",
        "UPDATE records SET sealed = ''", "UPDATE records SET sealed = x'00'", "UPDATE blobs SET edition = 'x'",
        "UPDATE blobs SET edition = x''", "UPDATE blobs SET part = -1", "UPDATE blobs SET edition = 0.5",
    ],
)  # fmt: skip
def test_a_change_beside_odd_cells_is_made_or_refused(home: Path, sql: str) -> None:
    with Store.open(home, Keyring.open(home)) as store:
        for number in range(3):
            store.put("note", str(number), number)
        store.put_blob(b"x", id="b")
    with raw(home) as db:
        db.execute(sql)
    with reopen(home) as store:
        with pytest.raises(StoreError):
            store.verify()
        for change in (
            lambda: store.put("note", "new", 1), lambda: store.put("note", "1", 2, there=True),
            lambda: store.delete("note", "2"), lambda: store.put_blob(b"y", id="b"), lambda: store.delete_blob("b"),
        ):  # fmt: skip
            with suppress(StoreError):
                change()


@pytest.mark.parametrize("column", ["subject", "began", "key_version"])
def test_a_scope_of_another_type_is_found(home: Path, column: str) -> None:
    with Store.open(home, Keyring.open(home)) as store:
        store.put("note", "1", 1)
    with reopen(home) as store:
        with raw(home) as db:
            db.execute(f"UPDATE scopes SET {column} = 'text'")
        with pytest.raises(StoreError, match="changed outside"):
            store.seals()


@pytest.mark.parametrize("at", range(6))
def test_an_index_that_was_changed_is_found(home: Path, at: int) -> None:
    with Store.open(home, Keyring.open(home)) as store:
        for number in range(40):
            store.put("note", str(number), number)
    with raw(home) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'records_by_scope'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    path = home / "store.db"
    content = bytearray(path.read_bytes())
    end = page * size  # cells fill a page from its end
    content[end - 7 * (at + 1) : end - 7 * at] = (b"\3\0\1\2\2\2\2", bytes(7), b"\xff" * 7)[at % 3]
    path.write_bytes(content)
    try:
        with reopen(home) as store:
            for look in (lambda: list(store.scan("note")), lambda: store.count("note")):
                with suppress(StoreError):
                    look()
            with pytest.raises(StoreError):
                store.verify()
    except StoreError:
        pass  # found at the start


def test_a_schema_whose_words_are_no_text_is_a_damaged_file(home: Path) -> None:
    with Store.open(home, Keyring.open(home)) as store:
        store.put("note", "1", 1)
    with raw(home) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = home / "store.db"
    content = path.read_bytes()
    at = content.index(b"CREATE TABLE header")
    path.write_bytes(content[:at] + b"\xff" * 6 + content[at + 6 :])
    with pytest.raises(StoreError) as caught:
        reopen(home)
    assert "damaged" in caught.value.remedy


def test_a_store_of_before_gets_its_digest_once(home: Path) -> None:
    with reopen(home) as store:
        fill(store)
    with raw(home) as db:
        db.execute("DROP TABLE state")
        db.execute("ALTER TABLE scopes DROP COLUMN began")
        db.execute("PRAGMA user_version = 1")
    with reopen(home) as store:
        assert store.verify() == 24
        assert revision(store) == 1
        store.put("task", "more", 1)
        assert revision(store) == 2
        assert store.verify() == 25


def test_several_programs_write_one_digest(home: Path) -> None:
    keyring = Keyring.open(home)
    with Store.open(home, keyring) as one, Store.open(home, Keyring.open(home)) as other:
        for number in range(10):
            one.put("task", "shared", number)
            other.put("task", "shared", -number)
            other.put("task", str(number), number)
            one.delete("task", str(number - 1))
        assert one.facts() == other.facts()
        assert one.verify() == other.verify() == 2


CRASHING = """
import sys
from pathlib import Path
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store
home = Path(sys.argv[1])
store = Store.open(home, Keyring.open(home))
number = 0
while True:
    number += 1
    store.put("task", str(number), "x" * 500)
    store.put("task", "same", number)
    store.delete("task", str(number - 3))
    store.put_blob(b"y" * 300, id="blob")
    print(number, flush=True)
"""


def test_kill_9_leaves_rows_and_digest_together(home: Path, child: Callable[..., subprocess.Popen[str]]) -> None:
    reopen(home).close()
    for count in (1, 3, 20, 100):
        process = child(CRASHING, str(home))
        assert process.stdout is not None
        for _ in range(count):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with reopen(home) as store:
            assert store.verify() > 2


# ------------------------------------------------------------------------------- against what was signed elsewhere


def signed(home: Path, clock: MockClock, store: Store, keyring: Keyring) -> AuditLog:
    anchor = Anchor(home.with_name("anchor.jsonl"))
    return AuditLog(home / "audit", keyring, clock, anchor, facts=store.facts, doubts=store.older_than)


def test_an_older_copy_of_the_store_is_noticed_until_it_is_accepted(home: Path, clock: MockClock) -> None:
    keyring = Keyring.open(home)
    with Store.open(home, keyring) as store:
        store.put("task", "1", "old")
    shutil.copy(home / "store.db", home.with_name("old.db"))
    with Store.open(home, keyring) as store:
        store.put("task", "1", "new")
        audit = signed(home, clock, store, keyring)
        audit.note("something was done")
        audit.close()
        assert signed(home, clock, store, keyring).alarm == ""
    home.with_name("old.db").replace(home / "store.db")
    for _ in range(2):
        with Store.open(home, keyring) as store:
            audit = signed(home, clock, store, keyring)
            assert "store is older than the one that was signed" in audit.alarm
            store.freeze(audit.trouble)
            for change in (
                lambda: store.put("task", "1", "over it"),
                lambda: store.delete("task", "1"),
                lambda: store.put_blob(b"x"),
                lambda: store.shred("person"),
            ):
                with pytest.raises(StoreError, match="older than the one"):
                    change()
            assert store.get("task", "1") == "old"
            Journal(store, clock).close()  # a start without effects
    with Store.open(home, keyring) as store:
        signed(home, clock, store, keyring).accept()
    with Store.open(home, keyring) as store:
        audit = signed(home, clock, store, keyring)
        assert audit.alarm == ""
        store.put("task", "1", "goes on")
        assert [record.note for _, record in audit.records()] == [
            "something was done",
            "accepted by the person: the store is older than the one that was signed: revision 2, not 3",
        ]


def test_another_store_of_the_same_revision_is_noticed(home: Path, clock: MockClock) -> None:
    keyring = Keyring.open(home)
    with Store.open(home, keyring) as store:
        store.put("task", "1", "both")
    shutil.copy(home / "store.db", home.with_name("old.db"))
    with Store.open(home, keyring) as store:
        store.put("task", "1", "one way")
        audit = signed(home, clock, store, keyring)
        audit.note("")
        audit.close()
    home.with_name("old.db").replace(home / "store.db")
    with Store.open(home, keyring) as store:
        store.put("task", "1", "another way")
        assert "isn't the one that was signed as revision" in signed(home, clock, store, keyring).alarm


def test_an_old_checkpoint_written_again_hides_nothing(home: Path, clock: MockClock) -> None:
    keyring = Keyring.open(home)
    anchor = home.with_name("anchor.jsonl")
    with Store.open(home, keyring) as store:
        store.put("task", "1", "old")
        audit = signed(home, clock, store, keyring)
        audit.note("one")
        audit.checkpoint()
        shutil.copytree(home, home.with_name("old"))
        line = anchor.read_text()
        store.put("task", "1", "new")
        audit.note("two")
        audit.close()
    shutil.rmtree(home)
    home.with_name("old").rename(home)
    with anchor.open("a") as file:
        file.write(line)
    with Store.open(home, keyring) as store:
        assert signed(home, clock, store, keyring).alarm
