"""Paths that want out, things that aren't files, and names nobody should have."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from files_desk import Desk, open_desk

from llmasos.services.files import effects
from llmasos.services.files.place import Place

READS = ("files.read", "files.list", "files.summarize")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside/secret.txt").write_text("secret")
        desk.put("in.txt", "mine")
        desk.put("folder/x.txt", "x")
        yield desk


def untouched(desk: Desk) -> None:
    assert (desk.top.parent / "outside/secret.txt").read_text() == "secret"
    assert sorted(p.name for p in (desk.top.parent / "outside").iterdir()) == ["secret.txt"]


async def refused(desk: Desk, path: str, codes: tuple[str, ...] = ("EACCES",)) -> None:
    """Whatever is asked with such a path comes to nothing."""
    before = desk.tree()
    for verb in READS:
        assert await desk.error(verb, path=path) in codes, verb
    assert await desk.error("files.find", query="secret", path=path) in codes
    assert await desk.error("files.write", path=path, content="x") in codes
    assert await desk.error("files.append", path=path, content="x") in codes
    assert await desk.error("files.delete", path=path) in codes
    assert await desk.error("files.mkdir", path=path) in codes
    for verb in ("files.copy", "files.move"):
        assert await desk.error(verb, source=path, destination="new") in codes
        assert await desk.error(verb, source="in.txt", destination=path) in codes
    assert desk.tree() == before
    untouched(desk)


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../outside",
        "../outside/secret.txt",
        "folder/../../outside/secret.txt",
        "./folder/.././../outside/secret.txt",
        "/etc/passwd",
        "/",
        "~/../outside/secret.txt",
        "~/..",
        '"../outside/secret.txt"',
        "the ../outside/secret.txt",
        "../outside folder",
        "/proc/self/environ",
    ],
)
async def test_ways_out(desk: Desk, path: str) -> None:
    await refused(desk, path)


async def test_links_out(desk: Desk) -> None:
    outside = desk.top.parent / "outside"
    (desk.top / "file-link").symlink_to(outside / "secret.txt")
    (desk.top / "folder-link").symlink_to(outside)
    (desk.top / "new-link").symlink_to(outside / "new.txt")
    (desk.top / "chain").symlink_to("folder-link")
    for path in (
        "file-link",
        "folder-link",
        "folder-link/secret.txt",
        "folder-link/new.txt",
        "chain/secret.txt",
        "FILE-LINK",
    ):
        before = desk.tree()
        for verb in (*READS, "files.delete", "files.mkdir"):
            assert await desk.error(verb, path=path) == "EACCES", (verb, path)
        assert await desk.error("files.write", path=path, content="x") == "EACCES"
        assert await desk.error("files.append", path=path, content="x") == "EACCES"
        assert await desk.error("files.copy", source=path, destination="new") == "EACCES"
        assert await desk.error("files.copy", source="in.txt", destination=path) == "EACCES"
        assert await desk.error("files.move", source="in.txt", destination=path) == "EACCES"
        assert desk.tree() == before
    assert await desk.error("files.write", path="new-link", content="x") == "EACCES"
    assert await desk.refs("files.find", query="secret") == []
    untouched(desk)


async def test_a_copied_folder_keeps_links_as_links(desk: Desk) -> None:
    (desk.top / "folder/out").symlink_to(desk.top.parent / "outside/secret.txt")
    await desk.ok("files.copy", source="folder", destination="twin")
    assert (desk.top / "twin/out").is_symlink()
    assert await desk.error("files.read", path="twin/out") == "EACCES"
    await desk.ok("files.delete", path="twin")
    untouched(desk)


async def test_special_files(desk: Desk) -> None:
    os.mkfifo(desk.top / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(desk.top)  # a socket's path is short
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
    for path in ("pipe", "socket"):
        for verb in (*READS, "files.delete"):
            assert await desk.error(verb, path=path) == "EACCES"
        assert await desk.error("files.write", path=path, content="x") == "EACCES"
        assert await desk.error("files.append", path=path, content="x") == "EACCES"
        assert await desk.error("files.copy", source=path, destination="new") == "EACCES"
        assert await desk.error("files.move", source=path, destination="new") == "EACCES"
    os.mkfifo(desk.top / "folder/pipe")
    assert await desk.error("files.copy", source="folder", destination="twin") == "EACCES"
    assert await desk.refs("files.find", query="pipe") == []
    assert {row["what"] for row in (await desk.ok("files.list"))["items"]} == {"folder", "file", "special"}


async def test_a_folder_with_a_pipe_can_be_deleted_and_brought_back(desk: Desk) -> None:
    os.mkfifo(desk.top / "folder/pipe")
    await desk.ok("files.delete", path="folder")
    await desk.undo()
    assert (desk.top / "folder/pipe").is_fifo()


@pytest.mark.parametrize(
    "path",
    [
        "",
        "   ",
        '""',
        "a\nb",
        "a\tb",
        "bell\x07",
        "x" * 256,
        "字" * 90,
        "d/" * 2500,
        "exe\u202efdp.txt",
        "\u2028",
    ],
)
async def test_names_that_nobody_should_have(desk: Desk, path: str) -> None:
    await refused(desk, path, ("EINVAL",))


async def test_our_own_names(desk: Desk) -> None:
    assert await desk.error("files.write", path=".llmasos-trash/x", content="x") == "EINVAL"
    assert await desk.error("files.mkdir", path=".llmasos-x.tmp") == "EINVAL"


async def test_the_home_is_out_of_reach(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        desk.session.workspace = tmp_path  # --workspace around everything
        for path in ("home", "home/keyring.json", "HOME", "home folder"):
            for verb in ("files.read", "files.list", "files.delete"):
                assert await desk.error(verb, path=path) == "EACCES", path
            assert await desk.error("files.copy", source=path, destination="loot") == "EACCES"
            assert await desk.error("files.move", source=path, destination="loot") == "EACCES"
        assert await desk.error("files.write", path="home/keyring.json", content="{}") == "EACCES"
        assert await desk.error("files.write", path="home/new", content="{}") == "EACCES"
        assert await desk.refs("files.find", query="keyring") == []
        assert await desk.refs("files.list") == ["work"]
        (tmp_path / "above").mkdir()
        desk.home.rename(tmp_path / "above/home")
        desk.files._private = (tmp_path / "above/home",)
        for verb in ("files.copy", "files.move"):
            assert await desk.error(verb, source="above", destination="loot") == "EACCES"
        assert await desk.error("files.delete", path="above") == "EACCES"
        (tmp_path / "above/home").rename(desk.home)


async def test_names_on_the_disk_that_are_no_text(desk: Desk) -> None:
    raw = os.fsencode(desk.top) + b"/caf\xe9 \x1b[31m.txt"
    Path(os.fsdecode(raw)).write_text("broken name")
    names = [row["name"] for row in (await desk.ok("files.list"))["items"]]
    assert "caf\ufffd \ufffd[31m.txt" in names
    assert (await desk.ok("files.read", path="caf\ufffd \ufffd[31m.txt"))["text"] == "broken name"
    await desk.ok("files.delete", path="caf\ufffd \ufffd[31m.txt")
    await desk.undo()
    assert Path(os.fsdecode(raw)).read_text() == "broken name"


def test_a_folder_exchanged_for_a_link_leads_nowhere(desk: Desk) -> None:
    place = Place(desk.top, ("folder", "x.txt"))
    (desk.top / "folder").rename(desk.top / "moved")
    (desk.top / "folder").symlink_to(desk.top.parent / "outside")
    with pytest.raises(OSError, match=r"Not a directory|Too many"):
        place.open()
    with pytest.raises(OSError, match=r"Not a directory|Too many"):
        effects.write_atomic(place.parent.child("secret.txt"), b"x", expected=None)
    untouched(desk)


def test_renaming_never_replaces(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for fallback in (False, True):
        if fallback:
            monkeypatch.setattr(effects, "_renameat2", lambda: None)
        with pytest.raises(FileExistsError):
            effects.rename(Place(desk.top, ("in.txt",)), Place(desk.top, ("folder", "x.txt")))
        assert (desk.top / "in.txt").read_text() == "mine"


def test_a_stopped_copy_leaves_nothing(desk: Desk) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Exception, match="stopped"):
        effects.copy(Place(desk.top, ("folder",)), Place(desk.top, ("twin",)), "spare", stop)
    assert sorted(desk.tree()) == ["folder", "folder/x.txt", "in.txt"]


async def test_a_workspace_that_is_gone(desk: Desk) -> None:
    desk.top.rename(desk.top.parent / "elsewhere")
    assert await desk.error("files.list") == "ENOENT"


async def test_a_full_disk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> None:
        os.write(descriptor, bytes(data)[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(effects, "_write_all", full)
    before = desk.tree()
    for verb, arguments in (
        ("files.write", {"path": "in.txt", "content": "new"}),
        ("files.write", {"path": "a/b/c.txt", "content": "new"}),
        ("files.append", {"path": "in.txt", "content": "new"}),
        ("files.copy", {"source": "folder", "destination": "twin"}),
    ):
        result = await desk.do(verb, **arguments)
        assert result.error == "EIO" and "the disk is full" in result.message
        assert desk.tree() == before
