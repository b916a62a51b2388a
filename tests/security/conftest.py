"""What the tests by items of the OWASP list share: a person, a model that acts for them, and plugins by strangers.

The system is whole; models are scripts, so that they do just what an attacker could get one to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmasos.compose import compose
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call, Result
from llmasos.core.engine.scripted import Replies
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.agent import Agent
from tests.seat import Person, Programs, Seat, reader

MANIFEST = """\
name = "{name}"
version = "1.0"
description = "For a test"
author = "A Stranger"
license = "MIT"
isolation = "worker"

[capabilities]
{asks}
"""


class Acting:
    """A model that acts for a person, and believes all that it reads."""

    def __init__(self, seat: Seat, said: str) -> None:
        self._seat = seat
        self.agent = Agent(seat.machine.kernel, seat.process, seat.session, said)

    def call(self, syscall: str, /, **args: Any) -> Result:
        """Make one call."""
        return self._seat.wait(self.agent.call(Call(syscall, args)))

    def close(self) -> None:
        self._seat.wait(self.agent.close())


Begin = Callable[[str], Acting]


@pytest.fixture
def begin(seat: Seat) -> Begin:
    """Lets a model begin to act for the person at `seat`, who says no to all questions."""
    seat.person.answer = "no"
    return lambda said: Acting(seat, said)


Open = Callable[..., Seat]


@pytest.fixture
def open_seat(tmp_path: Path) -> Iterator[Open]:
    """Opens a person's seat at a system of the test's own: with a policy, with scripts for its models."""
    runner = asyncio.Runner()
    opened: list[Seat] = []

    def make(*, policy: str = "default", programs: Programs | None = None, says: Replies = ("All right.",)) -> Seat:
        workspace = tmp_path / "desk"
        workspace.mkdir(exist_ok=True)
        engines = ScriptedEngines(says=says, reads=reader(programs or {}))
        settings = Settings(home=tmp_path / "state", owner="ada", seed=1, policy=policy)
        machine = runner.run(compose(settings, engines=engines))
        opened.append(Seat(machine, runner, workspace, Person()))
        return opened[-1]

    yield make
    for seat in opened:
        runner.run(seat.machine.close())
    runner.close()


def plugin(top: Path, name: str, code: str, *, asks: str = "") -> Path:
    """A plugin's folder."""
    place = top / name
    place.mkdir(parents=True)
    (place / "plugin.toml").write_text(MANIFEST.format(name=name, asks=asks))
    (place / "plugin.py").write_text(code)
    return place
