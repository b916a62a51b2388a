"""How much memory is the program's."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import pytest

from llmasos.services.system import resident_mb

MB = 1 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone says it")
def test_pages_of_files_are_in_all_of_it_and_not_in_what_is_anonymous(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"w" * (32 * MB))
    whole, anonymous = resident_mb(), resident_mb("Pss_Anon")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as weights:
        assert all(weights[at] for at in range(0, len(weights), mmap.PAGESIZE))
        assert resident_mb() - whole > 24
        assert resident_mb("Pss_Anon") - anonymous < 8
    ours = b"x" * (32 * MB)
    assert resident_mb("Pss_Anon") - anonymous > 24
    assert ours
