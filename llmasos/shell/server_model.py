"""The model on a server that was named: where words go, with which key, and whether it is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmasos.core.base.errors import EngineError
from llmasos.core.base.settings import Settings
from llmasos.core.engine.openai.address import PROMPTS, Address

NAMED = 12
"""Models of a server that are listed."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a server.

    Attributes:
        address: Where it is.
        key: Where our key is from.
        has: Its models, where it told.
        trouble: Why it didn't.
    """

    address: Address
    key: str
    has: Sequence[str] = ()
    trouble: str = ""

    @property
    def missing(self) -> bool:
        """Whether the server says that it hasn't the model. Some list none and have it all the same."""
        return bool(self.has) and self.address.name not in self.has

    @property
    def state(self) -> str:
        """Whether it is there, in a sentence."""
        if self.trouble:
            return self.trouble
        if not self.address.name or self.missing:
            more = f" and {len(self.has) - NAMED} more" if len(self.has) > NAMED else ""
            lacks = f"It has no {self.address.name}; it has" if self.address.name else "It has"
            return f"{lacks}: {', '.join(self.has[:NAMED]) or 'none that it lists'}{more}."
        return "It answers, and has the model." if self.has else "It answers, and lists no models."

    def row(self) -> dict[str, str]:
        """All of it, as `llmasos model info` tells it."""
        return {
            "name": self.address.name,
            "server": self.address.base,
            "words": f"{self.address.whither}, with {PROMPTS}",
            "key": self.key,
            "state": self.state,
        }


async def look(settings: Settings) -> Look:
    """Ask the server that the settings name for its models.

    Raises:
        ModelError: Its address or our key is none.
    """
    from llmasos.core.engine.openai.server import Server

    server = Server.of(settings)
    try:
        return Look(server.address, server.key.source, has=await server.models())
    except EngineError as error:
        return Look(server.address, server.key.source, trouble=str(error))
