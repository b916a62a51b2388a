"""The mirror of one broker's devices: what was announced, how each is, and what it is called. Knows no network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmasos.services.devices import naming
from llmasos.services.devices.home import ROOMS
from llmasos.services.devices.model import Device, State, Value
from llmasos.services.devices.mqtt import announced, platforms
from llmasos.services.devices.mqtt.announced import Part, Unusable
from llmasos.services.devices.mqtt.shape import ON, Shape, Told
from llmasos.services.devices.mqtt.template import Template

MOST = 1_000
"""Parts of one broker's devices."""
MOST_BYTES = 64 * 1024
"""Of one message that tells a state."""
MOST_TROUBLES = 50
_PASSED_OVER = frozenset({"config"})
"""Categories of parts that are a device's own settings: lights of buttons, times of updates."""

Changed = Callable[[Device, str, Value | None], None]
"""Told of a device, a part of its state and the new value, where a message changed one that was known."""


@dataclass(frozen=True, slots=True)
class _Availability:
    """A topic that tells whether a device answers."""

    topic: str
    here: str
    gone: str
    template: Template | None


@dataclass(eq=False)
class Entity:
    """One announced part of a device, with how it is.

    Attributes:
        part: As it was announced.
        shape: What it is to us.
        now: How it is, as far as it has told.
        heard: How often it has told something of itself.
    """

    part: Part
    shape: Shape
    availability: tuple[_Availability, ...]
    mode: str
    now: dict[str, Value] = field(default_factory=dict)
    there: dict[str, bool] = field(default_factory=dict)
    heard: int = 0
    told: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def available(self) -> bool:
        """Whether it says that it is there; one that says nothing of that is."""
        said = [self.there.get(one.topic) for one in self.availability]
        if not said:
            return True
        known = [one for one in said if one is not None]
        match self.mode:
            case "all":
                return len(known) == len(said) and all(known)
            case "any":
                return any(known)
        return bool(known) and all(known)

    def topics(self) -> Iterator[str]:
        """What must be subscribed to."""
        yield from (topic for topic, _ in self.shape.reads)
        yield from (one.topic for one in self.availability)


class Mirror:
    """All devices of one broker.

    Args:
        prefix: Below which topic they are announced.
        changed: Told of changes.
    """

    def __init__(self, prefix: str, changed: Changed = lambda device, part, value: None) -> None:
        self.prefix = prefix
        self.announcements: dict[str, bytes] = {}
        """Topic -> what is announced there, as it came."""
        self.troubles: dict[str, str] = {}
        """Topic -> why it isn't taken, or not whole."""
        self.dirty = False
        self._changed = changed
        self._entities: dict[str, Entity] = {}
        self._of: dict[str, list[str]] = {}  # topic of an announcement -> ids of its parts
        self._listening: dict[str, list[Entity]] = {}
        self._commands: dict[str, str] = {}  # topic of a command -> who announced it
        self._devices: list[Device] | None = None
        self._members: dict[str, tuple[Entity | None, list[Entity]]] = {}
        self._by_id: dict[str, Device] = {}

    # Announcements

    def announce(self, topic: str, payload: bytes) -> set[str]:
        """Take an announcement.

        Args:
            topic: Where it came.
            payload: What is announced; empty takes it back.

        Returns:
            Topics to subscribe to.
        """
        if self.announcements.get(topic) == payload and topic in self._of:
            return set()
        self.dirty = True
        self.troubles.pop(topic, None)
        before = {id: self._entities.pop(id) for id in self._of.pop(topic, [])}
        for gone in before.values():
            self._listen(gone, False)
        self.announcements.pop(topic, None)
        self._devices = None
        try:
            parts = announced.read(topic, payload, self.prefix)
            if len(self._entities) + len(parts) > MOST:
                raise Unusable(f"there are more than {MOST:,} parts of devices")
        except Unusable as error:
            parts = []
            self._trouble(topic, str(error))
        found: list[str] = []
        for part in parts:
            try:
                entity = self._entity(part)
            except Unusable as error:
                self._trouble(topic, str(error))
                continue
            if entity is None:
                continue
            old = before.get(part.id)
            if old is not None:
                entity.now, entity.there, entity.heard = old.now, old.there, old.heard
            for lack in entity.shape.lacks:
                self._trouble(topic, lack)
            self._entities[part.id] = entity
            self._listen(entity, True)
            found.append(part.id)
        if found:
            self._of[topic] = found
            self.announcements[topic] = payload
        return {topic for id in found for topic in self._entities[id].topics()}

    def topics(self) -> set[str]:
        """All that is listened to beside announcements."""
        return set(self._listening)

    def _entity(self, part: Part) -> Entity | None:
        """The entity of a part; None where it is passed over."""
        config = part.config
        if (
            config.word("entity_category") in _PASSED_OVER
            or config.word("enabled_by_default", "True").lower() == "false"
        ):
            return None
        shape = platforms.shape(part)
        for key, topic in config.values.items():
            if key.endswith("command_topic") and isinstance(topic, str):
                owner = self._commands.setdefault(topic, part.owner.id)
                # Who announces a lamp whose command opens somebody else's lock would have the person open it.
                if owner != part.owner.id and any(e.part.owner.id == owner for e in self._entities.values()):
                    raise Unusable(f"its {key} is that of another device")
                self._commands[topic] = part.owner.id
        return Entity(part, shape, _availabilities(config), config.word("availability_mode", "latest"))

    def _trouble(self, topic: str, why: str) -> None:
        if topic in self.troubles or len(self.troubles) < MOST_TROUBLES:
            self.troubles[topic] = "; ".join(
                dict.fromkeys(filter(None, [*self.troubles.get(topic, "").split("; "), why]))
            )

    def _listen(self, entity: Entity, there: bool) -> None:
        """Hear of the topics of an entity that is there now, or of one that is gone no longer."""
        for topic in dict.fromkeys(entity.topics()):
            ears = self._listening.setdefault(topic, [])
            if there:
                ears.append(entity)
            else:
                ears.remove(entity)
                if not ears:
                    del self._listening[topic]

    # States

    def hear(self, topic: str, payload: bytes) -> None:
        """Take a message that tells how something is."""
        entities = self._listening.get(topic, ())
        if not entities or len(payload) > MOST_BYTES:
            return
        text = payload.decode("utf-8", "replace")
        for entity in entities:
            for one in entity.availability:
                if one.topic == topic:
                    self._available(entity, one, text)
            told: dict[str, Value | None] = {}
            for where, read in entity.shape.reads:
                if where == topic:
                    try:
                        told |= read(text)
                    except (ValueError, TypeError, ArithmeticError):
                        continue  # a message that isn't as it was announced tells nothing
            if told:
                self._tell(entity, told)

    def _available(self, entity: Entity, one: _Availability, text: str) -> None:
        said = one.template.of_message(text) if one.template else text.strip()
        if said in (one.here, one.gone):
            before = entity.available
            if entity.mode == "latest":
                entity.there.clear()
            entity.there[one.topic] = said == one.here
            if entity.available is not before:
                self._wake(entity)

    def _tell(self, entity: Entity, told: Told) -> None:
        entity.heard += 1
        for part, value in told.items():
            before = entity.now.get(part)
            if value is None:
                entity.now.pop(part, None)
            else:
                entity.now[part] = value
            if before is not None and before != value:
                self.dirty = True
                self.devices()
                device = self._by_id.get(entity.part.id)
                if device is not None:
                    self._changed(device, part, value)
            elif before is None and value is not None:
                self.dirty = True
        self._wake(entity)

    def assume(self, entity: Entity, parts: Mapping[str, Value]) -> None:
        """Believe that what isn't reported is as it was set."""
        entity.now |= parts
        self.dirty = self.dirty or bool(parts)

    def _wake(self, entity: Entity) -> None:
        entity.told.set()
        entity.told = asyncio.Event()

    # Devices

    def devices(self) -> list[Device]:
        """All of them; sensors stand with the device that they are part of."""
        if self._devices is None:
            self._devices = self._assembled()
            self._by_id = {device.id: device for device in self._devices}
        return self._devices

    def entity(self, device: Device) -> Entity | None:
        """What is switched and set of a device; None where it only tells."""
        self.devices()
        return self._members.get(device.id, (None, []))[0]

    def state(self, device: Device) -> State:
        """How a device is, as it told last."""
        self.devices()
        main, sensors = self._members.get(device.id, (None, []))
        settings: dict[str, Value] = {}
        if main is not None:
            settings |= {part: value for part, value in main.now.items() if part != ON}
        for sensor in sensors:
            settings |= sensor.now
        known = main is None or ON in main.now
        available = main.available if main is not None else any(sensor.available for sensor in sensors)
        return State(bool(main is not None and main.now.get(ON)), settings, available, known)

    def _assembled(self) -> list[Device]:
        owners: dict[str, list[Entity]] = {}
        for entity in self._entities.values():
            owners.setdefault(entity.part.owner.id, []).append(entity)
        found: list[Device] = []
        taken: set[str] = set()
        self._members = {}
        for members in owners.values():
            main = [entity for entity in members if entity.shape.orders]
            sensors = [entity for entity in members if not entity.shape.orders]
            for entity in main or sensors[:1]:
                device = self._device(entity, alone=len(main) <= 1, taken=taken)
                self._members[device.id] = (entity if main else None, sensors)
                found.append(device)
        return found

    def _device(self, entity: Entity, *, alone: bool, taken: set[str]) -> Device:
        part, owner = entity.part, entity.part.owner
        own = part.config.name("name")
        name = owner.name if alone and owner.name else " ".join(dict.fromkeys(filter(None, [owner.name, own])))
        name = announced.cleaned(name or own or f"{entity.shape.kind.nouns[0]} {part.id[:4]}")
        unique, number = name, 1
        while unique.casefold() in taken:
            number += 1
            unique = f"{name} {number}"
        taken.add(unique.casefold())
        return Device(part.id, unique, entity.shape.kind, _room(owner.area, unique))

    # Keeping

    def to_json(self) -> dict[str, Any]:
        """All that is known, to be kept."""
        return {
            "announcements": {
                topic: payload.decode("utf-8", "replace") for topic, payload in self.announcements.items()
            },
            "states": {id: {"now": e.now, "there": e.there} for id, e in self._entities.items()},
        }

    def load(self, kept: Mapping[str, Any]) -> None:
        """Know what was known."""
        for topic, payload in kept["announcements"].items():
            self.announce(topic, payload.encode())
        for id, state in kept["states"].items():
            if id in self._entities:
                self._entities[id].now, self._entities[id].there = dict(state["now"]), dict(state["there"])
        self.dirty = False

    def keep_only(self, topics: set[str]) -> None:
        """Forget what isn't announced any more."""
        for topic in self.announcements.keys() - topics:
            self.announce(topic, b"")


def _availabilities(config: announced.Config) -> tuple[_Availability, ...]:
    listed = config.values.get("availability")
    entries: list[tuple[announced.Config, str, str]] = []
    if isinstance(listed, list):
        objects = [announced.long_keys(one) for one in listed[:10] if isinstance(one, dict)]
        entries = [(announced.Config(one), "topic", "value_template") for one in objects]
    elif config.has("availability_topic"):
        entries = [(config, "availability_topic", "availability_template")]
    found = []
    for one, topic, template in entries:
        where = one.topic(topic)
        if where:
            here, gone = one.word("payload_available", "online"), one.word("payload_not_available", "offline")
            found.append(_Availability(where, here, gone, one.template(template)))
    return tuple(found)


def _room(area: str, name: str) -> str:
    """A device's room: that of its area, in our word where we have one; else the one in its name."""
    if not area:
        return naming.room_of(name)
    said = area.casefold()
    known = (room for room, words in ROOMS.items() if said in (*words[0], *words[1]))
    return next(known, area)
