"""New keys: everything stays readable, whenever it is killed, and what was shredded stays shredded."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import custody
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.store.blobs import PART_BYTES

Child = Callable[..., subprocess.Popen[str]]


def reopen(home: Path) -> Store:
    return Store.open(home, Keyring.open(home))


def fill(store: Store, records: int = 30) -> None:
    for number in range(records):
        store.put("memory", str(number), number, subject=("person", "alice", "bob")[number % 3])
    store.put_blob(b"x" * (2 * PART_BYTES + 5), id="large")
    store.put_blob(b"", id="empty", subject="alice")


def check(store: Store, records: int = 30) -> None:
    for number in range(records):
        assert store.get("memory", str(number), subject=("person", "alice", "bob")[number % 3]) == number
    assert [record.value for record in store.scan("memory")] == list(range(records))
    assert [record.value for record in store.scan("memory", subject="bob")] == list(range(2, records, 3))
    assert [record.value for record in store.all()] == list(range(records))
    assert store.get_blob("large") == b"x" * (2 * PART_BYTES + 5)
    assert store.get_blob("empty", subject="alice") == b""
    assert store.verify() == records + 2


def versions(home: Path) -> set[int]:
    """Of the keys that something is sealed with."""
    with closing(sqlite3.connect(home / "store.db")) as db:
        return {version for (version,) in db.execute("SELECT key_version FROM scopes")}


def test_everything_is_sealed_anew_and_keeps_its_name_and_place(home: Path) -> None:
    with reopen(home) as store:
        fill(store)
        assert store.rotate() == 32
        assert not store.outdated()
        check(store)
    assert versions(home) == {2}
    with reopen(home) as store:
        check(store)
        store.put("memory", "3", 3)  # found under its old name
        store.put("memory", "4", 4, subject="alice", there=True)
        assert store.delete_blob("empty", subject="alice")
        store.put_blob(b"", id="empty", subject="alice")
        assert store.rotate() == 32
        check(store)
    assert versions(home) == {3}


def test_old_sealed_bytes_do_not_open_with_the_new_key(home: Path) -> None:
    with reopen(home) as store:
        store.put("memory", "1", "old")
        old = store._db.all("SELECT scope, rev, sealed FROM records")
        store.rotate()
        new = store._db.all("SELECT scope, rev, sealed FROM records")
        assert new != old
        scope, _, _ = new[0]
        store._db.execute("UPDATE records SET sealed = ?, rev = ?", (old[0][2], old[0][1]))
        with pytest.raises(StoreError):
            store.get("memory", "1")
        assert scope != old[0][0]


def test_a_shredded_subject_is_gone_with_all_its_keys(home: Path) -> None:
    with reopen(home) as store:
        fill(store)
        store.backup(home.with_name("old.db"))
        store.rotate()
        assert store.shred("alice")
        assert store.get("memory", "1", subject="alice") is None
        assert [record.value for record in store.scan("memory", subject="alice")] == []
        assert store.verify() == 21
        store.put("memory", "1", "another", subject="alice")
        assert store.keyring.dek("alice").version == 3
        assert store.keyring.shredded(store.keyring.token("alice")) == 2
    (home / "store.db").unlink()
    home.with_name("old.db").replace(home / "store.db")
    with reopen(home) as store:
        assert store.get("memory", "1", subject="alice") is None
        assert store.verify() == 21  # and what wasn't shredded opens with the keys of before


def test_another_program_goes_on_meanwhile(home: Path) -> None:
    with reopen(home) as ours, reopen(home) as other:
        fill(ours)
        check(other)
        ours.keyring.rotate()
        ours._scopes.clear()
        assert ours.outdated()
        other.put("memory", "0", 0)  # with the new key, beside what the old one sealed
        assert other.get("memory", "3") == 3
        ours.put("memory", "1", 1, subject="alice")
        check(other)
        check(ours)
        assert ours.rotate() == 30  # goes on, and gives no third key
        assert other.get("memory", "3") == 3
        check(other)
    assert versions(home) == {2}


ROTATING = """
import sys
from pathlib import Path
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store, store as module
module.SCAN_STEP = 3
home = Path(sys.argv[1])
store = Store.open(home, Keyring.open(home))
reseal, keep = store._blobs.reseal, store._db.execute
def execute(sql, values=()):
    print("step", flush=True)
    return keep(sql, values)
store._db.execute = execute
store.rotate()
print("done", flush=True)
"""


def test_kill_9_in_the_middle_loses_nothing(home: Path, child: Child) -> None:
    with reopen(home) as store:
        fill(store)
    unfinished = 0
    for steps in (0, 1, 2, 5, 9, 20, 33, 50):
        process = child(ROTATING, str(home))
        assert process.stdout is not None
        for _ in range(steps):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with reopen(home) as store:
            check(store)
            unfinished += store.outdated()
    assert unfinished > 2
    with reopen(home) as store:
        store.rotate()
        check(store)
        assert not store.outdated()


def test_how_often_a_key_was_used(home: Path) -> None:
    with reopen(home) as store:
        for number in range(50):
            store.put("memory", "same", number)
        store.put("memory", "1", 1, subject="alice")
        assert store.seals() == 51
        store.rotate()
        assert store.seals() <= 3
        store.put("memory", "same", 0)
        assert store.seals() <= 4


# ----------------------------------------------------------------------------- the key that wraps all others


def test_all_keys_are_wrapped_anew(home: Path) -> None:
    with reopen(home) as store:
        fill(store)
        store.rotate()
        keyring = store.keyring
        old = shutil.copytree(home, home.with_name("old"))
        key = (home / "keyring.key").read_bytes()
        keyring.rotate_kek()
        check(store)
    assert keyring.created_recovery_code
    assert (home / "keyring.key").read_bytes() != key
    assert not (home / "keyring.key.replaced").exists()
    with reopen(home) as store:
        check(store)
    (home / "keyring.key").unlink()
    Keyring.recover(home, keyring.created_recovery_code)
    with reopen(home) as store:
        check(store)
    # The old key opens the old keyring only.
    shutil.copy(old / "keyring.key", home)
    with pytest.raises(StoreError, match="doesn't belong"):
        Keyring.open(home)


def test_the_old_recovery_code_opens_nothing_more(home: Path) -> None:
    keyring = Keyring.open(home)
    old = keyring.created_recovery_code
    assert old
    keyring.rotate_kek()
    with pytest.raises(StoreError, match="recovery code is wrong"):
        Keyring.recover(home, old)


def test_a_passphrase_is_asked_for(home: Path) -> None:
    keyring = Keyring.open(home, passphrase="one")
    with pytest.raises(StoreError, match="none was given"):
        keyring.rotate_kek()
    keyring.rotate_kek(ask=lambda question: "two")
    with pytest.raises(StoreError, match="wrong"):
        Keyring.open(home, passphrase="one")
    assert Keyring.open(home, passphrase="two").store_id == keyring.store_id
    assert not (home / "keyring.key").exists()


@pytest.mark.parametrize("where", ["before it is placed", "half placed", "when it is placed"])
def test_stopped_in_the_middle_it_opens_all_the_same(home: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    with reopen(home) as store:
        fill(store)
    keyring = Keyring.open(home)

    def stop(*args: Any, **more: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if where == "before it is placed":
            patch.setattr(custody, "place", stop)
        elif where == "half placed":
            replace, done = custody.replace_file, []
            patch.setattr(custody, "replace_file", lambda *a, **k: stop() if done else done.append(replace(*a, **k)))
        else:
            patch.setattr(keyring, "_rewrap", stop)
        with pytest.raises(KeyboardInterrupt):
            keyring.rotate_kek()
    again = Keyring.open(home)
    assert (again.created_recovery_code is not None) == (where == "when it is placed")
    for _ in range(2):
        with reopen(home) as store:
            check(store)
    again = Keyring.open(home)
    again.rotate_kek()
    with reopen(home) as store:
        check(store)
