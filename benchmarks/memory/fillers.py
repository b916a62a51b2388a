"""Everyday lines in which a planted fact has to be found again: drawn from a seed, no two the same."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

_LISTS = {
    "part": "morning, afternoon, evening, night, weekend",
    "feeling": "tired, glad, a bit sad, hungry, in a good mood, bored, quite proud, cold",
    "food": "soup, pancakes, rice, fried fish, noodles, an omelette, apple pie, bread and cheese, lentils, curry",
    "meal": "breakfast, lunch, dinner, supper",
    "quality": "wonderful, strange, rather dull, loud, funny, too long, sweet, awful, old-fashioned, lovely",
    "weather": "rainy, sunny, windy, foggy, freezing, warm, cloudy",
    "place": "river, market, library, harbour, park, station, museum, old bridge, bakery, post office, cinema, church",
    "who": "my sister, my brother, a colleague, the postman, my uncle, an old friend, the woman next door, my mother",
    "topic": "whales, the moon, politics, gardening, old coins, trains, the Romans, cooking, football, robots, painting, dogs",
    "thing": "umbrella, ladder, kettle, lamp, suitcase, clock, mirror, blanket, hammer, vase, bicycle, sofa",
    "animal": "dog, cat, heron, fox, squirrel, horse, crow, hedgehog, parrot",
    "zplace": "公园, 图书馆, 菜市场, 河边, 车站, 咖啡馆",
    "zanimal": "猫, 狗, 松鼠, 白鹭, 兔子",
    "zfood": "面条, 饺子, 炒饭, 火锅, 豆腐",
    "zwho": "妹妹, 同事, 老朋友, 妈妈, 邻居",
}
_OPTIONS = {name: said.split(", ") for name, said in _LISTS.items()}


def fillers(seed: str, name: str = "fillers") -> Iterator[str]:
    """Lines without end, each said once; of the forms in one file."""
    draw = random.Random(seed)
    forms = [
        line
        for line in Path(__file__).with_name(f"{name}.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    said: set[str] = set()
    while True:
        form = draw.choice(forms)
        line = re.sub(r"\{(\w+)\}", lambda match: draw.choice(_OPTIONS[match[1]]), form)
        line = line[0].upper() + line[1:]
        if line not in said:
            said.add(line)
            yield line
