"""Reading a value that was said: "40%", "68°F", "halfway down", 三档, 零下十八度, "a bit brighter"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from llmasos.core.base.errors import SyscallError
from llmasos.services import matching, numerals
from llmasos.services.devices.colours import COLOURS
from llmasos.services.devices.model import Device, Setting, Value

ALIASES: dict[str, tuple[str, ...]] = {
    "brightness": ("bright", "dim", "dimmer", "light level", "亮度", "明暗"),
    "colour": ("color", "hue", "颜色", "色彩", "光色"),
    "colour temperature": ("color temperature", "white temperature", "kelvin", "色温"),
    "temperature": ("temp", "heat", "degrees", "温度", "水温", "室温"),
    "volume": ("loudness", "sound", "音量", "声音", "响度"),
    "position": ("opening", "open", "位置", "开合", "开合度", "开度"),
    "speed": ("fan speed", "速度", "风速", "风量", "档位", "转速", "时速"),
    "level": ("power", "strength", "intensity", "档", "功率", "强度", "浓度"),
    "mode": ("模式", "setting", "状态"),
    "programme": ("program", "cycle", "程序", "mode", "模式"),
    "scene": ("mood", "场景", "情景", "mode", "模式"),
    "humidity": ("湿度", "moisture"),
    "input": ("source", "channel", "输入", "输入源", "信号源"),
    "station": ("frequency", "频道", "电台"),
    "height": ("高度",),
}
"""Setting -> other words for it."""

_MOST = re.compile(
    r"^(?:to )?(?:the )?(?:max(?:imum)?|full(?:y)?|highest|all the way(?: up)?|最大|最高|最亮"
    r"|最响|最强|最快|全开|全部打开|满)(?: power| volume| blast| brightness| speed| open)?$"
)
_LEAST = re.compile(
    r"^(?:to )?(?:the )?(?:min(?:imum)?|lowest|all the way down|最小|最低|最暗|最弱"
    r"|最慢)(?: volume| brightness| speed| power)?$"
)
_MORE = (
    r"brighter|warmer|hotter|louder|higher|faster|stronger|more|up|increase|raise|wider|taller|opener"
    r"|亮|高|大|响|快|热|暖|强|多"
)
_LESS = (
    r"dimmer|darker|cooler|colder|quieter|softer|lower|slower|weaker|less|down|decrease|reduce"
    r"|smaller|shorter|暗|低|小|轻|慢|冷|凉|弱|少"
)
_BIT = r"(?:a (?:little )?(?:bit|little|touch|tad|notch)|slightly|somewhat|1 bit)"
_QUOTES = " .,!'\"“”。！"
_RELATIVE = re.compile(
    rf"^(?:{_BIT} )?(?P<en>{_MORE}|{_LESS})(?: (?:by )?(?P<by>\d+(?:\.\d+)?)\s*(?:%|percent"
    rf"|degrees?|°c?|c)?)?(?: {_BIT})?$"
    rf"|^(?P<amount>\d+(?:\.\d+)?)\s*(?:%|percent|degrees?|°c?|points?|度)? ?(?P<en2>{_MORE}|{_LESS})$"
    rf"|^(?:调|再|更|稍微"
    rf"|稍)*(?P<zh>[亮高大响快热暖强多暗低小轻慢冷凉弱少])(?:(?P<zhby>\d+(?:\.\d+)?)(?:%|度|档)?"
    rf"|1?[点些]儿?|一?[点些]儿?)$"
    r"|^(?P<sign>[+-])\s*(?P<delta>\d+(?:\.\d+)?)\s*(?:%|°c?|度)?$"
)
_NUMBER = re.compile(
    r"^(?:level |speed |gear |about |around |to )?(?P<number>-?\d+(?:\.\d+)?)\s*"
    r"(?P<unit>%|percent|per cent|°\s*c|°\s*f|°|degrees?(?: (?:celsius|centigrade|fahrenheit))?"
    r"|celsius|centigrade|fahrenheit|[cfk]|kelvin|cm|centimet(?:er|re)s?|厘米"
    r"|摄氏度|华氏度|度|℃|℉|档|级|fm|mhz)?(?:\s*(?P<open>open|closed|shut|开|关))?$"
)
_FRACTIONS = {
    "half": 50.0,
    "halfway": 50.0,
    "half way": 50.0,
    "1半": 50.0,
    "一半": 50.0,
    "quarter": 25.0,
    "1 quarter": 25.0,
    "3 quarters": 75.0,
    "third": 33.0,
    "1 third": 33.0,
    "2 thirds": 67.0,
    "1 3rd": 33.0,
    "3rd": 33.0,
    "2 3rds": 67.0,
}


def setting_of(device: Device, said: str | None, value: str) -> Setting:
    """Which setting is meant: as said, else as the value tells, else the device's first.

    Raises:
        SyscallError: EINVAL, the device has no such setting, or none at all.
    """
    settings = device.kind.settings
    if not settings:
        remedy = "It only tells how it is." if device.kind.tells else "It can be turned on and off."
        raise SyscallError("EINVAL", f"The {device.name} has nothing to set.", remedy)
    if said:
        wanted = matching.normal(said)
        for exact in (True, False):  # "mode" is the programme of a washing machine, which has no mode
            for setting in settings:
                words = (setting.name,) if exact else ALIASES.get(setting.name, ())
                if wanted in words:
                    return setting
        names = ", ".join(setting.name for setting in settings)
        raise SyscallError("EINVAL", f"The {device.name} has no setting {said!r}.", f"It has: {names}.")
    return _implied(settings, _normalised(value))


def _implied(settings: tuple[Setting, ...], text: str) -> Setting:
    kinds = {setting.name: setting for setting in settings}
    if "colour temperature" in kinds and re.search(r"\d\s*(?:k|kelvin)$", text):
        return kinds["colour temperature"]
    if "temperature" in kinds and re.search(
        r"°|degree|celsius|fahrenheit|℃|℉|度$|\d\s*[cf]$|warmer|cooler|hotter|colder", text
    ):
        return kinds["temperature"]
    if "station" in kinds and re.search(r"fm|mhz|\d\.\d", text):
        return kinds["station"]
    for setting in settings:
        if setting.kind == "colour" and _word(text, COLOURS) is not None:
            return setting
        if setting.kind in ("choice", "level") and _word(text, setting.choices) is not None:
            return setting
    for setting in settings:
        if "%" in text and setting.kind == "percent":
            return setting
    return settings[0]


def parse(setting: Setting, said: str, current: Value | None, device: str) -> tuple[Value, str]:
    """The value of a setting, and a note on how it was read.

    Raises:
        SyscallError: EINVAL, it isn't a value of this setting, or out of range.
    """
    text = _normalised(said)
    if setting.kind == "text":
        return said.strip(), ""
    if setting.kind == "colour":
        return _colour(text, said), ""
    if setting.kind == "choice":
        return _choice(setting, text, said), ""
    if setting.kind == "level":
        word = _word(text, setting.choices)
        if word is not None:
            return word, ""
    value, note = _number(setting, text, said, current)
    if not setting.low <= value <= setting.high:
        raise SyscallError(
            "EINVAL",
            f"{said!r} is out of range: the {setting.name} of the {device} goes from"
            f" {setting.shown(setting.low)} to {setting.shown(setting.high)}.",
        )
    value = round(value, 1)
    return (int(value) if value == int(value) else value), note


def _number(setting: Setting, text: str, said: str, current: Value | None) -> tuple[float, str]:
    if _MOST.match(text):
        return setting.high, ""
    if _LEAST.match(text):
        return setting.low, ""
    relative = _RELATIVE.match(text)
    # "up" is where blinds go, and -18 in a freezer is no distance.
    absolute = (setting.name == "position" and text in ("up", "down")) or (setting.low < 0 and text.startswith("-"))
    if relative and not absolute:
        return _changed(setting, relative, current), ""
    if setting.kind == "percent":
        share = _share(text)
        if share is not None:
            return setting.low + (setting.high - setting.low) * share / 100, ""
        if setting.name == "position" and text in ("open", "up", "打开", "拉开", "开"):
            return setting.high, ""
        if setting.name == "position" and text in ("closed", "close", "down", "shut", "关", "关上", "拉上"):
            return setting.low, ""
    match = _NUMBER.match(text)
    if not match:
        raise _unreadable(setting, said)
    return _with_unit(setting, float(match["number"]), match["unit"] or "", match["open"] or "", said)


def _with_unit(setting: Setting, number: float, unit: str, opening: str, said: str) -> tuple[float, str]:
    unit = unit.replace(" ", "")
    fahrenheit = unit in ("f", "°f", "℉", "华氏度") or "fahrenheit" in unit
    match setting.kind:
        case "temperature":
            if (
                unit not in ("", "°", "度", "℃", "摄氏度")
                and not fahrenheit
                and not unit.startswith(("degree", "c", "°c"))
            ):
                raise _unreadable(setting, said)
            if fahrenheit:
                return (number - 32) * 5 / 9, f"{number:g} °F is {(number - 32) * 5 / 9:.1f} °C."
            converted = (number - 32) * 5 / 9
            plain = unit in ("", "°", "度") or (unit.startswith("degree") and "c" not in unit)
            # 68 on a thermostat that ends at 30 can only be Fahrenheit.
            if plain and number > setting.high and setting.low <= converted <= setting.high:
                return converted, f"Read as {number:g} °F, which is {converted:.1f} °C."
            return number, ""
        case "percent":
            if unit not in ("", "%", "percent", "percent", "档", "级", "度") and not unit.startswith("per"):
                raise _unreadable(setting, said)
            return (100 - number if opening in ("closed", "shut", "关") else number), ""
        case "level":
            if unit not in ("", "档", "级"):
                raise _unreadable(setting, said)
            return number, ""
    allowed = {"K": ("k", "kelvin"), "cm": ("cm", "厘米")}.get(setting.unit, ())
    if unit and unit not in allowed and not unit.startswith("centi"):
        raise _unreadable(setting, said)
    return number, ""


def _share(text: str) -> float | None:
    """A part of the whole, in percent."""
    text = re.sub(r"^(?:to |about )?(?:a |the )?", "", text)
    bare = re.sub(r"\s*(?:way )?(?:down|up|open|closed|brightness|volume)$", "", text)
    if bare in _FRACTIONS:
        return 100 - _FRACTIONS[bare] if text.endswith(("closed",)) else _FRACTIONS[bare]
    m = re.match(r"^(\d+)/(\d+)$|^(\d+)分之(\d+)$", bare)
    if m:
        part, whole = (int(m[1]), int(m[2])) if m[1] else (int(m[4]), int(m[3]))
        return 100 * part / whole if whole else None
    return None


def _changed(setting: Setting, match: re.Match[str], current: Value | None) -> float:
    word = match["en"] or match["en2"] or match["zh"] or ""
    amount = match["by"] or match["amount"] or match["zhby"] or match["delta"]
    up = match["sign"] == "+" if match["sign"] else bool(re.fullmatch(_MORE, word))
    base = float(current) if isinstance(current, int | float) else (setting.low + setting.high) / 2
    moved = base + (float(amount) if amount else setting.step) * (1 if up else -1)
    # "brighter" at the top stays there; a distance that was said must fit.
    return moved if amount else min(max(moved, setting.low), setting.high)


def _colour(text: str, said: str) -> str:
    if re.fullmatch(r"#?[0-9a-f]{6}", text):
        return "#" + text.removeprefix("#")
    word = _word(text, COLOURS)
    if word is None:
        near = matching.rank(text, COLOURS, lambda name: [name, *COLOURS[name]])
        if near and near[0].score >= 0.7:
            return near[0].item
        raise SyscallError("EINVAL", f"{said!r} is no colour that I know.", "Say red, warm white, 紫色 or #ff8800.")
    return word


def _choice(setting: Setting, text: str, said: str) -> str:
    word = _word(text, setting.choices)
    if word is not None:
        return word
    near = matching.rank(text, setting.choices, lambda name: [name, *setting.choices[name]], whole=True)
    if near and near[0].score >= 0.75:
        return near[0].item
    raise SyscallError(
        "EINVAL", f"{said!r} is no {setting.name} of it.", f"It is one of: {', '.join(setting.choices)}."
    )


def _word(text: str, choices: Iterable[str]) -> str | None:
    """The choice that a text names, by itself or another word for it."""
    plain = re.sub(
        r"\s*(?:mode|programme?|setting|scene|colou?r|speed|cycle|模式|场景|风速|风|程序)$|^(?:the |a )",
        "",
        text,
    ).strip()
    for name in choices:
        others = choices[name] if isinstance(choices, dict) else ()
        if text in (name.casefold(), *others) or plain in (name.casefold(), *others):
            return name
    return None


def _unreadable(setting: Setting, said: str) -> SyscallError:
    like = {
        "temperature": "'21 °C' or '68 °F'",
        "percent": "'40%', 'half' or 'max'",
        "level": f"1 to {setting.high:g}, or {', '.join(setting.choices)}",
    }
    hint = like.get(setting.kind, f"a number from {setting.shown(setting.low)} to {setting.shown(setting.high)}")
    return SyscallError("EINVAL", f"{said!r} is no {setting.name}.", f"Say {hint}.")


def _normalised(said: str) -> str:
    text = unicodedata.normalize("NFKC", said[:100]).casefold().strip(_QUOTES)
    text = (
        text.replace("百分之", "%之").replace("负", "-").replace("零下", "-").replace("minus ", "-").replace("−", "-")
    )
    text = numerals.chinese(numerals.english(text))
    text = re.sub(r"%之(-?\d+)", r"\1%", text)
    return re.sub(r"(?<=\d)\s+(?=%)", "", " ".join(text.split()))
