"""The workspace's trash: what lies there for long goes, and nothing else does."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from llmasos.services.files import effects, trash
from llmasos.services.files.place import TRASH

NOW = 1_900_000_000.0
GO_ON = threading.Event()


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """Where something large was put."""
    folder = tmp_path / TRASH / effects.temporary()
    (folder / "film").mkdir(parents=True)
    (folder / "film" / "part.mp4").write_bytes(b"x")
    return folder


def dated(path: Path, days: float) -> None:
    os.utime(path, (NOW - days * trash.DAY,) * 2)


@pytest.mark.parametrize(("days", "kept", "there"), [(29.9, 30, True), (30.1, 30, False), (5000, 0, True)])
def test_what_is_older_goes(tmp_path: Path, box: Path, days: float, kept: int, there: bool) -> None:
    dated(box / "film", 9000)  # how old the thing itself is doesn't matter
    dated(box, days)
    assert trash.empty(tmp_path, kept, GO_ON, now=NOW) == int(not there)
    assert box.exists() is there


def test_what_somebody_else_put_there_stays(tmp_path: Path, box: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("kept")
    link, theirs = box.with_name(effects.temporary()), box.parent / "theirs"
    link.symlink_to(outside)
    theirs.mkdir()
    for path in (outside, theirs, box):
        dated(path, 90)
    assert trash.empty(tmp_path, 30, GO_ON, now=NOW) == 1
    assert (outside / "kept.txt").exists()
    assert sorted(box.parent.iterdir()) == sorted([link, theirs])


def test_a_trash_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere, workspace = tmp_path / "elsewhere", tmp_path / "workspace"
    (elsewhere / effects.temporary() / "x").mkdir(parents=True)
    workspace.mkdir()
    (workspace / TRASH).symlink_to(elsewhere)
    for path in elsewhere.iterdir():
        dated(path, 90)
    assert trash.empty(workspace, 30, GO_ON, now=NOW) == 0
    assert len(list(elsewhere.iterdir())) == 1


def test_no_trash_is_no_trouble(tmp_path: Path) -> None:
    assert trash.empty(tmp_path, 30, GO_ON) == 0


def boxes(root: Path, *sizes: int) -> list[Path]:
    """Boxes with so many bytes each, the oldest first."""
    made = []
    for number, size in enumerate(sizes):
        folder = root / TRASH / effects.temporary()
        folder.mkdir(parents=True)
        (folder / "film.mp4").write_bytes(bytes(size))
        dated(folder, 50 - number)
        made.append(folder)
    return made


@pytest.mark.parametrize(
    ("most", "left"), [(0, [0, 1, 2, 3]), (100, [0, 1, 2, 3]), (90, [1, 2, 3]), (89, [2, 3]), (60, [2, 3]), (1, [3])]
)
def test_what_is_too_much_goes_the_oldest_first(tmp_path: Path, most: int, left: list[int]) -> None:
    made = boxes(tmp_path, 10, 30, 20, 40)
    assert trash.make_room(tmp_path, most, GO_ON, sparing=made[-1].name) == 4 - len(left)
    assert [number for number, box in enumerate(made) if box.exists()] == left


def test_what_was_just_put_there_stays_however_large(tmp_path: Path) -> None:
    made = boxes(tmp_path, 10, 30)
    theirs = tmp_path / TRASH / "theirs"
    theirs.mkdir()
    (theirs / "large").write_bytes(bytes(1000))
    assert trash.make_room(tmp_path, 5, GO_ON, sparing=made[0].name) == 1
    assert [box.exists() for box in made] == [True, False]
    assert theirs.exists()
    assert trash.make_room(tmp_path / "nowhere", 5, GO_ON, sparing="") == 0
