"""plugin.*: added after a question, granted, updated, removed, and loaded again at the next start."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import pytest
from plugin_desk import DOES, MANIFEST, Desk, Open, opener, write

from llmasos.core.base.types import Call
from tests.core.kernel.test_wheels import build, install
from tests.seat import Person


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    return opener(tmp_path)


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
