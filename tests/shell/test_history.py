"""History for the line editor; how it is kept is the kernel's business."""

from pathlib import Path

import pytest

from llmasos.core.kernel.sealed_log import SealedLog
from llmasos.shell.history import KeptHistory
from tests.shell.stage import staged


async def test_lines_come_back_newest_first() -> None:
    kept: list[str] = []
    history = KeptHistory(["ls", "two\nlines 明天"], kept.append)
    assert [line async for line in history.load()] == ["two\nlines 明天", "ls"]
    history.append_string("history")
    assert kept == ["history"]
    assert history.get_strings()[-1] == "history"


async def test_it_is_sealed(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await stage.client.keep_line("where is my salary slip")
        assert await stage.client.history() == ["where is my salary slip"]
        for path in stage.home.rglob("*"):
            assert not path.is_file() or b"salary" not in path.read_bytes()


async def test_a_history_of_another_key_is_left_out(tmp_path: Path) -> None:
    SealedLog(tmp_path / "shell.sealed", b"k" * 32).append("secret")
    async with staged(tmp_path) as stage:
        stage.machine.history = SealedLog(tmp_path / "shell.sealed", b"x" * 32)
        assert await stage.client.history() == []


async def test_a_full_disk_does_not_stop_the_shell(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with staged(tmp_path) as stage:
        stage.machine.history = SealedLog(tmp_path / "no" / "folder.sealed", b"k" * 32)
        await stage.client.keep_line("still here")
        assert "isn't in the history" in caplog.text
        assert await stage.client.history() == []
