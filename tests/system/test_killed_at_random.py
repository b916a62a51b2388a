"""`kill -9` at random moments: what was acknowledged is there, nothing is done twice. benchmarks/recovery.py does it longer."""

from __future__ import annotations

from pathlib import Path

from tests.system.killed_at_random import killed


def test_nothing_acknowledged_is_lost_and_nothing_is_done_twice(tmp_path: Path) -> None:
    seen = killed(tmp_path, 6, seed=3)
    assert seen.kills == 7
    assert sum(seen.acknowledged.values()) > 0
    assert seen.unreadable == []
    assert seen.lost == []
    assert seen.doubled == []
