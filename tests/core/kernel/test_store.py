from __future__ import annotations

import io
import os
import signal
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from llmasos.core.base.errors import StoreError
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Record, Store, database
from llmasos.core.kernel.store.blobs import PART_BYTES

Child = Callable[..., subprocess.Popen[str]]


@contextmanager
def raw(home: Path) -> Iterator[sqlite3.Connection]:
    """The file as a thief with an editor sees it."""
    with closing(sqlite3.connect(home / "store.db", isolation_level=None)) as db:
        yield db


def reopen(home: Path) -> Store:
    return Store.open(home, Keyring.open(home))


# ------------------------------------------------------------------------------------------------ records


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1.5,
        2**60,
        "",
        "text",
        "中文 \U0001f600",
        "\udcff",
        "a\0b",
        [],
        {},
        [1, [2, {"x": None}]],
        {"ключ": [1]},
    ],
)
def test_values_come_back(store: Store, value: Any) -> None:
    store.put("kind", "id", value)
    assert store.get("kind", "id") == value
    assert [record.value for record in store.scan("kind")] == [value]


def test_any_text_is_a_name(store: Store) -> None:
    names = ["", "a", "A", "a\0b", "中", "\udcff", "x" * 10_000]
    for kind in names:
        for id in names:
            store.put(kind, id, [kind, id])
    for kind in names:
        assert [(r.kind, r.id, r.value) for r in store.scan(kind)] == [(kind, id, [kind, id]) for id in names]


def test_what_is_no_json_is_refused(store: Store) -> None:
    for value, error in ((float("nan"), ValueError), ({1, 2}, TypeError), (b"bytes", TypeError)):
        with pytest.raises(error):
            store.put("kind", "id", value)  # type: ignore[arg-type]
    assert store.get("kind", "id") is None


def test_a_read_that_is_over_holds_nothing_up(home: Path) -> None:
    """Its statement is over too: else the log could never be taken in, and grew without end."""
    with reopen(home) as store:
        store.put("kind", "id", 1)
        assert store.get("kind", "id") == 1
        assert store.get("kind", "other") is None
        with raw(home) as db:
            busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            assert not busy
        with raw(home) as db:
            db.execute("UPDATE records SET rev = rev + 1")
        with pytest.raises(StoreError):  # what is read is the newest state of the file
            store.get("kind", "id")


def test_names_do_not_meet(store: Store) -> None:
    store.put("a", "bc", 1)
    store.put("ab", "c", 2)
    store.put("a", "bc", 3, subject="alice")
    assert (store.get("a", "bc"), store.get("ab", "c"), store.get("a", "bc", subject="alice")) == (1, 2, 3)
    assert store.get("a", "bc", subject="bob") is None
    assert not store.delete("a", "bc", subject="bob")
    assert store.delete("a", "bc")
    assert not store.delete("a", "bc")
    assert store.get("a", "bc", subject="alice") == 3


def test_scan_keeps_the_order_of_insertion(store: Store) -> None:
    for number in range(300):
        store.put("n", str(number), number, subject=("person", "alice", "bob")[number % 3])
    store.put("n", "7", "changed", subject="alice")
    expected = [7 if r.value == "changed" else r.value for r in store.scan("n")]
    assert expected == list(range(300))
    assert [r.value for r in store.scan("n", subject="bob")] == list(range(2, 300, 3))
    newest = next(store.scan("n", newest_first=True))
    assert newest == Record("n", "299", "bob", 299, newest.seq)
    assert (store.count("n"), store.count("n", subject="alice"), store.count("m")) == (300, 100, 0)


def test_the_loop_over_a_scan_may_write(store: Store) -> None:
    for number in range(300):
        store.put("n", str(number), number)
    seen = []
    for record in store.scan("n"):
        seen.append(record.value)
        store.delete("n", record.id)
        store.put("n", f"new {record.id}", 0)
    assert seen == list(range(300))
    assert store.count("n") == 300


def test_transactions_are_all_or_nothing(store: Store) -> None:
    store.put("n", "kept", 1)
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.put("n", "kept", 2)
        store.put("n", "new", 2, subject="a subject of this transaction")
        store.put_blob(b"gone", id="blob")
        raise ZeroDivisionError
    assert [r.value for r in store.scan("n")] == [1]
    assert store.get_blob("blob") is None
    store.put("n", "new", 3, subject="a subject of this transaction")
    assert store.get("n", "new", subject="a subject of this transaction") == 3


def test_transactions_nest(store: Store) -> None:
    with store.transaction():
        store.put("n", "1", 1)
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.put("n", "2", 2)
            raise ZeroDivisionError
        with store.transaction():
            store.put("n", "3", 3)
    assert [r.id for r in store.scan("n")] == ["1", "3"]


def test_everything_is_there_after_reopening(home: Path) -> None:
    with reopen(home) as store:
        store.put("n", "1", {"a": [1]}, subject="alice")
        blob = store.put_blob(b"bytes")
    with reopen(home) as store:
        assert store.get("n", "1", subject="alice") == {"a": [1]}
        assert store.get_blob(blob) == b"bytes"
        assert store.verify() == 2


def test_threads_share_a_store(store: Store) -> None:
    errors: list[Exception] = []

    def work(name: str) -> None:
        try:
            for number in range(50):
                with store.transaction():
                    count = store.get("counter", "all") or 0
                    store.put("counter", "all", count + 1)
                store.put("own", f"{name}{number}", number, subject=name)
                assert store.get("own", f"{name}{number}", subject=name) == number
        except Exception as error:  # noqa: BLE001  shown by the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert store.get("counter", "all") == 200
    assert store.count("own") == 200


# -------------------------------------------------------------------------------------------------- blobs


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES, 3 * PART_BYTES + 5])
def test_blobs_of_any_size(store: Store, size: int) -> None:
    data = os.urandom(size)
    for source in (data, io.BytesIO(data)):
        blob = store.put_blob(source)
        assert store.get_blob(blob) == data
        assert b"".join(store.blob_parts(blob)) == data
        assert all(len(part) <= PART_BYTES for part in store.blob_parts(blob))
        assert store.delete_blob(blob)
        assert not store.delete_blob(blob)
        assert store.get_blob(blob) is None


def test_a_blob_is_replaced_whole(store: Store) -> None:
    store.put_blob(b"x" * 3 * PART_BYTES, id="b")
    store.put_blob(b"short", id="b")
    assert store.get_blob("b") == b"short"
    assert store.get_blob("b", subject="alice") is None
    assert list(store.scan("\0blob")) == []


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE blobs SET part = 2 - part",
        "DELETE FROM blobs WHERE part = 2",
        "DELETE FROM blobs WHERE part = 1",
        "DELETE FROM blobs WHERE part = 0",
        "UPDATE blobs SET last = 1 WHERE part = 1",
        "UPDATE blobs SET last = 'x'",
        "UPDATE blobs SET edition = x'0011223344556677'",
        "UPDATE blobs SET sealed = (SELECT sealed FROM blobs WHERE part = 1) WHERE part = 0",
        "UPDATE blobs SET sealed = 5",
    ],
)
def test_blob_parts_can_not_be_rearranged(home: Path, attack: str) -> None:
    with reopen(home) as store:
        store.put_blob(b"x" * 3 * PART_BYTES, id="b")
        with raw(home) as db:
            # Unique while they move.
            db.execute("CREATE TABLE moved AS SELECT * FROM blobs")
            db.execute(attack.replace("blobs SET", "moved SET").replace("FROM blobs WHERE", "FROM moved WHERE"))
            db.execute("DELETE FROM blobs")
            db.execute("INSERT INTO blobs SELECT * FROM moved")
        with pytest.raises(StoreError):
            store.get_blob("b")
        with pytest.raises(StoreError):
            store.verify()


# ---------------------------------------------------------------------------------------- attacks on the file


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE records SET sealed = (SELECT sealed FROM records WHERE seq = 2) WHERE seq = 1",
        "UPDATE records SET sealed = (SELECT sealed FROM records WHERE seq = 3) WHERE seq = 1",
        "UPDATE records SET scope = (SELECT scope FROM records WHERE seq = 2) WHERE seq = 1",
        "UPDATE records SET scope = (SELECT scope FROM records WHERE seq = 3) WHERE seq = 1",
        "UPDATE records SET scope = 'x' WHERE seq = 1",
        "UPDATE records SET seq = 99 WHERE seq = 1",
        "UPDATE records SET rev = rev + 1",
        "UPDATE records SET rev = 'x'",
        "UPDATE records SET rev = -1",
        "UPDATE records SET sealed = zeroblob(length(sealed))",
        "UPDATE records SET sealed = substr(sealed, 1, 20)",
        "UPDATE records SET sealed = 'text'",
        "UPDATE scopes SET key_version = key_version + 1",
        "UPDATE scopes SET kind = zeroblob(16) WHERE id = (SELECT scope FROM records WHERE seq = 1)",
        "UPDATE scopes SET subject = zeroblob(16) WHERE id = (SELECT scope FROM records WHERE seq = 1)",
        "UPDATE scopes SET subject = 7 WHERE id = 1",
        "DELETE FROM scopes",
    ],
)
def test_rows_can_not_be_swapped_or_changed(home: Path, attack: str) -> None:
    with reopen(home) as store:
        store.put("task", "1", "alice's", subject="alice")
        store.put("task", "1", "bob's", subject="bob")
        store.put("note", "1", "another kind", subject="alice")
    with raw(home) as db:
        assert db.execute(attack).rowcount
    with pytest.raises(StoreError) as caught, reopen(home) as store:
        store.verify()
    assert caught.value.remedy


@pytest.mark.parametrize("column", ["sealed", "scope", "token"])
def test_a_read_notices_a_swap_too(home: Path, column: str) -> None:
    with reopen(home) as store:
        store.put("task", "1", "alice's", subject="alice")
        store.put("task", "1", "bob's", subject="bob")
    with raw(home) as db:
        pairs = db.execute(f"SELECT seq, {column} FROM records").fetchall()
        (first, a), (second, b) = pairs
        for seq, value in ((first, os.urandom(16)), (second, a), (first, b)):
            db.execute(f"UPDATE records SET {column} = ? WHERE seq = ?", (value, seq))
    for read in (
        lambda store: store.get("task", "1", subject="alice"),
        lambda store: store.get("task", "1", subject="bob"),
        lambda store: list(store.scan("task")),
    ):
        with reopen(home) as store, pytest.raises(StoreError):
            read(store)


# The point read is written out apart from `scan` and `verify`, so that each of them is asked.
@pytest.mark.parametrize(
    "attack",
    [
        "seq = 99", "rev = rev + 1", "rev = 'x'", "rev = NULL", "rev = 0.5", "rev = -1", "scope = scope + 99",
        "scope = 'x'", "sealed = zeroblob(length(sealed))", "sealed = substr(sealed, 1, 5)", "sealed = 'text'",
        "sealed = 7", "sealed = x''", "sealed = CAST(sealed || x'00' AS BLOB)",
    ],
)  # fmt: skip
def test_a_read_notices_any_change_of_its_row(home: Path, attack: str) -> None:
    with reopen(home) as store:
        store.put("task", "1", "a value")
    with raw(home) as db:
        db.execute("PRAGMA writable_schema=ON")
        db.execute("UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '') WHERE name = 'records'")
    with raw(home) as db:
        assert db.execute(f"UPDATE records SET {attack}").rowcount == 1
    for read in (lambda store: store.get("task", "1"), lambda store: list(store.scan("task"))):
        with reopen(home) as store, pytest.raises(StoreError):
            # A scan looks for the scope's rows, and so finds none of another scope.
            assert read(store) == [] and "scope" in attack
            store.verify()


@pytest.mark.parametrize("token", ["CAST(token || x'00' AS BLOB)", "substr(token, 1, 15)", "CAST(token AS TEXT)"])
def test_a_name_of_another_length_is_noticed(home: Path, token: str) -> None:
    with reopen(home) as store:
        store.put("task", "1", "a value")
    with raw(home) as db:
        db.execute(f"UPDATE records SET token = {token}")
    with reopen(home) as store, pytest.raises(StoreError):
        list(store.scan("task"))


def test_an_old_form_of_a_record_does_not_fit(home: Path) -> None:
    with reopen(home) as store:
        store.put("task", "1", "old")
        with raw(home) as db:
            (sealed,) = db.execute("SELECT sealed FROM records").fetchone()
        store.put("task", "1", "new")
        with raw(home) as db:
            db.execute("UPDATE records SET sealed = ?", (sealed,))
        with pytest.raises(StoreError):
            store.get("task", "1")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE header SET mode = 'plain'", "mode 'plain'"),
        ("UPDATE header SET key_check = zeroblob(16)", "another keyring"),
        ("DELETE FROM header", "no header"),
        ("PRAGMA user_version = 99", "newer"),
        ("PRAGMA user_version = 0", "empty"),
        ("DROP TABLE header", "no such table"),
    ],
)
def test_another_mode_or_key_refuses_to_open(home: Path, change: str, said: str) -> None:
    with reopen(home) as store:
        store.put("task", "1", "milk")
    with raw(home) as db:
        db.execute(change)
        before = db.execute("SELECT sealed FROM records").fetchall()
    with pytest.raises(StoreError, match=said):
        reopen(home)
    with raw(home) as db:
        assert db.execute("SELECT sealed FROM records").fetchall() == before


def test_another_homes_keyring(home: Path, tmp_path: Path) -> None:
    with reopen(home) as store:
        store.put("task", "1", "milk")
    other = Keyring.open(tmp_path / "other")
    for used in (False, True):
        if used:
            other.dek("person")
        with pytest.raises(StoreError, match="another keyring"):
            Store.open(home, other)


def test_an_older_keyring_is_noticed(home: Path) -> None:
    with reopen(home) as store:
        store.put("task", "1", "milk")
        older = (home / "keyring.json").read_bytes()
        store.put("task", "1", "milk", subject="a later character")
    (home / "keyring.json").write_bytes(older)
    with pytest.raises(StoreError, match="isn't in the keyring"):
        reopen(home)


def test_a_missing_or_emptied_store_is_not_made_anew(home: Path) -> None:
    with reopen(home) as store:
        store.put("task", "1", "milk")
    (home / "store.db").write_bytes(b"")
    with pytest.raises(StoreError, match="empty"):
        reopen(home)
    (home / "store.db").unlink()
    with pytest.raises(StoreError, match="missing"):
        reopen(home)
    assert not (home / "store.db").exists()


def test_a_first_run_killed_before_its_tables_goes_on(home: Path) -> None:
    keyring = Keyring.open(home)
    (home / "store.db").touch()
    with Store.open(home, keyring) as store:
        store.put("task", "1", "milk")
        assert store.get("task", "1") == "milk"


@pytest.mark.parametrize("start", [0, 100, 5_000, 20_000])
def test_a_damaged_file_is_an_error_a_person_can_read(home: Path, start: int) -> None:
    with reopen(home) as store:
        for number in range(100):
            store.put("task", str(number), "x" * 500)
    content = bytearray((home / "store.db").read_bytes())
    content[start : start + 4096] = os.urandom(4096)
    (home / "store.db").write_bytes(content)
    with pytest.raises(StoreError), reopen(home) as store:
        store.verify()
    (home / "store.db").write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError), reopen(home) as store:
        store.verify()


def test_a_closed_store_says_so(store: Store) -> None:
    store.put("task", "1", "milk")
    store.close()
    store.close()
    for use in (
        lambda: store.get("task", "1"),
        lambda: store.put("task", "1", 2),
        lambda: list(store.scan("task")),
    ):
        with pytest.raises(StoreError, match="closed"):
            use()


# -------------------------------------------------------------------------------------- shredding and backups


def test_a_shredded_subject_is_gone_from_old_backups_too(home: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    with reopen(home) as store:
        store.put("memory", "1", "a secret of alice", subject="alice")
        blob = store.put_blob(b"her picture", subject="alice")
        store.put("memory", "1", "mine")
        store.backup(backup)
        assert store.shred("alice")
        assert not store.shred("alice")
        assert store.get("memory", "1", subject="alice") is None
        assert store.get_blob(blob, subject="alice") is None
        assert [r.value for r in store.scan("memory")] == ["mine"]
        assert (home / "store.db-wal").stat().st_size == 0  # nor does it wait in the log for a checkpoint
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    backup.replace(home / "store.db")
    with raw(home) as db:
        assert db.execute("SELECT count(*) FROM records").fetchone() == (2,)
    with reopen(home) as store:
        assert [r.value for r in store.scan("memory")] == ["mine"]
        assert store.get("memory", "1", subject="alice") is None
        store.put("memory", "1", "another alice", subject="alice")
        assert store.get("memory", "1", subject="alice") == "another alice"
        assert store.verify() == 2


def test_shredded_bytes_open_with_no_key_that_is_left(home: Path) -> None:
    with reopen(home) as store:
        store.put("memory", "1", "secret", subject="alice")
        with raw(home) as db:
            (sealed,) = db.execute("SELECT sealed FROM records").fetchone()
        store.shred("alice")
        store.put("memory", "1", "new", subject="alice")
        with raw(home) as db:
            db.execute("UPDATE records SET sealed = ?", (sealed,))
        with pytest.raises(StoreError):
            store.get("memory", "1", subject="alice")


def test_killed_between_key_and_rows_the_rest_is_swept(home: Path) -> None:
    with reopen(home) as store:
        store.put("memory", "1", "secret", subject="alice")
        store.put_blob(b"secret", subject="alice")
        store.put("memory", "1", "mine")
        store.keyring.shred("alice")  # and no more
    with reopen(home) as store:
        assert store.get("memory", "1") == "mine"
    with raw(home) as db:
        assert db.execute("SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM blobs)").fetchone() == (1, 0)


def test_shredding_is_no_part_of_a_transaction(store: Store) -> None:
    store.put("memory", "1", "kept", subject="alice")
    with store.transaction():
        with pytest.raises(StoreError):
            store.shred("alice")
        with pytest.raises(StoreError):
            store.backup(Path("nowhere"))
    assert store.get("memory", "1", subject="alice") == "kept"


# ------------------------------------------------------------------------------------------ nothing in plain


def test_nothing_readable_on_disk(home: Path, tmp_path: Path, canaries: Callable[[Path], list[str]]) -> None:
    word = "Canary7391"
    with reopen(home) as store:
        for number in range(50):
            store.put(
                f"kind{word}",
                f"id{word}{number}",
                {f"key{word}": f"value{word}"},
                subject=f"subject{word}{number % 3}",
            )
        for number in range(0, 50, 2):
            store.delete(f"kind{word}", f"id{word}{number}", subject=f"subject{word}{number % 3}")
        store.put_blob(f"blob {word}".encode() * 50_000, id=f"blob{word}")
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.put(f"kind{word}", "rolled back", word * 10_000)
            raise ZeroDivisionError
        store.backup(home / "backup.db")
        assert (home / "store.db-wal").stat().st_size > 0
        assert canaries(home) == []
        store.shred(f"subject{word}1")
        assert canaries(home) == []
    assert canaries(home) == []


def test_files_are_the_owners_only(home: Path) -> None:
    with reopen(home) as store:
        store.put("task", "1", "milk")
        assert {"store.db", "store.db-wal", "store.db-shm"} <= {path.name for path in home.iterdir()}
        for path in home.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    (home / "store.db").chmod(0o644)
    with reopen(home):
        assert stat.S_IMODE((home / "store.db").stat().st_mode) == 0o600


# ------------------------------------------------------------------------------- other processes, and kill -9


def test_two_stores_see_each_other(home: Path) -> None:
    with reopen(home) as ours, reopen(home) as theirs:
        theirs.put("n", "1", 1, subject="alice")
        assert ours.get("n", "1", subject="alice") == 1
        ours.put("n", "1", 2, subject="alice")
        assert theirs.get("n", "1", subject="alice") == 2
        theirs.shred("alice")
        assert ours.get("n", "1", subject="alice") is None
        assert list(ours.scan("n")) == []
        theirs.put("n", "1", 3, subject="alice")
        assert ours.get("n", "1", subject="alice") == 3
        theirs.shred("alice")
        ours.put("n", "1", 4, subject="alice")  # not with the key that is gone
        assert theirs.get("n", "1", subject="alice") == 4
        assert [r.value for r in theirs.scan("n", subject="alice")] == [4]
    with reopen(home) as store:
        assert store.get("n", "1", subject="alice") == 4
        assert store.verify() == 1


WRITER = """
import sys
from pathlib import Path
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store
home, name = Path(sys.argv[1]), sys.argv[2]
store = Store.open(home, Keyring.open(home))
for number in range(200):
    with store.transaction():
        store.put("counter", "all", (store.get("counter", "all") or 0) + 1)
        store.put("shared", f"{name}{number}", number)
    store.put("own", str(number), number, subject=f"{name}{number % 5}")
store.close()
"""


def test_several_processes_write_at_once(home: Path, child: Child) -> None:
    # On an empty home: they race for the keyring, the tables and each subject's key as well.
    writers = [child(WRITER, str(home), name) for name in "abc"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    with reopen(home) as store:
        assert store.get("counter", "all") == 600
        assert store.count("shared") == 600
        assert store.count("own") == 600
        assert store.verify() == 1201
        for name in "abc":
            mine = [r.value for r in store.scan("shared") if r.id.startswith(name)]
            assert mine == list(range(200))


CRASHING = """
import sys
from pathlib import Path
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store
home, run = Path(sys.argv[1]), sys.argv[2]
store = Store.open(home, Keyring.open(home))
number = 0
while True:
    with store.transaction():
        store.put("left", f"{run}.{number}", [number, "x" * (number % 3000)])
        store.put("right", f"{run}.{number}", number, subject=f"{run}.{number % 40}")
    print(number, flush=True)
    store.put_blob(b"x" * (number % 7) * 100_000, id=f"{run}.{number % 9}")
    number += 1
"""


def test_acknowledged_writes_survive_kill_9(home: Path, child: Child) -> None:
    for run, acknowledged in enumerate([1, 2, 3, 5, 8, 13, 40, 80, 120, 200]):
        process = child(CRASHING, str(home), str(run))
        assert process.stdout is not None
        for _ in range(acknowledged):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        # The pipe may hold more acknowledgements than were read before the kill.
        rest = process.stdout.read().split("\n")
        last = max([acknowledged - 1, *(int(line) for line in rest[:-1])])
        process.wait()
        with reopen(home) as store:
            store.verify()
            left = {r.id: r.value[0] for r in store.scan("left")}
            right = {r.id: r.value for r in store.scan("right")}
        assert left == right  # a transaction is whole or not at all
        there = sorted(value for id, value in left.items() if id.startswith(f"{run}."))
        assert there == list(range(len(there)))
        assert len(there) in (last + 1, last + 2)


def test_a_busy_store_is_an_error_a_person_can_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with (
        reopen(home) as ours,
        reopen(home) as theirs,
        ours.transaction(),
        pytest.raises(StoreError, match="held it"),
    ):
        theirs.put("n", "1", 1)
    with reopen(home) as store:
        store.put("n", "1", 1)
