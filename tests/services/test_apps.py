"""Apps: the syscalls their code makes, what they may not, and the app `social` as a person uses it."""

import asyncio
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from talk_desk import Desk, open_desk

from llmasos.core.base.paths import shipped
from llmasos.core.engine.scripted import Replies
from llmasos.core.kernel.policy import Policy, Rule
from llmasos.core.kernel.process import Process
from llmasos.core.kernel.sandbox import PluginHost
from llmasos.services.apps import Apps

MANIFEST = """
name = "{name}"
version = "1.0"
description = "For a test"
author = "A Tester"
license = "Apache-2.0"
isolation = "worker"

[capabilities]
syscalls = {syscalls}
"""

ASKS = """
from llmasos.sdk import TrapError, ToolError, syscall, trap

@syscall(effect="read")
def open(request: str = "") -> str:
    "Open."
    name, _, text = request.partition(" ")
    try:
        return repr(trap(name, **({"text": text} if text else {})))
    except TrapError as error:
        return f"{error.code}: {error.what}"

@syscall(effect="read")
def say(line: str) -> str:
    "Say."
    while line == "for ever":
        trap("memory.recall", query="x")
    return str(trap("memory.recall", query=line)["items"][0]["ref"])
"""

Open = Callable[..., "asyncio.Future[Apps]"]
LONG = " ".join(f"Sentence number {n} is here." for n in range(300))


async def install(desk: Desk, folder: Path, trusted: Path | None = None) -> tuple[PluginHost, list[str]]:
    host = PluginHost(kind="app", trusted=trusted)
    apps = Apps(host)
    loaded = await host.load([folder])
    for app in host.plugins:
        apps.enter(app.name, [row for row in loaded.rows if row.plugin == app.name])
    desk.kernel.table.add_service(apps)
    return host, list(map(str, loaded.problems))


def write(folder: Path, name: str = "asks", syscalls: str = '["memory.*"]', code: str = ASKS) -> Path:
    place = folder / name
    place.mkdir(parents=True)
    (place / "app.toml").write_text(MANIFEST.format(name=name, syscalls=syscalls))
    (place / "app.py").write_text(textwrap.dedent(code))
    return folder


@pytest.fixture
async def asks(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk with an app that makes whatever syscall it is told, and was granted `memory.*`."""
    with open_desk(tmp_path) as desk:
        folder = write(tmp_path / "apps")
        host, problems = await install(desk, folder, trusted=folder)
        assert problems == []
        yield desk
        await host.close()


async def asked(desk: Desk, request: str) -> str:
    return str((await desk.ok("app.open", name="asks", request=request))["text"])


# -- the syscalls of an app


async def test_it_makes_the_syscalls_it_was_granted(asks: Desk) -> None:
    await asks.ok("memory.remember", text="The key is under the pot.")
    assert "under the pot" in await asked(asks, "memory.recall") or "EINVAL" in await asked(asks, "memory.recall")
    answer = await asks.ok("app.say", name="asks", line="where is the key")
    assert answer["text"] == "The key is under the pot."


async def test_it_makes_no_others(asks: Desk) -> None:
    assert await asked(asks, "files.list") == "EACCES: asks may not call files.list."


async def test_policy_decides_about_the_app_not_about_the_person(asks: Desk) -> None:
    # The person may remember; the app may only look, for no rule lets apps write into memory.
    assert (await asked(asks, "memory.remember A fact.")).startswith("EACCES: memory.remember is denied by the rule")
    asks.kernel.policy = Policy(
        "apps-may", (*asks.kernel.policy.rules, Rule("apps", "allow", subject=("app:asks",), syscall=("memory.*",)))
    )
    assert "A fact." in await asked(asks, "memory.remember A fact.")
    entry = asks.kernel.journal.last_undoable("ada", str(asks.session.workspace))
    assert entry is not None
    assert (entry.call["syscall"], entry.by) == ("memory.remember", "app")  # undo knows who did it


async def test_what_asks_asks_the_person(asks: Desk) -> None:
    asks.kernel.policy = Policy(
        "asks", (*asks.kernel.policy.rules, Rule("ask", "ask", subject=("app:*",), syscall=("memory.remember",)))
    )
    assert "A fact." in await asked(asks, "memory.remember A fact.")
    assert asks.person.consents == [{"text": "A fact."}]
    asks.person.yes = False
    assert "you said no" in await asked(asks, "memory.remember Another.")


async def test_one_that_never_stops_asking_is_stopped(asks: Desk) -> None:
    await asks.ok("app.open", name="asks", request="memory.recall")
    result = await asks.do("app.say", name="asks", line="for ever")
    assert result.error == "EIO"
    assert "more than 100 syscalls" in result.message
    await asks.ok("memory.remember", text="The key is under the pot.")
    assert (await asks.ok("app.say", name="asks", line="key"))["text"] == "The key is under the pot."


async def test_an_error_that_the_app_lets_pass_is_the_persons(asks: Desk) -> None:
    await asks.ok("app.open", name="asks", request="memory.recall")
    result = await asks.do("app.say", name="asks", line="nothing is kept")
    assert not result.ok


async def test_a_strangers_app_is_granted_nothing(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        _, problems = await install(desk, write(tmp_path / "apps"), trusted=shipped("apps"))
        assert len(problems) == 1
        assert "The app asks isn't loaded: It asks for what it wasn't granted: syscalls memory.*." in problems[0]
        assert "'llmasos app grant asks' shows it and asks." in problems[0]


@pytest.mark.parametrize("syscalls", ['"room.*"', "[1]", "{}"])
async def test_a_capability_that_is_no_list(tmp_path: Path, syscalls: str) -> None:
    with open_desk(tmp_path) as desk:
        folder = write(tmp_path / "apps", syscalls=syscalls)
        _, (problem,) = await install(desk, folder, trusted=folder)
        assert "are no list of names" in problem


async def test_outside_a_call_there_is_no_door() -> None:
    from llmasos.sdk import TrapError, trap

    with pytest.raises(TrapError, match="can't be called here"):
        trap("files.list")


# -- social


class Social:
    """A person in the app."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def open(self, request: str = "") -> str:
        return str((await self.desk.ok("app.open", name="social", **({"request": request} if request else {})))["text"])

    async def say(self, line: str) -> str:
        return str((await self.desk.ok("app.say", name="social", line=line))["text"])

    def process(self) -> Process:
        process = self.desk.kernel.processes.find("app", "social")
        assert process
        return process


async def enter(tmp_path: Path, replies: Replies = ("Fine.",)) -> AsyncIterator[Social]:
    with open_desk(tmp_path, replies) as desk:
        host, problems = await install(desk, shipped("apps"), trusted=shipped("apps"))
        assert problems == []
        yield Social(desk)
        await host.close()


@pytest.fixture
async def social(tmp_path: Path) -> AsyncIterator[Social]:
    async for one in enter(tmp_path):
        yield one


@pytest.fixture
async def talkative(tmp_path: Path) -> AsyncIterator[Social]:
    async for one in enter(tmp_path, [LONG]):
        yield one


async def test_nobody_to_talk_with(social: Social) -> None:
    assert "There is nobody to talk with yet." in await social.open()


async def test_few_come_in_by_themselves_of_many_those_who_are_named(social: Social) -> None:
    for name in ("Alice", "Bram"):
        await social.desk.ok("character.create", name=name)
    assert (await social.open()).startswith("Alice and Bram are here.")
    for name in ("Cleo", "Dora", "Emil"):
        await social.desk.ok("character.create", name=name)
    assert (await social.open("with Emil")).startswith("Alice, Bram and Emil are here.")


async def test_a_talk(social: Social) -> None:
    for name in ("Alice", "Bram", "Cleo", "Dora"):
        await social.desk.ok("character.create", name=name)
    assert (await social.open()).startswith("The room is empty. Who should come in?")
    assert "Nobody is here to talk with" in await social.say("Hello!")
    assert await social.say("invite Alice and Bram") == "Alice comes in. Bram comes in."
    assert await social.say("请Cleo进来。") == "Cleo comes in."
    assert await social.say("who is here?") == "Alice, Bram and Cleo are here."
    assert await social.say("Bram, how is the sea?") == "Bram: Fine."
    assert await social.say("send Bram out") == "Bram goes out."
    assert len((await social.say("go on")).splitlines()) == 3
    # What only looks like an order is said.
    assert "goes out" not in await social.say("send the letter out")
    assert "Alice" in await social.say("Alice, who is here with you all the time?")
    assert social.desk.person.streamed.count("Bram: Fine.") == 1


async def test_what_is_said_next_overtakes_through_the_app(talkative: Social) -> None:
    desk = talkative.desk
    for name in ("Alice", "Bram"):
        await desk.ok("character.create", name=name)
    await talkative.open()
    first = asyncio.create_task(talkative.say("Hello everyone!"))
    await desk.person.heard.wait()
    second = asyncio.create_task(talkative.say("Bram, be quiet now."))
    third = asyncio.create_task(talkative.say("who is here"))
    said = await first
    assert "Sentence number 0" in said
    assert "Sentence number 299" not in said
    assert "Bram:" not in said
    await second  # heard, and answered by nobody: the third had come already
    assert await third == "Alice and Bram are here."
    remembered = (await desk.ok("character.show", name="Bram"))["fields"]["remembers"]
    assert "ada: Bram, be quiet now." in remembered
    assert not talkative.process().attention.is_set()


async def test_closed_while_they_talk(talkative: Social) -> None:
    desk = talkative.desk
    await desk.ok("character.create", name="Alice")
    await talkative.open()
    talking = asyncio.create_task(desk.do("app.say", name="social", line="Hello!"))
    await desk.person.heard.wait()
    await desk.ok("app.close", name="social")
    assert (await talking).error == "ECANCELED"
    assert await desk.error("app.say", name="social", line="Hello?") == "ENOENT"
    assert "Sentence number 0" in (await desk.ok("character.show", name="Alice"))["fields"]["remembers"]


async def test_only_who_converses_is_talked_with(social: Social) -> None:
    opened = await social.desk.ok("app.open", name="guide")
    assert opened["converses"] is False
    assert await social.desk.error("app.say", name="guide", line="Hello!") == "ENOTSUP"
