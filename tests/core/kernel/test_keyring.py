from __future__ import annotations

import json
import shutil
import stat
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import crypto, custody
from llmasos.core.kernel.custody import secret_service
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store


@pytest.fixture(autouse=True)
def cheap_stretching(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.15 s a guess is for thieves."""
    monkeypatch.setattr(crypto, "Argon2Cost", lambda *said: COST(*said) if said else COST(64, 1, 1))


COST = crypto.Argon2Cost


class Desktop:
    """A desktop's keyring that is a dict."""

    def __init__(self, works: bool = True) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.works = works

    def get_password(self, service: str, username: str, /) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str, /) -> None:
        if not self.works:
            raise RuntimeError("locked")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str, /) -> None:
        if not self.works:
            raise RuntimeError("locked")
        del self.kept[service, username]


def edit(home: Path, change: Any) -> None:
    content = json.loads((home / "keyring.json").read_text())
    change(content)
    (home / "keyring.json").write_text(json.dumps(content))


def test_a_new_keyring_opens_again_with_the_same_keys(home: Path) -> None:
    first = Keyring.open(home)
    dek, log = first.dek("alice"), first.derive("log")
    second = Keyring.open(home)
    assert second.dek("alice") == dek
    assert second.derive("log") == log
    assert second.store_id == first.store_id
    assert second.dek("bob") != dek


def test_only_the_owner_can_read(home: Path) -> None:
    home.mkdir(mode=0o755)
    Keyring.open(home).dek("alice")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path in home.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_custody_is_said_in_a_sentence(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no stolen disk" in Keyring.open(home).custody
    assert "passphrase" in Keyring.open(tmp_path / "second", passphrase="hush").custody
    monkeypatch.setattr(custody, "secret_service", Desktop)
    assert "desktop" in Keyring.open(tmp_path / "third").custody


def test_passphrase(home: Path) -> None:
    dek = Keyring.open(home, passphrase="correct horse").dek("alice")
    assert not (home / custody.KEY_FILE).exists()
    assert Keyring.open(home, passphrase="correct horse").dek("alice") == dek
    before = (home / "keyring.json").read_bytes()
    with pytest.raises(StoreError, match="passphrase is wrong"):
        Keyring.open(home, passphrase="wrong horse")
    with pytest.raises(StoreError, match="nobody is there"):
        Keyring.open(home)
    assert (home / "keyring.json").read_bytes() == before


def test_a_passphrase_is_asked_for(home: Path) -> None:
    said = iter(["one", "two", "three", "three"])
    dek = Keyring.open(home, ask=lambda _: next(said)).dek("alice")
    answers = iter(["wrong", "three"])
    assert Keyring.open(home, ask=lambda _: next(answers)).dek("alice") == dek
    with pytest.raises(StoreError, match="wrong"):
        Keyring.open(home, ask=lambda _: "wrong")


def test_an_empty_answer_chooses_the_key_file(home: Path) -> None:
    assert "key file" in Keyring.open(home, ask=lambda _: "").custody.lower()


def test_key_file_missing_or_damaged(home: Path) -> None:
    Keyring.open(home)
    (home / custody.KEY_FILE).write_text("nonsense")
    with pytest.raises(StoreError, match="damaged"):
        Keyring.open(home)
    (home / custody.KEY_FILE).unlink()
    with pytest.raises(StoreError, match="missing"):
        Keyring.open(home)
    assert not (home / custody.KEY_FILE).exists()


def test_another_homes_key_file(home: Path, tmp_path: Path) -> None:
    Keyring.open(home)
    Keyring.open(tmp_path / "other")
    shutil.copy(tmp_path / "other" / custody.KEY_FILE, home / custody.KEY_FILE)
    with pytest.raises(StoreError, match="doesn't belong"):
        Keyring.open(home)


def test_a_first_run_killed_between_key_and_keyring(home: Path) -> None:
    dek = Keyring.open(home).dek("alice")
    content = (home / "keyring.json").read_bytes()
    (home / "keyring.json").unlink()
    Keyring.open(home)  # nothing sealed is there: starting anew is right, but not with another key
    (home / "keyring.json").write_bytes(content)
    assert Keyring.open(home).dek("alice") == dek


def test_the_desktop_keeps_the_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desktop = Desktop()
    monkeypatch.setattr(custody, "secret_service", lambda: desktop)
    dek = Keyring.open(home).dek("alice")
    assert not (home / custody.KEY_FILE).exists()
    assert Keyring.open(home).dek("alice") == dek
    desktop.kept.clear()
    with pytest.raises(StoreError, match="desktop"):
        Keyring.open(home)
    monkeypatch.setattr(custody, "secret_service", lambda: None)
    with pytest.raises(StoreError, match="desktop"):
        Keyring.open(home)


@pytest.mark.parametrize(("session", "priority", "there"), [("", 5, False), ("unix:", 0.5, False), ("unix:", 5, True)])
def test_what_counts_as_a_desktop(monkeypatch: pytest.MonkeyPatch, session: str, priority: float, there: bool) -> None:
    package = ModuleType("keyring")
    package.get_keyring = lambda: SimpleNamespace(priority=priority)  # type: ignore[attr-defined]
    package.__spec__ = ModuleSpec("keyring", None)
    monkeypatch.setitem(sys.modules, "keyring", package)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", session)
    assert secret_service() is (package if there else None)


def test_a_locked_desktop_is_no_desktop(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desktop = Desktop()
    monkeypatch.setattr(custody, "secret_service", lambda: desktop)
    Keyring.open(home)
    monkeypatch.setattr(desktop, "get_password", lambda *_: 1 / 0)
    with pytest.raises(StoreError, match="desktop"):
        Keyring.open(home)


def test_a_desktop_that_fails_is_passed_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custody, "secret_service", lambda: Desktop(works=False))
    assert "key file" in Keyring.open(home).custody.lower()


def test_a_passphrase_leaves_no_key_anywhere_else(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = Keyring.open(home)
    dek = keyring.dek("alice")
    (home / f"{custody.KEY_FILE}.replaced").write_bytes((home / custody.KEY_FILE).read_bytes())
    keyring.protect("open sesame")
    assert not list(home.glob(f"{custody.KEY_FILE}*"))
    with pytest.raises(StoreError, match="passphrase"):
        Keyring.open(home)
    assert Keyring.open(home, passphrase="open sesame").dek("alice") == dek


def test_recovering_to_a_passphrase_leaves_none_either(home: Path) -> None:
    code = Keyring.open(home).created_recovery_code
    assert code
    Keyring.recover(home, code, passphrase="open sesame")
    assert not list(home.glob(f"{custody.KEY_FILE}*"))
    assert Keyring.open(home, passphrase="open sesame")


def test_a_passphrase_takes_the_key_out_of_the_desktop(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desktop = Desktop()
    monkeypatch.setattr(custody, "secret_service", lambda: desktop)
    Keyring.open(home).protect("open sesame")
    assert not desktop.kept and Keyring.open(home, passphrase="open sesame")


def test_a_desktop_that_keeps_the_key_is_told_of(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desktop = Desktop()
    monkeypatch.setattr(custody, "secret_service", lambda: desktop)
    keyring = Keyring.open(home)
    desktop.works = False
    with pytest.raises(StoreError, match="still in your desktop"):
        keyring.protect("open sesame")
    assert Keyring.open(home, passphrase="open sesame"), "it is protected all the same"


@pytest.mark.parametrize("sealed", ["store.db", "history.sealed", "log.sealed.1"])
def test_no_new_keyring_beside_sealed_data(home: Path, sealed: str) -> None:
    home.mkdir()
    (home / sealed).write_bytes(b"something")
    with pytest.raises(StoreError, match="missing") as caught:
        Keyring.open(home)
    assert caught.value.remedy
    assert {path.name for path in home.iterdir()} == {sealed, "keyring.lock"}


@pytest.mark.parametrize("passphrase", [None, "a new one"])
def test_recovery_code(home: Path, passphrase: str | None) -> None:
    first = Keyring.open(home, passphrase="forgotten")
    code = first.created_recovery_code
    assert code is not None
    assert [len(group) for group in code.split("-")] == [4] * 8
    dek = first.dek("alice")
    assert Keyring.open(home, passphrase="forgotten").created_recovery_code is None
    with pytest.raises(StoreError, match="recovery code is wrong"):
        Keyring.recover(home, "AAAA-" * 7 + "AAAA")
    with pytest.raises(StoreError, match="recovery code is wrong"):
        Keyring.recover(home, "what?")
    typed = code.lower().replace("-", " ").replace("o", "0")
    assert Keyring.recover(home, typed, passphrase=passphrase).dek("alice") == dek
    assert Keyring.open(home, passphrase=passphrase).dek("alice") == dek
    if passphrase:
        with pytest.raises(StoreError):
            Keyring.open(home, passphrase="forgotten")


def test_recovering_never_destroys_a_key_file(home: Path) -> None:
    code = Keyring.open(home).created_recovery_code
    assert code is not None
    (home / custody.KEY_FILE).write_text("some other key")
    Keyring.recover(home, code)
    assert (home / "keyring.key.replaced").read_text() == "some other key"
    Keyring.open(home)


def test_shredding_is_for_good(home: Path) -> None:
    keyring = Keyring.open(home)
    dek = keyring.dek("alice")
    keyring.dek("bob")
    assert keyring.shred("alice")
    assert not keyring.shred("alice")
    assert not keyring.shred("nobody")
    for view in (keyring, Keyring.open(home)):
        assert view.find(dek.token) is None
        assert view.shredded(dek.token) == 1
        assert view.live() == [view.token("bob")]
    again = keyring.dek("alice")
    assert again.version == 2
    assert again.key != dek.key
    assert keyring.shredded(dek.token) == 1


def test_other_processes_changes_are_seen(home: Path) -> None:
    ours, theirs = Keyring.open(home), Keyring.open(home)
    dek = theirs.dek("alice")
    assert ours.find(dek.token) is None
    assert ours.refresh()
    assert not ours.refresh()
    assert ours.find(dek.token) == dek
    assert ours.dek("bob") == theirs.dek("bob")
    theirs.shred("alice")
    assert ours.dek("carol").version == 1  # writing takes up what others wrote
    assert ours.find(dek.token) is None


def swap_subjects(content: dict[str, Any]) -> None:
    (a, x), (b, y) = list(content["subjects"].items())
    content["subjects"] = {a: y, b: x}


@pytest.mark.parametrize(
    "change",
    [
        swap_subjects,
        lambda content: content["subjects"].popitem(),
        lambda content: next(iter(content["subjects"].values())).update(version=7),
        lambda content: content.update(store="00" * 16),
        lambda content: content.update(mac="00" * 16),
        lambda content: content.update(check="00" * 16),
        lambda content: content.update(root="AAAA"),
        lambda content: content.update(subjects=[]),
        lambda content: content.update(custody={"kind": "nowhere"}),
        lambda content: content.update(format=99),
        lambda content: content.clear(),
    ],
)
def test_a_changed_keyring_is_refused(home: Path, change: Any) -> None:
    keyring = Keyring.open(home)
    keyring.dek("alice")
    keyring.dek("bob")
    edit(home, change)
    before = (home / "keyring.json").read_bytes()
    for attempt in (lambda: Keyring.open(home), keyring.refresh, lambda: keyring.dek("carol")):
        with pytest.raises(StoreError) as caught:
            attempt()
        assert caught.value.remedy
    assert (home / "keyring.json").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_keyring_is_refused(home: Path, content: bytes) -> None:
    Keyring.open(home)
    (home / "keyring.json").write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        Keyring.open(home)
    assert (home / "keyring.json").read_bytes() == content


def test_wrapped_keys_are_bound_even_under_a_true_mac(home: Path) -> None:
    """The mac alone would not stop whoever once had the KEK in hand from mixing up whose key is whose."""
    keyring = Keyring.open(home)
    keyring.dek("alice")
    keyring.dek("bob")
    with keyring._change() as content:
        swap_subjects(content)
    with pytest.raises(StoreError, match="doesn't open"):
        Keyring.open(home).dek("alice")


@pytest.mark.parametrize(
    "cost",
    [
        {"memory_kib": 1 << 40},
        {"memory_kib": 1 << 20},
        {"memory_kib": 10**400},
        {"iterations": 64},
        {"lanes": "x"},
        {"salt": "00"},
        {"salt": ""},
        {"salt": "00" * 99},
    ],
)
def test_absurd_costs_are_refused(home: Path, cost: dict[str, Any]) -> None:
    Keyring.open(home, passphrase="hush")
    edit(home, lambda content: content["custody"].update(cost))
    with pytest.raises(StoreError, match="damaged"):
        Keyring.open(home, passphrase="hush")


@pytest.mark.parametrize("number", ["Infinity", "NaN", "1e999"])
def test_numbers_that_are_none_are_refused(home: Path, number: str) -> None:
    Keyring.open(home, passphrase="hush")
    path = home / "keyring.json"
    path.write_text(path.read_text().replace('"memory_kib": ', f'"memory_kib": {number}, "was": '))
    with pytest.raises(StoreError, match="damaged"):
        Keyring.open(home, passphrase="hush")


def test_memory_that_is_not_there_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Keyring.open(home, passphrase="hush")

    def without_memory(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(crypto, "stretch", without_memory)
    with pytest.raises(StoreError, match=r"takes .* of memory"):
        Keyring.open(home, passphrase="hush")


def test_a_store_keeps_its_keyring(home: Path) -> None:
    with Store.open(home, Keyring.open(home)) as store:
        store.put("task", "1", "milk")
    (home / "keyring.json").rename(home / "moved")
    with pytest.raises(StoreError, match=r"store\.db is there"):
        Keyring.open(home)
