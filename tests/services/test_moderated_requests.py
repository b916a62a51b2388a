"""The whole system: the level comes from the policy, a person in a crisis isn't read as giving an order, jobs keep labels."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmasos.compose import Machine, compose
from llmasos.core.base.clock import MockClock
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.policy import Moderation
from llmasos.core.kernel.session import Nobody
from tests.seat import reader

RUDE, GRAVE = "You are such an idiot.", "You should just kill yourself."
STORY = "write a story about a lamp"
READS = {STORY: [("content.write", {"kind": "story", "topic": "a lamp"})]}


async def composed(home: Path, policy: str) -> Machine:
    settings = Settings(home=home, owner="ada", seed=1, policy=policy)
    engines = ScriptedEngines(says=[f"It shone. {RUDE} {GRAVE}"], reads=reader(READS))
    return await compose(settings, engines=engines)


async def say(machine: Machine, workspace: Path, line: str) -> Any:
    process, session = machine.session(workspace, Nobody(yes=True))
    return await machine.requests.handle(process, session, line)


@pytest.fixture
async def closing() -> AsyncIterator[list[Machine]]:
    machines: list[Machine] = []
    yield machines
    for machine in machines:
        await machine.close()


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ("developer", f"It shone. {RUDE} {GRAVE}"),
        ("default", f"It shone. {RUDE} [held back: about self-harm; it ends here]"),
        ("readonly", f"It shone. {RUDE} [held back: about self-harm; it ends here]"),
        ("child", "It shone. [held back: an insult] [held back: about self-harm; it ends here]"),
        ("kiosk", "It shone. [held back: an insult] [held back: about self-harm; it ends here]"),
    ],
)
async def test_each_policy_has_its_level(
    home: Path, workspace: Path, closing: list[Machine], policy: str, text: str
) -> None:
    machine = await composed(home, policy)
    closing.append(machine)
    (result,) = (await say(machine, workspace, STORY)).results
    assert result.value["text"] == text
    seen = "shows" in result.value["note"]
    assert seen == (policy in ("default", "readonly"))


async def test_a_file_of_ones_own_can_loosen_the_default_and_not_the_childs(
    home: Path, workspace: Path, closing: list[Machine]
) -> None:
    levels: dict[str, Moderation] = {}
    (home / "policies").mkdir(parents=True)
    for policy in ("default", "child"):
        (home / "policies" / f"{policy}.toml").write_text('moderation = "off"\n')
        machine = await composed(home, policy)
        levels[policy] = machine.kernel.policy.moderation
        await machine.close()
    assert levels == {"default": "off", "child": "strict"}


async def test_a_person_in_a_crisis_is_not_read_as_giving_an_order(
    home: Path, workspace: Path, closing: list[Machine]
) -> None:
    machine = await composed(home, "default")
    closing.append(machine)
    process, session = machine.session(workspace, Nobody(yes=True))
    outcome = await machine.requests.handle(process, session, "I want to kill myself")
    (result,) = outcome.results
    assert result.call.syscall == "assistant.answer" and result.value["source"] == "system"
    assert result.value["text"].startswith("This is the program speaking")
    after = await machine.requests.handle(process, session, "there is no point any more")
    assert after.results[0].value["text"] == result.value["text"]


async def test_a_written_call_stays_one(home: Path, workspace: Path, closing: list[Machine]) -> None:
    machine = await composed(home, "default")
    closing.append(machine)
    outcome = await say(machine, workspace, "memory.remember 'I want to die was the last line of the play'")
    assert outcome.results[0].call.syscall == "memory.remember"


async def test_what_was_held_back_goes_when_something_is_erased_for_good(
    home: Path, workspace: Path, closing: list[Machine]
) -> None:
    machine = await composed(home, "default")
    closing.append(machine)
    await say(machine, workspace, STORY)
    assert len((await say(machine, workspace, "safety.show")).results[0].value["items"]) == 1
    await say(machine, workspace, "memory.remember 'the lamp is blue'")
    await say(machine, workspace, "memory.forget lamp")
    assert (await say(machine, workspace, "safety.show")).results[0].value["items"] == []


async def test_a_change_of_the_level_holds_while_it_runs(home: Path, workspace: Path, closing: list[Machine]) -> None:
    clock = MockClock(datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
    (home / "policies").mkdir(parents=True)
    engines = ScriptedEngines(says=[RUDE], reads=reader(READS))
    machine = await compose(Settings(home=home, owner="ada", seed=1), engines=engines, clock=clock)
    closing.append(machine)
    told: list[Any] = []
    machine.bell.add(told.append)
    assert (await say(machine, workspace, STORY)).results[0].value["text"] == RUDE
    (home / "policies" / "default.toml").write_text('moderation = "strict"\n')
    clock.advance(2)
    assert "held back" in (await say(machine, workspace, STORY)).results[0].value["text"]
    assert any("Moderation is strict now." in str(note) for note in told)
