"""Which models a client may name, and what each is called inside."""

from __future__ import annotations

from collections.abc import Mapping

from llmasos.core.base.errors import LlmasosError
from llmasos.core.base.settings import Settings
from llmasos.core.engine import models
from llmasos.core.engine.openai.address import Address, is_remote

ALIAS = "llmasos"
"""The model that talks, whatever it is."""


def speakers(settings: Settings) -> Mapping[str, str]:
    """Name outside -> further model inside, empty for the one that talks. Paths are shown to nobody, nor taken."""
    found = {ALIAS: "", _shown(settings.model): ""}
    for name in models.KNOWN:
        try:
            models.locate(name)
        except LlmasosError:  # its package isn't installed
            continue
        found.setdefault(name, name)
    for folder in settings.models_in:
        if folder.is_dir():
            for file in sorted(folder.glob("*.gguf")):
                found.setdefault(file.stem, file.stem)
    return found


def _shown(said: str) -> str:
    if is_remote(said):
        return Address.named(said).name
    return said.rpartition("/")[2].removesuffix(".gguf")
