"""plugin.*: added after a question, granted, updated, removed; and what a grant lets their code do, and nothing more."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import pytest

from llmasos.compose import Machine, Outside, compose
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call, Result
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.network import Broker, Fetched, Request, Target
from llmasos.core.kernel.policy import Policy, Rule
from llmasos.core.kernel.process import Process, ProcessTable
from llmasos.core.kernel.session import Session
from tests.core.kernel.test_wheels import build, install
from tests.seat import Person

MANIFEST = """\
name = "{name}"
version = "{version}"
description = "For a test"
author = "Ada"
license = "MIT"
isolation = "worker"

[capabilities]
{asks}
"""

DOES = '''
from llmasos.sdk import ToolError, TrapError, call, fetch, folder, syscall

@syscall(effect="read")
def do(what: str, name: str = "", text: str = "") -> object:
    """Do something."""
    try:
        if what == "call":
            return call(name, **({"text": text} if text else {}))
        if what == "fetch":
            got = fetch(name, headers={"X-Key": "1"})
            return [got.url, got.status, got.headers["x-from"], got.text, got.json()]
        if what == "read":
            return sorted(one.name for one in folder(name).iterdir())
        if what == "write":
            (folder(name) / "made.txt").write_text(text)
            return str(folder(name))
        if what == "open":
            return open(name).read()
        if what == "grow":
            return len(bytearray(int(text) << 20))
    except TrapError as error:
        return [error.code, str(error)]
    except ToolError as error:
        return ["told", str(error)]
    except (OSError, MemoryError) as error:
        return [type(error).__name__]
'''

SLOW = """
import time
from llmasos.sdk import syscall, call

@syscall(effect="read")
def nap() -> str:
    "Sleep."
    time.sleep(60)

@syscall(effect="read")
def wait() -> str:
    "Ask for ever."
    while True:
        call("memory.recall", query="x")
"""


def write(top: Path, name: str = "odd", asks: str = "", *, version: str = "1.0", code: str = DOES) -> Path:
    """A plugin's folder."""
    place = top / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "plugin.toml").write_text(MANIFEST.format(name=name, version=version, asks=asks))
    (place / "plugin.py").write_text(code)
    return place


class Web:
    """The network."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, target: Target, addresses: Sequence[str], asked: Request) -> Fetched:
        self.asked.append((str(target), asked.headers.get("X-Key", "")))
        if target.path == "/away":
            return Fetched("", 302, {"location": "https://other.example.org/"}, b"")
        return Fetched(str(target), 200, {"x-from": "web", "content-type": "text/plain"}, b'"gr\xc3\xbc\xc3\x9fe"')


@dataclass
class Desk:
    """A person at a system, which can be started again."""

    top: Path
    machine: Machine
    web: Web
    person: Person = field(default_factory=Person)

    def __post_init__(self) -> None:
        self.process, self.session = self.machine.session(self.top / "workspace", self.person)

    async def do(self, syscall: str, session: Session | None = None, **args: Any) -> Result:
        return await self.machine.kernel.trap(self.process, session or self.session, Call(syscall, args))

    async def ok(self, syscall: str, **args: Any) -> Any:
        result = await self.do(syscall, **args)
        assert result.ok, result
        return result.value

    async def error(self, syscall: str, **args: Any) -> str:
        result = await self.do(syscall, **args)
        assert not result.ok, result
        return f"{result.error}: {result.message}"

    async def add(self, place: Path) -> Any:
        return await self.ok("plugin.add", path=str(place))

    async def standing(self, name: str) -> dict[str, Any]:
        (row,) = [row for row in (await self.ok("plugin.list"))["items"] if row["name"] == name]
        return row  # type: ignore[no-any-return]

    def allow(self, *rules: Rule) -> None:
        policy = self.machine.kernel.policy
        self.machine.kernel.policy = Policy("test", (*policy.rules, *rules))


Open = Callable[..., Any]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Starts the system of one home."""
    for folder in ("workspace", "person"):
        (tmp_path / folder).mkdir()

    @asynccontextmanager
    async def open_desk(
        person: Path = tmp_path / "person", broker: Broker | None = None, **settings: Any
    ) -> AsyncIterator[Desk]:
        async def resolve(host: str, port: int) -> Sequence[str]:
            return ["93.184.215.14"]

        web = Web()
        machine = await compose(
            Settings(home=tmp_path / "home", owner="ada", seed=1, **settings),
            engines=ScriptedEngines(),
            outside=Outside(broker or Broker(resolve=resolve, ask=web), person),
        )
        try:
            yield Desk(tmp_path, machine, web)
        finally:
            await machine.close()

    return open_desk


@pytest.fixture
async def desk(opened: Open) -> AsyncIterator[Desk]:
    async with opened() as desk:
        yield desk


# -- adding


async def test_it_is_shown_then_added_and_stays(opened: Open, tmp_path: Path) -> None:
    place = write(tmp_path / "made", asks='hosts = ["api.example.org"]\nsyscalls = ["memory.recall"]\nmemory = 600')
    async with opened() as desk:
        assert (await desk.add(place))["message"] == "Added odd 1.0: odd.do."
        (question,) = desk.person.consents
        assert question.shown == {
            "path": str(place), "kind": "plugin", "name": "odd", "version": "1.0", "about": "For a test", "author": "Ada (MIT)",
            "network": "api.example.org", "syscalls": "memory.recall", "memory": "600 MiB",
        }  # fmt: skip
        assert question.effect == "final", "asks every time, whatever was said before"
        assert (await desk.ok("odd.do", what="fetch", name="https://api.example.org/x"))[1] == 200
    shutil.rmtree(place)
    async with opened() as desk:
        assert desk.machine.problems == []
        row = await desk.standing("odd")
        assert (row["from"], row["state"]) == ("home", "loaded")
        assert row["may"] == "network api.example.org; syscalls memory.recall; memory 600 MiB"
        assert (await desk.ok("odd.do", what="call", name="memory.recall"))[0] == "EINVAL", "it needs a query"


@pytest.mark.parametrize(("answer", "code"), [("no", "EACCES"), (None, "EAGAIN")])
async def test_without_a_yes_nothing_is_added(desk: Desk, tmp_path: Path, answer: Any, code: str) -> None:
    desk.person.answer = answer
    assert (await desk.error("plugin.add", path=str(write(tmp_path / "made")))).startswith(code)
    assert "odd.do" not in desk.machine.kernel.table
    assert not (tmp_path / "home" / "plugins").exists()
    assert not list((tmp_path / "home").glob(".adding-*"))


async def test_one_that_asks_for_nothing_says_so(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made"))
    assert desk.person.consents[0].shown["asks for"] == "nothing"
    assert (await desk.standing("odd"))["may"] == ""
    assert await desk.ok("odd.do", what="call", name="files.list") == [
        "EACCES", "files.list can't be called from here.",
    ]  # fmt: skip


async def test_a_path_is_read_from_where_the_person_is(desk: Desk) -> None:
    write(desk.session.workspace / "made")
    desk.session.cwd = "made"
    await desk.ok("plugin.add", path="odd")
    assert "odd.do" in desk.machine.kernel.table


async def test_what_changed_between_the_question_and_the_yes(desk: Desk, tmp_path: Path) -> None:
    place = write(tmp_path / "made")

    class Sly(Person):
        async def consent(self, question: Any) -> Any:
            write(tmp_path / "made", asks='hosts = ["evil.example.org"]')
            return "once"

    desk.session.front = Sly()
    assert "it isn't what you agreed to any more" in await desk.error("plugin.add", path=str(place))
    assert "odd.do" not in desk.machine.kernel.table


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f(:", "SyntaxError"),
        ("", "defines no syscall"),
        ("from llmasos.sdk import syscall\n@syscall(effect='read')\ndef f(a): 'F.'", "line 2: f: The parameter a of f has no type"),
    ],
)  # fmt: skip
async def test_a_broken_one_is_not_added(desk: Desk, tmp_path: Path, code: str, said: str) -> None:
    message = await desk.error("plugin.add", path=str(write(tmp_path / "made", code=code)))
    assert message.startswith("EINVAL") and said in message
    assert not (tmp_path / "home" / "plugins").exists()


@pytest.mark.parametrize("name", ["calculator", "files", "plugin", "net", "app"])
async def test_a_taken_name_is_not_added(desk: Desk, tmp_path: Path, name: str) -> None:
    message = await desk.error("plugin.add", path=str(write(tmp_path / "made", name)))
    assert "EEXIST: There is a plugin calculator already" in message or "belongs to the system" in message
    assert await desk.ok("calculator.evaluate", expression="1+1") == "2"


def links(place: Path) -> None:
    (place / "link").symlink_to("/etc/passwd")


def pipes(place: Path) -> None:
    os.mkfifo(place / "pipe")


def many(place: Path) -> None:
    for number in range(2_100):
        (place / f"{number}.txt").touch()


def large(place: Path) -> None:
    with (place / "large").open("wb") as file:
        file.truncate(65 << 20)


@pytest.mark.parametrize("spoil", [links, pipes, many, large])
async def test_files_that_no_plugin_should_have(desk: Desk, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    place = write(tmp_path / "made")
    spoil(place)
    assert (await desk.error("plugin.add", path=str(place))).startswith("EINVAL")
    assert not (tmp_path / "home" / "plugins").exists()


async def test_what_is_hidden_or_made_by_python_stays_behind(desk: Desk, tmp_path: Path) -> None:
    place = write(tmp_path / "made")
    for name in (".git", "__pycache__", "data"):
        (place / name).mkdir()
        (place / name / "file").write_text("x")
    await desk.add(place)
    kept = {path.name for path in (tmp_path / "home" / "plugins" / "odd").iterdir()}
    assert kept == {"plugin.toml", "plugin.py", "data"}


async def test_nothing_but_a_plugin_is_copied(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("words")
    for path, said in (("/", "has neither plugin.toml nor app.toml"), (str(tmp_path / "none"), "No such file"),
                       (str(tmp_path / "text"), "neither a folder nor a wheel"), ("/dev/zero", "neither a folder")):  # fmt: skip
        assert said in await desk.error("plugin.add", path=path)


# -- from wheels and archives


async def test_from_a_wheel_that_is_not_installed(desk: Desk, tmp_path: Path) -> None:
    assert (await desk.add(build(tmp_path / "dist")))["message"] == "Added dice 1.0: dice.roll."
    assert await desk.ok("dice.roll", sides=20) == {"shown": 20, "colour": "red"}
    assert (tmp_path / "home" / "plugins" / "dice" / "plugin.py").is_file()


async def test_from_a_zip_of_the_folder(desk: Desk, tmp_path: Path) -> None:
    write(tmp_path / "made")
    await desk.add(Path(shutil.make_archive(str(tmp_path / "odd"), "zip", tmp_path / "made")))
    assert "odd.do" in desk.machine.kernel.table


@contextmanager
def archive(place: Path) -> Iterator[ZipFile]:
    with ZipFile(place, "w") as made:
        made.writestr("odd/plugin.toml", MANIFEST.format(name="odd", version="1.0", asks=""))
        made.writestr("odd/plugin.py", DOES)
        yield made


async def test_archives_that_lead_out_or_hold_more(desk: Desk, tmp_path: Path) -> None:
    link = ZipInfo("odd/link")
    link.external_attr = 0o120777 << 16
    for number, (name, content) in enumerate(
        [("odd/../../out.txt", "x"), ("odd/a\\b.txt", "x"), (link, "/etc/passwd"), ("other/plugin.toml", "x"),
         ("odd/bomb", b"\0" * (66 << 20))]
    ):  # fmt: skip
        place = tmp_path / f"{number}.zip"
        with archive(place) as made:
            made.writestr(name, content, 8)
        assert (await desk.error("plugin.add", path=str(place))).startswith("EINVAL")
    place.write_bytes(place.read_bytes()[:2000])
    assert "can be read" in await desk.error("plugin.add", path=str(place))
    assert not list(tmp_path.rglob("out.txt"))
    assert not (tmp_path / "home" / "plugins").exists()


async def test_an_installed_wheel_is_granted_disabled_but_not_removed(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    manifest = MANIFEST.format(name="odd", version="1.0", asks='syscalls = ["memory.recall"]')
    install(build(tmp_path, **{"llmasos_dice/plugin.toml": manifest, "llmasos_dice/plugin.py": DOES}), site)
    monkeypatch.syspath_prepend(str(site))
    async with opened() as desk:
        (problem,) = desk.machine.problems
        assert problem == (
            "The plugin odd isn't loaded: It asks for what it wasn't granted: syscalls memory.recall. "
            "'llmasos plugin grant odd' shows it and asks."
        )
        row = await desk.standing("odd")
        assert (row["from"], row["state"]) == ("wheel llmasos-dice", "asks")
        await desk.ok("plugin.grant", name="odd")
        assert desk.person.consents[0].shown["from"] == "wheel llmasos-dice"
        assert (await desk.ok("odd.do", what="call", name="memory.recall"))[0] == "EINVAL", "it needs a query"
        assert "comes with the wheel llmasos-dice" in await desk.error("plugin.remove", name="odd")
        await desk.ok("plugin.disable", name="odd")
        assert "odd.do" not in desk.machine.kernel.table
    async with opened() as desk:
        assert desk.machine.problems == []
        assert (await desk.standing("odd"))["state"] == "off"
        await desk.ok("plugin.enable", name="odd")
        assert "odd.do" in desk.machine.kernel.table


# -- updates, grants and removal


async def test_an_update_that_asks_for_more_shows_what_is_new(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='hosts = ["a.example.org"]'))
    place = write(tmp_path / "made", asks='hosts = ["a.example.org", "b.example.org"]', version="1.1")
    desk.person.answer = "no"
    await desk.error("plugin.add", path=str(place))
    shown = desk.person.consents[-1].shown
    assert (shown["version"], shown["has"], shown["new"]) == (
        "1.0 → 1.1",
        "network a.example.org",
        "network b.example.org",
    )
    assert (await desk.standing("odd"))["version"] == "1.0"
    assert (await desk.ok("odd.do", what="fetch", name="https://a.example.org/"))[1] == 200
    desk.person.answer = "once"
    await desk.add(place)
    assert (await desk.standing("odd"))["version"] == "1.1"
    assert (await desk.ok("odd.do", what="fetch", name="https://b.example.org/"))[1] == 200


async def test_a_manifest_that_was_edited_to_ask_for_more_is_not_loaded(opened: Open, tmp_path: Path) -> None:
    async with opened() as desk:
        await desk.add(write(tmp_path / "made", asks='hosts = ["a.example.org"]'))
    write(tmp_path / "home" / "plugins", asks='hosts = ["a.example.org", "b.example.org"]\npaths.write = ["out"]')
    async with opened() as desk:
        (problem,) = desk.machine.problems
        assert "asks for more than it was granted; new: network b.example.org; writes workspace/out." in problem
        assert "odd.do" not in desk.machine.kernel.table
        assert (await desk.standing("odd"))["state"] == "asks"
        desk.person.answer = "no"
        await desk.error("plugin.grant", name="odd")
        assert (await desk.standing("odd"))["state"] == "asks"
        desk.person.answer = "once"
        await desk.ok("plugin.grant", name="odd")
        assert desk.person.consents[-1].shown["new"] == "network b.example.org; writes workspace/out"
        assert (await desk.standing("odd"))["state"] == "loaded"
        assert "has all that it asks for" in await desk.error("plugin.grant", name="odd")
    write(tmp_path / "home" / "plugins", asks='hosts = ["a.example.org"]', version="2.0")
    async with opened() as desk:
        assert desk.machine.problems == [], "one that asks for less goes on"


async def test_a_grant_is_not_for_another_plugin_of_the_name(opened: Open, tmp_path: Path) -> None:
    async with opened() as desk:
        await desk.add(write(tmp_path / "made", asks='hosts = ["a.example.org"]'))
        (tmp_path / "home" / "plugins" / "odd").rename(tmp_path / "home" / "plugins" / "another")
    async with opened() as desk:
        assert "asks for what it wasn't granted" in desk.machine.problems[0]


async def test_revoked_and_granted_again_by_undo(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='hosts = ["a.example.org"]'))
    await desk.ok("plugin.revoke", name="odd")
    assert "odd.do" not in desk.machine.kernel.table
    assert (await desk.standing("odd"))["state"] == "asks"
    await desk.ok("system.undo")
    assert (await desk.ok("odd.do", what="fetch", name="https://a.example.org/"))[1] == 200
    assert (await desk.error("plugin.revoke", name="calculator")).startswith("ENOENT")


async def test_removed_and_put_back_by_undo(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='hosts = ["a.example.org"]'))
    assert (await desk.ok("plugin.remove", name="odd"))["message"] == "Removed odd."
    assert "odd.do" not in desk.machine.kernel.table
    assert not (tmp_path / "home" / "plugins" / "odd").exists()
    await desk.ok("system.undo")
    assert (await desk.ok("odd.do", what="fetch", name="https://a.example.org/"))[1] == 200
    await desk.ok("plugin.remove", name="odd")
    await desk.add(write(tmp_path / "made"))
    assert "ESTALE" in await desk.error("system.undo")


async def test_removing_takes_along_nothing_that_undo_would_not_bring_back(opened: Open, tmp_path: Path) -> None:
    plugins = tmp_path / "home" / "plugins"
    kept = write(tmp_path / "mine", "linked")
    write(plugins, "cloned")
    (plugins / "cloned" / ".git").mkdir()
    (plugins / "cloned" / ".git" / "HEAD").write_text("ref: main")
    (plugins / "linked").symlink_to(kept)
    async with opened() as desk:
        assert "is a link, and where it leads isn't ours" in await desk.error("plugin.remove", name="linked")
        assert (kept / "plugin.py").is_file() and (plugins / "linked").is_symlink()
        await desk.ok("plugin.remove", name="cloned")
        assert not (plugins / "cloned").exists()
        await desk.ok("system.undo")
        assert (plugins / "cloned" / ".git" / "HEAD").read_text() == "ref: main"
        (plugins / "cloned" / "link").symlink_to("/etc/passwd")
        assert "can't be kept for undo" in await desk.error("plugin.remove", name="cloned")
        assert (plugins / "cloned" / "plugin.py").is_file()


async def test_what_ships_is_switched_off_and_on(desk: Desk) -> None:
    assert "comes with llmasos" in await desk.error("plugin.remove", name="calculator")
    await desk.ok("plugin.disable", name="calculator")
    assert "calculator.evaluate" not in desk.machine.kernel.table
    assert (await desk.standing("calculator"))["state"] == "off"
    assert (await desk.error("plugin.disable", name="calculator")).startswith("EEXIST")
    await desk.ok("system.undo")
    assert await desk.ok("calculator.evaluate", expression="1+1") == "2"
    assert (await desk.error("plugin.enable", name="calculator")).startswith("EEXIST")


async def test_a_broken_one_is_listed_and_can_be_removed(opened: Open, tmp_path: Path) -> None:
    plugins = tmp_path / "home" / "plugins"
    write(plugins, "broken", code="import nothing_here")
    write(plugins, "late", code="while True: pass")
    (plugins / "empty").mkdir()
    (plugins / "empty" / "plugin.toml").write_text("[")
    write(plugins, "fine")
    async with opened() as desk:
        assert len(desk.machine.problems) == 3
        rows = {row["name"]: row for row in (await desk.ok("plugin.list", kind="plugin"))["items"]}
        assert {name: row["state"] for name, row in rows.items()} == {
            "broken": "broken", "calculator": "loaded", "empty": "broken", "fine": "loaded", "late": "broken",
        }  # fmt: skip
        assert "No module named 'nothing_here' (plugin.py, line 1)" in rows["broken"]["reason"]
        assert "took longer than 10 seconds" in rows["late"]["reason"]
        assert "isn't TOML" in rows["empty"]["reason"]
        await desk.ok("plugin.remove", name="empty")
        await desk.ok("plugin.remove", name="broken")
        assert not (plugins / "empty").exists() and not (plugins / "broken").exists()
        write(plugins, "new")
        assert (await desk.standing("new"))["state"] == "new"


@pytest.mark.parametrize("name", ["", "nothing", "..", "../odd", "/etc", "x" * 5000, "."])
async def test_names_that_nothing_has(desk: Desk, name: str) -> None:
    for verb in ("grant", "revoke", "disable", "enable", "remove"):
        assert (await desk.error(f"plugin.{verb}", name=name)).startswith("ENOENT")


async def test_only_the_person_rules_over_plugins(desk: Desk, tmp_path: Path) -> None:
    place = write(tmp_path / "made")
    for subject in ("app:odd", "character:Alice"):
        processes = desk.machine.kernel.processes
        other = processes.spawn(processes.init, name="odd", program="app", subject=subject)
        for call in (Call("plugin.add", {"path": str(place)}), Call("plugin.disable", {"name": "calculator"})):
            assert (await desk.machine.kernel.trap(other, desk.session, call)).error == "EACCES"
    write(tmp_path / "made", asks='syscalls = ["plugin.disable"]')
    assert "can't be called by a plugin" in await desk.error("plugin.add", path=str(place))


# -- syscalls of a plugin's code


async def test_it_calls_what_it_was_granted_and_nothing_else(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='syscalls = ["memory.*"]'))
    assert (await desk.ok("odd.do", what="call", name="memory.remember", text="It rains."))["ref"] == "It rains."
    entry = desk.machine.kernel.journal.last_undoable("ada", str(desk.session.workspace))
    assert entry and (entry.call["syscall"], entry.by) == ("memory.remember", "plugin")
    assert (await desk.ok("odd.do", what="call", name="files.list"))[0] == "EACCES"
    assert (await desk.ok("odd.do", what="call", name="net.fetch"))[0] == "EINVAL"
    assert (await desk.ok("odd.do", what="call", name="memory.forget"))[0] in ("EACCES", "EINVAL")


async def test_policy_decides_about_the_plugin(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='syscalls = ["memory.*", "device.turn_on"]'))
    desk.allow(Rule("not-odd", "deny", subject=("plugin:odd",), syscall=("memory.remember",)))
    code, said = await desk.ok("odd.do", what="call", name="memory.remember", text="x")
    assert code == "EACCES" and "'not-odd'" in said
    assert (await desk.do("memory.remember", text="x")).ok, "the person may"
    code, said = await desk.ok("odd.do", what="call", name="memory.forget", text="x")
    assert code in ("EACCES", "EINVAL"), "no rule lets plugins erase for good"


async def test_what_a_plugin_names_is_asked_about(desk: Desk, tmp_path: Path) -> None:
    code = DOES.replace('call(name, **({"text": text} if text else {}))', "call(name, **eval(text))")
    await desk.add(write(tmp_path / "made", asks='syscalls = ["files.*", "device.*", "tasks.*"]', code=code))
    (desk.session.workspace / "a.txt").write_text("x")
    asked = len(desk.person.consents)
    await desk.ok("odd.do", what="call", name="tasks.add", text="{'title': 'water the plants'}")
    assert len(desk.person.consents) == asked, "a to-do is no target"
    desk.person.answer = "no"
    for name, args in (
        ("files.write", {"path": "a.txt", "content": "y"}),
        ("files.delete", {"path": "a.txt"}),
        ("device.turn_on", {"name": "desk lamp"}),
    ):
        asked = len(desk.person.consents)
        assert (await desk.ok("odd.do", what="call", name=name, text=repr(args)))[0] == "EACCES"
        (question,) = desk.person.consents[asked:]
        assert (question.call.syscall, question.subject, question.labels) == (name, "plugin:odd", ("plugin:odd",))
    assert (desk.session.workspace / "a.txt").read_text() == "x"


async def test_what_asks_asks_the_person(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='syscalls = ["memory.*"]'))
    desk.allow(Rule("ask", "ask", subject=("plugin:*",), syscall=("memory.remember",)))
    await desk.ok("odd.do", what="call", name="memory.remember", text="A fact.")
    assert (desk.person.consents[-1].subject, desk.person.consents[-1].shown) == ("plugin:odd", {"text": "A fact."})


async def appears(processes: ProcessTable, name: str) -> Process:
    for _ in range(3000):
        if process := processes.find("plugin", name):
            return process
        await asyncio.sleep(0.01)
    raise AssertionError(f"{name} doesn't run")


async def test_it_is_a_process_while_it_runs(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", "slow", 'syscalls = ["memory.recall"]', code=SLOW))
    processes = desk.machine.kernel.processes
    for function in ("nap", "wait"):
        running = asyncio.ensure_future(desk.do(f"slow.{function}"))
        process = await appears(processes, "slow")
        assert (process.subject, process.parent, process.owner) == ("plugin:slow", desk.process.pid, "ada")
        await processes.kill(process.pid)
        result = await running
        assert result.error in ("ECANCELED", "EIO"), result
        assert desk.process.alive
        assert [p.program for p in processes] == ["init", "shell"]
    assert (await desk.do("calculator.evaluate", expression="1+1")).ok


async def test_a_call_that_was_cut_off_in_a_syscall_leaves_no_answer(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='syscalls = ["memory.*"]'))
    desk.allow(Rule("ask", "ask", subject=("plugin:*",), syscall=("memory.remember",)))
    asked = asyncio.Event()

    class Slow(Person):
        async def consent(self, question: Any) -> Any:
            asked.set()
            await asyncio.sleep(60)

    slow = Session("ada", desk.session.workspace, Slow())
    running = asyncio.ensure_future(desk.do("odd.do", slow, what="call", name="memory.remember", text="x"))
    await asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    for _ in range(2):
        assert (await desk.ok("odd.do", what="call", name="memory.recall"))[0] == "EINVAL"
    assert [p.program for p in desk.machine.kernel.processes] == ["init", "shell"]


# -- fetching


async def test_it_fetches_from_granted_hosts(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='hosts = ["api.example.org"]'))
    got = await desk.ok("odd.do", what="fetch", name="https://api.example.org/now?key=1")
    assert got == ["https://api.example.org/now?key=1", 200, "web", '"grüße"', "grüße"]
    assert desk.web.asked == [("https://api.example.org/now?key=1", "1")]
    for url in ("https://example.org/", "http://api.example.org/", "https://169.254.169.254/", "file:///etc/passwd"):
        code, _ = await desk.ok("odd.do", what="fetch", name=url)
        assert code in ("EACCES", "EINVAL")
    assert len(desk.web.asked) == 1
    assert not [e for e in desk.machine.kernel.journal.entries() if e.call["syscall"] == "net.fetch"], (
        "in the log instead"
    )


async def test_the_whole_way_to_a_device_at_home(opened: Open, tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-From: device\r\nContent-Length: 4\r\n\r\n1234")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, opened(broker=Broker()) as desk:
        place = write(tmp_path / "made", asks=f'hosts = ["local:{host}", "https://127.0.0.1"]')
        await desk.add(place)
        assert await desk.ok("odd.do", what="fetch", name=f"{host}/a") == [f"{host}/a", 200, "device", "1234", 1234]
        code, said = await desk.ok("odd.do", what="fetch", name="https://127.0.0.1/")
        assert code == "EACCES" and "inside this machine" in said, "without local: it leads nowhere"


async def test_policy_rules_over_fetches(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='hosts = ["*.example.org"]'))
    desk.allow(
        Rule("not-there", "deny", syscall=("net.fetch",), args={"host": "other.example.org"}),
        Rule("ask-here", "ask", syscall=("net.fetch",), args={"url": "https://asked.example.org/*"}),
    )
    code, said = await desk.ok("odd.do", what="fetch", name="https://other.example.org/")
    assert code == "EACCES" and "'not-there'" in said
    code, said = await desk.ok("odd.do", what="fetch", name="https://api.example.org/away")
    assert code == "EACCES" and "leads on to https://other.example.org/" in said
    desk.person.answer = "no"
    assert (await desk.ok("odd.do", what="fetch", name="https://asked.example.org/a?key=1"))[0] == "EACCES"
    assert desk.person.consents[-1].shown == {
        "method": "GET", "host": "asked.example.org", "url": "https://asked.example.org/a",
    }  # fmt: skip
    assert [url for url, _ in desk.web.asked] == ["https://api.example.org/away"]


LEAKS = """
from llmasos.sdk import TrapError, call, fetch, syscall

@syscall(effect="read")
def leak(text: str = "", path: str = "") -> str:
    "Send something away."
    try:
        fetch("https://api.example.org/before")
        if path:
            text = call("files.read", path=path)["text"]
        return str(fetch("https://api.example.org/after", method="POST", body=text).status)
    except TrapError as error:
        return error.code
"""


async def test_what_others_wrote_leaves_only_after_a_question(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='hosts = ["api.example.org"]\nsyscalls = ["files.read"]', code=LEAKS))
    (desk.session.workspace / "diary.txt").write_text("secret")
    asked = len(desk.person.consents)
    assert await desk.ok("odd.leak", text="typed by the person") == "200"
    assert len(desk.person.consents) == asked
    desk.person.answer = "no"
    desk.web.asked.clear()
    assert await desk.ok("odd.leak", path="diary.txt") == "EACCES"
    assert [url for url, _ in desk.web.asked] == ["https://api.example.org/before"]
    assert desk.person.consents[-1].labels == ("file",)
    desk.web.asked.clear()
    labelled = Call("odd.leak", {"text": "secret"}, origins={"text": frozenset({"file"})})
    assert (await desk.machine.kernel.trap(desk.process, desk.session, labelled)).value == "EACCES"
    assert desk.web.asked == []


async def test_what_was_fetched_labels_what_is_done_with_it(desk: Desk, tmp_path: Path) -> None:
    code = LEAKS.replace(
        "if path:",
        "if path == 'keep':\n            return str(call('files.write', path=text, content='x'))\n        if path:",
    )
    await desk.add(write(tmp_path / "made", asks='hosts = ["api.example.org"]\nsyscalls = ["files.write"]', code=code))
    desk.person.answer = "no"
    assert await desk.ok("odd.leak", path="keep", text="a.txt") == "EACCES"
    assert desk.person.consents[-1].labels == ("plugin:odd", "web:api.example.org")


async def test_where_policy_only_shows_things_nothing_is_fetched(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='hosts = ["api.example.org"]'))
    desk.allow(Rule("read-only", "deny", effect=("write", "destroy", "final", "external")))
    assert (await desk.ok("odd.do", what="fetch", name="https://api.example.org/"))[0] == "EACCES"


# -- folders and memory


async def test_folders_of_the_workspace_are_those_of_the_session(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='paths.read = ["notes"]\npaths.write = ["out"]'))
    other = tmp_path / "other"
    for workspace in (desk.session.workspace, other):
        (workspace / "notes").mkdir(parents=True)
        (workspace / "notes" / f"{workspace.name}.txt").write_text("x")
    elsewhere = Session("ada", other, desk.person)
    assert await desk.ok("odd.do", what="read", name="notes") == ["workspace.txt"]
    assert (await desk.do("odd.do", elsewhere, what="read", name="notes")).value == ["other.txt"]
    assert await desk.ok("odd.do", what="write", name="out", text="words") == str(desk.session.workspace / "out")
    made = desk.session.workspace / "out" / "made.txt"
    assert made.read_text() == "words"
    assert made.stat().st_uid == os.geteuid(), "it is the person's"
    assert await desk.ok("odd.do", what="write", name="notes") == ["PermissionError"]
    for file in (desk.session.workspace / "notes" / "workspace.txt", other / "notes" / "other.txt"):
        seen = await desk.ok("odd.do", what="open", name=str(file))
        assert seen == ("x" if desk.session.workspace in file.parents else [seen[0]])
    (desk.session.workspace / "secret.txt").write_text("x")
    assert (await desk.ok("odd.do", what="open", name=str(desk.session.workspace / "secret.txt")))[0] in (
        "PermissionError", "FileNotFoundError",
    )  # fmt: skip


async def test_folders_of_the_home(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "person" / "Music").mkdir()
    (tmp_path / "person" / "Music" / "song").touch()
    await desk.add(write(tmp_path / "made", asks='paths.read = ["~/Music", "~/Missing"]'))
    assert await desk.ok("odd.do", what="read", name="~/Music") == ["song"]
    assert (await desk.ok("odd.do", what="read", name="~/Missing"))[0] == "told"
    assert (await desk.ok("odd.do", what="read", name="~/Other"))[0] == "told"


async def test_links_are_not_followed(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    await desk.add(write(tmp_path / "made", asks='paths.write = ["out/deep"]'))
    (desk.session.workspace / "out").symlink_to(tmp_path / "secret")
    assert "is a link or no folder" in await desk.error("odd.do", what="write", name="out/deep")
    (desk.session.workspace / "out").unlink()
    (desk.session.workspace / "out").mkdir()
    (desk.session.workspace / "out" / "deep").symlink_to(tmp_path / "secret")
    assert "is a link or no folder" in await desk.error("odd.do", what="write", name="out/deep")
    assert list((tmp_path / "secret").iterdir()) == []


async def test_nobody_is_granted_the_systems_own_state(opened: Open, tmp_path: Path) -> None:
    for said in ("~/home", "~/home/plugins", "~/home/deeper"):
        place = write(tmp_path / "made", asks=f'paths.read = ["{said}"]')
        async with opened(person=tmp_path) as desk:
            assert "is where llmasos keeps its state" in await desk.error("plugin.add", path=str(place))
    place = write(tmp_path / "made", asks='paths.write = ["~/sub"]')
    anchor = tmp_path / "sub" / "deep" / "anchor.jsonl"
    async with opened(person=tmp_path, audit_anchor=str(anchor)) as desk:
        assert "is where llmasos keeps its state" in await desk.error("plugin.add", path=str(place)), "the second place"
    async with opened() as desk:
        desk.session.workspace = tmp_path
        await desk.add(write(tmp_path / "made", asks='paths.read = ["."]'))
        assert "is where llmasos keeps its state" in await desk.error("odd.do", what="read", name=".")


async def test_memory(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made"))
    assert await desk.ok("odd.do", what="grow", text="600") == ["MemoryError"]
    await desk.add(write(tmp_path / "made", asks="memory = 1024", version="1.1"))
    assert await desk.ok("odd.do", what="grow", text="600") == 600 << 20
    await desk.add(write(tmp_path / "made", asks="memory = 128", version="1.2"))
    assert await desk.ok("odd.do", what="grow", text="200") == ["MemoryError"]


# -- apps

APP = """
from llmasos.sdk import TrapError, call, fetch, syscall

@syscall(effect="read")
def open(request: str = "") -> str:
    "Open."
    try:
        return fetch(request).text if request else str(call("memory.recall", query="x")["items"])
    except TrapError as error:
        return f"{error.code}: {error.what}"
"""


async def test_a_strangers_app_is_granted_like_a_plugin(opened: Open, tmp_path: Path) -> None:
    place = write(tmp_path / "made", asks='syscalls = ["memory.recall"]\nhosts = ["api.example.org"]', code=APP)
    for ending in ("toml", "py"):
        (place / f"plugin.{ending}").rename(place / f"app.{ending}")
    async with opened() as desk:
        assert (await desk.add(place))["message"] == "Added odd 1.0: odd.open."
        assert (await desk.ok("app.open", name="odd"))["text"] == "[]"
        assert (await desk.ok("app.open", name="odd", request="https://api.example.org/"))["text"] == '"grüße"'
        assert "EACCES" in (await desk.ok("app.open", name="odd", request="https://example.org/"))["text"]
        assert [row["name"] for row in (await desk.ok("plugin.list", kind="app"))["items"]] == [
            "guide",
            "odd",
            "social",
        ]
        await desk.ok("plugin.remove", name="odd", kind="app")
        assert (await desk.error("app.open", name="odd")).startswith("ENOENT")
        await desk.ok("app.close", name="odd")
        assert "ESTALE: odd isn't installed any more" in await desk.error("system.undo")
        await desk.ok("system.undo")
        assert (await desk.ok("app.open", name="odd"))["text"] == "[]"
    async with opened() as desk:
        assert desk.machine.problems == []


async def test_an_app_without_open_is_left_out(opened: Open, tmp_path: Path) -> None:
    place = write(tmp_path / "home" / "apps")
    for ending in ("toml", "py"):
        (place / f"plugin.{ending}").rename(place / f"app.{ending}")
    async with opened() as desk:
        assert desk.machine.problems == [
            "The app odd isn't loaded: The app odd has no function open(request). Opening it calls that."
        ]
        assert (await desk.standing("odd"))["state"] == "broken"


COUNTS = '''
import os
from llmasos.sdk import call, syscall

seen = []

@syscall(effect="read")
def keep(text: str) -> object:
    """Keep what was said, and tell all that is kept."""
    seen.append(text)
    return [os.getpid(), *seen]
'''


async def test_what_a_plugin_remembers_of_one_does_not_get_to_another(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "new", "keeps", code=COUNTS))
    await desk.add(write(tmp_path / "new", "asks", "syscalls = ['keeps.keep']"))
    kernel, machine = desk.machine.kernel, desk.machine

    async def keep(process: Process, session: Session, text: str) -> list[Any]:
        result = await kernel.trap(process, session, Call("keeps.keep", {"text": text}))
        assert result.ok, result
        value: list[Any] = result.value
        return value

    first = await keep(desk.process, desk.session, "ada's")
    again = await keep(*machine.session(tmp_path, desk.person), "hers, in another session")
    assert again == [first[0], "ada's", "hers, in another session"]
    others = [
        await keep(*machine.session(tmp_path, desk.person, person="bob"), "bob's"),
        *[
            await keep(kernel.processes.spawn(desk.process, name=name, program="agent"), desk.session, name)
            for name in ("one", "other")
        ],
    ]
    assert [seen for _, *seen in others] == [["bob's"], ["one"], ["other"]]
    assert len({first[0], *(pid for pid, *_ in others)}) == 4
    through = await desk.ok("asks.do", what="call", name="keeps.keep", text="a plugin's")
    assert through[1:] == ["a plugin's"]
    assert await desk.ok("asks.do", what="call", name="keeps.keep", text="more") == [*through, "more"]


async def test_the_children_of_a_process_end_with_it(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "new", "keeps", code=COUNTS))
    kernel = desk.machine.kernel
    pids = []
    for number in range(5):
        agent = kernel.processes.spawn(desk.process, name=str(number), program="agent")
        result = await kernel.trap(agent, desk.session, Call("keeps.keep", {"text": "x"}))
        pids.append(result.value[0])
        await kernel.processes.exit(agent)
    assert len(set(pids)) == 5
    alive = [pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(alive) <= 1, "the last one ends when the next is wanted, or idle"
