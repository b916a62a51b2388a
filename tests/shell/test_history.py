"""History survives, and nothing of it can be read on the disk."""

import asyncio
from pathlib import Path

from llmasos.core.kernel.sealed_log import SealedLog
from llmasos.shell.history import SealedHistory


def test_lines_come_back_newest_first_and_sealed(tmp_path: Path) -> None:
    path = tmp_path / "shell.sealed"
    history = SealedHistory(SealedLog(path, b"k" * 32))
    for line in ("where is my salary slip", "two\nlines 明天"):
        history.append_string(line)

    async def loaded() -> list[str]:
        return [line async for line in SealedHistory(SealedLog(path, b"k" * 32)).load()]

    assert asyncio.run(loaded()) == ["two\nlines 明天", "where is my salary slip"]
    assert b"salary" not in path.read_bytes()


def test_a_history_of_another_key_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "shell.sealed"
    SealedHistory(SealedLog(path, b"k" * 32)).store_string("secret")
    assert list(SealedHistory(SealedLog(path, b"x" * 32)).load_history_strings()) == []


def test_a_full_disk_does_not_stop_the_shell(tmp_path: Path) -> None:
    history = SealedHistory(SealedLog(tmp_path / "no" / "folder.sealed", b"k" * 32))
    history.append_string("still here")
    assert history.get_strings() == ["still here"]
