"""A model on a server, as a person meets it: what is said of it, where, and before a word has left."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from llmasos.cli import main
from llmasos.compose import Machine, compose
from llmasos.core.base.errors import ModelError
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.engine.base import Engine
from llmasos.core.engine.openai.engine import OpenAIEngine
from llmasos.core.engine.sources import LlamaEngines, ScriptedEngines
from llmasos.shell import greeting
from llmasos.shell.doctor import _server
from llmasos.shell.models import show_models
from llmasos.shell.toolbar import Toolbar
from llmasos.shell.top_view import Overview
from tests.openai_server import ScriptedServer, answers, says, served, served_aside
from tests.seat import Person
from tests.shell.stage import staged
from tests.shell.test_top import SYSTEM, drawn
from tests.shell.test_views import shown

AWAY = "openai:https://api.example.com/v1/org/big"


def settings(home: Path, model: str, **more: Any) -> Settings:
    return Settings(home=home, owner="ada", seed=1, model=model, **more)


def info(server: ScriptedServer, capsys: pytest.CaptureFixture[str], said: str = "") -> tuple[int, dict[str, str]]:
    code = main(["model", "info", said or server.said, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_model_info_tells_where_words_go_and_whether_it_is_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("LLMASOS_HOME", str(home))
    monkeypatch.setenv("LLMASOS_OPENAI_KEY", "sk-secret")
    with served_aside(models=["tiny", "large"]) as server:
        code, told = info(server, capsys)
        assert code == 0
        assert told == {
            "name": "tiny",
            "server": f"http://127.0.0.1:{server.port}/v1",
            "words": f"words are made by another program on this machine (127.0.0.1:{server.port}), with what you ask, "
            "texts to be summarized or translated, and all that characters are, hear and remember, private things too",
            "key": "LLMASOS_OPENAI_KEY",
            "state": "It answers, and has the model.",
        }
        code, told = info(server, capsys, server.said.replace("tiny", "huge"))
        assert (code, told["state"]) == (1, "It has no huge; it has: tiny, large.")
        code, told = info(server, capsys, server.said.removesuffix("/tiny"))
        assert told["state"] == "It has: tiny, large."
    code, told = info(server, capsys)
    assert code == 1 and "can't be reached: connection refused" in told["state"]
    assert "sk-secret" not in str(told)
    assert server.requests == []


def test_a_server_without_a_list_may_have_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with served_aside(models=[]) as server:
        assert show_models(settings(home, server.said), "info", as_json=False) == 0
    assert "It answers, and lists no models." in capsys.readouterr().out


def test_model_list_has_the_one_in_use(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with served_aside() as server:
        assert show_models(settings(home, server.said), "list", as_json=True) == 0
    assert [row.get("server", "") for row in json.loads(capsys.readouterr().out)] == ["", server.address.base]


async def test_the_doctor_looks(home: Path, tmp_path: Path) -> None:
    async with served() as server:
        assert [(f.what, f.state) for f in await _server(settings(home, server.said))] == [
            ("model", "ok"), ("words", "ok"), ("server key", "ok"),
        ]  # fmt: skip
        missing = settings(home, server.said.replace("tiny", "huge"))
        assert (await _server(missing))[0].state == "broken"
    gone = await _server(settings(home, server.said))
    assert gone[0].state == "broken" and "can't be reached" in gone[0].detail
    (broken,) = await _server(settings(home, server.said, openai_key_file=str(tmp_path / "none")))
    assert broken.state == "broken" and "key file" in broken.detail


def test_a_wrong_address_or_key_is_told_before_anything_is_typed(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="names no model"):
        LlamaEngines(settings(home, "openai:http://localhost:1"), None)
    with pytest.raises(ModelError, match="key file"):
        LlamaEngines(settings(home, AWAY, openai_key_file=str(tmp_path / "none")), None)
    with pytest.raises(ModelError, match="can't interpret: programs are decoded under a grammar"):
        LlamaEngines(settings(home, "smollm2", interpreter_model=AWAY), None)


async def test_the_speaker_comes_from_the_server_without_asking_it(home: Path) -> None:
    async with served() as server:
        engine = await LlamaEngines(settings(home, server.said), None).speech()
        assert isinstance(engine, OpenAIEngine) and engine.name == "tiny"
        assert (server.requests, server.asked_models) == ([], 0)
        await engine.shutdown()


class Engines(ScriptedEngines):
    """The model that talks from the settings, the one that interprets by script."""

    def __init__(self, chosen: Settings) -> None:
        super().__init__()
        self._real = LlamaEngines(chosen, None)

    async def speech(self) -> Engine:
        return await self._real.speech()


@asynccontextmanager
async def machine_with(chosen: Settings) -> AsyncIterator[Machine]:
    machine = await compose(chosen, engines=Engines(chosen))
    try:
        yield machine
    finally:
        await machine.close()


async def test_a_whole_system_says_where_words_go(home: Path, workspace: Path) -> None:
    async with served(says("Because of the sun.")) as server, machine_with(settings(home, server.said)) as machine:
        told = server.address.told
        assert machine.problems[0] == told
        process, session = machine.session(workspace, Person())
        answer = await machine.kernel.trap(process, session, Call("assistant.answer", {"question": "Why is it warm?"}))
        assert answer.value["text"] == "Because of the sun."
        status = (await machine.kernel.trap(process, session, Call("system.status"))).value["fields"]
        assert status["words"] == server.address.whither
        assert status["speech"]["prefix hits %"] == 0


async def test_runs_of_a_server_are_not_recorded(home: Path, workspace: Path) -> None:
    async with served() as server, machine_with(settings(home, server.said, record=True)) as machine:
        assert "What a server writes can't be replayed, so it isn't recorded." in machine.problems
        process, session = machine.session(workspace, Person())
        await machine.kernel.trap(process, session, Call("assistant.answer", {"question": "Why?"}))
        replayed = await machine.kernel.trap(process, session, Call("system.replay"))
        assert replayed.value["items"] == []


async def test_it_is_on_record_that_words_leave(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = settings(home, AWAY)
    async with machine_with(chosen) as machine:
        assert machine.problems[0].startswith("Words leave this machine: they go to api.example.com. org/big there is")
    from llmasos.shell.audit import run_audit

    assert run_audit(chosen, "show", as_json=False) == 0
    assert "Words leave this machine: they go to api.example.com" in capsys.readouterr().out


def test_the_greeting_does_not_claim_to_be_offline() -> None:
    first = shown(greeting.first(Path("/srv/files"), "en", "api.example.com"), width=120)
    assert "offline" not in first and "answers and talk come from api.example.com" in first
    assert "api.example.com" in shown(greeting.first(Path("/srv/files"), "zh", "api.example.com"), width=120)
    again = shown(greeting.again(Path("/srv/files"), "api.example.com"))
    assert again == "llmasos · files in /srv/files · words by api.example.com · '?' helps"


async def test_toolbar_and_top_name_the_host(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.slot.ready.set()
        await stage.slot.get()
        vars(stage.client.machine.settings)["model"] = AWAY
        assert Toolbar(stage.client)().startswith(" org/big at api.example.com")
    lines = drawn(Overview({**SYSTEM, "model": AWAY}, []), 120)
    assert lines[0].startswith("org/big at api.example.com  ·  policy default")


def test_a_key_is_no_setting(home: Path) -> None:
    home.mkdir()
    (home / "settings.toml").write_text('openai_key = "sk-secret"\n')
    with pytest.raises(Exception, match="There is no setting openai_key") as caught:
        Settings.load({}, home=home)
    assert "sk-secret" not in str(caught.value)


async def test_a_server_that_fails_is_no_model_that_failed(home: Path, workspace: Path) -> None:
    plays = (answers(401, ""), says("Now I may."))
    async with served(*plays) as server, machine_with(settings(home, server.said)) as machine:
        process, session = machine.session(workspace, Person())
        ask = Call("assistant.answer", {"question": "Why?"})
        assert "wants a key" in (await machine.kernel.trap(process, session, ask)).message
        assert (await machine.kernel.trap(process, session, ask)).ok, "nothing has to be started again"
