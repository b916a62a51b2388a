"""The audit log: nothing in it can be changed, left out or cut off unseen, and nothing in it can be read."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import StoreError
from llmasos.core.kernel.audit import Anchor, AuditLog, Record, public_key, verify, verify_with_key
from llmasos.core.kernel.audit.chain import files
from llmasos.core.kernel.keyring import Keyring

Child = Callable[..., subprocess.Popen[str]]


class World:
    """A home with its keyring, its log, and the anchor beside it."""

    def __init__(self, home: Path, clock: MockClock) -> None:
        self.home = home
        self.clock = clock
        self.keyring = Keyring.open(home)
        self.anchor = Anchor(home.with_name("anchor.jsonl"))

    def open(self, **more: int) -> AuditLog:
        return AuditLog(self.home / "audit", self.keyring, self.clock, self.anchor, **more)

    def write(self, count: int, **more: int) -> None:
        log = self.open(**more)
        for number in range(count):
            log.append(Record(at="2026-03-01T12:00:00+00:00", actor="user:ann", syscall="files.read", entry=number))
        log.close()

    def wrong(self) -> list[str]:
        points = list(self.anchor.checkpoints(self.keyring.store_id.hex()))
        return verify(self.home / "audit", points, self.keyring)[1]

    def wrong_to_strangers(self) -> list[str]:
        return verify_with_key(self.home / "audit", self.anchor.all(), public_key(self.keyring))[1]

    @property
    def file(self) -> Path:
        return files(self.home / "audit")[-1]


@pytest.fixture
def world(home: Path, clock: MockClock) -> World:
    return World(home, clock)


def test_what_was_written_is_there_after_a_restart(world: World) -> None:
    world.write(3)
    world.write(2)
    log = world.open()
    assert [number for number, _ in log.records()] == [1, 2, 3, 4, 5]
    assert [record.entry for _, record in log.records()] == [0, 1, 2, 0, 1]
    assert log.trouble == ""
    assert world.wrong() == []
    assert world.wrong_to_strangers() == []


def lines(world: World) -> list[bytes]:
    return world.file.read_bytes().splitlines(keepends=True)


def edit(world: World) -> None:
    rows = lines(world)
    number, body, tag = rows[4].split()
    changed = bytes([body[8] ^ 1 if body[8] ^ 1 not in b"=\n" else body[8] ^ 2])
    rows[4] = b"%b %b %b\n" % (number, body[:8] + changed + body[9:], tag)
    world.file.write_bytes(b"".join(rows))


def tag(world: World) -> None:
    rows = lines(world)
    rows[4] = rows[4].rsplit(b" ", 1)[0] + b" " + rows[5].rsplit(b" ", 1)[1]
    world.file.write_bytes(b"".join(rows))


def delete(world: World) -> None:
    rows = lines(world)
    del rows[4]
    world.file.write_bytes(b"".join(rows))


def delete_and_renumber(world: World) -> None:
    rows = lines(world)
    del rows[4]
    rows[4:] = [b"%d " % (at + 4) + row.split(b" ", 1)[1] for at, row in enumerate(rows[4:])]
    world.file.write_bytes(b"".join(rows))


def reorder(world: World) -> None:
    rows = lines(world)
    rows[4], rows[5] = rows[5], rows[4]
    world.file.write_bytes(b"".join(rows))


def insert(world: World) -> None:
    rows = lines(world)
    rows.insert(4, rows[4])
    world.file.write_bytes(b"".join(rows))


def truncate(world: World) -> None:
    world.file.write_bytes(b"".join(lines(world)[:-2]))


def empty(world: World) -> None:
    world.file.write_bytes(b"")


def remove(world: World) -> None:
    world.file.unlink()


def begin_elsewhere(world: World) -> None:
    rows = lines(world)
    rows[0] = b"%064d\n" % 0 if not rows[0].startswith(b"000") else b"%064d\n" % 1
    world.file.write_bytes(b"".join(rows))


CHANGES = [edit, tag, delete, delete_and_renumber, reorder, insert, truncate, empty, remove, begin_elsewhere]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_every_change_is_noticed(world: World, change: Callable[[World], None]) -> None:
    world.write(10)
    change(world)
    log = world.open()
    assert log.trouble
    with pytest.raises(StoreError, match="isn't what it was"):
        log.note("more")
    assert world.wrong()
    if change is not tag:  # the tags are for who has the keys
        assert world.wrong_to_strangers()


def test_a_log_and_its_home_put_back_together_are_noticed(world: World) -> None:
    world.write(5)
    shutil.copytree(world.home, world.home.with_name("old"))
    world.write(5)
    shutil.rmtree(world.home)
    world.home.with_name("old").rename(world.home)
    log = World(world.home, world.clock).open()
    assert "10 entries were signed, and 5 are there" in log.trouble


@pytest.mark.parametrize("name", ["9" * 30, "-5", str(2**63), "x", "٣"])
def test_a_file_with_an_odd_name_is_trouble_and_no_crash(world: World, name: str) -> None:
    world.write(5)
    shutil.copy(world.file, world.file.with_name(f"{name}.log"))
    assert world.wrong()
    world.file.unlink()  # whatever sorts last
    log = world.open()
    log.close()


@pytest.mark.parametrize(
    "more",
    [
        {"number": "9"}, {"number": None}, {"number": 10**30}, {"number": -1}, {"number": 2.5}, {"head": "zz"}, {"head": 1},
        {"facts": []}, {"facts": None}, {"at": 1}, {"extra": 1}, {"signature": "AA=="}, {"signature": 1},
    ],
)  # fmt: skip
def test_a_checkpoint_that_is_none_is_left_out(world: World, more: dict[str, Any]) -> None:
    world.write(5)
    line = json.loads(world.anchor.path.read_text().splitlines()[-1])
    with world.anchor.path.open("a") as file:
        file.write(json.dumps({**line, **more}) + "\n" + "[" * 5000 + "\n")
    log = world.open()
    log.newest_facts()
    log.close()
    world.wrong()


def test_a_checkpoint_that_somebody_else_signed(world: World, tmp_path: Path) -> None:
    world.write(5)
    points = list(world.anchor.all())
    stranger = Keyring.open(tmp_path / "stranger")
    assert verify_with_key(world.home / "audit", points, public_key(stranger))[1]


def test_accepting_begins_a_new_log_and_keeps_the_old_one(world: World) -> None:
    world.write(5)
    truncate(world)
    log = world.open()
    what = log.trouble
    log.accept()
    log.note("goes on")
    log.close()
    assert [record.note for _, record in world.open().records()] == [f"accepted by the person: {what}", "goes on"]
    assert world.open().trouble == ""
    assert world.wrong() == []
    assert len(list((world.home / "audit").glob("set-aside-*/*.log"))) == 1


def test_files_follow_each_other_and_the_oldest_go(world: World) -> None:
    world.write(60, file_bytes=2000, keep=3)
    kept = files(world.home / "audit")
    assert len(kept) == 3
    numbers = [number for number, _ in world.open().records()]
    assert numbers == list(range(int(kept[0].stem) + 1, 61))
    assert world.open().trouble == ""
    assert world.wrong() == []
    kept[1].unlink()
    assert world.wrong()


def test_fewer_files_are_kept_from_the_next_start_on(world: World) -> None:
    world.write(60, file_bytes=2000, keep=5)
    assert len(files(world.home / "audit")) == 5
    assert world.open(file_bytes=2000, keep=2).trouble == ""
    assert len(files(world.home / "audit")) == 2
    assert world.wrong() == []


def test_a_line_that_kill_9_tore_was_never_acknowledged(world: World) -> None:
    world.write(3)
    with world.file.open("ab") as file:
        file.write(b"4 half of a li")
    world.write(1)
    assert [number for number, _ in world.open().records()] == [1, 2, 3, 4]
    assert world.wrong() == []


def test_a_new_file_that_kill_9_left_without_its_first_line(world: World) -> None:
    world.write(3)
    for left in (b"", b"half of a head"):
        (world.home / "audit" / "000000000003.log").write_bytes(left)
        world.write(1)
    assert [number for number, _ in world.open().records()] == [1, 2, 3, 4, 5]
    assert world.wrong() == []


def test_arguments_that_nobody_can_write_down_have_a_tag_too(world: World) -> None:
    log = world.open()
    assert log.tag({"n": 10**5000}) == log.tag({"n": {1: 2, "b": 3}}) == log.tag({"n": {(1, 2): 3}})


def test_arguments_have_tags_that_say_nothing(world: World, tmp_path: Path) -> None:
    log = world.open()
    assert log.tag({"path": "a", "n": 1}) == log.tag({"n": 1, "path": "a"}) != log.tag({"path": "b", "n": 1})
    other = World(tmp_path / "other", world.clock)
    assert other.open().tag({"path": "a", "n": 1}) != log.tag({"path": "a", "n": 1})


def test_nothing_readable_on_disk(world: World, canaries: Callable[[Path], list[str]]) -> None:
    word = "Canary7391"
    log = world.open()
    log.append(Record(at="now", actor=word, syscall=word, rule=word, outcome=word, args=log.tag({word: word})))
    log.note(word)
    log.close()
    assert canaries(world.home) == []
    assert word not in world.anchor.path.read_text()


CRASHING = """
import sys
from pathlib import Path
from llmasos.core.base.clock import SystemClock
from llmasos.core.kernel.audit import Anchor, AuditLog, Record
from llmasos.core.kernel.keyring import Keyring
home = Path(sys.argv[1])
log = AuditLog(home / "audit", Keyring.open(home), SystemClock(), Anchor(home.with_name("anchor.jsonl")), file_bytes=9000)
while True:
    log.append(Record(at="now"))
    print(log._chain.number, flush=True)
"""


def test_kill_9_loses_nothing_that_was_acknowledged(world: World, child: Child) -> None:
    for count in (1, 2, 5, 40, 300):
        process = child(CRASHING, str(world.home))
        assert process.stdout is not None
        read = [process.stdout.readline() for _ in range(count)]
        os.kill(process.pid, signal.SIGKILL)
        read += process.stdout.read().splitlines(keepends=True)
        last = [int(line) for line in read if line.endswith("\n")][-1]
        log = world.open()
        assert log.trouble == ""
        assert [number for number, _ in log.records()][-1] >= last
        assert world.wrong() == []
