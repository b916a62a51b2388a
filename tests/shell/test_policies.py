"""`llmasos policy` and `llmasos consents` on the command line: what they print, and with which exit code they end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmasos.cli import main
from llmasos.client import Client, attach
from llmasos.core.base.paths import shipped
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.policy import Policy
from llmasos.core.kernel.session import Lasting
from llmasos.shell import seat
from tests.seat import Person, reader

LAMPS = """\
[[rule]]
id = "lamps"
syscall = ["device.turn_on"]
args = { name = "desk lamp" }
decision = "allow"
"""


@pytest.fixture(autouse=True)
def at_home(home: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    real = seat.attach

    async def scripted(*args: Any, **named: Any) -> Client:
        engines = ScriptedEngines(reads=reader({"turn on the desk lamp": [("device.turn_on", {"name": "desk lamp"})]}))
        return await real(*args, **named, engines=engines)

    monkeypatch.setattr(seat, "attach", scripted)
    monkeypatch.setenv("LLMASOS_HOME", str(home))
    monkeypatch.setenv("LLMASOS_OWNER", "ada")
    monkeypatch.chdir(workspace)
    yield


@pytest.fixture
def own(home: Path) -> Path:
    """The person's own rules over the bundled `default`."""
    path = home / "policies" / "default.toml"
    path.parent.mkdir(parents=True)
    path.write_text(LAMPS)
    return path


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_list(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own.parent / "mine.toml").write_text("description = 'My own.'\n[[rule]]\nid = 'a'\ndecision = 'maybe'\n")
    assert main(["policy"]) == 0
    lines = told(capsys).splitlines()
    rules = len(Policy.load(shipped("policies") / "default.toml").rules)
    at = lines.index(next(line for line in lines if line.startswith("* default ")))
    assert lines[at].split()[:4] == ["*", "default", "bundled", str(rules)]
    assert lines[at + 2].split() == ["user", "1", "rule", str(own)]
    mine = lines.index(next(line for line in lines if line.startswith("  mine ")))
    assert "1 mistake:" in lines[mine] and lines[mine + 1].strip() == "My own."
    assert lines[-1] == "* is what a start takes; no kernel runs."
    assert main(["policy", "list", "--json", "--policy", "kiosk"]) == 0
    found = json.loads(told(capsys))
    assert found["active"] == "kiosk" and not found["running"]
    assert [policy["name"] for policy in found["policies"]] == [
        "agent", "child", "default", "developer", "kiosk", "mine", "readonly",
    ]  # fmt: skip
    assert [file["tier"] for file in found["policies"][2]["files"]] == ["user", "bundled"]


def test_list_says_what_the_kernel_that_runs_goes_by(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    admin = tmp_path / "admin.toml"
    admin.write_text("[[rule]]\nid = 'a'\ndecision = 'deny'\nsyscall = ['device.*']\n")
    monkeypatch.setenv("LLMASOS_ADMIN_POLICY", str(admin))

    async def meanwhile() -> int:
        running = await attach(
            Settings(home=home, owner="ada", policy="kiosk"), tmp_path, Person(), engines=ScriptedEngines()
        )
        try:
            return await asyncio.to_thread(main, ["policy", "list"])
        finally:
            await running.close()

    assert asyncio.run(meanwhile()) == 0
    lines = told(capsys).splitlines()
    assert any(line.startswith("* kiosk") for line in lines) and lines[-1] == "* is in force."
    assert any(line.split()[:3] == ["above", "all", "admin"] for line in lines)


@pytest.mark.parametrize("named", [[], ["default"], ["FILE"]])
def test_check_names_each_mistake(own: Path, capsys: pytest.CaptureFixture[str], named: list[str]) -> None:
    said = [str(own) if word == "FILE" else word for word in named]
    assert main(["policy", "check", *said]) == 0
    assert "BROKEN" not in told(capsys)
    own.write_text(LAMPS + "[[rule]]\nid = 'x'\ndecision = 'maybe'\nefect = ['read']\n")
    assert main(["policy", "check", *said]) == 1
    out = told(capsys)
    assert f"BROKEN user       1 rule   {own}" in out
    assert f"Rule x of {own}, line 6, needs an id and a decision." in out and "unknown key 'efect'" in out
    assert main(["--json", "policy", "check", *said]) == 1
    found = json.loads(told(capsys))
    assert [mistake["line"] for mistake in found["files"][0]["mistakes"]] == [6, 6] and not found["ok"]


@pytest.mark.parametrize("named", ["nosuch", "nosuch.toml"])
def test_check_of_what_is_not_there(named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "check", named]) == 2
    assert "nosuch" in capsys.readouterr().err


def test_check_wonders_about_what_nobody_may_mean(own: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own.write_text(
        "[[rule]]\nid = 'all'\ndecision = 'allow'\n"
        "[[rule]]\nid = 'typo'\nsyscall = ['memory.forgt', 'device.*']\ndecision = 'deny'\n"
    )
    assert main(["policy", "check"]) == 0
    assert "The rule 'all'" in (out := told(capsys)) and "without a question" in out and "forgt" not in out

    async def meanwhile() -> int:  # a kernel that runs knows which syscalls there are
        running = await attach(Settings(home=home), home, Person(), engines=ScriptedEngines())
        try:
            return await asyncio.to_thread(main, ["policy", "check"])
        finally:
            await running.close()

    assert asyncio.run(meanwhile()) == 0
    out = told(capsys)
    assert "'memory.forgt', which is no syscall here. Did you mean memory.forget?" in out and "'device.*'" not in out


def test_explain_a_sentence_and_a_call(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for said in ("turn on the desk lamp", "device.turn_on desk lamp"):
        assert main(["policy", "explain", said]) == 0
        out = told(capsys)
        assert "device.turn_on name='desk lamp'  (external, by user:ada)" in out
        assert f"ALLOW  by the rule 'lamps' of the user tier, {own}:1" in out
        assert "bundled  ask    ask-external  loses: the user tier is above" in out
        assert "bundled  allow  reads  no: the effect is external, not read" in out
    assert main(["policy", "explain", "files.delete path=a.txt", "--as", "app:social", "--json"]) == 0
    (call,) = json.loads(told(capsys))["calls"]
    assert (call["verdict"], call["rule"], call["tier"]) == ("deny", "no-rule", "") and "a.txt" in call["unresolved"]
    assert not any(rule["matched"] for rule in call["rules"])


def test_explain_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "explain"]) == 2
    assert main(["policy", "explain", "process.kill pid=x"]) == 1
    assert main(["policy", "explain", "   "]) == 2


def test_consents(home: Path, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def agree() -> None:
        settings = Settings(home=home, owner="ada")
        client = await attach(settings, workspace, Person(Lasting()), engines=ScriptedEngines())
        try:
            assert (await client.trap(Call("device.turn_on", {"name": "desk lamp"}))).ok
        finally:
            await client.close()

    assert main(["consents"]) == 0 and "Nothing was consented" in told(capsys)
    asyncio.run(agree())
    assert main(["consents"]) == 0
    assert told(capsys) == "  1  device.turn_on name='desk lamp'  always\n"
    assert main(["consents", "list", "--json"]) == 0
    (held,) = json.loads(told(capsys))
    assert (held["number"], held["subject"], held["pattern"]) == (1, "user:ada", "device.turn_on name='desk lamp'")
    for wrong in ("2", "", "x", "1.0"):
        assert main(["consents", "revoke", wrong]) == 2
    assert main(["consents", "revoke", "1"]) == 0 and told(capsys).startswith("Revoked: device.turn_on")
    assert main(["consents", "--json"]) == 0 and json.loads(told(capsys)) == []
