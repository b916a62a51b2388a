"""Nothing readable is on the disk: what a person said is searched for in every byte of the home."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from llmasos.compose import compose
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import ScriptedEngines
from tests.seat import Seat, reader

WORDS = {
    name: f"Canary{number}{name.title()}"
    for number, name in enumerate(
        ("fact", "task", "event", "overwritten", "deleted", "filename", "said", "answered", "persona", "sentence", "typed", "crash", "workspace"), 7301
    )
}  # fmt: skip


def forms(word: str) -> set[bytes]:
    """A word as text, and in forms it could hide in."""
    plain = word.encode()
    found = {plain, plain.lower(), plain.hex().encode(), word.encode("utf-16-le")}
    # Base64 has three forms, by where the word starts; the outer letters depend on the neighbours.
    return found | {
        base64.b64encode(b"\0" * skip + plain + b"\0" * (-(skip + len(plain)) % 3))[4:-4] for skip in range(3)
    }


def leaks(folder: Path, words: Sequence[str]) -> list[str]:
    """Which words can be read in which files."""
    found = []
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        found += [
            f"{word} in {path.name}"
            for word in words
            if any(f in content or f in path.name.encode() for f in forms(word))
        ]
    return found


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    for number, form in enumerate(sorted(forms("Canary"))):
        (tmp_path / "files").mkdir(exist_ok=True)
        (tmp_path / "files" / str(number)).write_bytes(b"\x01\x02" + form + b"\xff")
    assert len(leaks(tmp_path / "files", ["Canary"])) == len(forms("Canary"))


def use(seat: Seat) -> None:
    """A person's day, with a canary in everything that is kept."""
    seat.ok("memory.remember", text=f"the key is at {WORDS['fact']}")
    seat.ok("tasks.add", title=f"see {WORDS['task']}")
    seat.ok("schedule.add", title=f"meet {WORDS['event']}", when="tomorrow at 9am")
    seat.put("a.md", f"was {WORDS['overwritten']}\n" * 50)
    seat.ok("files.write", path="a.md", content="other words")
    seat.put(f"{WORDS['filename']}.md", f"was {WORDS['deleted']}\n" * 50)
    seat.ok("files.delete", path=f"{WORDS['filename']}.md")
    seat.ok("character.create", name="Orrin", personality=f"keeps {WORDS['persona']}")
    assert WORDS["answered"] in seat.ok("character.chat", name="Orrin", message=f"remember {WORDS['said']}")["text"]
    assert seat.say(f"remember that {WORDS['sentence']} is near").ok
    machine = seat.machine
    machine.history.append(f"tell me about {WORDS['typed']}")
    try:
        raise RuntimeError(WORDS["crash"])
    except RuntimeError:
        logging.getLogger("llmasos.tests").exception("a call failed")


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


def test_a_failing_syscall_prints_no_traceback(
    seat: Seat, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError(WORDS["crash"])

    row = seat.machine.kernel.table["system.time"]
    monkeypatch.setitem(seat.machine.kernel.table.rows, "system.time", type(row)(**{**vars(row), "run": broken}))
    assert seat.error("system.time") == "EIO"
    assert capfd.readouterr().err == ""
