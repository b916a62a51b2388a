"""What a composed system tells a person about what it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmasos import compose as composing
from llmasos.compose import Machine, compose, facts
from llmasos.core.base.errors import UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.session import Nobody


async def composed(home: Path, **settings: Any) -> Machine:
    return await compose(Settings(home=home, owner="ada", seed=1, **settings), engines=ScriptedEngines())


async def test_worn_keys_are_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = await composed(home)
    assert machine.problems == []
    for number in range(60):
        machine.kernel.store.put("note", "same", number)
    await machine.close()
    monkeypatch.setattr(composing, "WORN", 50)
    machine = await composed(home)
    assert any("keys rotate --data" in problem for problem in machine.problems)
    machine.kernel.store.rotate()
    await machine.close()
    machine = await composed(home)
    assert machine.problems == []
    await machine.close()


async def test_how_much_is_kept(machine: Machine) -> None:
    machine.kernel.store.put_blob(b"x" * 2_000_000)
    said = facts(machine.settings, machine.kernel, {})["kept"]
    assert said.startswith("store ")
    assert "of the store for undo 2.0 MB" in said


async def test_a_session_without_memory_says_so_and_is_gone(home: Path) -> None:
    machine = await composed(home, remember=False)
    place = machine.kernel.store.home
    assert machine.problems == [composing.NOTHING_KEPT]
    assert machine.keyring.created_recovery_code is None
    assert place != home
    assert list(home.iterdir()) == []
    await machine.close()
    assert not place.exists()
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", ["keep_history", "keep_undo_mb", "keep_audit", "keep_trash", "keep_trash_mb"])
def test_less_than_nothing_isnt_kept(home: Path, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        Settings.load({f"LLMASOS_{name.upper()}": "-1", "LLMASOS_HOME": str(home)})


async def test_an_undo_that_had_to_make_room_is_said_to_be_gone(home: Path, workspace: Path) -> None:
    machine = await composed(home, keep_undo_mb=1)
    process, session = machine.session(workspace, Nobody(yes=True))

    async def said(line: str) -> str:
        (result,) = (await machine.requests.handle(process, session, line)).results
        return result.message or str(result.value["message"])

    for number in range(3):
        (workspace / f"{number}.bin").write_bytes(bytes(600_000))
        await said(f"files.delete {number}.bin")
    assert "1 MB" in await said("undo #2")
    assert "can't be taken back any more" in await said("undo #1")
    assert "Only 1 change can be taken back" in await said("undo 2")
    assert "Brought 2.bin back" in await said("undo")
    gone = await said("undo")
    assert "nothing to take back" in gone
    assert "#2, files.delete path=1.bin, can't be taken back any more" in gone
    assert "keep_undo_mb" in gone
    await machine.close()
