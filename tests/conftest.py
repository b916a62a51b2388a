"""What all tests share: a home, a workspace, and whole systems in them.

machine        composed with scripts for engines, for asyncio tests
seat           a person at such a machine, for other tests
real_machine   composed once a session with the real default model; `real_seat` is a person at it
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from llmasos.compose import Machine, compose
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import ScriptedEngines
from tests.seat import Seat

# In CI the same examples each time, so that a change is judged by what it changes; elsewhere new ones are looked for.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")

# A run that was started in the background ignores Ctrl-C, and every program that the tests start would too.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def bare_environment() -> Iterator[None]:
    """Neither the settings nor the desktop's keyring of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            ours = name.startswith("LLMASOS_") and name not in ("LLMASOS_CACHE", "LLMASOS_AMX")
            if name == "DBUS_SESSION_BUS_ADDRESS" or ours:
                patch.delenv(name)
        yield


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of all state; not there yet."""
    return tmp_path / "home"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty workspace."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
async def machine(home: Path) -> AsyncIterator[Machine]:
    """A whole system with scripts for engines."""
    built = await compose(Settings(home=home, owner="ada", seed=1), engines=ScriptedEngines())
    yield built
    await built.close()


@pytest.fixture
def seat(home: Path, workspace: Path) -> Iterator[Seat]:
    """A person at a whole system with scripts for engines."""
    with asyncio.Runner() as runner:
        built = runner.run(compose(Settings(home=home, owner="ada", seed=1), engines=ScriptedEngines()))
        yield Seat(built, runner, workspace)
        runner.run(built.close())


@pytest.fixture(scope="session")
def real_runner() -> Iterator[asyncio.Runner]:
    """The loop that `real_machine` lives on."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def real_machine(real_runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A whole system with the default model, shared by all tests that need it."""
    home = tmp_path_factory.mktemp("real") / "home"
    built = real_runner.run(compose(Settings(home=home, owner="ada", seed=1)))
    yield built
    real_runner.run(built.close())


@pytest.fixture
def real_seat(real_machine: Machine, real_runner: asyncio.Runner, workspace: Path) -> Seat:
    """A person with an empty workspace at the shared real system."""
    return Seat(real_machine, real_runner, workspace)
