"""device.* through the kernel's door, on the simulated home and on a backend of a test's own."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from plan_desk import Desk, open_desk
from rich.console import Console

from llmasos.core.base.types import Call
from llmasos.core.kernel.policy import Policy, Rule
from llmasos.core.kernel.replay import Recorder
from llmasos.core.kernel.syscall import SyscallTable
from llmasos.services.devices import Device, Devices, kinds
from llmasos.services.devices.home import DEVICES
from llmasos.services.devices.model import State, Value
from llmasos.services.system import System
from llmasos.shell.front import TerminalFront


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        yield desk


async def state(desk: Desk, name: str) -> dict[str, str]:
    found: dict[str, str] = (await desk.ok("device.get", name=name))["fields"]
    return found


async def test_everything_says_that_it_is_simulated(desk: Desk) -> None:
    rows = await desk.rows("device.list")
    assert len(rows) == len(DEVICES)
    assert {row["source"] for row in rows} == {"simulated"}
    assert (await state(desk, "oven"))["source"] == "simulated"
    value = await desk.ok("device.turn_on", name="oven")
    assert value["message"] == "Turned on the oven (simulated)."
    assert desk.person.shown[-1]["name"] == "oven (simulated)"


async def test_names_are_unique_and_each_finds_its_own_device(desk: Desk) -> None:
    assert len({device.name for device in DEVICES}) == len({device.id for device in DEVICES}) == len(DEVICES)
    for device in DEVICES:
        assert (await desk.ok("device.get", name=device.name))["title"] == device.name


async def test_switch_state_and_history(desk: Desk) -> None:
    assert (await state(desk, "desk lamp"))["state"] == "off"
    await desk.ok("device.turn_on", name="书房台灯")
    desk.clock.advance(3600)
    await desk.ok("device.set", name="desk lamp", value="40%")
    shown = await state(desk, "desk lamp")
    assert (shown["state"], shown["brightness"]) == ("on", "40 %")
    assert shown["last change"] == "brightness 40 % (2026-11-18 11:00, user:ada)"
    assert shown["earlier"] == "on (2026-11-18 10:00, user:ada)"
    value = await desk.ok("device.turn_on", name="desk lamp")
    assert value["note"] == "It was on already."


async def test_the_state_is_kept(desk: Desk) -> None:
    await desk.ok("device.turn_on", name="kettle")
    table = SyscallTable()
    table.add_service(Devices(desk.store, desk.clock))
    desk.kernel.table = table
    assert (await state(desk, "kettle"))["state"] == "on"


@pytest.mark.parametrize(
    ("name", "on", "off"),
    [
        ("garage door", "Opened the garage door (simulated).", "Closed the garage door (simulated)."),
        (
            "front door",
            "Unlocked the front door lock (simulated).",
            "Locked the front door lock (simulated).",
        ),
        (
            "扫地机器人",
            "Started the robot vacuum (simulated).",
            "Sent to its dock: the robot vacuum (simulated).",
        ),
    ],
)
async def test_verbs(desk: Desk, name: str, on: str, off: str) -> None:
    assert (await desk.ok("device.turn_on", name=name))["message"] == on
    assert (await desk.ok("device.turn_off", name=name))["message"] == off


async def test_blinds_follow_their_position(desk: Desk) -> None:
    await desk.ok("device.set", name="blinds in the study", value="halfway down")
    assert (await state(desk, "study blinds"))["position"] == "50 % open"
    await desk.ok("device.turn_off", name="blinds in the study")
    shown = await state(desk, "study blinds")
    assert (shown["state"], shown["position"]) == ("closed", "0 % open")
    await desk.ok("device.set", name="blinds in the study", value="25% open")
    assert (await state(desk, "study blinds"))["state"] == "open"


@pytest.mark.parametrize("name", ["all the lights", "lights", "所有的灯", "every light"])
async def test_all_the_lights(desk: Desk, name: str) -> None:
    await desk.ok("device.turn_on", name=name)
    rows = await desk.rows("device.list")
    kind = {device.name for device in DEVICES if device.kind is kinds.LIGHT}
    assert {row["name"] for row in rows if row["name"] in kind and row["state"] == "on"} == kind
    assert all(row["state"] != "on" for row in rows if row["name"] in ("oven", "kettle"))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lights in the kitchen", ["kitchen light"]),
        ("客厅的灯", ["living room light", "floor lamp", "strip lights"]),
        ("全部窗帘", ["living room curtains", "bedroom curtains"]),
        ("blinds", ["living room blinds", "kitchen blinds", "kids' room blinds", "study blinds"]),
        ("garden lights", ["garden lights"]),
    ],
)
async def test_groups(desk: Desk, name: str, meant: list[str]) -> None:
    value = await desk.ok("device.get", name=name)
    seen = [row["name"] for row in value["items"]] if value["type"] == "items" else [value["title"]]
    assert seen == meant


async def test_everything_off_leaves_the_fridge_running_and_the_doors_alone(desk: Desk) -> None:
    await desk.ok("device.turn_on", name="garage door")
    await desk.ok("device.turn_on", name="kitchen light")
    await desk.ok("device.turn_off", name="everything")
    assert (await state(desk, "kitchen light"))["state"] == "off"
    assert (await state(desk, "fridge"))["state"] == "on"
    assert (await state(desk, "garage door"))["state"] == "open"


async def test_everything_in_a_room(desk: Desk) -> None:
    await desk.ok("device.turn_on", name="bedroom light")
    await desk.ok("device.turn_on", name="kitchen light")
    await desk.ok("device.turn_off", name="everything in the bedroom")
    assert (await state(desk, "bedroom light"))["state"] == "off"
    assert (await state(desk, "kitchen light"))["state"] == "on"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("thermostat", "living room thermostat"),  # the main one
        ("thermostat in the hallway", "hallway thermostat"),
        ("卧室空调", "bedroom air conditioner"),
        ("bedroom 的 thermostat", "bedroom thermostat"),
        ("玄关那个摄像头", "door camera"),
        ("主卧的窗帘", "bedroom curtains"),
        ("espresso maker", "coffee machine"),
        ("tv in the den", "living room TV"),
        ("the bedsyde lamp", "bedside lamp"),
        ("大门的智能锁", "front door lock"),
        ("氛围灯", "strip lights"),
        ("porch lamp", "porch light"),
    ],
)
async def test_single_devices(desk: Desk, name: str, meant: str) -> None:
    assert (await desk.ok("device.get", name=name))["title"] == meant


@pytest.mark.parametrize(
    "name",
    [
        "aquarium heater",
        "back door lock",
        "dehumidifier",
        "printer in the study",
        "skylight",
        "电饭煲",
        "cnc-02",
        "阳台洗衣机",
    ],
)
async def test_what_is_not_there_is_never_something_else(desk: Desk, name: str) -> None:
    assert await desk.error("device.turn_off", name=name) == "ENOENT"


async def test_several_are_asked_about(desk: Desk) -> None:
    assert await desk.error("device.turn_on", name="radiator") == "EAMBIG"
    desk.person.answers = ["study heater"]
    await desk.ok("device.turn_on", name="radiator")
    assert (await state(desk, "study heater"))["state"] == "on"
    assert (await state(desk, "bedroom heater"))["state"] == "off"
    desk.person.answers = ["all of them"]
    await desk.ok("device.turn_on", name="radiator")
    assert (await state(desk, "bedroom heater"))["state"] == "on"


async def test_a_list_feeds_the_next_call(desk: Desk) -> None:
    calls = (
        Call("device.get", {"name": "desk lamp"}),
        Call("device.turn_on", {"name": "$1"}, frozenset({"name"})),
    )
    assert all(result.ok for result in await desk.run(*calls))
    assert (await state(desk, "desk lamp"))["state"] == "on"


async def test_a_group_is_set_whole_or_not_at_all(desk: Desk) -> None:
    assert await desk.error("device.set", name="everything in the study", value="40%") == "EINVAL"
    assert (await state(desk, "study light"))["brightness"] == "90 %"
    await desk.ok("device.set", name="all the lights", value="purple")
    assert (await state(desk, "desk lamp"))["colour"] == "purple"


@dataclass
class Backend:
    """One lamp, which answers or doesn't."""

    label: str = "of the test"
    available: bool = True
    log: list[str] = field(default_factory=list)

    async def devices(self) -> Sequence[Device]:
        return [Device("1", "lava lamp", kinds.LIGHT, "study")]

    async def state(self, device: Device) -> State:
        return State(False, {}, self.available)

    async def apply(
        self, device: Device, *, on: bool | None = None, settings: Mapping[str, Value] | None = None
    ) -> State:
        self.log.append(f"{on} {dict(settings or {})}")
        return State(bool(on), settings or {})


async def test_another_backend(desk: Desk) -> None:
    backend = Backend()
    table = SyscallTable()
    table.add_service(Devices(desk.store, desk.clock, [backend]))
    desk.kernel.table = table
    value = await desk.ok("device.turn_on", name="study lamp")
    assert value["message"] == "Turned on the lava lamp (of the test)."
    await desk.ok("device.set", name="lava lamp", value="red")
    assert backend.log == ["True {}", "True {'colour': 'red'}"]
    backend.available = False
    assert await desk.error("device.turn_on", name="lava lamp") == "EIO"
    assert (await state(desk, "lava lamp"))["state"] == "doesn't answer"


async def test_taking_back_is_said_once_on_the_screen(desk: Desk) -> None:
    desk.kernel.table.add_service(System(dict, Recorder(desk.store, desk.clock, desk.kernel.processes)))
    await desk.ok("device.turn_on", name="desk lamp")
    screen = Console(file=io.StringIO(), record=True, width=120)
    desk.session.front = TerminalFront(screen)
    await desk.ok("system.undo")
    shown = screen.export_text()
    assert shown.count("Set the desk lamp back (simulated).") == 1
    assert "device.turn_off" not in shown, "it is a part of the undo, whose line says what is taken back"


async def test_taking_back_is_refused_once_on_the_screen(desk: Desk) -> None:
    desk.kernel.table.add_service(System(dict, Recorder(desk.store, desk.clock, desk.kernel.processes)))
    await desk.ok("device.turn_on", name="desk lamp")
    desk.kernel.policy = Policy(
        "no", (*desk.kernel.policy.rules, Rule("never off", "deny", syscall=("device.turn_off",)))
    )
    screen = Console(file=io.StringIO(), record=True, width=120)
    desk.session.front = TerminalFront(screen)
    assert await desk.error("system.undo") == "EACCES"
    assert screen.export_text().count("never off") == 1
