"""Swap space: sealed, bounded, gone with its kernel, and never worse than computing anew."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from unittest import mock

import pytest

from llmasos.core.kernel.swap import Swap

KB = 1 << 10
CANARY = b"the spare key is under the blue pot"


def swap(tmp_path: Path, memory: int = 64, disk: int = 256) -> Swap:
    return Swap(tmp_path / "swap", memory=memory * KB, disk=disk * KB)


def data(number: int, size: int = 16 * KB) -> bytes:
    return CANARY + os.urandom(8) + bytes([number]) * (size - len(CANARY) - 8)


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "swap").glob("*"))


def test_what_is_put_comes_back_from_memory_and_from_files(tmp_path: Path) -> None:
    space = swap(tmp_path)
    kept = {number: data(number) for number in range(10)}
    assert all(space.put(number, one) for number, one in kept.items())
    stats = space.stats()
    assert stats["entries"] == 10
    assert 0 < stats["memory_bytes"] <= 64 * KB
    assert stats["disk_bytes"] > 0
    assert {number: space.get(number) for number in kept} == kept
    assert space.get(99) is None


def test_nothing_readable_is_written(tmp_path: Path) -> None:
    space = swap(tmp_path, memory=0)
    space.put(1, data(1))
    (file,) = files(tmp_path)
    assert CANARY not in file.read_bytes()
    assert file.parent.stat().st_mode & 0o077 == 0


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    space = swap(tmp_path, memory=0, disk=50)
    for number in (1, 2, 3):
        space.put(number, data(number))
    assert space.get(1)  # used: 2 is the oldest now
    space.put(4, data(4))
    assert [number for number in (1, 2, 3, 4) if number in space] == [1, 3, 4]
    assert space.stats()["lost"] == 1
    assert len(files(tmp_path)) == 3


def test_without_a_disk_budget_nothing_is_written(tmp_path: Path) -> None:
    space = swap(tmp_path, memory=20, disk=0)
    assert space.put(1, data(1))
    assert space.put(2, data(2))
    assert space.get(1) is None
    assert space.get(2)
    assert not space.put(3, data(3, 40 * KB))
    assert files(tmp_path) == []


def test_a_new_one_takes_the_place_of_the_old(tmp_path: Path) -> None:
    space = swap(tmp_path, memory=0)
    space.put(1, data(1))
    second = data(2)
    space.put(1, second)
    assert space.get(1) == second
    assert len(files(tmp_path)) == 1


def test_dropped_is_gone_from_the_disk(tmp_path: Path) -> None:
    space = swap(tmp_path, memory=0)
    space.put(1, data(1))
    space.drop(1)
    space.drop(1)
    assert files(tmp_path) == []
    assert space.get(1) is None


def test_closed_leaves_nothing(tmp_path: Path) -> None:
    space = swap(tmp_path, memory=20)
    for number in range(4):
        space.put(number, data(number))
    space.close()
    assert not (tmp_path / "swap").exists()


def test_what_an_earlier_kernel_left_is_deleted_and_could_not_be_read(tmp_path: Path) -> None:
    first = swap(tmp_path, memory=0)
    first.put(1, data(1))
    left = files(tmp_path)[0].read_bytes()
    second = swap(tmp_path, memory=0)
    assert files(tmp_path) == []
    second.put(1, data(1))
    files(tmp_path)[0].write_bytes(left)
    assert second.get(1) is None
    assert second.stats()["lost"] == 1


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:50] + b"x" + b[51:], lambda b: b""])
def test_a_damaged_file_is_nothing(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    space = swap(tmp_path, memory=0)
    space.put(1, data(1))
    (file,) = files(tmp_path)
    file.write_bytes(damage(file.read_bytes()))
    assert space.get(1) is None
    assert files(tmp_path) == []


def test_entries_can_not_be_exchanged(tmp_path: Path) -> None:
    space = swap(tmp_path, memory=0)
    space.put(1, data(1))
    space.put(2, data(2))
    one, two = files(tmp_path)
    one.write_bytes(two.read_bytes())
    assert space.get(1) is None
    assert space.get(2)


def test_a_file_that_is_gone_is_nothing(tmp_path: Path) -> None:
    space = swap(tmp_path, memory=0)
    space.put(1, data(1))
    files(tmp_path)[0].unlink()
    assert space.get(1) is None
    assert space.stats()["entries"] == 0


def test_a_full_disk_loses_the_entry_and_nothing_else(tmp_path: Path) -> None:
    space = swap(tmp_path, memory=20)
    space.put(1, data(1))
    full = OSError(errno.ENOSPC, "No space left on device")
    with mock.patch.object(Path, "write_bytes", side_effect=full):
        assert space.put(2, data(2))  # 1 had to go
    assert space.get(1) is None
    assert space.get(2)
    assert space.stats()["lost"] == 1
    assert files(tmp_path) == []
