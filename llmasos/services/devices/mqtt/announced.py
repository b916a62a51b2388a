"""What devices announce below `homeassistant/`: one part of a device, or a device with its parts (MQTT discovery).

Everything in an announcement is somebody else's text. It is bounded before it is looked at, its words are cleaned, its
topics must be plain, and what isn't known is passed over.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmasos.core.base.foreign import parse_json
from llmasos.services.devices.mqtt.template import Template, Unsupported, parse

MOST_BYTES = 64 * 1024
"""Of one announcement."""
MOST_PARTS = 100
"""Of one announced device."""
LONGEST_NAME = 60
LONGEST_TOPIC = 256
LONGEST_WORD = 100
"""A payload that means something, a mode."""

_SHORT = """
avty availability|avty_mode availability_mode|avty_t availability_topic|avty_tpl availability_template
|bri_cmd_t brightness_command_topic|bri_cmd_tpl brightness_command_template|bri_scl brightness_scale
|bri_stat_t brightness_state_topic|bri_val_tpl brightness_value_template|clr_temp_cmd_t color_temp_command_topic
|clr_temp_cmd_tpl color_temp_command_template|clr_temp_k color_temp_kelvin|clr_temp_stat_t color_temp_state_topic
|clr_temp_val_tpl color_temp_value_template|cmd_t command_topic|cmd_tpl command_template|cmps components
|cod_form code_format|curr_temp_t current_temperature_topic|curr_temp_tpl current_temperature_template|dev device
|dev_cla device_class|en enabled_by_default|ent_cat entity_category|fan_mode_cmd_t fan_mode_command_topic
|fan_mode_cmd_tpl fan_mode_command_template|fan_mode_stat_t fan_mode_state_topic
|fan_mode_stat_tpl fan_mode_state_template|fanspd_lst fan_speed_list|hs_cmd_t hs_command_topic
|hs_cmd_tpl hs_command_template|hs_stat_t hs_state_topic|hs_val_tpl hs_value_template|max_k max_kelvin
|max_mirs max_mireds|min_k min_kelvin|min_mirs min_mireds|mode_cmd_t mode_command_topic
|mode_cmd_tpl mode_command_template|mode_stat_t mode_state_topic|mode_stat_tpl mode_state_template
|on_cmd_type on_command_type|opt optimistic|p platform|pct_cmd_t percentage_command_topic
|pct_cmd_tpl percentage_command_template|pct_stat_t percentage_state_topic|pct_val_tpl percentage_value_template
|pl_avail payload_available|pl_cls payload_close|pl_lock payload_lock|pl_not_avail payload_not_available
|pl_off payload_off|pl_on payload_on|pl_open payload_open|pl_ret payload_return_to_base|pl_strt payload_start
|pl_stop payload_stop|pl_unlk payload_unlock|pos_clsd position_closed|pos_open position_open|pos_t position_topic
|pos_tpl position_template|pow_cmd_t power_command_topic|pr_mode_cmd_t preset_mode_command_topic
|pr_mode_cmd_tpl preset_mode_command_template|pr_mode_stat_t preset_mode_state_topic
|pr_mode_val_tpl preset_mode_value_template|pr_modes preset_modes|ret retain|rgb_cmd_t rgb_command_topic
|rgb_cmd_tpl rgb_command_template|rgb_stat_t rgb_state_topic|rgb_val_tpl rgb_value_template
|set_fan_spd_t set_fan_speed_topic|set_pos_t set_position_topic|set_pos_tpl set_position_template
|spd_rng_max speed_range_max|spd_rng_min speed_range_min|stat_clsd state_closed|stat_closing state_closing
|stat_jam state_jammed|stat_locked state_locked|stat_locking state_locking|stat_off state_off|stat_on state_on
|stat_open state_open|stat_opening state_opening|stat_stopped state_stopped|stat_t state_topic
|stat_unlocked state_unlocked|stat_unlocking state_unlocking|stat_val_tpl state_value_template
|sup_clrm supported_color_modes|t topic|temp_cmd_t temperature_command_topic
|temp_cmd_tpl temperature_command_template|temp_stat_t temperature_state_topic
|temp_stat_tpl temperature_state_template|temp_unit temperature_unit|uniq_id unique_id
|unit_of_meas unit_of_measurement|val_tpl value_template|xy_cmd_t xy_command_topic|xy_cmd_tpl xy_command_template
|xy_stat_t xy_state_topic|xy_val_tpl xy_value_template
"""
SHORT = dict(pair.split() for pair in _SHORT.replace("\n", "").split("|"))
"""Short key -> long one; both are announced."""
SHORT_OF_DEVICE = {
    "ids": "identifiers",
    "cns": "connections",
    "mdl": "model",
    "mf": "manufacturer",
    "sa": "suggested_area",
}
SHARED = ("state_topic", "command_topic", "availability", "availability_topic", "availability_mode",
          "availability_template", "payload_available", "payload_not_available")  # fmt: skip
"""What a device may say once for all its parts."""


class Unusable(ValueError):
    """An announcement that isn't taken; the message says why."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The device that a part belongs to.

    Attributes:
        id: The same for all its parts.
        name: As it is announced, cleaned; empty where it has none.
        area: The room that is suggested.
    """

    id: str
    name: str = ""
    area: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One announced part of a device.

    Attributes:
        id: The same each time it is announced.
        component: `light`, `switch`, `sensor`, ...
        owner: What it belongs to.
        config: What is announced of it.
    """

    id: str
    component: str
    owner: Owner
    config: Config


class Config:
    """The keys of an announcement, checked when they are asked for.

    Args:
        values: Long keys, `~` put in.
        prefix: Below which topics no command may go: nobody announces devices through a lamp.
    """

    def __init__(self, values: Mapping[str, Any], prefix: str = "") -> None:
        self.values = values
        self._prefix = prefix

    def has(self, key: str) -> bool:
        """Whether a key is there."""
        return self.values.get(key) is not None

    def topic(self, key: str) -> str:
        """A topic, empty where there is none.

        Raises:
            Unusable: It is no plain topic.
        """
        value = self.values.get(key)
        if value in (None, ""):
            return ""
        return plain_topic(value, key, self._prefix)

    def word(self, key: str, default: str = "") -> str:
        """A payload or another word, as it is compared; a JSON true is `True`, as a template prints it."""
        value = self.values.get(key)
        if value is None or isinstance(value, dict | list):
            return default
        return _word(value)

    def words(self, key: str) -> list[str]:
        """A list of words that a person is shown, and that are said back as they are."""
        value = self.values.get(key)
        found = (
            [_word(one) for one in value[:50] if isinstance(one, str | int | float)] if isinstance(value, list) else []
        )
        return [word for word in found if word.strip() and word.isprintable()]

    def name(self, key: str) -> str:
        """Words that a person is shown, cleaned."""
        value = self.values.get(key)
        return cleaned(value) if isinstance(value, str) else ""

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number within bounds; the default where it isn't one."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            return default
        return value

    def flag(self, key: str) -> bool:
        """Whether something is said to be so."""
        value = self.values.get(key)
        return value is True or (isinstance(value, str) and value.lower() in ("true", "yes", "on"))

    def template(self, key: str) -> Template | None:
        """A template; None where there is none.

        Raises:
            Unusable: It has a form that isn't read here.
        """
        value = self.values.get(key)
        if not isinstance(value, str) or not value.strip():
            return None
        try:
            return parse(value)
        except Unsupported as error:
            raise Unusable(f"its {key} has a form that isn't read here: {error}") from None


def read(topic: str, payload: bytes, prefix: str) -> list[Part]:
    """The parts that one message announces; none where it takes back what was announced.

    Args:
        topic: `PREFIX/COMPONENT[/NODE]/OBJECT/config`.
        payload: JSON.
        prefix: What it begins with.

    Raises:
        Unusable: It isn't taken.
    """
    levels = topic[len(prefix) + 1 :].split("/")
    if len(levels) not in (3, 4) or levels[-1] != "config":
        raise Unusable("its topic is none of an announcement")
    component = levels[0]
    if not payload.strip():
        return []
    if len(payload) > MOST_BYTES:
        raise Unusable(f"it has more than {MOST_BYTES >> 10} KB")
    values = long_keys(_object(payload))
    owner = _owner(values.get("device"), topic)
    if component != "device":
        return [Part(_id(topic), component, owner, Config(_based(values), prefix))]
    parts = values.get("components")
    if not isinstance(parts, dict) or len(parts) > MOST_PARTS:
        raise Unusable(f"it has no parts, or more than {MOST_PARTS}")
    shared = {key: values[key] for key in ("~", *SHARED) if key in values}
    found = []
    for key, part in parts.items():
        if not isinstance(part, dict):
            continue
        part = long_keys(part)
        platform = part.get("platform")
        if isinstance(platform, str) and len(part) > 1:
            found.append(Part(_id(f"{topic} {key}"), platform, owner, Config(_based({**shared, **part}), prefix)))
    return found


def cleaned(text: str, longest: int = LONGEST_NAME) -> str:
    """Words without what is invisible or steers a terminal, in one line, of bounded length."""
    text = unicodedata.normalize("NFC", text[: 4 * longest])
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:longest].strip()


def plain_topic(value: Any, key: str, prefix: str = "") -> str:
    """A topic that stands for itself.

    Raises:
        Unusable: It holds wildcards or control characters, is too long, the broker's own, or one of announcements.
    """
    if (
        not isinstance(value, str)
        or len(value) > LONGEST_TOPIC
        or any(sign in value for sign in "+#")
        or value.startswith("$")
        or not value.isprintable()
    ):
        raise Unusable(f"its {key} is no plain topic")
    if prefix and (value == prefix or value.startswith(f"{prefix}/")) and value.endswith(("/config", "/status")):
        raise Unusable(f"its {key} is where devices are announced")
    return value


def _object(payload: bytes) -> dict[str, Any]:
    try:
        values = parse_json(payload)
    except ValueError:
        raise Unusable("it isn't JSON") from None
    if not isinstance(values, dict):
        raise Unusable("it is no JSON object")
    return values


def long_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """An object with its short keys written out."""
    return {SHORT.get(key, key): value for key, value in values.items()}


def _based(values: Mapping[str, Any]) -> dict[str, Any]:
    """With `~` in topics replaced by what it stands for."""
    base = values.get("~")
    if not isinstance(base, str) or len(base) > LONGEST_TOPIC:
        return dict(values)

    def put(key: str, value: Any) -> Any:
        if isinstance(value, str) and key.endswith("topic"):
            if value.startswith("~"):
                return base + value[1:]
            return value[:-1] + base if value.endswith("~") else value
        if key == "availability" and isinstance(value, list):
            return [_based({**long_keys(one), "~": base}) if isinstance(one, dict) else one for one in value[:10]]
        return value

    return {key: put(key, value) for key, value in values.items()}


def _owner(device: Any, topic: str) -> Owner:
    if not isinstance(device, dict):
        return Owner(_id(topic))
    device = {SHORT_OF_DEVICE.get(key, key): value for key, value in device.items()}
    known = device.get("identifiers") or device.get("connections") or topic
    name, area = device.get("name"), device.get("suggested_area")
    return Owner(
        _id(json.dumps(known, sort_keys=True)),
        cleaned(name) if isinstance(name, str) else "",
        cleaned(area) if isinstance(area, str) else "",
    )


def _id(words: str) -> str:
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:16]


def _word(value: Any) -> str:
    return str(value)[:LONGEST_WORD]
