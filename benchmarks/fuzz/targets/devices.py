"""What devices announce and tell by MQTT, and the templates in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.fuzz.mutate import Bytes, Json
from benchmarks.fuzz.target import Target
from llmasos.core.base.errors import UsageError
from llmasos.services.devices.model import Kind, Value
from llmasos.services.devices.mqtt.announced import LONGEST_NAME, LONGEST_TOPIC, Unusable
from llmasos.services.devices.mqtt.mirror import MOST_TROUBLES, Mirror
from llmasos.services.devices.mqtt.template import LONGEST_RESULT, Unsupported, parse

_OWNER = {"identifiers": ["0x1"], "name": "Desk lamp", "suggested_area": "Study", "manufacturer": "A"}
_ON = {"command_topic": "x/set", "state_topic": "x", "device": _OWNER}


def messages() -> list[list[list[Any]]]:
    """What came from a broker: topics with payloads, announcements first."""
    at = "homeassistant"
    return [
        [
            [f"{at}/light/a/config", {**_ON, "schema": "json", "brightness": True, "supported_color_modes": ["xy", "color_temp"],
                                      "max_mireds": 454, "min_mireds": 153}],
            ["x", {"state": "ON", "brightness": 102, "color_mode": "color_temp", "color_temp": 370}],
            ["x", {"state": "ON", "color_mode": "xy", "color": {"x": 0.64, "y": 0.33}}],
        ],
        [
            [f"{at}/light/b/config", {**_ON, "brightness_command_topic": "x/dim/set", "brightness_state_topic": "x/dim",
                                      "brightness_scale": 100, "rgb_command_topic": "x/rgb/set", "rgb_state_topic": "x/rgb",
                                      "hs_state_topic": "x/hs", "hs_command_topic": "x/hs/set", "payload_on": 1}],
            ["x", "1"], ["x/dim", "30"], ["x/rgb", "0,0,255"], ["x/hs", "12.5,100"],
        ],
        [
            [f"{at}/climate/c/config", {**_ON, "temperature_command_topic": "x/t/set", "temperature_state_topic": "x/t",
                                        "modes": ["off", "heat"], "mode_command_topic": "x/m/set", "mode_state_topic": "x/m",
                                        "current_temperature_topic": "x/c", "min_temp": 5, "max_temp": 30, "temp_step": 0.5}],
            ["x/t", "21.5"], ["x/m", "heat"], ["x/c", "19"],
        ],
        [
            [f"{at}/cover/d/config", {**_ON, "~": "x", "position_topic": "~/pos", "set_position_topic": "~/pos/set",
                                      "position_open": 100, "position_closed": 0, "state_opening": "up",
                                      "avty": [{"t": "~/here", "pl_avail": "yes", "val_tpl": "{{ value_json.s }}"}]}],
            ["x/pos", "40"], ["x", "up"], ["x/here", {"s": "yes"}],
        ],
        [
            [f"{at}/lock/e/config", {**_ON, "payload_lock": "L", "state_locked": "locked"}], ["x", "locked"],
            [f"{at}/fan/f/config", {**_ON, "pct_cmd_t": "x/p/set", "pct_stat_t": "x/p", "spd_rng_max": 8, "pr_modes": ["a"]}],
            ["x/p", "4"], [f"{at}/fan/f/config", ""],
        ],
        [
            [f"{at}/device/g/config", {"dev": _OWNER, "cmps": {
                "s": {"p": "sensor", "stat_t": "x/s", "val_tpl": "{{ value_json['l1'].power | float(0) / 10 | round(1) }}",
                      "unit_of_meas": "W", "dev_cla": "power"},
                "b": {"p": "binary_sensor", "stat_t": "x/s", "val_tpl": "{% if value_json.c == false %}ON{% else %}OFF{% endif %}"},
                "v": {"p": "vacuum", "cmd_t": "x/v/set", "stat_t": "x/v", "fanspd_lst": ["low", "high"]},
                "w": {"p": "switch", "cmd_t": "x/w/set", "stat_t": "x/w", "pl_on": True},
            }}],
            ["x/s", {"l1": {"power": 1234}, "c": False}], ["x/w", "True"], ["x/v", {"state": "cleaning", "fan_speed": "low"}],
        ],
    ]  # fmt: skip


class Announcements(Target):
    """Announcements and states in the order in which they come, and what devices would be told then."""

    name = "announced"
    share = 15

    def __init__(self, folder: Path) -> None:
        words = (
            "state_topic", "command_topic", "~", "x", "x/set", "x/+", "#", "$SYS/x", "homeassistant/light/a/config",
            "homeassistant/device/g/config", "components", "value_template", "{{ value }}", "{{ value_json.a }}", "device",
            "{{ value_json.a * value_json.a }}", "availability", "availability_mode", "latest", "platform", "schema", "json",
            "template", "on_command_type", "brightness", "optimistic", "identifiers", "ON", "OFF", "None", "unavailable",
        )  # fmt: skip
        super().__init__(folder, Json(messages(), words))

    def run(self, data: bytes) -> None:
        """Devices that can be kept and known again; what isn't taken is a trouble, and never an error."""
        try:
            said = json.loads(data)
        except (ValueError, RecursionError):
            raise UsageError("It is no list of messages.", "Look at it.") from None
        mirror = Mirror("homeassistant")
        for one in said if isinstance(said, list) else []:
            if isinstance(one, list) and len(one) == 2 and isinstance(one[0], str):
                topic, payload = one[0], _payload(one[1])
                if topic.startswith("homeassistant/") and topic.endswith("/config"):
                    for wanted in mirror.announce(topic, payload):
                        assert len(wanted) <= LONGEST_TOPIC and not set(wanted) & set("+#"), wanted
                else:
                    mirror.hear(topic, payload)
        assert len(mirror.troubles) <= MOST_TROUBLES
        shown = [(device.name, device.room, mirror.state(device)) for device in mirror.devices()]
        assert all(name and name.isprintable() and len(name) <= LONGEST_NAME + 12 for name, _, _ in shown)
        for device in mirror.devices():
            entity = mirror.entity(device)
            for on, settings in _wishes(device.kind) if entity and entity.shape.orders else ():
                try:
                    orders = entity.shape.orders(on, settings, dict(entity.now))
                except Unusable:
                    continue
                for order in orders:
                    assert not set(order.topic) & set("+#") and not order.topic.startswith("$")
                    order.payload.encode("utf-8", "replace")
        kept = json.loads(json.dumps(mirror.to_json()))
        again = Mirror("homeassistant")
        again.load(kept)
        assert [device.id for device in again.devices()] == [
            device.id for device in mirror.devices()
        ] or "\ufffd" in str(kept)


def _payload(value: Any) -> bytes:
    """What a broker sends of a value."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else json.dumps(value).encode()


def _wishes(kind: Kind) -> list[tuple[bool | None, dict[str, Value]]]:
    """What a person could want of a device."""
    found: list[tuple[bool | None, dict[str, Value]]] = [(True, {}), (False, {})]
    for setting in kind.settings:
        found += [(None, {setting.name: value}) for value in (setting.low, setting.high, *list(setting.choices)[:2])]
    return found


class Templates(Target):
    """The templates that devices announce, and messages for them."""

    name = "templates"
    share = 15
    expected = (Unsupported,)

    def __init__(self, folder: Path) -> None:
        seeds = [
            b"{{ value_json.state }}\0" + b'{"state": "ON", "l1": {"power": [1, 2.5]}, "n": -12345678901234567890}',
            b"{{ value_json['l1'].power[0] | float(0) / 10 | round(1) }}\0" + b'{"l1": {"power": [14]}}',
            b"{{ 'ON' if value_json.contact == false else 'OFF' }}\0" + b'{"contact": false}',
            b"{% if value_json.a > 3 and not value_json.b is defined %}A{% elif value in ['x'] %}B{% else %}C{% endif %}\0x",
            b'{"position": {{ (value | int * 100 / 255) | round(0) | int }}}\x00128',
            b"{{ {'off': 0, 'low': 1}[value] }}{{ value ~ '!' | upper }}\0low",
            b"{{- value_json.a * value_json.b % 7 - -3 | abs -}}\0" + b'{"a": 3, "b": 4}',
        ]
        words = [
            b"{{", b"}}", b"{%", b"%}", b"| int", b"| round(2)", b"| default('x')", b"value_json", b"value", b"* value_json.a",
            b" if ", b" else ", b" is defined", b"not ", b"(" * 30, b"[0]", b"['a']", b"| tojson", b"| float(0)", b" % ", b" / ",
            b"__class__", b"| title", b"- " * 40, b"not " * 40, b'"a": ' + b"9" * 4200,
        ]  # fmt: skip
        super().__init__(folder, Bytes(seeds, words))

    def run(self, data: bytes) -> None:
        """A short text, or none; or a form that isn't read."""
        source, _, message = data.partition(b"\0")
        template = parse(source.decode("utf-8", "replace"))
        said = template.of_message(message.decode("utf-8", "replace"))
        assert said is None or len(said) <= LONGEST_RESULT
        template.render({"value": message[:9].decode("latin-1"), "position": 40, "value_json": 1})


TARGETS: tuple[type[Target], ...] = (Announcements, Templates)
