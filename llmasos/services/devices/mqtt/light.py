"""Lights: one topic for each thing that can be set, or all of it in one JSON message."""

from __future__ import annotations

import colorsys
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmasos.services.devices import kinds
from llmasos.services.devices.colours import COLOURS, KELVIN, from_xy, name_of, rgb, to_xy
from llmasos.services.devices.model import Kind, Setting, Value
from llmasos.services.devices.mqtt.announced import Unusable
from llmasos.services.devices.mqtt.shape import (
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

BRIGHTNESS, COLOUR, WARMTH = kinds.BRIGHTNESS.name, kinds.COLOUR.name, kinds.WARMTH.name
_RGB_MODES = frozenset({"rgb", "rgbw", "rgbww"})
_WHITES = Setting(COLOUR, "choice", choices={name: COLOURS[name] for name in KELVIN})
"""The colours of a lamp that has only whites."""


def light(building: Building) -> Shape:
    """A light.

    Raises:
        Unusable: It has no command topic, or another schema than these two.
    """
    schema = building.config.word("schema", "basic")
    if schema == "json":
        return _json(building)
    if schema not in ("basic", "default"):
        raise Unusable(f"the schema {schema!r} of lights isn't read here")
    return _plain(building)


def _plain(building: Building) -> Shape:
    config = building.config
    command = building.needs("command_topic")
    on, off = config.word("payload_on", "ON"), config.word("payload_off", "OFF")
    building.hears("state_topic", "state_value_template", ON, one_of({on: True, off: False}))
    settings: list[Setting] = []

    bright = building.commands("brightness_command_topic")
    scale = config.number("brightness_scale", 255, 1, 1e6)
    if bright:
        bright_template = building.template("brightness_command_template")
        settings.append(kinds.BRIGHTNESS)
        building.hears("brightness_state_topic", "brightness_value_template", BRIGHTNESS, scaled(0, scale))

    colour, form = "", ""
    for form in ("rgb", "hs", "xy"):
        colour = building.commands(f"{form}_command_topic")
        if colour:
            colour_template = building.template(f"{form}_command_template")
            building.hears(f"{form}_state_topic", f"{form}_value_template", COLOUR, _colour_reader(form))
            break

    warmth = building.commands("color_temp_command_topic")
    kelvin = config.flag("color_temp_kelvin")
    if warmth:
        warmth_template = building.template("color_temp_command_template")
        settings.append(_warmth(building))
        building.hears("color_temp_state_topic", "color_temp_value_template", WARMTH, _kelvin_reader(kelvin))
    _colours(settings, bool(colour), bool(warmth))

    def orders(turn: bool | None, wanted: Mapping[str, Value], now: Told) -> list[Order]:
        if turn is False:
            return [building.order(command, off)]
        found: list[Order] = []
        light, white = _asked(wanted)
        if BRIGHTNESS in wanted:
            level = on_scale(float(wanted[BRIGHTNESS]), 0, scale)
            found.append(building.order(bright, filled(bright_template, str(level))))
        if light is not None:
            values, names = _channels(form, light)
            found.append(building.order(colour, filled(colour_template, values, **names)))
        if white is not None:
            value = white if kelvin else round(1e6 / white)
            found.append(building.order(warmth, filled(warmth_template, str(value))))
        switch = building.order(command, on)
        # Some lamps light up by a brightness alone; others must be on before they take one.
        if config.word("on_command_type", "last") == "brightness" and found:
            return found
        return [switch, *found] if config.word("on_command_type", "last") == "first" else [*found, switch]

    return building.shape(replace(kinds.LIGHT, settings=tuple(settings)), orders)


def _json(building: Building) -> Shape:
    config = building.config
    command = building.needs("command_topic")
    modes = set(config.words("supported_color_modes"))
    scale = config.number("brightness_scale", 255, 1, 1e6)
    bright = config.flag("brightness") or bool(modes - {"onoff"})
    warm = "color_temp" in modes or config.flag("color_temp")
    form = "rgb" if modes & _RGB_MODES or config.flag("rgb") else next((m for m in ("hs", "xy") if m in modes), "")
    form = form or next((m for m in ("hs", "xy") if config.flag(m)), "")
    kelvin = config.flag("color_temp_kelvin")
    settings: list[Setting] = [kinds.BRIGHTNESS] if bright else []
    if warm:
        settings.append(_warmth(building))
    _colours(settings, bool(form), warm)
    topic = config.topic("state_topic")

    def reader(payload: str) -> Told:
        message = object_of(payload)
        told: dict[str, Value | None] = {}
        if message.get("state") in ("ON", "OFF"):
            told[ON] = message["state"] == "ON"
        level = message.get("brightness")
        if bright and isinstance(level, int | float):
            told[BRIGHTNESS] = scaled(0, scale)(str(level))
        white = _kelvin_reader(kelvin)(str(message.get("color_temp")))
        mode = message.get("color_mode")
        if warm and white is not None and mode in (None, "color_temp"):
            told[WARMTH] = white
            if mode == "color_temp" and form:
                told[COLOUR] = None
        light = _light_of(message.get("color"))
        if form and light is not None and mode != "color_temp":
            told[COLOUR] = name_of(light)
            if mode is not None and warm:
                told[WARMTH] = None
        return told

    if topic:
        building.reads.append((topic, reader))
        building.reports |= {ON, *(setting.name for setting in settings)}

    def orders(turn: bool | None, wanted: Mapping[str, Value], now: Told) -> list[Order]:
        if turn is False:
            return [building.order(command, json.dumps({"state": "OFF"}))]
        message: dict[str, Any] = {"state": "ON"}
        light, white = _asked(wanted)
        if BRIGHTNESS in wanted:
            message["brightness"] = on_scale(float(wanted[BRIGHTNESS]), 0, scale)
        if light is not None:
            _, names = _channels(form, light)
            short = {"red": "r", "green": "g", "blue": "b", "hue": "h", "sat": "s"}
            message["color"] = {short.get(name, name): value for name, value in names.items()}
        if white is not None:
            message["color_temp"] = white if kelvin else round(1e6 / white)
        return [building.order(command, json.dumps(message))]

    return building.shape(replace(kinds.LIGHT, settings=tuple(settings)), orders)


def _warmth(building: Building) -> Setting:
    config = building.config
    low = config.number("min_kelvin", 0, 500, 20_000) or round(1e6 / config.number("max_mireds", 500, 50, 2_000))
    high = config.number("max_kelvin", 0, 500, 20_000) or round(1e6 / config.number("min_mireds", 153, 50, 2_000))
    return replace(kinds.WARMTH, low=min(low, high), high=max(low, high))


def _colours(settings: list[Setting], colour: bool, warm: bool) -> None:
    if colour or warm:
        settings.insert(min(len(settings), 1), kinds.COLOUR if colour else _WHITES)


def whites(kind: Kind, wanted: Mapping[str, Value]) -> Mapping[str, Value]:
    """What is wanted of a lamp, a white as its temperature where the lamp has whites: that is what it reports."""
    warmth, said = kind.setting(WARMTH), wanted.get(COLOUR)
    if warmth is None or said not in KELVIN:
        return wanted
    kelvin = min(max(KELVIN[str(said)], warmth.low), warmth.high)
    return {**{name: value for name, value in wanted.items() if name != COLOUR}, WARMTH: kelvin}


def _asked(wanted: Mapping[str, Value]) -> tuple[tuple[int, int, int] | None, int | None]:
    """The light and the white that are wanted."""
    said = wanted.get(COLOUR)
    return (
        rgb(said) if isinstance(said, str) else None,
        round(float(wanted[WARMTH])) if WARMTH in wanted else None,
    )


def _channels(form: str, light: tuple[int, int, int]) -> tuple[str, dict[str, float]]:
    """A light as a payload and by the names that templates have for it."""
    red, green, blue = light
    if form == "rgb":
        return f"{red},{green},{blue}", {"red": red, "green": green, "blue": blue}
    if form == "hs":
        hue, saturation, _ = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
        names = {"hue": round(hue * 360, 1), "sat": round(saturation * 100, 1)}
        return f"{names['hue']:g},{names['sat']:g}", names
    x, y = to_xy(light)
    return f"{x},{y}", {"x": x, "y": y}


def _colour_reader(form: str) -> Any:
    def read(text: str) -> Value | None:
        numbers = [number_of(part) for part in text.split(",")[:4]]
        if None in numbers or len(numbers) < (3 if form == "rgb" else 2):
            return None
        keys = {"rgb": "rgb", "hs": "hs", "xy": "xy"}[form]
        light = _light_of(dict(zip(keys, numbers, strict=False)))
        return name_of(light) if light else None

    return read


def _light_of(colour: Any) -> tuple[int, int, int] | None:
    """The light of `{"r","g","b"}`, `{"h","s"}` or `{"x","y"}`."""
    if not isinstance(colour, Mapping):
        return None
    for keys in ("rgb", "hs", "xy"):
        values = [colour.get(key) for key in keys]
        if not all(isinstance(value, int | float) and abs(value) <= 360 for value in values):
            continue
        numbers = [float(value) for value in values if isinstance(value, int | float)]
        if keys == "rgb":
            red, green, blue = (round(min(max(value, 0), 255)) for value in numbers)
            return red, green, blue
        if keys == "hs":
            mixed = colorsys.hsv_to_rgb(numbers[0] % 360 / 360, min(max(numbers[1], 0), 100) / 100, 1)
            red, green, blue = (round(channel * 255) for channel in mixed)
            return red, green, blue
        return from_xy(numbers[0], numbers[1])
    return None


def _kelvin_reader(kelvin: bool) -> Any:
    def read(text: str) -> Value | None:
        number = number_of(text)
        if number is None or not 10 <= number <= 30_000:
            return None
        return round(number if kelvin else 1e6 / number)

    return read
