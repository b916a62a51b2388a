"""The simulated home: rooms of devices for those who have none connected, plainly labelled as simulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmasos.core.kernel.store import Store
from llmasos.services.devices import kinds as k
from llmasos.services.devices.model import Device, Kind, State, Value
from llmasos.services.devices.twin import after

STATE = "device.simulated"

ROOMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "living room": (("living room", "lounge", "sitting room", "front room", "den"), ("客厅", "起居室")),
    "kitchen": (("kitchen",), ("厨房",)),
    "dining room": (("dining room",), ("餐厅", "饭厅")),
    "bedroom": (("bedroom", "master bedroom", "main bedroom"), ("卧室", "主卧", "卧房")),
    "kids' room": (
        ("kids' room", "children's room", "nursery", "kids room", "guest room"),
        ("儿童房", "次卧", "孩子房间", "客房"),
    ),
    "study": (("study", "office", "home office"), ("书房", "办公室")),
    "bathroom": (("bathroom", "bath"), ("浴室", "卫生间", "洗手间", "厕所")),
    "hallway": (("hallway", "hall", "entrance", "corridor"), ("玄关", "走廊", "过道", "门厅")),
    "garage": (("garage",), ("车库",)),
    "garden": (("garden", "yard", "backyard", "courtyard", "outside"), ("花园", "院子", "庭院", "室外")),
    "balcony": (("balcony", "porch", "terrace"), ("阳台", "露台")),
}
"""Room -> its names, English and Chinese."""


def _device(
    room: str,
    kind: Kind,
    name: str = "",
    nouns: tuple[str, ...] = (),
    chinese: tuple[str, ...] = (),
    *,
    on: bool = False,
    main: bool = False,
    **start: Value,
) -> Device:
    name = name or f"{room} {kind.nouns[0] if kind.nouns[0] != 'tv' else 'TV'}".strip()
    first: dict[str, Value] = {key.replace("_", " "): value for key, value in start.items()}
    return Device(name.casefold().replace(" ", "-").replace("'", ""), name, kind, room, nouns, chinese, first, on, main)


# fmt: off
DEVICES: tuple[Device, ...] = (
    _device("living room", k.LIGHT, brightness=80, colour="warm white", nouns=("ceiling light",),
            chinese=("吊灯", "顶灯")),
    _device("living room", k.LIGHT, "floor lamp", ("floor lamp", "standing lamp"), ("落地灯",),
            brightness=60, colour="warm white"),
    _device("living room", k.LIGHT, "strip lights",
            ("strip lights", "strip light", "led strip", "mood light"), ("氛围灯", "灯带", "彩灯"),
            brightness=50, colour="white"),
    _device("living room", k.THERMOSTAT, main=True, temperature=20.5, mode="heat", on=True),
    _device("living room", k.AIR_CONDITIONER, main=True, temperature=24, mode="cool", speed="auto"),
    _device("living room", k.TV, main=True, volume=20, input="TV"),
    _device("living room", k.SPEAKER, main=True, volume=30),
    _device("living room", k.BLINDS, main=True, position=100, on=True),
    _device("living room", k.CURTAINS, main=True, position=100, on=True),
    _device("living room", k.FAN, "ceiling fan", ("ceiling fan",), ("吊扇",), main=True, speed=2),
    _device("living room", k.PURIFIER, speed="auto", mode="auto", on=True),
    _device("living room", k.VACUUM, "robot vacuum", mode="standard"),
    _device("living room", k.PROJECTOR, brightness=80, input="HDMI 1"),
    _device("kitchen", k.LIGHT, brightness=100, colour="white"),
    _device("kitchen", k.COFFEE, "coffee machine", mode="coffee", level="medium"),
    _device("kitchen", k.KETTLE, "kettle", temperature=100),
    _device("kitchen", k.OVEN, "oven", temperature=180, mode="bake"),
    _device("kitchen", k.FRIDGE, "fridge", temperature=5, on=True),
    _device("kitchen", k.FREEZER, "freezer", chinese=("冰箱冷冻室",), temperature=-18, on=True),
    _device("kitchen", k.DISHWASHER, "dishwasher", programme="eco"),
    _device("kitchen", k.EXTRACTOR, speed="low", nouns=("cooker hood", "range hood"), chinese=("油烟机",)),
    _device("kitchen", k.RADIO, volume=25, station="87.6 FM"),
    _device("kitchen", k.SPEAKER, volume=25),
    _device("kitchen", k.BLINDS, position=100, on=True),
    _device("dining room", k.LIGHT, brightness=70, colour="warm white",
            nouns=("table lamp", "pendant light"), chinese=("吊灯",)),
    _device("bedroom", k.LIGHT, brightness=60, colour="warm white"),
    _device("bedroom", k.LIGHT, "bedside lamp", ("bedside lamp", "reading lamp", "night light"),
            ("床头灯", "台灯", "小夜灯"), brightness=30, colour="warm white"),
    _device("bedroom", k.AIR_CONDITIONER, temperature=25, mode="cool", speed="low"),
    _device("bedroom", k.THERMOSTAT, temperature=19, mode="heat", on=True),
    _device("bedroom", k.HEATER, temperature=20, level="low"),
    _device("bedroom", k.CURTAINS, position=0),
    _device("bedroom", k.FAN, speed=1),
    _device("bedroom", k.TV, volume=15, input="TV"),
    _device("bedroom", k.SPEAKER, volume=20),
    _device("bedroom", k.HUMIDIFIER, "humidifier", humidity=50, mode="auto"),
    _device("kids' room", k.LIGHT, brightness=60, colour="white"),
    _device("kids' room", k.BLINDS, position=100, on=True),
    _device("kids' room", k.HEATER, temperature=20, level="low"),
    _device("study", k.LIGHT, brightness=90, colour="cool white"),
    _device("study", k.LIGHT, "desk lamp", ("desk lamp",), ("台灯",), brightness=80, colour="white"),
    _device("study", k.BLINDS, position=50, on=True),
    _device("study", k.FAN, speed=1),
    _device("study", k.HEATER, temperature=20, level="medium"),
    _device("study", k.DESK, "standing desk", height=72),
    _device("bathroom", k.LIGHT, brightness=100, colour="white"),
    _device("bathroom", k.HEATER, temperature=22, level="high"),
    _device("bathroom", k.EXTRACTOR, speed="low"),
    _device("bathroom", k.SPEAKER, volume=20),
    _device("bathroom", k.BOILER, "water heater", temperature=55, on=True),
    _device("bathroom", k.WASHER, "washing machine", programme="cotton"),
    _device("hallway", k.LIGHT, brightness=50, colour="warm white", nouns=("stair light", "stair lights"),
            chinese=("壁灯", "感应灯")),
    _device("hallway", k.LOCK, "front door lock", ("front door", "front door lock", "smart lock"),
            ("大门", "前门", "大门锁", "大门智能锁", "入户门")),
    _device("hallway", k.THERMOSTAT, temperature=18, mode="heat", on=True),
    _device("hallway", k.CAMERA, "door camera", ("door camera",), ("门口摄像头",), on=True),
    _device("hallway", k.DOORBELL, "doorbell", volume=70, on=True),
    _device("hallway", k.ALARM, "alarm", mode="home"),
    _device("garage", k.DOOR, "garage door", ("garage door",), ("车库门",), position=0),
    _device("garage", k.LIGHT, brightness=100, colour="white"),
    _device("garden", k.LIGHT, "garden lights", ("garden lights", "garden light", "outside lights"),
            ("彩灯", "庭院灯"), brightness=70, colour="warm white"),
    _device("garden", k.SPRINKLER, "sprinklers", ("lawn sprinkler",), ("草坪喷灌",)),
    _device("garden", k.FOUNTAIN, "fountain"),
    _device("garden", k.GATE, "garden gate", ("front gate", "garden gate"), ("院门", "大铁门"), position=0),
    _device("balcony", k.LIGHT, "porch light", ("porch light", "porch lamp"), ("射灯",), brightness=60,
            colour="warm white"),
    _device("balcony", k.AWNING, "awning", position=0),
)
# fmt: on


class SimulatedHome:
    """A home that exists in the store only.

    Args:
        store: Where the states are kept.
    """

    label = "simulated"

    def __init__(self, store: Store) -> None:
        self._store = store

    async def devices(self) -> Sequence[Device]:
        """All of them."""
        return DEVICES

    async def state(self, device: Device) -> State:
        """How a device is now."""
        kept: dict[str, Any] = self._store.get(STATE, device.id) or {}
        return State(kept.get("on", device.on), {**device.start, **kept.get("settings", {})})

    async def apply(
        self, device: Device, *, on: bool | None = None, settings: Mapping[str, Value] | None = None
    ) -> State:
        """Change a device; what is None stays."""
        changed = after(await self.state(device), on=on, settings=settings)
        self._store.put(STATE, device.id, {"on": changed.on, "settings": dict(changed.settings)})
        return changed
