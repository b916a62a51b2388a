"""The program that carries the kernel is killed: another one carries it, and nothing that was acknowledged is lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.client.killing import killed


def test_the_owner_is_killed_again_and_again(home: Path, workspace: Path) -> None:
    seen, titles = killed(home, workspace, times=4)
    count = Counter(titles)
    assert set(seen.acknowledged) <= set(titles), "nothing acknowledged is lost"
    assert max(count.values()) == 1, "nothing is done twice"
    assert set(titles) <= set(seen.acknowledged) | set(seen.doubtful), "nothing is made up"
