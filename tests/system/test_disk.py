"""Nothing readable is on the disk: what a person said is searched for in every byte of the home."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llmasos.compose import compose
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import ScriptedEngines
from tests.seat import Seat, reader
from tests.system.planting import WORDS, forms, leaks, search, use


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    for number, form in enumerate(sorted(forms("Canary"))):
        (tmp_path / "files").mkdir(exist_ok=True)
        (tmp_path / "files" / str(number)).write_bytes(b"\x01\x02" + form + b"\xff")
    assert len(leaks(tmp_path / "files", ["Canary"])) == len(forms("Canary"))


@pytest.mark.parametrize("closed", [False, True])
def test_nothing_readable_on_disk(tmp_path: Path, closed: bool) -> None:
    home, workspace = tmp_path / "home", tmp_path / WORDS["workspace"]
    workspace.mkdir()
    sentence = f"remember that {WORDS['sentence']} is near"
    program = reader({sentence: [("memory.remember", {"text": f"{WORDS['sentence']} is near"})]})
    engines = ScriptedEngines(says=[f"It was {WORDS['answered']} then."], reads=program)
    with asyncio.Runner() as runner:
        machine = runner.run(compose(Settings(home=home, owner="ada", seed=1), engines=engines))
        seat = Seat(machine, runner, workspace)
        use(seat)
        kept = (
            repr(seat.ok("memory.recall", query="key"))
            + repr(seat.ok("character.show", name="Orrin"))
            + repr(seat.ok("system.history"))
        )
        for name in ("fact", "said", "answered", "persona", "task", "sentence"):
            assert WORDS[name] in kept, f"the {name} was kept at all"
        if not closed:
            assert leaks(home, list(WORDS.values())) == []
        runner.run(machine.close())
    assert leaks(home, list(WORDS.values())) == []
    assert (home / "llmasos.log.sealed").stat().st_size > 100, "the traceback is in the log, sealed"
    assert (home / "store.db").stat().st_size > 10_000
    others = [path.name for path in home.rglob("*") if path.stat().st_mode & 0o077]
    assert others == [], "only the owner can read them"


def test_not_while_it_runs_nor_when_it_is_killed_nor_in_a_backup(tmp_path: Path) -> None:
    seen = search(tmp_path)
    assert seen.found == []
    assert seen.words == 4 * len(WORDS)
    for kept in ("killed/home/swap/*", "closed/home/index/*", "closed/home/audit/*", "closed/one.backup"):
        assert any(path.stat().st_size > 100 for path in tmp_path.glob(kept)), f"something was kept in {kept}"
    # What it looks for is there, in the one place where it may be.
    assert leaks(tmp_path / "killed" / WORDS["workspace"], [WORDS["overwritten"]]) == []
    assert leaks(tmp_path / "killed", [WORDS["workspace"]])


def test_a_failing_syscall_prints_no_traceback(
    seat: Seat, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError(WORDS["crash"])

    row = seat.machine.kernel.table["system.time"]
    monkeypatch.setitem(seat.machine.kernel.table.rows, "system.time", type(row)(**{**vars(row), "run": broken}))
    assert seat.error("system.time") == "EIO"
    assert capfd.readouterr().err == ""
