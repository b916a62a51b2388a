"""`llmasos init`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmasos.core.base.errors import NeedsAnswer, StoreError, UsageError
from llmasos.core.base.settings import FILE, Settings, keep
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.custody import KEY_FILE
from llmasos.core.kernel.keyring import Keyring
from llmasos.shell import first_run, seat
from tests.seat import reader


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the person types: passphrases and answers, in order; an exception is a key."""
    typed: list[str] = []

    def say(_: str = "") -> str:
        if not typed:
            raise KeyboardInterrupt
        return typed.pop(0)

    attach = seat.attach

    async def scripted(*args: object, **named: object) -> object:
        engines = ScriptedEngines(reads=reader({first_run.SENTENCE: [("system.time", {})]}))
        return await attach(*args, **named, engines=engines)  # type: ignore[arg-type]

    monkeypatch.setattr(seat, "attach", scripted)
    monkeypatch.setattr("getpass.getpass", say)
    monkeypatch.setattr("builtins.input", say)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setenv("LLMASOS_OWNER", "ada")
    yield typed


def test_enter_takes_what_is_suggested(home: Path, answers: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    answers += ["", ""]
    assert first_run.run_init(Settings.load({}, home=home)) == 0
    told = capsys.readouterr().out
    assert "Recovery code:" in told and "understood as system.time" in told and "Ready." in told
    assert not (home / FILE).exists() and (home / KEY_FILE).exists()


def test_a_passphrase_and_a_policy(home: Path, answers: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    answers += ["open sesame", "open sesame", "3"]
    assert first_run.run_init(Settings.load({}, home=home)) == 0
    assert Settings.load({}, home=home).policy == "readonly"
    assert Settings.load({"LLMASOS_POLICY": "developer"}, home=home).policy == "developer"
    assert not (home / KEY_FILE).exists(), "the key lies nowhere in the open"
    with pytest.raises(StoreError):
        Keyring.open(home)
    assert Keyring.open(home, passphrase="open sesame")
    assert (home / FILE).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("number", "name"), [("2", "developer"), ("5", "kiosk"), ("child", "child")])
def test_each_policy_has_a_number(home: Path, answers: list[str], number: str, name: str) -> None:
    answers += ["", number]
    first_run.run_init(Settings.load({}, home=home))
    assert Settings.load({}, home=home).policy == name


def test_two_that_differ_change_nothing(home: Path, answers: list[str]) -> None:
    answers += ["one", "two", ""]
    assert first_run.run_init(Settings.load({}, home=home)) == 0
    assert Keyring.open(home)


def test_ctrl_c_leaves_the_rest(home: Path, answers: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert first_run.run_init(Settings.load({}, home=home)) == 0
    assert "stays as it is" in capsys.readouterr().out
    assert Keyring.open(home)


def test_a_policy_that_is_not_there_is_not_kept(home: Path, answers: list[str]) -> None:
    answers += ["", "nonsense"]
    with pytest.raises(UsageError):
        first_run.run_init(Settings.load({}, home=home))
    assert not (home / FILE).exists()


def test_nobody_is_asked_in_a_pipe(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    with pytest.raises(NeedsAnswer):
        first_run.run_init(Settings.load({}, home=home))
    assert not home.exists()


@pytest.mark.parametrize("content", ["policy =", "polcy = 'x'", "home = '/tmp'", "seed = 'x'"])
def test_a_settings_file_that_is_wrong_is_named(home: Path, content: str) -> None:
    home.mkdir()
    (home / FILE).write_text(content)
    with pytest.raises(UsageError, match=r"settings\.toml"):
        Settings.load({}, home=home)


def test_settings_are_kept_beside_others(home: Path) -> None:
    home.mkdir()
    keep(home, policy="developer")
    keep(home, owner='ada "the" first')
    loaded = Settings.load({}, home=home)
    assert (loaded.policy, loaded.owner) == ("developer", 'ada "the" first')
