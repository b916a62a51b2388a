"""What is only written, never said: every syscall of the live table beside the catalogue works as a line that is typed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.catalogue import contract, live_rows
from tests.seat import Seat

sys.path.insert(0, str(Path(__file__).parents[1] / "services"))  # the servers that the tests of the services use
from broker_desk import broker
from calendar_desk import answer, calendar, meeting, serving

Servers = ExitStack
Case = tuple[list[str], str]
CASES: dict[str, Callable[[Seat, Servers, Path], Case]] = {}
MEETING = calendar(meeting(title="Planning", day="20990105"))
PLUGIN = '''\
"""Greets."""

from llmasos.sdk import syscall


@syscall(effect="read")
def say(name: str) -> str:
    """Greet somebody.

    Args:
        name: Whom.

    Examples:
        greet Ann
    """
    return f"Hello, {name}!"
'''


def case(name: str) -> Callable[[Callable[[Seat, Servers, Path], Case]], None]:
    """A case sets a scene and returns the lines to type, the last of which is meant, and what its answer holds."""

    def enter(function: Callable[[Seat, Servers, Path], Case]) -> None:
        CASES[name] = function

    return enter


ELSEWHERE = dict.fromkeys(("model.classify", "model.generate"), "tests/services/test_own_models.py")
"""What takes a trained model, which only that file makes."""
OTHERS = sorted(set(live_rows()) - set(contract()))


def test_every_other_syscall_has_a_case() -> None:
    assert {*CASES, *ELSEWHERE} == set(OTHERS)
    for name, file in ELSEWHERE.items():
        assert f'.ok("{name}"' in (Path(__file__).parents[2] / file).read_text(), file


@pytest.fixture
def servers() -> Iterator[Servers]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("name", [name for name in OTHERS if name not in ELSEWHERE])
def test_written(seat: Seat, servers: Servers, tmp_path: Path, name: str) -> None:
    lines, holds = CASES[name](seat, servers, tmp_path)
    for line in lines:
        outcome = seat.say(line)
        assert outcome.ok and outcome.way in ("call", "habit"), (line, outcome)
    assert [call.syscall for call in outcome.reading.program] == [name]
    assert holds in json.dumps(outcome.results[-1].value, ensure_ascii=False), outcome.results[-1].value


def folder(seat: Seat) -> None:
    seat.put("team/a.ics", MEETING.decode())


def plugin(seat: Seat) -> None:
    seat.put(
        "greeting/plugin.toml",
        'name = "greeting"\nversion = "1.0"\ndescription = "Greets."\nauthor = "Ada"\nlicense = "Apache-2.0"\nisolation = "worker"\n\n[capabilities]\nsyscalls = ["system.time"]\n',
    )
    seat.put("greeting/plugin.py", PLUGIN)


def characters(seat: Seat) -> None:
    for name in ("Alice", "Bram"):
        seat.ok("character.create", name=name)


# characters and models


@case("character.remember")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    characters(seat)
    return ["character.remember Alice 'The lighthouse is red.'"], "Alice"


@case("character.memories")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    characters(seat)
    told = "character.remember Alice 'The lighthouse is red.'"
    return [told, "character.memories Alice query=lighthouse"], "The lighthouse is red."


@case("character.forget")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    characters(seat)
    return ["character.remember Alice 'The lighthouse is red.'", "character.forget Alice lighthouse"], "Alice"


@case("character.rest")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    characters(seat)
    return ["character.chat Alice Hello", "character.rest Alice"], "Alice"


@case("model.list")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return ["model.list"], "items"


@case("model.assign")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    characters(seat)
    return ["model.assign Alice default"], "Alice"


# rooms and apps


@case("room.show")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    characters(seat)
    return ["room.invite Alice", "room.show"], "Alice"


@case("room.invite")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    characters(seat)
    return ["room.invite Bram"], "Bram comes in."


@case("room.dismiss")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    characters(seat)
    return ["room.invite Bram", "room.dismiss Bram"], "Bram goes out."


@case("room.say")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    characters(seat)
    return ["room.invite Alice", "room.say 'Hello, Alice!'"], "All right."


@case("room.go_on")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    characters(seat)
    return ["room.invite Alice", "room.invite Bram", "room.say 'Hello!'", "room.go_on turns=2"], "All right."


@case("app.say")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    characters(seat)
    return ["app.open social", "app.say social 'Hello, Alice!'"], "All right."


# system


@case("system.redo")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return ["tasks.add milk", "system.undo", "system.redo"], "Done again"


@case("system.replay")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return ["system.replay"], "No run is recorded."  # scripts aren't; tests/core/kernel/test_replay.py has real runs


@case("system.run")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    seat.put("a.txt", "words inside")
    return ["!cat a.txt"], "words inside"


@case("safety.show")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return ["safety.show"], "items"


# jobs


@case("jobs.add")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    program = json.dumps([{"syscall": "files.list", "args": {}, "references": []}])
    return [f"jobs.add program='{program}' said='list my files'"], "Job 1 runs in the background."


@case("jobs.list")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return [*CASES["jobs.add"](seat, servers, path)[0], "jobs.list"], "list my files"


@case("jobs.show")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    seat.put("shown.txt", "x")
    return [*CASES["jobs.add"](seat, servers, path)[0], "jobs.wait 1", "jobs.show 1"], "shown.txt"


@case("jobs.wait")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    seat.put("shown.txt", "x")
    return [*CASES["jobs.add"](seat, servers, path)[0], "jobs.wait 1"], "shown.txt"


@case("jobs.cancel")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return [*CASES["jobs.add"](seat, servers, path)[0], "jobs.cancel 1"], "list my files"


# calendars


@case("calendar.import")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    folder(seat)
    return ["calendar.import team"], "1 new"


@case("calendar.export")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    seat.ok("schedule.add", title="dentist", when="tomorrow at 4pm")
    return ["calendar.export plan.ics"], "plan.ics"


@case("calendar.list")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    folder(seat)
    return ["calendar.add team team", "calendar.list"], "team"


@case("calendar.add")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    folder(seat)
    return ["calendar.add team team"], "Following 'team': 1 event."


@case("calendar.refresh")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    folder(seat)
    return ["calendar.add team team", "calendar.refresh team"], "nothing has changed"


@case("calendar.remove")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    folder(seat)
    return ["calendar.add team team", "calendar.remove team"], "No longer following"


def feed(servers: Servers) -> str:
    address, _ = servers.enter_context(serving(lambda request: answer(request, 200, MEETING)))
    return f"{address}/a.ics"


@case("calendar.subscribe")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return [f"calendar.subscribe work {feed(servers)}"], "Following 'work': 1 event."


@case("calendar.sync")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return [f"calendar.subscribe work {feed(servers)}", "calendar.sync work"], "1 event"


# devices


@case("device.what_if")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return ["device.what_if 'desk lamp' 40%"], "brightness 40 %"


def connected(servers: Servers, path: Path) -> str:
    return f"device.connect home {servers.enter_context(broker(path / 'broker')).address}"


@case("device.connect")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return [connected(servers, path)], "Connected 'home'"


@case("device.sources")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return [connected(servers, path), "device.sources"], "connected"


@case("device.reconnect")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return [connected(servers, path), "device.reconnect home"], "Connected 'home'"


@case("device.disconnect")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return [connected(servers, path), "device.disconnect home"], "Disconnected 'home'"


# plugins


@case("plugin.list")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return ["plugin.list"], "calculator"


@case("plugin.add")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    plugin(seat)
    return ["plugin.add greeting"], "greeting"


@case("plugin.grant")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    plugin(seat)
    return ["plugin.add greeting", "plugin.revoke greeting", "plugin.grant greeting"], "greeting"


@case("plugin.revoke")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    plugin(seat)
    return ["plugin.add greeting", "plugin.revoke greeting"], "greeting"


@case("plugin.disable")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return ["plugin.disable calculator"], "calculator"


@case("plugin.enable")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    return ["plugin.disable calculator", "plugin.enable calculator"], "calculator"


@case("plugin.remove")
def _(seat: Seat, servers: Servers, path: Path) -> Case:
    plugin(seat)
    return ["plugin.add greeting", "plugin.remove greeting"], "greeting"
