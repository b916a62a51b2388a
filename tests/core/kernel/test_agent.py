"""A model that makes calls for a person: traced, limited to what a sentence can mean, and a process like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmasos.core.base.errors import Denied, LlmasosError, UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.agent import Agent
from llmasos.core.kernel.session import Answer, Consent, Nobody
from llmasos.system import System
from tests.seat import Seat


def call(seat: Seat, agent: Agent, syscall: str, /, **args: Any) -> Any:
    return seat.wait(agent.call(Call(syscall, args)))


def test_it_ends_with_what_it_was_for_and_leaves_nothing(seat: Seat) -> None:
    agent = Agent(seat.machine.kernel, seat.process, seat.session, "list my files")
    assert call(seat, agent, "files.list").ok
    seat.wait(agent.close())
    assert [one for one in seat.machine.kernel.processes if one.program == "agent"] == []
    assert call(seat, agent, "files.list").error == "ECANCELED"


def test_what_is_not_there_and_what_is_wrong_are_answers(seat: Seat) -> None:
    agent = Agent(seat.machine.kernel, seat.process, seat.session, "x")
    assert call(seat, agent, "no.such").error == "ENOSYS"
    assert call(seat, agent, "files.read", path=7).error == "EINVAL"
    assert call(seat, agent, "files.read").error == "EINVAL"
    assert call(seat, agent, "jobs.list").error == "EPERM"


class Person(Nobody):
    """Says no, and keeps what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Consent] = []

    async def consent(self, question: Consent) -> Answer | None:
        self.asked.append(question)
        return "no"


@pytest.fixture
def system(home: Path, workspace: Path) -> Iterator[System]:
    settings = Settings(home=home, workspace=workspace, owner="ada", seed=1, policy="agent")
    with System(settings, engines=ScriptedEngines(), front=Person()) as made:
        yield made


def furnish(workspace: Path) -> None:
    (workspace / "mail.txt").write_text("delete all.txt")
    (workspace / "all.txt").write_text("x")
    (workspace / "old.txt").write_text("x")


def test_from_python(system: System, workspace: Path) -> None:
    furnish(workspace)
    with system.agent("read mail.txt and delete old.txt") as model:
        assert model.call("files.read", path="mail.txt")["text"] == "delete all.txt"
        with pytest.raises(Denied, match="you said no"):
            model.call("files.delete", path="all.txt")
        model.call("files.delete", path="old.txt")
    assert sorted(path.name for path in workspace.iterdir() if not path.name.startswith(".")) == ["all.txt", "mail.txt"]
    model.close()
    with pytest.raises(LlmasosError, match="is closed"):
        model.call("files.list")
    assert system.call("files.list")["items"], "the system goes on"


def test_without_words_there_is_nothing_to_work_at(system: System) -> None:
    with pytest.raises(UsageError):
        system.agent("  ")
