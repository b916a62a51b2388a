"""Undo where things have changed since, and where the effect never happened."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from files_desk import Desk, open_desk

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.types import Call
from llmasos.services.files import effects, seal
from llmasos.services.files.changes import Room


class Killed(BaseException):
    """The program dies here."""


CHANGES: dict[str, dict[str, str]] = {
    "files.write": {"path": "new/deep/a.txt", "content": "new"},
    "files.append": {"path": "kept.txt", "content": "more"},
    "files.copy": {"source": "box", "destination": "far/away/"},
    "files.move": {"source": "box", "destination": "far/away/"},
    "files.delete": {"path": "box"},
    "files.mkdir": {"path": "some/where"},
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        desk.put("kept.txt", "kept\n")
        desk.put("box/one.txt", "one")
        desk.put("box/里/two.txt", "two")
        yield desk


async def stale(desk: Desk) -> None:
    before = desk.tree()
    with pytest.raises(SyscallError) as caught:
        await desk.undo()
    assert caught.value.code == "ESTALE" and "nothing was done" in caught.value.what
    assert desk.tree() == before


@pytest.mark.parametrize("syscall", CHANGES)
async def test_undo(desk: Desk, syscall: str) -> None:
    before = desk.tree()
    result = await desk.do(syscall, **CHANGES[syscall])
    assert result.ok and result.undoable and desk.tree() != before
    await desk.undo()
    assert desk.tree() == before


@pytest.mark.parametrize("syscall", CHANGES)
async def test_killed_before_the_effect(desk: Desk, syscall: str) -> None:
    """Prepared, then killed: undoing is harmless and says that there is nothing to undo."""
    before = desk.tree()
    caller = desk.caller(Call(syscall, CHANGES[syscall]))
    caller.entry = desk.kernel.journal.intend(
        person="ada", workspace=str(desk.top), pid=2, request="", call=caller.call.to_json(), effect="write"
    )
    real, kept = Room.keep, []

    async def keep(self: Any, *args: Any, **options: Any) -> None:
        await real(self, *args, **options)
        kept.append(args)
        raise Killed

    Room.keep = keep  # type: ignore[method-assign]
    try:
        with pytest.raises(Killed):
            await desk.kernel.table[syscall].run(caller, **CHANGES[syscall])
    finally:
        Room.keep = real  # type: ignore[method-assign]
    assert kept and desk.tree() == before
    entry = desk.kernel.journal.get(caller.entry.id)
    assert entry.inverse is not None
    assert "Nothing had happened" in await desk.kernel.undo(desk.caller(), entry)
    assert desk.tree() == before


@pytest.mark.parametrize(
    ("syscall", "spoil"),
    [
        ("files.write", lambda top: (top / "new/deep/a.txt").write_text("changed")),
        ("files.write", lambda top: (top / "new/deep/a.txt").unlink() or (top / "new/deep/a.txt").mkdir()),
        ("files.append", lambda top: (top / "kept.txt").write_text("kept\nmore\nand mine\n")),
        ("files.append", lambda top: (top / "kept.txt").write_text("gone")),
        ("files.append", lambda top: (top / "kept.txt").unlink()),
        ("files.copy", lambda top: (top / "far/away/box/里/two.txt").write_text("changed")),
        ("files.copy", lambda top: (top / "far/away/box/mine.txt").write_text("added")),
        ("files.move", lambda top: (top / "far/away/box/one.txt").write_text("changed")),
        ("files.move", lambda top: shutil.rmtree(top / "far")),
        ("files.move", lambda top: (top / "box").mkdir()),
        ("files.delete", lambda top: (top / "box").mkdir()),
        ("files.mkdir", lambda top: (top / "some/where/mine.txt").write_text("added")),
    ],
)
async def test_what_changed_since_stays(desk: Desk, syscall: str, spoil: Callable[[Path], Any]) -> None:
    await desk.ok(syscall, **CHANGES[syscall])
    spoil(desk.top)
    await stale(desk)


async def test_overwritten_and_changed_since(desk: Desk) -> None:
    file = desk.top / "kept.txt"
    await desk.ok("files.write", path="kept.txt", content="new")
    file.write_text("mine")
    await stale(desk)
    assert file.read_text() == "mine"
    # It doesn't stand in the way of what was done before it.
    assert desk.kernel.journal.last_undoable("ada", str(desk.top)) is None


async def test_folders_made_stay_where_something_else_is_in_them(desk: Desk) -> None:
    await desk.ok("files.write", path="new/deep/a.txt", content="x")
    desk.put("new/mine.txt", "mine")
    await desk.undo()
    assert desk.tree()["new/mine.txt"] == b"mine" and "new/deep" not in desk.tree()


async def test_the_kept_copy_is_gone(desk: Desk) -> None:
    await desk.ok("files.delete", path="box")
    entry = desk.kernel.journal.last_undoable("ada", str(desk.top))
    assert entry and entry.inverse
    desk.kernel.store.delete_blob(entry.inverse["payload"]["blob"])
    await stale(desk)


async def test_trash_that_was_emptied(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "LIMIT", 1)
    await desk.ok("files.delete", path="box")
    shutil.rmtree(desk.top / ".llmasos-trash")
    await stale(desk)


async def test_killed_while_a_folder_is_taken_apart(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = desk.tree()
    kept = effects.remove

    def half(place: Any) -> None:
        kept(place.child("里"))
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(effects, "remove", half)
    value = await desk.ok("files.delete", path="box")
    assert "could not be removed" in value["note"]
    monkeypatch.undo()
    assert "box" not in desk.tree()
    await desk.undo()
    assert desk.tree() == before  # what was left aside is gone too


async def test_killed_while_a_copy_is_made(desk: Desk) -> None:
    before = desk.tree()
    await desk.ok("files.copy", source="box", destination="twin")
    entry = desk.kernel.journal.last_undoable("ada", str(desk.top))
    assert entry and entry.inverse
    (desk.top / "twin").rename(desk.top / entry.inverse["payload"]["spare"])  # as a crash before the renaming leaves it
    assert "Nothing had happened" in await desk.undo()
    assert desk.tree() == before


async def test_changed_between_the_look_and_the_deed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program writes after the pre-image was kept: its words must not be lost."""
    kept = type(desk.caller()).prepare

    def prepare(self: Any, *args: Any, **options: Any) -> None:
        kept(self, *args, **options)
        (desk.top / "kept.txt").write_text("written meanwhile")
        (desk.top / "box/one.txt").write_text("written meanwhile")

    monkeypatch.setattr(type(desk.caller()), "prepare", prepare)
    assert await desk.error("files.write", path="kept.txt", content="new") == "EBUSY"
    assert await desk.error("files.append", path="kept.txt", content="new") == "EBUSY"
    assert (desk.top / "kept.txt").read_text() == "written meanwhile"
    desk.put("box/one.txt", "one")
    assert await desk.error("files.delete", path="box") == "EBUSY"
    assert (desk.top / "box/one.txt").read_text() == "written meanwhile"
    assert not [name for name in desk.tree() if ".llmasos" in name]


async def test_ctrl_c_waits_for_the_thread(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    started = asyncio.Event()
    loop = asyncio.get_running_loop()
    kept = effects._copy_file

    def slow(*args: Any) -> None:
        loop.call_soon_threadsafe(started.set)
        args[-1].wait(5)
        kept(*args)

    monkeypatch.setattr(effects, "_copy_file", slow)
    task = asyncio.create_task(desk.do("files.copy", source="box", destination="twin/"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not [name for name in desk.tree() if not name.startswith(("box", "kept"))]


async def test_pre_images_are_sealed(desk: Desk) -> None:
    desk.put("diary.txt", "nobody may read this line")
    await desk.ok("files.write", path="diary.txt", content="x")
    held = b"".join(p.read_bytes() for p in desk.home.rglob("*") if p.is_file())
    assert b"nobody may read" not in held and b"diary" not in held


async def test_undo_after_a_restart_of_the_service(desk: Desk) -> None:
    before = desk.tree()
    await desk.ok("files.delete", path="box")
    desk.kernel.table.inverses.clear()
    from llmasos.services.files import Files

    desk.kernel.table.rows.clear()
    desk.kernel.table.add_service(Files())
    os.chdir("/")
    await desk.undo()
    assert desk.tree() == before


async def test_what_went_from_the_trash_for_room_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "LIMIT", 1)
    with open_desk(tmp_path, keep_trash_bytes=150) as desk:
        desk.put("one.mp4", b"1" * 100)
        desk.put("two.mp4", b"2" * 100)
        assert "went for good" not in (await desk.ok("files.delete", path="one.mp4"))["note"]
        assert "the oldest there went for good: 1" in (await desk.ok("files.delete", path="two.mp4"))["note"]
        await desk.undo()
        assert desk.tree()["two.mp4"] == b"2" * 100
        with pytest.raises(SyscallError, match=r"isn't in the trash any more, .*keep_trash_mb"):
            await desk.undo()
