"""The power goes: what was promised to survive that is there, and nothing is unreadable, whatever the disk has done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.kernel.power_cuts import PROGRAMS, cut
from tests.power import recorded, states

EVERY = {"keys": 1, "settings": 1, "effects": 31, "copies": 5}


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_state_is_readable_and_has_what_was_promised(program: str, tmp_path: Path) -> None:
    found = cut(program, tmp_path, every=EVERY[program])
    assert found.states >= 20
    assert found.unreadable == []
    assert found.lost == []


def careless(root: Path, name: str, data: bytes) -> None:
    """Writes a file as many programs do: nothing is synced."""
    fresh = root / f"{name}.new"
    fresh.write_bytes(data)
    fresh.replace(root / name)


def test_the_simulated_disk_finds_what_is_not_synced(tmp_path: Path) -> None:
    root = tmp_path / "run"
    root.mkdir()
    (root / "a").write_bytes(b"old")
    with recorded(root) as disk:
        careless(root, "a", b"new content")
        disk.promise("new")
    found = {
        (state / "a").read_bytes() if (state / "a").exists() else None
        for state, promised in states(disk, tmp_path / "states")
        if promised
    }
    assert {b"old", b"new content", b"", b"new c", bytes(11)} <= found, "old, new, empty, half and zeros"


def test_what_is_synced_is_there_in_each_state(tmp_path: Path) -> None:
    from llmasos.core.base.durable import replace_file

    root = tmp_path / "run"
    root.mkdir()
    (root / "a").write_bytes(b"old")
    with recorded(root) as disk:
        replace_file(root / "a", b"new content", scrub=True)
        disk.promise("new")
    before, after = set(), set()
    for state, promised in states(disk, tmp_path / "states"):
        (after if promised else before).add((state / "a").read_bytes())
    assert before == {b"old", b"new content"}
    assert after == {b"new content"}
