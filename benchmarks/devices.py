"""What the mirror of a broker's devices costs: announcements, states, templates. No network; `python -m llmasos bench devices`.

The home is one of 200 lamps, each with three sensors, as Zigbee2MQTT announces them.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.row import row
from llmasos.services.devices.mqtt.mirror import Mirror
from llmasos.services.devices.mqtt.template import parse

LAMPS, RUNS, STATES = 200, 5, 5_000
COMMAND = "llmasos bench devices --json"
TEMPLATE = "{{ 'ON' if value_json.contact == false else 'OFF' }}"
STATE = json.dumps({
    "state": "ON", "brightness": 102, "color_mode": "xy", "color": {"x": 0.64, "y": 0.33}, "linkquality": 80, "power": 7.5,
    "voltage": 230,
}).encode()  # fmt: skip


def announcements() -> list[tuple[str, bytes]]:
    """A lamp and what it measures, 200 times."""
    found = []
    for number in range(LAMPS):
        base = f"zigbee2mqtt/lamp {number}"
        shared = {
            "state_topic": base, "availability_topic": f"{base}/availability",
            "device": {"identifiers": [f"0x{number:x}"], "name": f"Lamp {number}", "suggested_area": "Kitchen"},
        }  # fmt: skip
        light = {
            **shared, "schema": "json", "command_topic": f"{base}/set", "brightness": True, "brightness_scale": 254,
            "supported_color_modes": ["xy", "color_temp"], "max_mireds": 454, "min_mireds": 153,
        }  # fmt: skip
        found.append((f"homeassistant/light/{number}/light/config", json.dumps(light).encode()))
        for part, unit in (("linkquality", "lqi"), ("power", "W"), ("voltage", "V")):
            sensor = {
                **shared,
                "name": part,
                "unit_of_measurement": unit,
                "value_template": f"{{{{ value_json.{part} }}}}",
            }
            found.append((f"homeassistant/sensor/{number}/{part}/config", json.dumps(sensor).encode()))
    return found


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def rows() -> list[dict[str, Any]]:
    """All of it."""
    told, taking, hearing, listing, rendering = announcements(), [], [], [], []
    template, message = parse(TEMPLATE), json.dumps({"contact": False, "battery": 100, "voltage": 3000})
    for _ in range(RUNS):
        mirror = Mirror("homeassistant")

        def take(mirror: Mirror = mirror) -> None:
            for topic, payload in told:
                mirror.announce(topic, payload)

        def hear(mirror: Mirror = mirror) -> None:
            for number in range(STATES):
                mirror.hear(f"zigbee2mqtt/lamp {number % LAMPS}", STATE)

        def render() -> None:
            for _ in range(STATES):
                template.of_message(message)

        taking.append(1e3 * seconds(take) / len(told))
        listing.append(1e3 * seconds(mirror.devices))
        hearing.append(1e6 * seconds(hear) / STATES)
        rendering.append(1e6 * seconds(render) / STATES)
        assert len(mirror.devices()) == LAMPS
    figures = (
        ("announcement_ms", taking, "ms"), ("devices_of_800_parts_ms", listing, "ms"),
        ("state_of_4_parts_us", hearing, "us"), ("template_us", rendering, "us"),
    )  # fmt: skip
    return [
        row(id, statistics.median(samples), unit, n=RUNS, samples=samples, command=COMMAND)
        for id, samples, unit in figures
    ]
