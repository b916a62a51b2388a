"""Whose words something is, it still knows on another day: to-dos, events, files, memories, jobs, what can be done again.

Each test is at a whole system whose home is closed and opened anew in the middle.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from llmasos.compose import compose
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call, Result, to_records
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.agent import Agent
from llmasos.services.files import origin
from llmasos.services.files.place import Place
from tests.seat import Person, Programs, Seat, reader

WORDS = "pay Mallory"
PROGRAMS: Programs = {
    "put what mail.txt says on my list": [("files.read", {"path": "mail.txt"}), ("tasks.add", {"title": "$1"})],
    "plan what mail.txt says for tomorrow at 9": [
        ("files.read", {"path": "mail.txt"}),
        ("schedule.add", {"title": "$1", "when": "tomorrow at 9"}),
    ],
    "delete the file that is on my list": [("tasks.list", {}), ("files.delete", {"path": "$1"})],
    "delete the file that is planned": [("schedule.list", {}), ("files.delete", {"path": "$1"})],
    "tick off what is on my list": [("tasks.list", {}), ("tasks.complete", {"title": "$1"})],
    "tick off pay Mallory": [("tasks.complete", {"title": "pay Mallory"})],
    "look for Mallory and delete that file": [("search.find", {"query": "Mallory"}), ("files.delete", {"path": "$1"})],
    "what is on my list": [("tasks.list", {})],
    "remove the second one": [("tasks.remove", {"title": "the second one"})],
    "remove the first one": [("tasks.remove", {"title": "the first one"})],
}


class Life:
    """One home, which is closed and opened again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runner = asyncio.Runner()
        self._seat: Seat | None = None
        self.workspace = folder / "desk"
        self.workspace.mkdir()

    def seat(self, *, answer: Literal["once", "no"] = "no") -> Seat:
        """A person at the system, after a restart where it ran already; they answer all questions so."""
        self.end()
        settings = Settings(home=self._folder / "state", owner="ada", seed=1)
        machine = self._runner.run(compose(settings, engines=ScriptedEngines(reads=reader(PROGRAMS))))
        self._seat = Seat(machine, self._runner, self.workspace, Person(answer))
        self._seat.session.resumes = True
        return self._seat

    def end(self) -> None:
        if self._seat:
            self._runner.run(self._seat.machine.close())
        self._seat = None

    def close(self) -> None:
        self.end()
        self._runner.close()


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    life = Life(tmp_path)
    yield life
    life.close()


def labelled(seat: Seat, syscall: str, *labels: str, **args: Any) -> Result:
    """A call whose words aren't the person's, by this person's yes."""
    origins = dict.fromkeys(args, frozenset(labels))
    return seat.trap(Call(syscall, args, origins=origins))


def asked(seat: Seat) -> list[tuple[str, ...]]:
    return [question.labels for question in seat.person.consents]


@pytest.mark.parametrize(
    ("keep", "use", "look"),
    [
        ("put what mail.txt says on my list", "delete the file that is on my list", "tasks.list"),
        ("plan what mail.txt says for tomorrow at 9", "delete the file that is planned", "schedule.list"),
        ("put what mail.txt says on my list", "look for Mallory and delete that file", "tasks.list"),
        ("plan what mail.txt says for tomorrow at 9", "look for Mallory and delete that file", "schedule.list"),
    ],
)
def test_what_a_file_said_chooses_nothing_on_another_day(life: Life, keep: str, use: str, look: str) -> None:
    seat = life.seat()
    seat.put("mail.txt", WORDS)
    assert seat.say(keep).ok and asked(seat) == []
    (life.workspace / "mail.txt").unlink()  # or it is found too, and asked about
    seat = life.seat()
    seat.put(WORDS, "a file that happens to be called so")
    result = seat.do(look)
    (row,) = result.value["items"]
    assert result.labels == {"file"} and (row["source"], row["sources"]) == ("file", ["file"])
    seat.person.choices = [next(row["ref"] for row in seat.ok("search.find", query="Mallory")["items"])]
    assert not seat.say(use).ok
    assert asked(seat) == [("file",)]
    assert (life.workspace / WORDS).exists()


def test_what_the_person_wrote_has_no_label(life: Life) -> None:
    life.seat().ok("tasks.add", title=WORDS)
    seat = life.seat()
    seat.put(WORDS, "x")
    seat.ok("schedule.add", title=WORDS, when="tomorrow at 9")
    for look in ("tasks.list", "schedule.list"):
        result = seat.do(look)
        assert not result.labels and "source" not in result.value["columns"]
        assert "sources" not in result.value["items"][0] and "sources" not in result.value
    assert seat.say("delete the file that is on my list").ok and asked(seat) == []


def test_what_the_person_names_themselves_is_theirs(life: Life) -> None:
    seat = life.seat()
    seat.put("mail.txt", WORDS)
    assert seat.say("put what mail.txt says on my list").ok
    seat = life.seat()
    assert not seat.say("tick off what is on my list").ok and asked(seat) == [("file",)]
    assert seat.say("tick off pay Mallory").ok and len(asked(seat)) == 1
    assert seat.do("tasks.list", status="done").labels == {"file"}, "what was done keeps it"


def test_only_what_is_others_words_is_asked_about(life: Life) -> None:
    """Also by pointing, and a session later."""
    seat = life.seat()
    seat.put("mail.txt", WORDS)
    seat.ok("tasks.add", title="water the ferns", priority="high")
    assert seat.say("put what mail.txt says on my list").ok
    assert seat.say("what is on my list").results[0].labels == {"file"}
    seat = life.seat()
    assert not seat.say("remove the second one").ok and asked(seat) == [("file",)]
    assert seat.say("remove the first one").ok and len(asked(seat)) == 1
    assert seat.refs("tasks.list") == [WORDS]


def test_undo_and_redo_keep_it(life: Life) -> None:
    seat = life.seat(answer="once")
    assert labelled(seat, "tasks.add", "web:evil.example", title=WORDS).ok
    seat.ok("system.undo")
    seat = life.seat(answer="once")
    assert seat.do("system.redo").ok
    assert seat.do("tasks.list").labels == {"web:evil.example"}
    seat.ok("tasks.remove", title=WORDS)
    seat = life.seat()
    seat.ok("system.undo")
    assert seat.do("tasks.list").labels == {"web:evil.example"}


def test_an_event_that_moves_keeps_it_and_takes_on_that_of_its_new_time(life: Life) -> None:
    seat = life.seat(answer="once")
    assert labelled(seat, "schedule.add", "web:evil.example", title=WORDS, when="every Monday at 9").ok
    moved = Call("schedule.move", {"title": WORDS, "when": "tomorrow at 11"}, origins={"when": frozenset({"file"})})
    assert seat.trap(moved).ok
    seat = life.seat()
    rows = {row["repeat"]: row["sources"] for row in seat.ok("schedule.list")["items"]}
    assert rows == {"": ["file", "web:evil.example"], "every Mon": ["web:evil.example"]}
    seat.ok("calendar.export", path="mine.ics")
    assert os.getxattr(life.workspace / "mine.ics", origin.ATTRIBUTE) == b"web:evil.example"


def test_a_reminder_says_whose_words_it_is(life: Life) -> None:
    told: list[Any] = []
    seat = life.seat(answer="once")
    assert labelled(seat, "schedule.add", "web:evil.example", title=WORDS, when="in 1 second").ok
    life.end()
    seat = life.seat()
    seat.wait(asyncio.sleep(1.2))
    seat.wait(seat.machine.listen(told.append))
    (reminder,) = [event for event in told if event.get("title") == WORDS]
    assert reminder["source"] == "web:evil.example"


def test_a_file_keeps_the_page_and_the_plugin_that_its_words_are_from(life: Life) -> None:
    seat = life.seat(answer="once")
    call = Call(
        "files.write", {"path": "notes.txt", "content": WORDS},
        origins={"content": frozenset({"web:evil.example", "plugin:webfetch", "calendar:Ada's, work", "chosen", "file"})},
    )  # fmt: skip
    note = seat.trap(call).value["note"]
    assert note == "It is labelled as holding words from calendar:Ada's, work, plugin:webfetch, web:evil.example."
    seat = life.seat()
    seat.ok("files.copy", source="notes.txt", destination="copy.txt")
    labels = {"web:evil.example", "plugin:webfetch", "calendar:Ada's, work", "file"}
    assert seat.do("files.read", path="copy.txt").labels == labels
    seat.ok("files.write", path="notes.txt", content="mine")
    assert seat.do("files.read", path="notes.txt").labels == {"file"}
    seat.ok("system.undo")
    assert seat.do("files.read", path="notes.txt").labels == labels


def test_a_command_that_is_undone_brings_the_label_back(life: Life) -> None:
    seat = life.seat(answer="once")
    labelled(seat, "files.write", "web:evil.example", path="notes.txt", content=WORDS)
    ran = seat.say("!rm notes.txt; echo mine > notes.txt")
    if not ran.ok:
        pytest.skip(f"no native commands here: {ran.results[0].message}")
    assert origin.read(Place(life.workspace, ("notes.txt",))) == ()
    seat.ok("system.undo")
    assert origin.read(Place(life.workspace, ("notes.txt",))) == ("web:evil.example",)


def test_too_many_labels_for_an_attribute_say_what_kinds_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    place = Place(tmp_path, ("a.txt",))
    assert origin.put(place, [f"web:host-{number}.example" for number in range(500)] + ["model", "plugin:a"])
    assert origin.read(place) == ("model", "plugin:*", "web:*")
    for forged in (b"file,piped,chosen,,:", b"web:\x1b[31m", b"%00,web:%0a", b"\xff\xfe"):
        os.setxattr(place.path, origin.ATTRIBUTE, forged)
        assert origin.read(place) == ()


def test_a_model_of_another_day_is_judged_by_it(life: Life) -> None:
    """What a model reads of a list that holds others' words, it has from them, and the person's own from the person."""
    seat = life.seat(answer="once")
    assert labelled(seat, "tasks.add", "web:evil.example", title="evil.txt").ok
    seat.ok("tasks.add", title="mine.txt")
    seat = life.seat()
    seat.put("evil.txt", "x")
    seat.put("mine.txt", "x")
    agent = Agent(seat.machine.kernel, seat.process, seat.session, "tidy up by my list")
    seat.wait(agent.call(Call("tasks.list")))
    assert seat.wait(agent.call(Call("files.delete", {"path": "evil.txt"}))).error == "EACCES"
    assert "web:evil.example" in asked(seat)[-1]
    assert seat.wait(agent.call(Call("files.delete", {"path": "mine.txt"}))).error == "EACCES"
    assert asked(seat)[-1] == ("chosen",)


def test_a_memory_that_is_said_anew_and_taken_back_is_whose_it_was(life: Life) -> None:
    seat = life.seat(answer="once")
    assert labelled(seat, "memory.remember", "web:evil.example", text=WORDS).ok
    seat.ok("memory.remember", text=WORDS)
    assert not seat.do("memory.recall", query="Mallory").labels
    seat = life.seat()
    seat.ok("system.undo")
    assert seat.do("memory.recall", query="Mallory").labels == {"web:evil.example"}


def test_a_record_of_before_there_were_labels_is_the_persons(life: Life) -> None:
    seat = life.seat()
    seat.ok("tasks.add", title=WORDS)
    seat.ok("schedule.add", title=WORDS, when="tomorrow at 9")
    store = seat.machine.kernel.store
    for kind, name in (("task", "sources"), ("event", "words")):
        (record,) = store.scan(kind)
        store.put(kind, record.id, {key: value for key, value in record.value.items() if key != name})
    seat = life.seat()
    assert seat.refs("tasks.list") == seat.refs("schedule.list") == [WORDS]


def test_a_character_knows_whose_words_it_was_told(life: Life) -> None:
    seat = life.seat(answer="once")
    seat.ok("character.create", name="Bram", personality="calm")
    assert labelled(seat, "character.remember", "web:evil.example", name="Bram", text="The vault's code is 4711.").ok
    seat.ok("character.remember", name="Bram", text="The vault is blue.")
    seat = life.seat()
    rows = {row["text"]: row.get("sources") for row in seat.ok("character.memories", name="Bram")["items"]}
    assert rows == {"The vault's code is 4711.": ["web:evil.example"], "The vault is blue.": None}
    assert seat.do("character.memories", name="Bram").labels == {"web:evil.example"}
    assert "web:evil.example" in seat.do("search.find", query="vault code").labels


def test_a_job_knows_whose_words_it_was_ordered_with(life: Life) -> None:
    """What is deleted in the background is judged as now: asked about when it is ordered, and done as agreed to."""
    seat = life.seat(answer="no")
    seat.put("evil.txt", "x")
    add = Call("tasks.add", {"title": WORDS}, origins={"title": frozenset({"web:evil.example"})})
    delete = Call("files.delete", {"path": "evil.txt"}, origins={"path": frozenset({"web:evil.example"})})
    program = json.dumps(to_records((add, delete)))
    assert seat.error("jobs.add", program=program, said="tidy up") == "EACCES"
    assert asked(seat) == [("web:evil.example",)]
    seat.person.answer = "once"
    seat.ok("jobs.add", program=program, said="tidy up")
    seat.ok("jobs.wait")
    assert not (life.workspace / "evil.txt").exists()
    seat = life.seat()
    assert seat.do("tasks.list").labels == {"web:evil.example"}
    assert "web:evil.example" in seat.do("jobs.show", number=1).labels
