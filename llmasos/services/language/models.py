"""What a speaking model can be asked for, by what its file says, else by its name: honest about the one that ships."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmasos.core.engine.base import Engine
from llmasos.services.language import tongue

_TINY = re.compile(r"smollm2?|(?<![\d.])(?:0\.1\d*b|1[0-9][0-9]m|2[0-9][0-9]m|3[0-6][0-9]m)", re.IGNORECASE)
_BIG_SMOL = re.compile(r"1\.7b", re.IGNORECASE)
_TINY_WEIGHTS = 400_000_000
ENGLISH_ONLY_CHINESE = tongue.SORRY["zh"]
CONFIGURE = "Name a larger model with '--model FILE.gguf'."
TRANSLATOR = (
    "Name one that can with '--translator', a GGUF file or openai:URL/NAME, for translations alone; "
    "or with '--model' for all that is said."
)


@dataclass(frozen=True, slots=True)
class Ability:
    """What to expect of a model.

    Attributes:
        tiny: Too small to hold a thread or to translate; replies are kept short and begun by rule where one
            knows.
        english_only: Writes no other language worth reading.
        languages: Codes of those that its file names; empty where it names none.
    """

    tiny: bool
    english_only: bool
    languages: tuple[str, ...] = ()

    def knows(self, code: str) -> bool:
        """Whether a language is worth a try; what isn't known to be one (an empty code) counts as English."""
        if code in ("", "en"):
            return True
        return not self.english_only and (not self.languages or code in self.languages)


def ability(name: str) -> Ability:
    """What to expect of the model of this name; of one we don't know, the best."""
    tiny = bool(_TINY.search(name)) and not _BIG_SMOL.search(name)
    return Ability(tiny, tiny or "smollm" in name.lower())


def of(engine: Engine) -> Ability:
    """What to expect of an engine: what its file says counts, its name where it says nothing."""
    by_name = ability(engine.name)
    info = getattr(getattr(engine, "model", None), "info", None)
    if info is None:
        return by_name
    languages = tuple(code[:2].lower() for code in info.languages)
    tiny = by_name.tiny or info.parameters < _TINY_WEIGHTS
    return Ability(tiny, by_name.english_only or set(languages) == {"en"}, languages)
