"""Every syscall of the catalogue works through the door: a real effect, journaled, taken back where it can be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmasos.compose import compose
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.engine.sources import ScriptedEngines
from tests.catalogue import contract
from tests.seat import Person, Seat, tree

Check = Callable[[Seat], Any]
Prepared = tuple[dict[str, Any], Check]
CASES: dict[str, Callable[[Seat], Prepared]] = {}
NOT_UNDOABLE = {"system.undo"}
SET_BACK = {"device.turn_on", "device.turn_off", "device.set"}
"""What acts outside, and has a way back."""
SAYS = "The sea is calm tonight."
IN_FRENCH = "La mer est calme ce soir, et les bateaux dorment."


def says(prompt: str) -> str:
    """What the script that talks answers."""
    return IN_FRENCH if "Translate into French" in prompt else SAYS


def case(name: str) -> Callable[[Callable[[Seat], Prepared]], Callable[[Seat], Prepared]]:
    """A case sets a scene and returns the arguments to call with and what must hold afterwards of (seat, value)."""

    def enter(function: Callable[[Seat], Prepared]) -> Callable[[Seat], Prepared]:
        CASES[name] = function
        return function

    return enter


@pytest.fixture
def seat(tmp_path: Path) -> Iterator[Seat]:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    with asyncio.Runner() as runner:
        settings = Settings(
            home=tmp_path / "home", owner="ada", seed=1, model="scripted"
        )  # a larger model than the default
        machine = runner.run(compose(settings, engines=ScriptedEngines(says=says)))
        yield Seat(machine, runner, workspace, Person())
        runner.run(machine.close())


def state(seat: Seat) -> dict[str, Any]:
    """All that the catalogue can change, as the catalogue shows it."""
    characters = {name: seat.ok("character.show", name=name)["fields"] for name in seat.refs("character.list")}
    for fields in characters.values():
        fields.pop("process", None)
    return {
        "files": tree(seat.workspace),
        "tasks": sorted(map(json.dumps, seat.ok("tasks.list", status="all")["items"])),
        "events": seat.ok("schedule.list")["items"],
        "memory": seat.ok("memory.recall", query="spare key")["items"],
        "characters": characters,
        "devices": seat.ok("device.list")["items"],
        "apps": [row["state"] for row in seat.ok("app.list")["items"]],
        "jobs": {p.pid: p.state for p in seat.machine.kernel.processes if p.program == "job" and p.alive},
    }


def test_every_syscall_has_a_case() -> None:
    assert set(CASES) == set(contract())


@pytest.mark.parametrize("name", list(contract()))
def test_works(seat: Seat, name: str) -> None:
    args, check = CASES[name](seat)
    effect = seat.machine.kernel.table[name].effect
    before = state(seat)
    last = [entry.id for entry in seat.machine.kernel.journal.entries(1)]
    seat.person.consents.clear()

    result = seat.do(name, **args)

    assert result.ok, result
    check_value(name, check, seat, result.value)
    entries = seat.machine.kernel.journal.entries(1)
    if effect == "read":
        assert [entry.id for entry in entries] == last, "a read leaves no entry"
        assert state(seat) == before, "a read changes nothing"
        assert not seat.person.consents
        return
    if name != "system.undo":
        assert state(seat) != before, "the effect is real"
    assert [entry.id for entry in entries] != last and entries[0].person == "ada"
    if effect in ("final", "external"):
        assert [question.call.syscall for question in seat.person.consents] == [name], "it asks, once"
        assert result.undoable == (name in SET_BACK)
        if result.undoable:
            seat.ok("system.undo")
            assert len(seat.person.consents) == 2, "setting back acts outside again"
            assert state(seat) == before, "undo sets back exactly that"
        return
    assert entries[0].call["syscall"] == name and entries[0].state == "done"
    assert not seat.person.consents, "what can be undone doesn't ask"
    if name not in NOT_UNDOABLE:
        assert result.undoable
        seat.ok("system.undo")
        assert state(seat) == before, "undo takes back exactly that"


@pytest.mark.parametrize("name", list(contract()))
def test_works_as_it_is_written(seat: Seat, name: str) -> None:
    args, check = CASES[name](seat)
    outcome = seat.say(str(Call(name, args)))
    assert outcome.way == "call" and outcome.ok, outcome
    assert [call.syscall for call in outcome.reading.program] == [name]
    check_value(name, check, seat, outcome.results[0].value)


def check_value(name: str, check: Check, seat: Seat, value: Any) -> None:
    """What a case looks for: a function of the seat, or words that the value must hold."""
    said = check(seat)
    if isinstance(said, str):
        assert said in json.dumps(value, ensure_ascii=False), value
    else:
        assert said, f"{name}: {value}"


@pytest.mark.parametrize("name", [n for n, row in contract().items() if row.effect in ("final", "external")])
@pytest.mark.parametrize(("answer", "code"), [("no", "EACCES"), (None, "EAGAIN")])
def test_nothing_happens_without_consent(seat: Seat, name: str, answer: Any, code: str) -> None:
    args, _ = CASES[name](seat)
    before = state(seat)
    entries = len(seat.machine.kernel.journal.entries(100))
    seat.person.answer = answer
    seat.person.consents.clear()
    assert seat.error(name, **args) == code
    assert seat.person.consents[0].shown, "the question shows what would go"
    assert state(seat) == before
    assert len(seat.machine.kernel.journal.entries(100)) == entries


# files


@case("files.list")
def _(seat: Seat) -> Prepared:
    seat.put("notes/todo.md", "milk")
    return {"path": "notes"}, lambda s: "todo.md"


@case("files.find")
def _(seat: Seat) -> Prepared:
    seat.put("papers/tax 2023.pdf.txt", "assessment")
    seat.put("b.txt", "other")
    return {"query": "tax"}, lambda s: "tax 2023"


@case("files.read")
def _(seat: Seat) -> Prepared:
    seat.put("a.md", "The words inside.")
    return {"path": "a.md"}, lambda s: "The words inside."


@case("files.write")
def _(seat: Seat) -> Prepared:
    file = seat.put("a.md", "old")
    return {"path": "a.md", "content": "new words"}, lambda s: file.read_text().strip() == "new words"


@case("files.append")
def _(seat: Seat) -> Prepared:
    file = seat.put("a.md", "first\n")
    return {"path": "a.md", "content": "second"}, lambda s: file.read_text().splitlines() == ["first", "second"]


@case("files.copy")
def _(seat: Seat) -> Prepared:
    seat.put("a.md", "words")
    return {"source": "a.md", "destination": "b.md"}, lambda s: (s.workspace / "b.md").read_text() == "words"


@case("files.move")
def _(seat: Seat) -> Prepared:
    file = seat.put("a.md", "words")
    (seat.workspace / "old").mkdir()
    return {"source": "a.md", "destination": "old"}, lambda s: (s.workspace / "old/a.md").exists() and not file.exists()


@case("files.delete")
def _(seat: Seat) -> Prepared:
    file = seat.put("a.md", "words")
    return {"path": "a.md"}, lambda s: not file.exists()


@case("files.mkdir")
def _(seat: Seat) -> Prepared:
    return {"path": "new/deep"}, lambda s: (s.workspace / "new/deep").is_dir()


@case("files.summarize")
def _(seat: Seat) -> Prepared:
    seat.put("a.md", "The harbour froze in January. Ships waited. The harbour master counted ships. Nobody sailed.")
    return {"path": "a.md"}, lambda s: "harbour"


# schedule and tasks


def planned(seat: Seat) -> list[str]:
    return [row["title"] for row in seat.ok("schedule.list")["items"]]


@case("schedule.add")
def _(seat: Seat) -> Prepared:
    return {"title": "call Bob", "when": "tomorrow at 9am"}, lambda s: planned(s) == ["call Bob"]


@case("schedule.list")
def _(seat: Seat) -> Prepared:
    seat.ok("schedule.add", title="dentist", when="tomorrow at 4pm")
    return {"when": "tomorrow"}, lambda s: "dentist"


@case("schedule.move")
def _(seat: Seat) -> Prepared:
    seat.ok("schedule.add", title="dentist", when="tomorrow at 4pm")
    return {"title": "dentist", "when": "tomorrow at 5pm"}, lambda s: "17:00"


@case("schedule.cancel")
def _(seat: Seat) -> Prepared:
    seat.ok("schedule.add", title="dentist", when="tomorrow at 4pm")
    return {"title": "dentist"}, lambda s: planned(s) == []


@case("tasks.add")
def _(seat: Seat) -> Prepared:
    return {
        "title": "water the plants",
        "due": "Friday",
        "priority": "urgent",
    }, lambda s: s.refs("tasks.list") == ["water the plants"]


@case("tasks.list")
def _(seat: Seat) -> Prepared:
    seat.ok("tasks.add", title="buy milk")
    return {"status": "open"}, lambda s: "buy milk"


@case("tasks.complete")
def _(seat: Seat) -> Prepared:
    seat.ok("tasks.add", title="buy milk")
    return {"title": "buy milk"}, lambda s: s.refs("tasks.list", status="done") == ["buy milk"]


@case("tasks.remove")
def _(seat: Seat) -> Prepared:
    seat.ok("tasks.add", title="buy milk")
    return {"title": "buy milk"}, lambda s: s.refs("tasks.list", status="all") == []


# memory and search


def known(seat: Seat) -> int:
    return len(seat.ok("memory.recall", query="spare key")["items"])


@case("memory.remember")
def _(seat: Seat) -> Prepared:
    return {"text": "the spare key is under the blue pot"}, lambda s: known(s) == 1


@case("memory.recall")
def _(seat: Seat) -> Prepared:
    seat.ok("memory.remember", text="the spare key is under the blue pot")
    return {"query": "spare key"}, lambda s: "blue pot"


@case("memory.forget")
def _(seat: Seat) -> Prepared:
    seat.ok("memory.remember", text="the spare key is under the blue pot")
    return {"query": "spare key"}, lambda s: known(s) == 0


@case("search.find")
def _(seat: Seat) -> Prepared:
    seat.put("boiler.txt", "boiler warranty")
    seat.ok("tasks.add", title="call about the boiler")
    return {"query": "boiler"}, lambda s: "call about the boiler"


# language


@case("assistant.answer")
def _(seat: Seat) -> Prepared:
    return {"question": "why is the sky blue"}, lambda s: SAYS


@case("content.write")
def _(seat: Seat) -> Prepared:
    return {"kind": "poem", "topic": "the sea"}, lambda s: "sea"


@case("content.translate")
def _(seat: Seat) -> Prepared:
    return {"text": "The sea is calm.", "language": "French"}, lambda s: IN_FRENCH


@case("content.summarize")
def _(seat: Seat) -> Prepared:
    return {
        "text": "The harbour froze in January. Ships waited for weeks. Nobody sailed. The harbour master wrote letters."
    }, lambda s: "harbour"


# characters


@case("character.create")
def _(seat: Seat) -> Prepared:
    return {"name": "Orrin", "role": "lighthouse keeper"}, lambda s: s.refs("character.list") == ["Orrin"]


@case("character.chat")
def _(seat: Seat) -> Prepared:
    seat.ok("character.create", name="Orrin")
    return {"name": "Orrin", "message": "how is the sea"}, lambda s: s.person.streamed.strip() == SAYS


@case("character.list")
def _(seat: Seat) -> Prepared:
    seat.ok("character.create", name="Orrin")
    return {}, lambda s: "Orrin"


@case("character.show")
def _(seat: Seat) -> Prepared:
    seat.ok("character.create", name="Orrin", personality="patient")
    return {"name": "Orrin"}, lambda s: "patient"


@case("character.delete")
def _(seat: Seat) -> Prepared:
    seat.ok("character.create", name="Orrin")
    seat.ok("character.chat", name="Orrin", message="hello")
    return {"name": "Orrin"}, lambda s: s.refs("character.list") == []


@case("character.import")
def _(seat: Seat) -> Prepared:
    card = {"spec": "chara_card_v3", "spec_version": "3.0", "data": {"name": "Maren", "description": "a ferrywoman"}}
    seat.put("maren.json", json.dumps(card))
    return {"path": "maren.json"}, lambda s: s.refs("character.list") == ["Maren"]


@case("character.export")
def _(seat: Seat) -> Prepared:
    seat.ok("character.create", name="Orrin")
    return {
        "name": "Orrin",
        "path": "orrin.json",
    }, lambda s: json.loads((s.workspace / "orrin.json").read_text())["data"]["name"] == "Orrin"


# devices


@case("device.list")
def _(seat: Seat) -> Prepared:
    return {}, lambda s: "kitchen"


@case("device.get")
def _(seat: Seat) -> Prepared:
    return {"name": "thermostat"}, lambda s: "thermostat"


@case("device.turn_on")
def _(seat: Seat) -> Prepared:
    seat.ok("device.turn_off", name="kitchen light")
    return {"name": "kitchen light"}, lambda s: "on" in str(s.ok("device.get", name="kitchen light"))


@case("device.turn_off")
def _(seat: Seat) -> Prepared:
    seat.ok("device.turn_on", name="kitchen light")
    return {"name": "kitchen light"}, lambda s: "off" in str(s.ok("device.get", name="kitchen light"))


@case("device.set")
def _(seat: Seat) -> Prepared:
    return {
        "name": "thermostat",
        "value": "17.5 degrees",
    }, lambda s: "17.5" in str(s.ok("device.get", name="thermostat"))


# apps and processes


@case("app.list")
def _(seat: Seat) -> Prepared:
    return {}, lambda s: "guide"


@case("app.open")
def _(seat: Seat) -> Prepared:
    return {"name": "guide", "request": "files"}, lambda s: s.machine.kernel.processes.find("app", "guide")


@case("app.close")
def _(seat: Seat) -> Prepared:
    seat.ok("app.open", name="guide")
    return {"name": "guide"}, lambda s: s.machine.kernel.processes.find("app", "guide") is None


def job(seat: Seat) -> int:
    table = seat.machine.kernel.processes
    return table.spawn(table.init, name="count sheep", program="job").pid


@case("process.list")
def _(seat: Seat) -> Prepared:
    job(seat)
    return {}, lambda s: "count sheep"


@case("process.show")
def _(seat: Seat) -> Prepared:
    return {"pid": job(seat)}, lambda s: "count sheep"


@case("process.stop")
def _(seat: Seat) -> Prepared:
    return {"pid": str(job(seat))}, lambda s: "count sheep"


@case("process.resume")
def _(seat: Seat) -> Prepared:
    pid = job(seat)
    seat.ok("process.stop", pid=pid)
    return {"pid": pid}, lambda s: "count sheep"


@case("process.kill")
def _(seat: Seat) -> Prepared:
    pid = job(seat)
    return {"pid": pid}, lambda s: s.error("process.show", pid=pid) == "ESRCH"


# system


@case("system.status")
def _(seat: Seat) -> Prepared:
    return {}, lambda s: "default"


@case("system.help")
def _(seat: Seat) -> Prepared:
    return {"topic": "files.move"}, lambda s: "files.move source destination"


@case("system.undo")
def _(seat: Seat) -> Prepared:
    seat.ok("tasks.add", title="buy milk")
    return {}, lambda s: s.refs("tasks.list") == []


@case("system.history")
def _(seat: Seat) -> Prepared:
    seat.ok("tasks.add", title="buy milk")
    return {}, lambda s: "tasks.add title=buy milk"


@case("system.time")
def _(seat: Seat) -> Prepared:
    return {}, lambda s: f"{s.machine.kernel.clock.now():%Y}"


@case("calculator.evaluate")
def _(seat: Seat) -> Prepared:
    return {"expression": "15% of 80"}, lambda s: "12"
