"""Apps with a model of their own: adapters that a manifest names, and what `model.assign` gives an app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from test_own_models import Desk, Named

from llmasos.compose import Machine, compose
from llmasos.core.base.errors import PluginError
from llmasos.core.base.settings import Settings
from llmasos.core.engine import adapters
from llmasos.core.kernel.sandbox import manifest
from tests.services.task_desk import about, put

MANIFEST = """
name = "{name}"
version = "1.0"
description = "Answers visitors"
author = "A Tester"
license = "Apache-2.0"
isolation = "worker"

[capabilities]
syscalls = ["model.*", "content.write"]

{adapters}
"""
CODE = '''
from llmasos.sdk import TrapError, call, syscall

@syscall(effect="read")
def open(request: str = "") -> str:
    """Answer.

    Args:
        request: What is asked.
    """
    what, _, text = request.partition(" ")
    try:
        if what == "classify":
            return call("model.classify", text=text)["fields"]["label"]
        if what == "generate":
            return call("model.generate", text=text)["text"]
        return call("content.write", kind="poem", topic=text)["text"]
    except TrapError as error:
        return f"{error.code} {error.what} {error.remedy}"
'''


def app(home: Path, name: str, adapters: str = "") -> None:
    folder = home / "apps" / name
    folder.mkdir(parents=True)
    (folder / "app.toml").write_text(MANIFEST.format(name=name, adapters=adapters))
    (folder / "app.py").write_text(CODE)


@pytest.fixture
async def opened(home: Path, workspace: Path) -> AsyncIterator[Desk]:
    """A person with two apps: `desk` names adapters, `other` doesn't."""
    app(home, "desk", '[adapters]\nclassify = "visitors"\ngenerate = "replies"')
    app(home, "other")
    engines = Named()
    machine = await compose(Settings(home=home, owner="ada", seed=1, policy="developer"), engines=engines)
    desk = Desk(machine, workspace, engines)
    for name in ("desk", "other"):
        await desk.ok("plugin.grant", name=name, kind="app")
    yield desk
    await machine.close()


async def asked(desk: Desk, app: str, request: str) -> str:
    return str((await desk.ok("app.open", name=app, request=request))["text"])


def programs(machine: Machine) -> list[str]:
    return sorted({process.program for process in machine.kernel.processes})


async def test_an_app_uses_the_adapters_that_its_manifest_names(opened: Desk, home: Path) -> None:
    put(home, about())
    put(home, about("replies", "generate", labels=[]))
    assert opened.engines.opened == [], "nothing is loaded before it is asked for"
    assert await asked(opened, "desk", "classify which bus goes there?") == "routes"
    assert await asked(opened, "desk", "classify how much is it?") == "prices"
    assert await asked(opened, "desk", "generate the lift is broken") == "Je parle avec smollm2 et replies."
    assert opened.engines.opened == ["smollm2+visitors", "smollm2+replies"], "each once"
    # A person who names the task gets the same one, as it is shared.
    await opened.ok("model.classify", task="visitors", text="which bus?")
    assert len(opened.engines.opened) == 2
    assert programs(opened.machine) == ["app", "init", "shell"]


async def test_nobody_else_gets_them_unasked(opened: Desk, home: Path) -> None:
    put(home, about())
    put(home, about("replies", "generate", labels=[]))
    for kind in ("classify", "generate"):
        assert (await asked(opened, "other", f"{kind} which bus?")).startswith("EINVAL No task was named.")
        assert await opened.error(f"model.{kind}", text="which bus?") == "EINVAL"
    # What the app's processes write otherwise, they write as all do.
    assert "as all speak" in await asked(opened, "desk", "write rain")
    assert opened.engines.opened == []


async def test_one_that_is_missing_or_wrong_is_told(opened: Desk, home: Path) -> None:
    told = await asked(opened, "desk", "classify which bus?")
    assert told.strip() == (
        "ENOENT The manifest of the app desk names the adapter visitors. No task 'visitors' was trained; there are: "
        "none yet. Train it with 'llmasos model train'."
    )
    put(home, about(task="generate", labels=[]))
    told = await asked(opened, "desk", "classify which bus?")
    assert told.startswith("EINVAL The manifest of the app desk names the adapter visitors. visitors doesn't classify.")
    put(home, about("replies", "generate", labels=[], fingerprint="another"))
    told = await asked(opened, "desk", "generate which bus?")
    assert "trained on another file" in told and "Train it again" in told


async def test_an_app_speaks_with_the_model_that_it_was_given(opened: Desk, home: Path) -> None:
    put(home, about("pirate", "generate", labels=[]))
    await opened.ok("model.assign", character="app:desk", model="smollm2+pirate")
    assert "smollm2 et pirate" in await asked(opened, "desk", "write rain")
    assert "as all speak" in await asked(opened, "other", "write rain")
    assert "as all speak" in (await opened.ok("content.write", kind="poem", topic="rain"))["text"]
    await opened.ok("model.assign", character="app:desk", model="default")
    assert "as all speak" in await asked(opened, "desk", "write rain")
    await opened.ok("system.undo")
    assert "smollm2 et pirate" in await asked(opened, "desk", "write rain")


@pytest.mark.parametrize(("who", "model"), [("app:nobody", "smollm2"), ("app:desk", "smollm2+nobody"), ("app:", "x")])
async def test_what_cannot_be_given(opened: Desk, who: str, model: str) -> None:
    assert await opened.error("model.assign", character=who, model=model) == "ENOENT"


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ('adapters = "visitors"', "it is a table"),
        ('[adapters]\nspeak = "visitors"', "unknown task 'speak'"),
        ("[adapters]\nclassify = 5", "the adapter for classify is '5'"),
        ('[adapters]\nclassify = "../../etc"', "the adapter for classify"),
        ('[adapters]\ngenerate = ""', "the adapter for generate"),
    ],
)
def test_manifests_that_name_none(tmp_path: Path, said: str, wrong: str) -> None:
    text = MANIFEST.format(name="desk", adapters=said if said.startswith("[") else "")
    app(tmp_path, "desk")
    (tmp_path / "apps" / "desk" / "app.toml").write_text(text if said.startswith("[") else f"{said}\n{text}")
    with pytest.raises(PluginError) as caught:
        manifest.read(tmp_path / "apps" / "desk", "app")
    assert wrong.casefold() in str(caught.value).casefold()


def test_names_of_adapters_are_the_same_everywhere() -> None:
    assert manifest.ADAPTER.pattern == adapters.NAME.pattern
