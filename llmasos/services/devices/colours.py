"""Colour names, English and Chinese."""

from __future__ import annotations

from functools import lru_cache

COLOURS: dict[str, tuple[str, ...]] = {
    "red": ("红", "红色"),
    "orange": ("橙", "橙色", "橘色", "橘黄色"),
    "yellow": ("黄", "黄色"),
    "green": ("绿", "绿色"),
    "cyan": ("青", "青色"),
    "turquoise": ("青绿色", "teal"),
    "blue": ("蓝", "蓝色"),
    "light blue": ("sky blue", "浅蓝", "浅蓝色", "天蓝色"),
    "dark blue": ("navy", "深蓝", "深蓝色"),
    "purple": ("violet", "紫", "紫色"),
    "lavender": ("lilac", "淡紫色"),
    "magenta": ("洋红", "洋红色", "fuchsia"),
    "pink": ("rose", "粉", "粉色", "粉红", "粉红色"),
    "gold": ("golden", "金色"),
    "amber": ("琥珀色",),
    "white": ("白", "白色", "白光"),
    "warm white": ("warm", "暖白", "暖白色", "暖光", "暖色", "暖黄", "暖黄色"),
    "cool white": ("cold white", "cool", "cold", "冷白", "冷白色", "冷光", "冷色"),
    "daylight": ("natural white", "neutral white", "日光", "自然光", "自然白"),
    "candlelight": ("candle", "candle light", "烛光"),
}
"""Colour -> other words for it."""

RGB: dict[str, tuple[int, int, int]] = {
    "red": (255, 0, 0),
    "orange": (255, 128, 0),
    "yellow": (255, 220, 0),
    "green": (0, 255, 0),
    "cyan": (0, 255, 255),
    "turquoise": (64, 224, 208),
    "blue": (0, 0, 255),
    "light blue": (135, 206, 250),
    "dark blue": (0, 0, 139),
    "purple": (128, 0, 200),
    "lavender": (200, 160, 255),
    "magenta": (255, 0, 255),
    "pink": (255, 105, 180),
    "gold": (255, 200, 60),
    "amber": (255, 170, 0),
    "white": (255, 255, 255),
    "warm white": (255, 197, 143),
    "cool white": (212, 235, 255),
    "daylight": (255, 250, 244),
    "candlelight": (255, 147, 41),
}
"""Colour -> red, green and blue, 0 to 255."""
KELVIN = {"white": 4000, "warm white": 2700, "cool white": 6000, "daylight": 5000, "candlelight": 2000}
"""Whites, for lamps that have two of them."""


def rgb(colour: str) -> tuple[int, int, int]:
    """The light of a colour's name, or of "#rrggbb"."""
    if colour.startswith("#"):
        return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
    return RGB[colour]


@lru_cache(maxsize=1024)  # a lamp tells its colour with each of its messages
def name_of(light: tuple[int, int, int]) -> str:
    """The colour that a light is nearest to, where it is near; else "#rrggbb"."""
    nearest = min(RGB, key=lambda name: distance(RGB[name], light))
    return nearest if distance(RGB[nearest], light) <= 12 else "#{:02x}{:02x}{:02x}".format(*light)


def distance(one: tuple[int, int, int], other: tuple[int, int, int]) -> int:
    """How far two lights are apart, in the channel that differs most; brightness doesn't count."""
    (a, b) = (tuple(channel * 255 / max(*light, 1) for channel in light) for light in (one, other))
    return round(max(abs(x - y) for x, y in zip(a, b, strict=True)))


def to_xy(light: tuple[int, int, int]) -> tuple[float, float]:
    """A light as CIE 1931 x and y, from sRGB (IEC 61966-2-1, D65)."""
    r, g, b = (_linear(channel / 255) for channel in light)
    x = 0.4124 * r + 0.3576 * g + 0.1805 * b
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = 0.0193 * r + 0.1192 * g + 0.9505 * b
    total = x + y + z
    return (round(x / total, 4), round(y / total, 4)) if total else (0.3127, 0.3290)


def from_xy(x: float, y: float) -> tuple[int, int, int]:
    """The brightest light of CIE 1931 x and y."""
    if y <= 0:
        return 255, 255, 255
    big_x, big_z = x / y, (1 - x - y) / y
    linear = (
        3.2406 * big_x - 1.5372 - 0.4986 * big_z,
        -0.9689 * big_x + 1.8758 + 0.0415 * big_z,
        0.0557 * big_x - 0.2040 + 1.0570 * big_z,
    )
    most = max(*linear, 1e-6)
    r, g, b = (round(255 * _gamma(max(channel, 0) / most)) for channel in linear)
    return r, g, b


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def _gamma(channel: float) -> float:
    return channel * 12.92 if channel <= 0.0031308 else float(1.055 * channel ** (1 / 2.4) - 0.055)
