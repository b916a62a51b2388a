"""What is erased for good is nowhere any more: everything that the kernel keeps is opened, and searched for it.

On the disk all of it is sealed anyway (test_disk.py). This opens what is sealed, with the kernel's own keys, so that what
merely can't be read without them doesn't count as gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmasos.compose import compose, sealed_log
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.intents import FILE, Intents
from llmasos.core.kernel.process import Process, State
from llmasos.core.kernel.store import Store
from llmasos.services.files import seal
from llmasos.services.memory import service as memory
from tests.seat import Person, Seat, reader
from tests.system.planting import Ponders

CANARY = "Zaubernuss4711"
FACT = f"the {CANARY} is under the mat"
SENTENCE = f"please keep in mind that {FACT}"


def opened(seat: Seat) -> dict[str, str]:
    """All that the kernel keeps, by place."""
    machine = seat.machine
    store, keyring = machine.kernel.store, machine.keyring
    found = {f"record {r.kind}/{r.id}": f"{r.id} {r.subject} {r.value}" for r in store.all()}
    found |= {f"blob {number}": text for number, text in enumerate(blobs(store))}
    found |= {f"history {n}": line for n, line in enumerate(machine.history.lines())}
    found |= {f"log {n}": line for n, line in enumerate(sealed_log(machine.settings.home, keyring).lines())}
    intents = Intents(machine.settings.home / FILE, keyring.derive("intents"))
    found |= {f"intent {left.number}": str(left) for left in intents.left()}
    index = store.snapshot("memory\nada").read(int(store.get(memory.REVISION, "ada") or 0))
    found["index"] = "" if index is None else bytes(index).decode("utf-8", "replace")
    found |= {f"swap {key}": text for key, text in swapped(seat)}
    found |= {f"cells {n}": str(live.text) for n, live in enumerate(lives(seat))}
    return found


def blobs(store: Store) -> Iterator[str]:
    for token, scope_id in store._db.all("SELECT DISTINCT token, scope FROM blobs"):
        scope = store._scopes.by_id(scope_id)
        assert scope is not None
        yield b"".join(store._blobs.parts(scope, token)).decode("utf-8", "replace")


def swapped(seat: Seat) -> Iterator[tuple[int, str]]:
    swap, engine = seat.machine.characters._speaker._pager._swap, seat.machine.speech.loaded
    assert swap is not None
    for key in [*swap._memory, *swap._disk]:
        data = swap.get(key)
        assert data is not None
        assert engine is not None
        live = seat.wait(engine.restore(data))
        yield key, engine.detokenize(live.tokens)
        seat.wait(engine.close(live))
        swap.used(data)


class _Live:
    def __init__(self, text: str) -> None:
        self.text = text


def lives(seat: Seat) -> Iterator[_Live]:
    engine = seat.machine.speech.loaded
    for process in seat.machine.kernel.processes:
        if engine and process.sequence:
            yield _Live(engine.detokenize(process.sequence.tokens))


def places(seat: Seat) -> set[str]:
    """Where the canary stands, without numbers."""
    return {place.partition("/")[0].rstrip(" 0123456789") for place, text in opened(seat).items() if CANARY in text}


@pytest.fixture
def seat(home: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Seat]:
    monkeypatch.setattr(memory, "WORTH_KEEPING", 1)
    engines = ScriptedEngines(
        says=[f"It is about {CANARY} then."], reads=reader({SENTENCE: [("memory.remember", {"text": FACT})]})
    )
    settings = Settings(home=home, owner="ada", seed=1, record=True, swap_memory=1)
    with asyncio.Runner() as runner:
        machine = runner.run(compose(settings, engines=engines))
        seat = Seat(machine, runner, workspace)
        seat.session.resumes = True
        runner.run(machine.keep_jobs())
        machine.history.append("a line that stays")
        yield seat
        runner.run(machine.close())


def type_in(seat: Seat, line: str) -> None:
    """As a person at the shell does."""
    seat.machine.history.append(line)
    assert seat.say(line).ok, line


def leave_a_question_open(seat: Seat, call: Call, request: str) -> asyncio.Task[Any]:
    async def ask() -> asyncio.Task[Any]:
        machine, ponders = seat.machine, Ponders()
        process, session = machine.session(seat.workspace, ponders)
        task = asyncio.create_task(machine.kernel.trap(process, session, call, request=request))
        await ponders.asked.wait()
        return task

    return seat.wait(ask())


def settle(seat: Seat) -> None:
    """Until all background jobs have ended."""

    async def until() -> None:
        tasks = [task for _, task in seat.machine.jobs._running.values()]
        if tasks:
            await asyncio.wait(tasks)

    seat.wait(until())


def put_out(seat: Seat, name: str) -> Process:
    """A character's context goes into swap."""
    character = seat.machine.characters.cast.find("ada", name)
    assert character is not None
    process = seat.machine.characters.conversations.process(character)
    assert seat.wait(seat.machine.characters._speaker._pager.put_out(process))
    assert process.state is State.SWAPPED
    return process


def test_forgotten(seat: Seat) -> None:
    type_in(seat, SENTENCE)
    type_in(seat, "memory.recall mat &")
    settle(seat)
    type_in(seat, SENTENCE)
    machine = seat.machine
    machine.kept.keep("ada", SENTENCE, (Call("memory.remember", {"text": FACT}),))
    seat.machine.kernel.store.snapshot("memory\nada").write(
        machine_index(seat).pack(), int(machine.kernel.store.get(memory.REVISION, "ada"))
    )
    machine.kernel.store.put(
        "consent", "7", {"number": 7, "person": "ada", "subject": "user:ada", "syscall": "device.*",
                         "args": {"name": [FACT]}, "labels": [], "given": "2026", "until": "", "session": False},
    )  # fmt: skip
    open_question = leave_a_question_open(seat, Call("memory.forget", {"query": "mat"}), f"forget that {FACT}")
    assert places(seat) >= {
        "record memory", "record journal", "record job", "record mail", "record question", "record reading",
        "record consent", "record dialogue", "record replay", "history", "index",
    }  # fmt: skip
    seat.ok("memory.forget", query="mat")
    assert places(seat) == set()
    assert "a line that stays" in opened(seat).values()
    open_question.cancel()
    seat.wait(asyncio.wait([open_question]))
    assert places(seat) == set()


def test_forgotten_in_what_undo_kept(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    seat.put("a.md", f"was {CANARY}\n")
    type_in(seat, f"memory.remember '{FACT}'")
    type_in(seat, f"files.write a.md '{FACT}'")
    seat.put(f"{FACT}.md", f"about {CANARY}\n")
    seat.put("others.md", "large too")
    monkeypatch.setattr(seal, "LIMIT", 1)
    type_in(seat, f"files.delete '{FACT}.md'")
    type_in(seat, "files.delete others.md")
    assert "blob" in places(seat)
    trash = seat.workspace / ".llmasos-trash"
    assert {path.name for path in trash.rglob("*.md")} == {f"{FACT}.md", "others.md"}
    seat.ok("memory.forget", query="mat")
    assert places(seat) == set()
    assert [path.name for path in trash.rglob("*") if path.is_file()] == ["others.md"]
    seat.ok("system.undo")
    assert (seat.workspace / "others.md").read_text() == "large too"


def machine_index(seat: Seat) -> Any:
    """The index of memories, as it is in memory."""
    service = next(row.run.__self__ for row in seat.machine.kernel.table if row.name == "memory.recall")
    return service._index("ada")


def test_deleted(seat: Seat) -> None:
    type_in(seat, f"character.create {CANARY} personality='fond of riddles'")
    type_in(seat, f"character.chat {CANARY} 'do you know {CANARY}?'")
    process = put_out(seat, CANARY)
    seat.ok("process.stop", pid=process.pid)
    seat.ok("process.resume", pid=process.pid)
    type_in(seat, f"character.chat {CANARY} 'and {CANARY} again' &")
    settle(seat)
    put_out(seat, CANARY)
    open_question = leave_a_question_open(seat, Call("character.delete", {"name": CANARY}), f"delete {CANARY}")
    assert places(seat) >= {
        "record character", "record character.event", "record process", "record journal", "record job", "record mail",
        "record question", "record replay", "history", "swap",
    }  # fmt: skip
    seat.ok("character.delete", name=CANARY)
    assert places(seat) == set(), [text for text in opened(seat).values() if CANARY in text]
    assert "a line that stays" in opened(seat).values()
    open_question.cancel()
    seat.wait(asyncio.wait([open_question]))


@pytest.mark.parametrize("swapped_out", [True, False])
def test_killed(seat: Seat, swapped_out: bool) -> None:
    seat.ok("character.create", name="Orrin", personality="patient")
    seat.ok("character.create", name="Vesper", personality="proud")
    for name in ("Orrin", "Vesper"):
        seat.ok("character.chat", name=name, message=f"keep {CANARY} in mind")
        # What is live between two turns is what was said before the last line.
        seat.ok("character.chat", name=name, message="and what else?")
    kernel = seat.machine.kernel
    process = put_out(seat, "Orrin") if swapped_out else next(p for p in kernel.processes if p.name == "Orrin")
    seat.ok("process.stop", pid=process.pid)
    runs = [r for r in kernel.store.scan("replay") if r.value["process"] == "Orrin"]
    assert {"swap" if swapped_out else "cells"} <= places(seat)
    assert runs
    assert inverses(seat, process.pid) == ["process.resume"]
    assert kernel.store.get("process", str(process.pid), subject=lasting_key(process)) is not None

    seat.ok("process.kill", pid=process.pid)
    assert inverses(seat, process.pid) == []
    left = [r.value["process"] for r in kernel.store.scan("replay")]
    assert "Orrin" not in left
    assert "Vesper" in left, "other processes keep theirs"
    assert kernel.store.get("process", str(process.pid), subject=lasting_key(process)) is None
    assert process.pid not in [key for key, _ in swapped(seat)]
    assert (process.sequence, process.swapped_bytes) == (None, 0)
    assert not list((seat.machine.settings.home / "swap").glob(f"{process.pid}.kv"))
    # It was the process, not the character: that has its memory, and its next line starts another.
    assert CANARY in str(seat.ok("character.show", name="Orrin"))
    assert seat.error("system.undo", what=f"#{stop_entry(seat)}") == "ESTALE"


def lasting_key(process: Process) -> str:
    assert process.lasting
    return process.lasting.key


def inverses(seat: Seat, pid: int) -> list[str]:
    """What would take back something that was done to a process."""
    entries = seat.machine.kernel.journal.entries(1000)
    found = [entry.inverse for entry in entries if entry.inverse]
    return [i["name"] for i in found if i["name"].startswith("process.") and i["payload"]["pid"] == pid]


def stop_entry(seat: Seat) -> int:
    return next(e.id for e in seat.machine.kernel.journal.entries(1000) if e.call["syscall"] == "process.stop")


def test_the_search_opens_what_is_kept(seat: Seat) -> None:
    seat.person = Person()
    seat.put("a.md", f"was {CANARY}\n")
    seat.ok("files.write", path="a.md", content="other words")
    assert places(seat) == {"blob"}
    seat.ok("system.undo")
    assert places(seat) == set()
