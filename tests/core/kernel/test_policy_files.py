"""Tiers of files, and a policy that follows them while it is used."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from llmasos.core.base import paths
from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import UsageError
from llmasos.core.kernel.policy import LivePolicy, Rates, Sources
from llmasos.core.kernel.policy.file import examine
from llmasos.core.kernel.policy.sources import known

Put = Callable[[str, str], Path]


def rule(id: str, decision: str, more: str = "") -> str:
    return f"[[rule]]\nid = '{id}'\ndecision = '{decision}'\n{more}\n"


@pytest.fixture
def put(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Writes a file: `bundled/NAME`, `user/NAME`, `machine`, or any other path below the test's folder."""
    folders = {"bundled": tmp_path / "shipped", "user": home / "policies"}
    (home / "policies").mkdir(parents=True)
    monkeypatch.setattr(paths, "shipped", lambda kind: folders["bundled"])
    monkeypatch.setattr(paths, "ADMIN_POLICY", tmp_path / "etc" / "policy.toml")

    def write(where: str, text: str) -> Path:
        tier, _, name = where.partition("/")
        path = folders[tier] / f"{name}.toml" if tier in folders else tmp_path / "etc" / "policy.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    write("bundled/default", rule("b", "ask"))
    return write


def decides(policy: LivePolicy, syscall: str = "files.read") -> str:
    return policy.decide("user:ada", syscall, "read", {}).rule


@pytest.fixture
def live(home: Path, clock: MockClock) -> Callable[..., LivePolicy]:
    def make(name: str = "default", tell: Callable[[str], object] = lambda words: None) -> LivePolicy:
        return LivePolicy(Sources.of(name, home), clock, tell)

    return make


# Tiers


def test_a_file_of_ones_own_extends_the_bundled_one(put: Put, live: Callable[..., LivePolicy]) -> None:
    put("user/default", rule("mine", "allow", "syscall = ['files.*']"))
    policy = live()
    assert decides(policy) == "mine" and decides(policy, "device.get") == "b"
    assert policy.name == "default"


def test_the_administrators_is_above_all(put: Put, live: Callable[..., LivePolicy], tmp_path: Path) -> None:
    put("user/default", rule("mine", "allow"))
    put("machine", rule("theirs", "deny", "syscall = ['device.*']"))
    assert decides(live()) == "mine" and decides(live(), "device.get") == "theirs"
    explicit = tmp_path / "explicit.toml"
    explicit.write_text(rule("explicit", "allow"))
    policy = live(str(explicit))
    assert decides(policy) == "explicit" and decides(policy, "device.get") == "theirs"
    assert policy.decide("u", "files.read", "read", {}).tier == "user"
    assert not [r for r in policy.rules if r.id in ("b", "mine")], "a file that is named stands alone"


def test_the_variable_adds_to_the_machines_and_replaces_nothing(
    put: Put, live: Callable[..., LivePolicy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.toml"
    monkeypatch.setenv("LLMASOS_ADMIN_POLICY", str(other))
    with pytest.raises(UsageError, match="no policy 'other'"):
        live()
    other.write_text(rule("other", "allow"))
    assert decides(live()) == "other"
    put("machine", rule("theirs", "deny", "syscall = ['device.*']"))
    assert decides(live()) == "other" and decides(live(), "device.get") == "theirs"


def test_ones_own_alone(put: Put, live: Callable[..., LivePolicy], home: Path) -> None:
    put("user/mine", "name = 'My own'\n" + rule("mine", "allow"))
    assert decides(live("mine")) == "mine" and live("mine").name == "My own"
    assert known(home) == ["default", "mine"]


def test_an_administrators_alone_is_no_policy(put: Put, live: Callable[..., LivePolicy]) -> None:
    put("machine", rule("theirs", "allow"))
    with pytest.raises(UsageError, match=r"no policy 'nosuch'. There are: default"):
        live("nosuch")


@pytest.mark.parametrize("where", ["bundled/default", "user/default", "machine"])
def test_nothing_starts_with_a_wrong_file(put: Put, live: Callable[..., LivePolicy], where: str) -> None:
    put(where, rule("x", "maybe"))
    with pytest.raises(UsageError, match="allow, ask or deny"):
        live()


# Following


def test_a_change_is_in_force_before_the_next_decision(
    put: Put, live: Callable[..., LivePolicy], clock: MockClock
) -> None:
    told: list[str] = []
    policy = live(tell=told.append)
    assert decides(policy) == "b"
    put("user/default", rule("mine", "deny"))
    assert decides(policy) == "b", "not a second has gone by"
    clock.advance(1)
    assert decides(policy) == "mine"
    clock.advance(1)
    (put("user/default", "")).unlink()
    assert decides(policy) == "b"
    assert [words.rpartition(" ")[2] for words in told] == ["2.", "1."]


def test_the_files_are_looked_at_once_a_second(
    put: Put, live: Callable[..., LivePolicy], clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = live()
    looks: list[int] = []
    monkeypatch.setattr(Sources, "signature", lambda self: looks.append(1) or policy._signature)
    for _ in range(50):
        decides(policy)
        clock.advance(0.1)
    assert 4 <= len(looks) <= 5


def test_a_mistake_changes_nothing_and_is_told_once(
    put: Put, live: Callable[..., LivePolicy], clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    policy = live(tell=told.append)
    path = put("user/default", rule("everything", "allow") + rule("x", "maybe"))
    for _ in range(3):
        clock.advance(1)
        assert decides(policy) == "b", "not even the rule without a mistake"
    assert len(told) == 1 and f"Rule x of {path}" in told[0] and "stays" in told[0]
    assert policy.problem == told[0] and told[0] in caplog.text
    put("user/default", rule("everything", "allow"))
    clock.advance(1)
    assert decides(policy) == "everything" and policy.problem == "" and len(told) == 2


@pytest.mark.parametrize("trouble", ["a folder", "no text", "gone"])
def test_what_cannot_be_read_leaves_what_was_in_force(
    put: Put, live: Callable[..., LivePolicy], clock: MockClock, trouble: str, tmp_path: Path
) -> None:
    policy = live()
    path = tmp_path / "shipped" / "default.toml"
    if trouble == "no text":
        path.write_bytes(b"\xff\xfe")
    else:
        path.unlink()
        if trouble == "a folder":
            path.mkdir()
    clock.advance(1)
    assert decides(policy) == "b" and policy.problem


def test_a_file_that_is_being_written_is_read_when_it_is_whole(
    put: Put, live: Callable[..., LivePolicy], clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    policy = live(tell=told.append)
    put("user/default", rule("half", "allow"))
    read = Sources.read

    def written_meanwhile(sources: Sources) -> object:
        found = read(sources)
        put("user/default", rule("half", "allow") + rule("other-half", "deny"))
        return found

    clock.advance(1)
    with monkeypatch.context() as patch:
        patch.setattr(Sources, "read", written_meanwhile)
        assert decides(policy) == "b" and told == []
    clock.advance(1)
    assert decides(policy) == "other-half"


def test_a_file_put_in_place_of_another_is_seen_though_time_and_size_are_the_same(
    put: Put, live: Callable[..., LivePolicy], clock: MockClock
) -> None:
    path = put("user/default", rule("one", "allow"))
    policy = live()
    status = path.stat()
    new = path.with_suffix(".new")
    new.write_text(rule("two", "allow"))
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.replace(path)
    clock.advance(1)
    assert decides(policy) == "two"


def test_what_was_used_of_a_rate_outlives_a_change(put: Put, live: Callable[..., LivePolicy], clock: MockClock) -> None:
    text = rule("some", "allow", "rate = '1/minute'")
    put("user/default", text)
    policy, rates = live(), Rates(clock)
    for found in policy.charges("u", "files.read", "read", {}, rates=rates):
        rates.spend(found, "u")
    put("user/default", text + rule("more", "allow", "syscall = ['x']"))
    clock.advance(1)
    assert policy.decide("u", "files.read", "read", {}, rates=rates).rule == "b"


# Moderation


def level(text: str, said: str) -> str:
    return f'moderation = "{said}"\n{text}'


def test_mild_holds_where_nothing_is_said(put: Put, live: Callable[..., LivePolicy]) -> None:
    assert live().moderation == "mild"


@pytest.mark.parametrize(
    ("bundled", "own", "admin", "holds"),
    [
        ("strict", "off", "", "strict"), ("off", "strict", "", "strict"), ("off", "", "", "off"), ("", "off", "", "off"),
        ("", "off", "mild", "mild"), ("strict", "off", "mild", "strict"), ("off", "off", "off", "off"), ("", "", "strict", "strict"),
    ],
)  # fmt: skip
def test_the_stricter_of_all_tiers_holds(
    put: Put, live: Callable[..., LivePolicy], bundled: str, own: str, admin: str, holds: str
) -> None:
    for where, said in (("bundled/default", bundled), ("user/default", own), ("machine", admin)):
        if said:
            put(where, level(rule("b", "ask"), said))
    assert live().moderation == holds


def test_a_level_that_changes_holds_without_a_decision(
    put: Put, live: Callable[..., LivePolicy], clock: MockClock
) -> None:
    told: list[str] = []
    policy = live(tell=told.append)
    put("user/default", level("", "strict"))
    assert policy.moderation == "mild", "not a second has gone by"
    clock.advance(1)
    assert policy.moderation == "strict" and told[-1].endswith("Moderation is strict now.")
    put("user/default", level("", "severe"))
    clock.advance(1)
    assert policy.moderation == "strict" and "isn't used" in policy.problem, "a mistake changes nothing"


@pytest.mark.parametrize("said", ["severe", "Strict", "", "true"])
def test_an_unknown_level_is_a_mistake_with_its_line(put: Put, live: Callable[..., LivePolicy], said: str) -> None:
    path = put("user/default", f"description = 'x'\nmoderation = '{said}'\n" + rule("mine", "allow"))
    (mistake,) = examine(path).mistakes
    assert mistake.line == 2 and repr(said) in mistake.what and mistake.remedy == "There are: off, mild, strict."
    with pytest.raises(UsageError, match="moderation"):
        live()
