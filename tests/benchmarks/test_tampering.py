"""A sample of the tampering bench, and that it sees what would go unseen."""

from __future__ import annotations

from pathlib import Path

from benchmarks.tampering import undetected


def test_every_change_of_a_small_home_is_seen(tmp_path: Path) -> None:
    missed, count = undetected(tmp_path, entries=3)
    assert missed == []
    assert count > 80


def test_what_nobody_could_see_counts(tmp_path: Path) -> None:
    changes = {"nothing": lambda home, older: None, "beside": lambda home, older: (home / "x").write_text("x")}
    missed, _ = undetected(tmp_path, entries=1, more=changes)
    assert missed == ["nothing", "beside"]
