"""Backups: made while the home is used, tried out, and what somebody did to one is found."""

from __future__ import annotations

import io
import json
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import backup
from llmasos.core.kernel.audit import Anchor, AuditLog
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.sealed_log import SealedLog
from llmasos.core.kernel.store import Store

AT = "2026-03-01T12:00:00+00:00"


@pytest.fixture
def anchor(home: Path) -> Anchor:
    return Anchor(home.with_name("anchor.jsonl"))


@pytest.fixture
def used(home: Path, clock: MockClock, anchor: Anchor) -> Keyring:
    """A home with something in each of its places."""
    keyring = Keyring.open(home)
    with Store.open(home, keyring) as store:
        for number in range(200):
            store.put("memory", str(number), f"memory {number}")
        store.put("memory", "hers", "a secret of alice", subject="alice")
        store.put_blob(b"p" * 700_000, id="picture")
        audit = AuditLog(home / "audit", keyring, clock, anchor, facts=store.facts, doubts=store.older_than)
        for number in range(5):
            audit.note(f"something {number}")
        audit.close()
    SealedLog(home / "shell-history.sealed", keyring.derive("shell history")).append("what was typed")
    (home / "settings.toml").write_text('policy = "readonly"\n')
    (home / "policies").mkdir()
    (home / "policies" / "mine.toml").write_text("# mine\n")
    (home / "swap").mkdir()
    (home / "swap" / "1.kv").write_bytes(b"passing")
    return keyring


def made(home: Path, keyring: Keyring, anchor: Anchor, target: Path, *, with_keys: bool = False) -> Path:
    with Store.open(home, keyring) as store:
        backup.make(store, anchor, target, at=AT, with_keys=with_keys)
    return target


def tried(path: Path, folder: Path, keyring: Keyring) -> backup.Tested:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    backup.unpack(path, folder)
    return backup.test(path, folder, keyring)


@pytest.mark.parametrize("with_keys", [False, True])
def test_a_backup_holds_the_home_and_nothing_readable(
    home: Path, used: Keyring, anchor: Anchor, tmp_path: Path, with_keys: bool
) -> None:
    path = made(home, used, anchor, tmp_path / "one.backup", with_keys=with_keys)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as tar:
        names = set(tar.getnames())
    assert names == {
        "checkpoints.jsonl", "audit/000000000000.log", "shell-history.sealed", "settings.toml", "policies/mine.toml",
        "store.db", "manifest.json", *(["keyring.json"] if with_keys else []),
    }  # fmt: skip
    content = path.read_bytes()
    key = (home / "keyring.key").read_bytes().strip()
    for secret in (b"memory 7", b"a secret of alice", b"what was typed", b"something 3", b"alice", key):
        assert secret not in content
    assert backup.read_manifest(path).keys is with_keys
    assert tried(path, tmp_path / "tried", used) == backup.Tested(202, 5)
    assert [file.name for file in tmp_path.glob(".*")] == []


def test_a_backup_does_not_overwrite(home: Path, used: Keyring, anchor: Anchor, tmp_path: Path) -> None:
    path = made(home, used, anchor, tmp_path / "one.backup")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="there already"):
        made(home, used, anchor, path)
    assert path.read_bytes() == before
    with pytest.raises(StoreError, match="can't be written"):
        made(home, used, anchor, tmp_path / "no folder" / "one.backup")


WRITING = """
import sys
from pathlib import Path
from llmasos.core.base.clock import SystemClock
from llmasos.core.kernel.audit import Anchor, AuditLog
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store
home = Path(sys.argv[1])
keyring = Keyring.open(home)
store = Store.open(home, keyring)
log = AuditLog(home / "audit", keyring, SystemClock(), Anchor(home.with_name("anchor.jsonl")), facts=store.facts)
number = 0
while True:
    number += 1
    store.put("memory", f"more {number % 50}", "x" * 400)
    store.delete("memory", f"more {(number + 25) % 50}")
    log.note(f"wrote {number}")
    if not number % 7:
        log.checkpoint()
    print(number, flush=True)
"""


def test_a_backup_while_another_program_writes_is_sound(
    home: Path, used: Keyring, anchor: Anchor, tmp_path: Path, child: Callable[..., subprocess.Popen[str]]
) -> None:
    process = child(WRITING, str(home))
    assert process.stdout is not None
    process.stdout.readline()
    for number in range(5):
        path = made(home, used, anchor, tmp_path / f"{number}.backup")
        assert tried(path, tmp_path / "tried", used).records >= 202
    process.kill()


def test_what_was_shredded_since_stays_so(home: Path, used: Keyring, anchor: Anchor, tmp_path: Path) -> None:
    path = made(home, used, anchor, tmp_path / "one.backup", with_keys=True)
    with Store.open(home, used) as store:
        store.shred("alice")
    assert tried(path, tmp_path / "tried", used).records == 201
    with Store.open(tmp_path / "tried", used) as store:
        assert store.get("memory", "hers", subject="alice") is None
    # The keys of the backup itself undo that: so keep few backups with keys.
    old = tmp_path / "old"
    old.mkdir()
    backup.unpack(path, old)
    shutil.copy(home / "keyring.key", old)
    assert backup.test(path, old, Keyring.open(old)).records == 202


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    """The backup with other members, and a manifest that fits them as far as a stranger can make it fit."""
    import hashlib

    members: dict[str, bytes] = {}
    with tarfile.open(path) as tar:
        for member in tar.getmembers():
            file = tar.extractfile(member)
            assert file is not None
            new = change(member.name, file.read())
            if new is not None:
                members[member.name] = new
    said: dict[str, Any] = json.loads(members.pop("manifest.json"))
    said["files"] = {name: [len(data), hashlib.sha256(data).hexdigest()] for name, data in members.items()}
    with tarfile.open(path, "w") as tar:
        for name, data in {**members, "manifest.json": json.dumps(said).encode()}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_a_changed_byte_is_found(home: Path, used: Keyring, anchor: Anchor, tmp_path: Path) -> None:
    path = made(home, used, anchor, tmp_path / "one.backup")
    content = path.read_bytes()
    with tarfile.open(path) as tar:
        places = [member.offset_data + member.size // 2 for member in tar.getmembers()]
    for place in places:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(StoreError):
            tried(path, tmp_path / "tried", used)
    for size in (0, 100, len(content) // 2, len(content) - 20_000):
        path.write_bytes(content[:size])
        with pytest.raises(StoreError):
            tried(path, tmp_path / "tried", used)


def test_a_member_that_was_left_out_or_swapped_is_found(
    home: Path, used: Keyring, anchor: Anchor, tmp_path: Path
) -> None:
    older = made(home, used, anchor, tmp_path / "older.backup")
    with tarfile.open(older) as tar:
        file = tar.extractfile("store.db")
        assert file is not None
        old_store = file.read()
    with Store.open(home, used) as store:
        store.put("memory", "new", "new")
    changes: list[Callable[[str, bytes], bytes | None]] = [
        lambda name, data: None if name == "shell-history.sealed" else data,
        lambda name, data: old_store if name == "store.db" else data,
        lambda name, data: b"" if name.startswith("audit/") else data,
        lambda name, data: b"deny = []\n" if name == "policies/mine.toml" else data,
    ]
    for change in changes:
        path = tmp_path / "changed.backup"
        path.unlink(missing_ok=True)
        rewritten(made(home, used, anchor, path), change)
        with pytest.raises(StoreError, match="wasn't made with these keys, or was changed"):
            tried(path, tmp_path / "tried", used)


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "audit/../../out", "unknown", "keyring.key", "swap/1.kv"])
def test_a_name_that_leaves_the_folder_is_refused(
    home: Path, used: Keyring, anchor: Anchor, tmp_path: Path, name: str
) -> None:
    path = made(home, used, anchor, tmp_path / "one.backup")
    with tarfile.open(path, "w") as tar:
        for member, data in ((name, b"x"), ("manifest.json", b"")):
            said = {"format": 1, "store": "", "at": "", "keys": False, "files": {name: [1, ""]}, "tag": ""}
            body = data or json.dumps(said).encode()
            info = tarfile.TarInfo(member)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    with pytest.raises(StoreError, match="no backup"):
        backup.unpack(path, tmp_path / "tried")


def link_to_itself(tar: tarfile.TarFile, body: bytes) -> None:
    info = tarfile.TarInfo("manifest.json")
    info.type, info.linkname = tarfile.SYMTYPE, "manifest.json"
    tar.addfile(info)


def mostly_holes(tar: tarfile.TarFile, body: bytes) -> None:
    info = tarfile.TarInfo("manifest.json")
    info.pax_headers = {"GNU.sparse.size": str(1 << 40), "GNU.sparse.map": "0,1"}
    info.size = 1
    tar.addfile(info, io.BytesIO(b"{"))


def longer_than_any(tar: tarfile.TarFile, body: bytes) -> None:
    info = tarfile.TarInfo("manifest.json")
    info.size = len(body)
    info.pax_headers = {"size": "9" * 20}
    tar.addfile(info, io.BytesIO(body))


def saying(**more: Any) -> Callable[[tarfile.TarFile, bytes], None]:
    def put(tar: tarfile.TarFile, body: bytes) -> None:
        body = json.dumps({**json.loads(body), **more}).encode()
        info = tarfile.TarInfo("manifest.json")
        info.size = len(body)
        tar.addfile(info, io.BytesIO(body))

    return put


@pytest.mark.parametrize(
    "put",
    [
        link_to_itself, mostly_holes, longer_than_any, saying(format=float("inf")), saying(format=[]),
        saying(files={"store.db": 1}), saying(files={"store.db": [1]}), saying(files={"store.db": ["1", "x"]}),
        saying(files=[["store.db", {}]]), saying(files={"policies/" + "x" * 300: [1, ""]}),
        saying(files={"policies/\ud800": [1, ""]}), saying(files={"store.db": [1, ""], "store.db/x": [1, ""]}),
    ],
)  # fmt: skip
def test_a_manifest_of_a_stranger_is_an_error_and_no_crash(
    put: Callable[[tarfile.TarFile, bytes], None], tmp_path: Path, used: Keyring
) -> None:
    path = tmp_path / "one.backup"
    said = {"format": 1, "store": "", "at": "", "keys": False, "files": {}, "tag": ""}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("store.db")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
        put(tar, json.dumps(said).encode())
    with pytest.raises(StoreError) as caught:
        tried(path, tmp_path / "tried", used)
    assert caught.value.remedy


def test_another_homes_keys(home: Path, used: Keyring, anchor: Anchor, tmp_path: Path) -> None:
    path = made(home, used, anchor, tmp_path / "one.backup")
    with pytest.raises(StoreError, match="wasn't made with these keys"):
        tried(path, tmp_path / "tried", Keyring.open(tmp_path / "another"))
