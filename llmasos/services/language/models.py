"""What a speaking model can be asked for, by its name: honest about the small one that ships."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TINY = re.compile(r"smollm2?|(?<![\d.])(?:0\.1\d*b|1[0-9][0-9]m|2[0-9][0-9]m|3[0-6][0-9]m)", re.IGNORECASE)
_BIG_SMOL = re.compile(r"1\.7b", re.IGNORECASE)
ENGLISH_ONLY_CHINESE = "现在用的模型只会英文，读不懂中文。请用 --model 文件.gguf 换一个模型，或者用英文问。"
CONFIGURE = "Name a larger model with '--model FILE.gguf'."


@dataclass(frozen=True, slots=True)
class Ability:
    """What to expect of a model.

    Attributes:
        tiny: Too small to hold a thread or to translate; replies are kept short and begun by rule where one
            knows.
        english_only: Writes no other language worth reading.
    """

    tiny: bool
    english_only: bool


def ability(name: str) -> Ability:
    """What to expect of the model of this name; of one we don't know, the best."""
    tiny = bool(_TINY.search(name)) and not _BIG_SMOL.search(name)
    return Ability(tiny, tiny or "smollm" in name.lower())
