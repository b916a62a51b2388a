"""The layer below the store: sealed pages, from the plain ones and back, and all that is refused."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llmasos.core.base.errors import StoreError, UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.ownership import OwnerLock
from llmasos.core.kernel.store import Store, pages, sqlcipher
from llmasos.shell.keys import run_keys

pytestmark = pytest.mark.skipif(not sqlcipher.available(), reason="sqlcipher3 isn't installed (extra 'sqlcipher')")

PLAIN = b"SQLite format 3\0"


def opened(home: Path, *, sealed: bool = False) -> Store:
    return Store.open(home, Keyring.open(home), pages_sealed=sealed)


def filled(home: Path, *, sealed: bool) -> None:
    with opened(home, sealed=sealed) as store:
        with store.transaction():
            for number in range(300):
                store.put("n", str(number), {"number": number}, subject=("person", "alice")[number % 2])
        store.put_blob(b"x" * 600_000, id="large")
        store.delete("n", "4")
        store.put("n", "6", "again")


def content(home: Path) -> list[object]:
    with opened(home) as store:
        records = [(record.id, record.subject, record.value, record.seq) for record in store.scan("n")]
        return [*records, store.get_blob("large"), store.facts(), store.verify()]


def test_a_sealed_file_shows_nothing(home: Path) -> None:
    filled(home, sealed=True)
    for path in home.glob("store.db*"):
        data = path.read_bytes()
        assert not data.startswith(PLAIN) and b"CREATE TABLE" not in data and b"records" not in data
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(home / "store.db").execute("SELECT count(*) FROM records")
    with opened(home) as store:
        assert store.pages.startswith("SQLCipher 4")
        assert len(list(store.scan("n"))) == 299
        assert store.verify() == 300


@pytest.mark.parametrize("sealed", [True, False])
def test_it_is_written_anew_and_all_is_as_it_was(home: Path, sealed: bool) -> None:
    filled(home, sealed=not sealed)
    before = content(home)
    assert pages.rewrite(home, Keyring.open(home), sealed=sealed) == 300
    assert (home / "store.db").read_bytes()[:16].startswith(PLAIN) is not sealed
    assert content(home) == before
    assert pages.rewrite(home, Keyring.open(home), sealed=sealed) is None
    assert not list(home.glob(".store.db*"))
    assert (home / "store.db").stat().st_mode & 0o777 == 0o600
    with opened(home) as store:  # goes on as any other
        store.put("n", "more", 1)
        assert store.shred("alice") and store.count("n") == 150
        assert store.rotate() == 151
        assert store.verify() == 151


def test_cut_off_in_the_middle_it_is_as_it_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(home, sealed=False)
    before = content(home)

    def broken(path: Path, fresh: Path, key: bytes, *, sealed: bool) -> None:
        fresh.write_bytes(os.urandom(5_000))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(sqlcipher, "copy", broken)
        pages.rewrite(home, Keyring.open(home), sealed=True)
    assert content(home) == before and not list(home.glob(".store.db*"))
    for left in ("", "-wal", "-journal"):
        (home / f".store.db.new{left}").write_bytes(b"of a program that was killed")
    assert pages.rewrite(home, Keyring.open(home), sealed=True) == 300
    assert content(home) == before


def test_what_another_program_has_open_is_left_alone(home: Path, child: Callable[..., object]) -> None:
    filled(home, sealed=False)
    before = (home / "store.db").read_bytes()
    code = (
        "import pathlib, signal, sys\n"
        "from llmasos.core.kernel.keyring import Keyring\n"
        "from llmasos.core.kernel.store import Store\n"
        "home = pathlib.Path(sys.argv[1])\n"
        "store = Store.open(home, Keyring.open(home))\n"
        "store.put('n', 'theirs', 1)\n"
        "print('open', flush=True)\n"
        "signal.pause()\n"
    )
    other = child(code, str(home))
    assert other.stdout.readline().strip() == "open"  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match="open elsewhere"):
        pages.rewrite(home, Keyring.open(home), sealed=True)
    assert (home / "store.db").read_bytes()[:100] == before[:100]
    other.kill()  # type: ignore[attr-defined]
    other.wait()  # type: ignore[attr-defined]
    with opened(home) as store:
        assert store.get("n", "theirs") == 1


def test_another_homes_keys_and_damage_are_refused(home: Path, tmp_path: Path) -> None:
    filled(home, sealed=True)
    filled(tmp_path / "other", sealed=True)
    path = home / "store.db"
    mine, theirs = path.read_bytes(), (tmp_path / "other" / "store.db").read_bytes()
    damaged = bytearray(mine)
    damaged[len(mine) // 2] ^= 1
    for data in (theirs, bytes(damaged), os.urandom(8192)):
        path.write_bytes(data)
        with pytest.raises(StoreError) as caught, opened(home) as store:
            store.verify()
        assert caught.value.remedy
        assert path.read_bytes() == data or data is not theirs
    path.write_bytes(mine)
    assert len(content(home)) == 302


def test_without_the_package_it_says_what_is_missing_and_changes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(home, sealed=True)
    before = (home / "store.db").read_bytes()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "sqlcipher3.dbapi2", None)
        with pytest.raises(StoreError) as caught:
            opened(home)
        assert "llmasos[sqlcipher]" in caught.value.remedy
        with pytest.raises(StoreError):
            opened(home.with_name("new"), sealed=True)
    assert (home / "store.db").read_bytes() == before
    with opened(home) as store:
        assert store.count("n") == 299


def test_a_backup_of_a_sealed_store_is_sealed_and_opens_with_the_same_keys(home: Path, tmp_path: Path) -> None:
    filled(home, sealed=True)
    copy = tmp_path / "copy"
    copy.mkdir()
    with opened(home) as store:
        store.backup(copy / "store.db")
    assert not (copy / "store.db").read_bytes().startswith(PLAIN)
    (copy / "keyring.json").write_bytes((home / "keyring.json").read_bytes())
    for key in home.glob("key*"):
        if not (copy / key.name).exists():
            (copy / key.name).write_bytes(key.read_bytes())
    assert content(copy)[:-2] == content(home)[:-2]


def test_the_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled(home, sealed=False)
    settings = Settings(home=home)
    assert run_keys(settings, "seal-pages", data=False, as_json=False) == 0
    assert capsys.readouterr().out == "The store's pages are sealed; all 300 records and files are whole.\n"
    run_keys(settings, "seal-pages", data=False, as_json=False)
    assert "sealed already" in capsys.readouterr().out
    run_keys(settings, "show", data=False, as_json=True)
    assert json.loads(capsys.readouterr().out)["pages"].startswith("SQLCipher")
    lock = OwnerLock(home)
    assert lock.acquire()
    with pytest.raises(UsageError, match="carries this home"):
        run_keys(settings, "unseal-pages", data=False, as_json=False)
    lock.release()
    run_keys(settings, "unseal-pages", data=False, as_json=False)
    assert (home / "store.db").read_bytes().startswith(PLAIN)


def test_the_setting_is_for_a_new_home() -> None:
    assert Settings.load({"LLMASOS_SQLCIPHER": "1", "LLMASOS_HOME": "/nowhere"}).sqlcipher is True
