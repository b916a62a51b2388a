"""Values as people say them, in both languages, with units and ranges."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmasos.core.base.errors import SyscallError
from llmasos.services.devices import said
from llmasos.services.devices.home import DEVICES
from llmasos.services.devices.model import Value

BY_NAME = {device.name: device for device in DEVICES}


def read(device: str, value: str, setting: str | None = None) -> tuple[str, Value]:
    it = BY_NAME[device]
    chosen = said.setting_of(it, setting, value)
    return chosen.name, said.parse(chosen, value, it.start.get(chosen.name), it.name)[0]


@pytest.mark.parametrize(
    ("device", "value", "setting", "read_as"),
    [
        ("desk lamp", "60%", None, ("brightness", 60)),
        ("desk lamp", "40 percent", None, ("brightness", 40)),
        ("desk lamp", "百分之三十", "亮度", ("brightness", 30)),
        ("desk lamp", "half", None, ("brightness", 50)),
        ("desk lamp", "a third", None, ("brightness", 33)),
        ("desk lamp", "最亮", None, ("brightness", 100)),
        ("desk lamp", "max", "brightness", ("brightness", 100)),
        ("desk lamp", "a bit brighter", "brightness", ("brightness", 90)),
        ("bedside lamp", "亮一点", None, ("brightness", 40)),
        ("bedside lamp", "10% dimmer", None, ("brightness", 20)),
        ("desk lamp", "warm white", None, ("colour", "warm white")),
        ("desk lamp", "purple", "color", ("colour", "purple")),
        ("desk lamp", "紫色", "colour", ("colour", "purple")),
        ("desk lamp", "#FF8800", "colour", ("colour", "#ff8800")),
        ("desk lamp", "candlelight", None, ("colour", "candlelight")),
        ("desk lamp", "3000K", None, ("colour temperature", 3000)),
        ("desk lamp", "3000K", "色温", ("colour temperature", 3000)),
        ("living room light", "movie", "scene", ("scene", "movie")),
        ("bedroom thermostat", "21.5 度", None, ("temperature", 21.5)),
        ("bedroom thermostat", "22 degrees celsius", None, ("temperature", 22)),
        ("bedroom thermostat", "68°F", None, ("temperature", 20)),
        ("bedroom thermostat", "68", None, ("temperature", 20)),  # can only be Fahrenheit
        ("bedroom thermostat", "warmer", None, ("temperature", 20)),
        ("bedroom thermostat", "2 degrees cooler", None, ("temperature", 17)),
        ("bedroom thermostat", "+2", None, ("temperature", 21)),
        ("freezer", "零下十八度", None, ("temperature", -18)),
        ("freezer", "minus 20", None, ("temperature", -20)),
        ("oven", "两百度", None, ("temperature", 200)),
        ("oven", "400F", None, ("temperature", 204.4)),
        ("bedroom air conditioner", "cool", "mode", ("mode", "cool")),
        ("bedroom air conditioner", "制冷", None, ("mode", "cool")),
        ("bedroom air conditioner", "自动", "风速", ("speed", "auto")),
        ("ceiling fan", "3", None, ("speed", 3)),
        ("ceiling fan", "三档", None, ("speed", 3)),
        ("ceiling fan", "high", None, ("speed", "high")),
        ("ceiling fan", "强", None, ("speed", "high")),
        ("living room TV", "twelve", "volume", ("volume", 12)),
        ("living room TV", "HDMI 2", "input", ("input", "HDMI 2")),
        ("living room TV", "HDMI 2", None, ("input", "HDMI 2")),
        ("living room TV", "louder by 5", None, ("volume", 25)),
        ("study blinds", "halfway down", "position", ("position", 50)),
        ("study blinds", "三分之一", None, ("position", 33)),
        ("study blinds", "四分之一", None, ("position", 25)),
        ("study blinds", "25% open", None, ("position", 25)),
        ("study blinds", "30% closed", None, ("position", 70)),
        ("study blinds", "down", None, ("position", 0)),
        ("awning", "three quarters", "position", ("position", 75)),
        ("humidifier", "55 %", "humidity", ("humidity", 55)),
        ("humidifier", "睡眠模式", "mode", ("mode", "sleep")),
        ("washing machine", "delicates", "programme", ("programme", "delicates")),
        ("washing machine", "羊毛洗", "mode", ("programme", "wool")),
        ("robot vacuum", "强力", "mode", ("mode", "strong")),
        ("robot vacuum", "quiet mode", None, ("mode", "quiet")),
        ("living room air purifier", "night", "mode", ("mode", "sleep")),
        ("standing desk", "110 cm", "height", ("height", 110)),
        ("kitchen radio", "98.5 FM", None, ("station", "98.5 FM")),
        ("alarm", "away", "mode", ("mode", "away")),
    ],
)
def test_values(device: str, value: str, setting: str | None, read_as: tuple[str, Value]) -> None:
    name, found = read(device, value, setting)
    assert (name, round(found) if name == "position" and isinstance(found, float) else found) == read_as


@pytest.mark.parametrize(
    ("device", "value", "setting", "message"),
    [
        (
            "bedroom thermostat",
            "99",
            None,
            "the temperature of the bedroom thermostat goes from 5 °C to 30 °C",
        ),
        ("bedroom thermostat", "40 °C", None, "out of range"),
        ("desk lamp", "140%", None, "from 0 % to 100 %"),
        ("ceiling fan", "7", None, "from 0 to 5"),
        ("ceiling fan", "1200 rpm", None, "Say 1 to 5, or low, medium, high, auto"),
        ("desk lamp", "banana", None, "is no brightness"),
        ("desk lamp", "blurple", "colour", "is no colour that I know"),
        ("living room TV", "HDMI 9", "input", "It is one of: TV, HDMI 1"),
        ("kettle", "40", "volume", "has no setting 'volume'. It has: temperature"),
        ("fountain", "3", None, "has nothing to set"),
        ("bedroom thermostat", "20 %", "temperature", "is no temperature"),
    ],
)
def test_errors_name_the_thing_the_value_and_the_remedy(
    device: str, value: str, setting: str | None, message: str
) -> None:
    with pytest.raises(SyscallError) as error:
        read(device, value, setting)
    assert error.value.code == "EINVAL"
    assert message in str(error.value)


@settings(deadline=None)
@given(st.text(max_size=30), st.sampled_from(sorted(BY_NAME)))
def test_no_text_breaks_it(value: str, device: str) -> None:
    try:
        read(device, value)
    except SyscallError as error:
        assert error.code == "EINVAL"
