"""Colour names, English and Chinese."""

from __future__ import annotations

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
