"""The kinds of parts that devices announce, one function each: what they are, what they tell, how they are changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from llmasos.services.devices import kinds
from llmasos.services.devices.model import Kind, Setting, Value
from llmasos.services.devices.mqtt.announced import Part, Unusable, cleaned
from llmasos.services.devices.mqtt.light import light
from llmasos.services.devices.mqtt.shape import (
    MOVING,
    ON,
    Building,
    Order,
    Shape,
    Told,
    filled,
    number_of,
    object_of,
    on_scale,
    one_of,
    scaled,
)

_SWITCHED = (
    kinds.LIGHT, kinds.FAN, kinds.HEATER, kinds.KETTLE, kinds.COFFEE, kinds.TV, kinds.SPEAKER, kinds.RADIO,
    kinds.WASHER, kinds.DRYER, kinds.DISHWASHER, kinds.HUMIDIFIER, kinds.DEHUMIDIFIER, kinds.PURIFIER,
    kinds.SPRINKLER, kinds.FOUNTAIN, kinds.BOILER, kinds.PLUG,
)  # fmt: skip
"""What a switch can be by its name: "all the lights" means the floor lamp at a plug, too."""
_SWITCH = Kind("switch", ("switch", "plug", "socket"), ("开关", "插座"))
_COVERS: Mapping[str, Kind] = {
    "curtain": kinds.CURTAINS, "window": kinds.WINDOW, "door": kinds.DOOR, "garage": kinds.DOOR, "gate": kinds.GATE,
    "awning": kinds.AWNING,
}  # fmt: skip
_BINARY: Mapping[str, tuple[str, str]] = {
    "door": ("open", "closed"), "garage_door": ("open", "closed"), "window": ("open", "closed"),
    "opening": ("open", "closed"), "motion": ("motion", "no motion"), "occupancy": ("somebody", "nobody"),
    "presence": ("somebody", "nobody"), "moisture": ("wet", "dry"), "smoke": ("smoke", "no smoke"),
    "gas": ("gas", "no gas"),
    "carbon_monoxide": ("carbon monoxide", "none"), "battery": ("low", "normal"), "lock": ("unlocked", "locked"),
    "vibration": ("vibration", "none"), "tamper": ("tampered with", "fine"), "problem": ("a problem", "fine"),
    "connectivity": ("connected", "disconnected"), "plug": ("plugged in", "unplugged"), "light": ("light", "dark"),
}  # fmt: skip
"""Device class -> what on and off mean of a sensor."""
_MODES: Mapping[str, str] = {"fan_only": "fan", "heat_cool": "auto", "auto": "auto"}
"""Modes of climate devices that are called otherwise here."""


def shape(part: Part) -> Shape:
    """What an announced part is to us.

    Raises:
        Unusable: Its kind isn't known here, or it lacks what it needs.
    """
    build = _KINDS.get(part.component)
    if build is None:
        raise Unusable(f"parts of the kind {cleaned(part.component, 20)!r} aren't known here")
    return build(Building(part.config), part)


def _light(building: Building, part: Part) -> Shape:
    return light(building)


def _switch(building: Building, part: Part) -> Shape:
    config, command = building.config, building.needs("command_topic")
    on, off = config.word("payload_on", "ON"), config.word("payload_off", "OFF")
    told = {config.word("state_on", on): True, config.word("state_off", off): False}
    building.hears("state_topic", "value_template", ON, one_of(told))
    template = building.template("command_template")

    def orders(turn: bool | None, wanted: Mapping[str, Value], now: Told) -> list[Order]:
        return [building.order(command, filled(template, off if turn is False else on))]

    return building.shape(
        _by_name(f"{part.owner.name} {part.config.name('name')}", part.config.word("device_class")), orders
    )


def _by_name(name: str, device_class: str) -> Kind:
    text = name.casefold()
    for kind in _SWITCHED:
        nouns = "|".join(re.escape(noun) for noun in kind.nouns)
        if re.search(rf"\b(?:{nouns})s?\b", text) or any(noun in text for noun in kind.chinese):
            return replace(kind, settings=())
    return kinds.PLUG if device_class == "outlet" else _SWITCH


def _cover(building: Building, part: Part) -> Shape:
    config = building.config
    command, place = building.commands("command_topic"), building.commands("set_position_topic")
    if not command and not place:
        raise Unusable("it has no command_topic")
    opened, closed = config.number("position_open", 100, -1e6, 1e6), config.number("position_closed", 0, -1e6, 1e6)
    template = building.template("set_position_template") if place else None
    words: dict[str, Told] = {
        config.word("state_open", "open"): {ON: True, MOVING: None},
        config.word("state_closed", "closed"): {ON: False, MOVING: None},
        config.word("state_opening", "opening"): {ON: True, MOVING: "opening"},
        config.word("state_closing", "closing"): {ON: False, MOVING: "closing"},
        config.word("state_stopped", "stopped"): {MOVING: None},
    }
    _hears_words(building, "state_topic", "value_template", words)
    position = kinds.POSITION.name
    percent = scaled(closed, opened)
    if config.has("position_topic"):
        building.hears("position_topic", "position_template", position, percent)
        if ON not in building.reports:
            building.hears("position_topic", "position_template", ON, lambda text: bool(percent(text)))
    kind = _COVERS.get(config.word("device_class"), kinds.BLINDS)

    def orders(turn: bool | None, wanted: Mapping[str, Value], now: Told) -> list[Order]:
        if turn is not None and command and wanted.get(position, 100 if turn else 0) in (0, 100):
            word = config.word("payload_open", "OPEN") if turn else config.word("payload_close", "CLOSE")
            return [building.order(command, word)]
        share = float(wanted.get(position, 100 if turn else 0))
        value = on_scale(share, closed, opened)
        return [building.order(place, filled(template, str(value), position=value))]

    return building.shape(replace(kind, settings=kind.settings if place else ()), orders)


def _hears_words(building: Building, topic_key: str, template_key: str, words: Mapping[str, Told]) -> None:
    """A topic whose words mean several parts of the state at once."""
    try:
        topic, template = building.config.topic(topic_key), building.config.template(template_key)
    except Unusable as error:
        building.lacks.append(str(error))
        return
    if topic:

        def reader(payload: str) -> Told:
            return words.get((template.of_message(payload) if template else payload.strip()) or "", {})

        building.reads.append((topic, reader))
        building.reports |= {part for told in words.values() for part in told if part != MOVING}


def _lock(building: Building, part: Part) -> Shape:
    config, command = building.config, building.needs("command_topic")
    if config.word("code_format"):
        raise Unusable("it wants a code")
    words: dict[str, Told] = {
        config.word("state_unlocked", "UNLOCKED"): {ON: True, MOVING: None},
        config.word("state_locked", "LOCKED"): {ON: False, MOVING: None},
        config.word("state_unlocking", "UNLOCKING"): {MOVING: "unlocking"},
        config.word("state_locking", "LOCKING"): {MOVING: "locking"},
        config.word("state_jammed", "JAMMED"): {MOVING: "jammed"},
    }
    _hears_words(building, "state_topic", "value_template", words)
    template = building.template("command_template")

    def orders(turn: bool | None, wanted: Mapping[str, Value], now: Told) -> list[Order]:
        payload = config.word("payload_unlock", "UNLOCK") if turn else config.word("payload_lock", "LOCK")
        return [building.order(command, filled(template, payload))]

    return building.shape(kinds.LOCK, orders)


def _fan(building: Building, part: Part) -> Shape:
    config, command = building.config, building.needs("command_topic")
    on, off = config.word("payload_on", "ON"), config.word("payload_off", "OFF")
    building.hears("state_topic", "state_value_template", ON, one_of({on: True, off: False}))
    speed, mode = building.commands("percentage_command_topic"), building.commands("preset_mode_command_topic")
    low, high = config.number("speed_range_min", 1, 0, 1e6), config.number("speed_range_max", 100, 1, 1e6)
    settings: list[Setting] = []
    if speed:
        speed_template = building.template("percentage_command_template")
        settings.append(Setting("speed", "percent", unit="%"))
        # Its scale begins above nothing: 1 of 3 is a third.
        building.hears("percentage_state_topic", "percentage_value_template", "speed", scaled(low - 1, high))
    modes = config.words("preset_modes")
    if mode and modes:
        mode_template = building.template("preset_mode_command_template")
        settings.append(_choice("mode", modes))
        building.hears("preset_mode_state_topic", "preset_mode_value_template", "mode", _within(modes))

    def orders(turn: bool | None, wanted: Mapping[str, Value], now: Told) -> list[Order]:
        if turn is False:
            return [building.order(command, off)]
        found = [building.order(command, on)]
        if "speed" in wanted:
            level = max(on_scale(float(wanted["speed"]), low - 1, high), round(low))
            found.append(building.order(speed, filled(speed_template, str(level))))
        if "mode" in wanted:
            found.append(building.order(mode, filled(mode_template, str(wanted["mode"]))))
        return found

    return building.shape(replace(kinds.FAN, settings=tuple(settings)), orders)


def _climate(building: Building, part: Part) -> Shape:
    config = building.config
    degrees, mode = building.commands("temperature_command_topic"), building.commands("mode_command_topic")
    power = building.commands("power_command_topic")
    if not (degrees or mode or power):
        raise Unusable("it has nothing that can be set")
    fahrenheit = config.word("temperature_unit", "C").upper() == "F"
    low = config.number("min_temp", 44.6 if fahrenheit else 7, -100, 300)
    high = config.number("max_temp", 95 if fahrenheit else 35, -100, 300)
    settings: list[Setting] = []
    if degrees:
        degrees_template = building.template("temperature_command_template")
        settings.append(
            Setting("temperature", "temperature", _celsius(low, fahrenheit), _celsius(high, fahrenheit), "°C", 1)
        )
        building.hears("temperature_state_topic", "temperature_state_template", "temperature", _degrees(fahrenheit))
    building.hears("current_temperature_topic", "current_temperature_template", "measured", _measured(fahrenheit))
    modes = config.words("modes") or ["auto", "off", "cool", "heat", "dry", "fan_only"]
    theirs = {_MODES.get(one, one): one for one in modes if one != "off"}
    if mode:
        mode_template = building.template("mode_command_template")
        settings.append(_choice("mode", list(theirs)))
        words: dict[str, Told] = {their: {"mode": our, ON: True} for our, their in theirs.items()}
        _hears_words(building, "mode_state_topic", "mode_state_template", {**words, "off": {ON: False}})
    speed, speeds = (
        building.commands("fan_mode_command_topic"),
        config.words("fan_modes") or ["auto", "low", "medium", "high"],
    )
    if speed:
        speed_template = building.template("fan_mode_command_template")
        settings.append(_choice("speed", speeds))
        building.hears("fan_mode_state_topic", "fan_mode_state_template", "speed", _within(speeds))
    on, off = config.word("payload_on", "ON"), config.word("payload_off", "OFF")

    def orders(turn: bool | None, wanted: Mapping[str, Value], now: Told) -> list[Order]:
        found: list[Order] = []
        if not (power or mode) and (turn is False or (turn and not wanted)):
            raise Unusable("it can only be set, not switched on and off")
        if turn is False:
            return [building.order(power, off) if power else building.order(mode, filled(mode_template, "off"))]
        if turn and power:
            found.append(building.order(power, on))
        if "temperature" in wanted:
            value = float(wanted["temperature"]) * 9 / 5 + 32 if fahrenheit else float(wanted["temperature"])
            found.append(building.order(degrees, filled(degrees_template, f"{value:g}")))
        our = wanted.get("mode")
        if our is None and turn and mode and not now.get(ON):
            our = now.get("mode") or next(
                (one for one in ("heat", "auto", "cool") if one in theirs), next(iter(theirs), None)
            )
        if our is not None and mode:
            found.append(building.order(mode, filled(mode_template, theirs.get(str(our), str(our)))))
        if "speed" in wanted:
            found.append(building.order(speed, filled(speed_template, str(wanted["speed"]))))
        return found

    cools = "cool" in theirs
    return building.shape(
        replace(kinds.AIR_CONDITIONER if cools else kinds.THERMOSTAT, settings=tuple(settings)), orders
    )


def _celsius(value: float, fahrenheit: bool) -> float:
    return round((value - 32) * 5 / 9, 1) if fahrenheit else value


def _degrees(fahrenheit: bool) -> Callable[[str], Value | None]:
    def read(text: str) -> Value | None:
        number = number_of(text)
        return None if number is None else round(_celsius(number, fahrenheit), 1)

    return read


def _measured(fahrenheit: bool) -> Callable[[str], Value | None]:
    def read(text: str) -> Value | None:
        value = _degrees(fahrenheit)(text)
        return None if value is None else f"{value:g} °C"

    return read


def _vacuum(building: Building, part: Part) -> Shape:
    config, command = building.config, building.needs("command_topic")
    speeds = config.words("fan_speed_list")
    speed = building.commands("set_fan_speed_topic") if speeds else ""
    topic = config.topic("state_topic")

    def reader(payload: str) -> Told:
        message = object_of(payload)
        told: dict[str, Value | None] = {}
        state = message.get("state")
        if state in ("cleaning", "docked", "idle", "paused", "returning", "error"):
            told |= {ON: state == "cleaning", MOVING: state if state in ("paused", "returning", "error") else None}
        if message.get("fan_speed") in speeds:
            told["mode"] = str(message["fan_speed"])
        if isinstance(message.get("battery_level"), int | float):
            told["battery"] = f"{message['battery_level']:g} %"
        return told

    if topic:
        building.reads.append((topic, reader))
        building.reports |= {ON, *(["mode"] if speed else [])}

    def orders(turn: bool | None, wanted: Mapping[str, Value], now: Told) -> list[Order]:
        found = [building.order(speed, str(wanted["mode"]))] if "mode" in wanted and speed else []
        if turn is not None:
            word = ("payload_start", "start") if turn else ("payload_return_to_base", "return_to_base")
            found.append(building.order(command, config.word(*word)))
        return found

    return building.shape(replace(kinds.VACUUM, settings=(_choice("mode", speeds),) if speed else ()), orders)


def _sensor(building: Building, part: Part) -> Shape:
    config = building.config
    unit, label = config.name("unit_of_measurement")[:12], reading_of(part)

    def means(text: str) -> Value | None:
        return f"{cleaned(text)} {unit}".strip() or None

    if not building.hears("state_topic", "value_template", label, means):
        raise Unusable("; ".join(building.lacks) or "it has no state_topic")
    return building.shape(_telling(part), None)


def _binary_sensor(building: Building, part: Part) -> Shape:
    config = building.config
    on, off = _BINARY.get(config.word("device_class"), ("on", "off"))
    words: dict[str, Value] = {config.word("payload_on", "ON"): on, config.word("payload_off", "OFF"): off}
    if not building.hears("state_topic", "value_template", reading_of(part), one_of(words)):
        raise Unusable("; ".join(building.lacks) or "it has no state_topic")
    return building.shape(_telling(part), None)


def reading_of(part: Part) -> str:
    """What a sensor's value is called among those of its device."""
    config = part.config
    own = config.name("name").casefold()
    return own or config.name("device_class").replace("_", " ") or "state"


def _telling(part: Part) -> Kind:
    what = part.config.name("device_class").replace("_", " ")
    nouns = (*((f"{what} sensor",) if what else ()), *(kinds.SENSOR.nouns if what == "temperature" else ("sensor",)))
    return replace(kinds.SENSOR, nouns=nouns, tells=True)


def _choice(name: str, words: list[str]) -> Setting:
    """A choice of words; those that we know have others beside them."""
    known = {
        **kinds.LEVELS,
        **{key: others for setting in (kinds.CLIMATE_MODES,) for key, others in setting.choices.items()},
    }
    return Setting(name, "choice", choices={word: known.get(word.casefold(), ()) for word in words})


def _within(words: list[str]) -> Callable[[str], Value | None]:
    return lambda text: text if text in words else None


_KINDS: Mapping[str, Callable[[Building, Part], Shape]] = {
    "light": _light,
    "switch": _switch,
    "cover": _cover,
    "lock": _lock,
    "fan": _fan,
    "climate": _climate,
    "vacuum": _vacuum,
    "sensor": _sensor,
    "binary_sensor": _binary_sensor,
}
