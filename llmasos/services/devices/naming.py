"""Which devices a name means: one ("blinds in the study"), one of several, or a group (所有的灯)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from llmasos.services import matching
from llmasos.services.devices.home import ROOMS
from llmasos.services.devices.model import Device

_ALL = re.compile(
    r"^(?:all|every|each|both)(?: of)?(?: the| my| our)?\b\s*|\ball\b\s*|(?:所有|全部|全屋|全家"
    r"|每[个盏台]|一切)的?|都$|全(?=关|开|$)"
)
_EVERYTHING = re.compile(r"^(?:everything|(?:all )?(?:the )?devices?|anything)$|^(?:设备|电器|东西|家电)$")
_PLACE = re.compile(r"\b(?:in|on|of|at|inside|from)(?: the| my| our)?\b|\bthe\b|里面?的?|的|那[个盏台]|这[个盏台]")
ALL_OF_THEM = "all of them"


def names(device: Device) -> list[str]:
    """Everything that a device can be called, its own name first."""
    english = list(dict.fromkeys([*device.nouns, *device.kind.nouns]))
    chinese = list(dict.fromkeys([*device.chinese, *device.kind.chinese]))
    rooms, zh_rooms = _rooms([device]).get(device.room, ((), ()))
    called = [device.name]
    called += [f"{room} {noun}" for room in rooms for noun in english]
    called += [f"{noun} in the {room}" for room in rooms for noun in english]
    called += [f"{room}{noun}" for room in zh_rooms for noun in chinese]
    return list(dict.fromkeys([*called, *english, *chinese]))


def offered(device: Device) -> list[str]:
    """What of that is offered to the model: rooms of a person's own are words that it has never seen."""
    own = device.room if device.room not in ROOMS else ""
    return [device.name, *(f"{own} {noun}" for noun in device.kind.nouns[:1] if own)]


def group(said: str, devices: Sequence[Device]) -> list[Device]:
    """The devices of a group that was said, or none where the name isn't one of a group.

    "All the lights", "lights in the kitchen", 所有的灯, "everything in the bedroom".
    """
    text = matching.normal(said)
    rest, times = _ALL.subn(" ", text)
    room, rest = _room(rest, _rooms(devices))
    rest = " ".join(_PLACE.sub(" ", rest).split())
    rest = matching.normal(rest)
    inside = [device for device in devices if room in ("", device.room)]
    if (times and not rest) or _EVERYTHING.match(rest):
        return [device for device in inside if not device.kind.opens] if times or room or rest else []
    singular = _singular(rest)
    plural = singular != rest
    # Chinese has no plural: 客厅的灯 is all the light there.
    chinese = bool(room) and any(rest in device.kind.chinese for device in inside)
    if not times and not plural and not chinese:
        return []
    kind = [
        device
        for device in inside
        if singular in device.kind.nouns or rest in (*device.kind.nouns, *device.kind.chinese)
    ]
    if not kind:
        kind = [device for device in inside if singular in device.nouns or rest in (*device.nouns, *device.chinese)]
    return kind


def _singular(text: str) -> str:
    return text[:-1] if len(text) > 3 and text.endswith("s") and not text.endswith("ss") else text


Rooms = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""Room -> its names, English and Chinese."""


def _rooms(devices: Iterable[Device]) -> Rooms:
    """All rooms: those of any home, and before them those that only these devices have."""
    own: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    # The longer ones first: "summer kitchen" isn't the kitchen.
    for room in sorted({device.room for device in devices} - ROOMS.keys() - {""}, key=lambda room: (-len(room), room)):
        word = matching.normal(room)
        own[room] = ((word,), ()) if word.isascii() else ((), (word,))
    return {**own, **ROOMS}


def room_of(said: str) -> str:
    """The room that a text names, by itself (客厅) or beside a thing ("Kitchen lamp"); empty for none."""
    return _room(matching.normal(said), ROOMS)[0]


def _room(text: str, rooms: Rooms) -> tuple[str, str]:
    """The room that a text names, and the text without it."""
    for name, (english, chinese) in rooms.items():
        for word in (*english, *chinese):
            pattern = rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word)
            m = re.search(pattern, text)
            if m:
                return name, f"{text[: m.start()]} {text[m.end() :]}"
    return "", text


async def meant(
    caller: matching.Chooser, said: str, devices: Sequence[Device], *, what: str = "device"
) -> list[Device]:
    """The devices that a name means; asks where several single ones fit.

    Raises:
        SyscallError: ENOENT with the nearest; EAMBIG where nobody answers.
    """
    own = [device for device in devices if matching.score(said, device.name) >= 0.95]
    if len(own) == 1:
        return own
    grouped = group(said, devices)
    if grouped:
        return grouped
    # Every word counts: the bedroom's heater where the aquarium's was said would be worse than an error.
    found = matching.leading(matching.rank(_spoken(said), devices, names, whole=True))
    if not found:
        raise matching.missing(said, devices, names=names, what=what, remedy="'device.list' shows those there are.")
    main = [match.item for match in found if match.item.main]
    if len(found) > 1 and len(main) == 1:
        return main
    if len(found) == 1:
        return [found[0].item]
    labels = [match.item.name for match in found]
    answer = await caller.choose(f"Which {what} is {said!r}?", [*labels, ALL_OF_THEM])
    return [match.item for match in found if answer in (match.item.name, ALL_OF_THEM)]


def _spoken(said: str) -> str:
    """A name without what Chinese puts between a place and a thing: 玄关那个摄像头."""
    return re.sub(
        r"(?<=[\u3400-\u9fff])(?:里面的|里的|那个|那盏|那台|上的|的)(?=[\u3400-\u9fffa-zA-Z])|的\s+", "", said
    )
