"""What made a reply: the model, a rule, or the system in place of both; what says so is the piece itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from llmasos.core.base.values import Source
from llmasos.services.safety import Notice

Maker = Literal["model", "rule", "system"]


class ByRule(str):
    """A piece of a reply that a rule made: what the character was told, what it doesn't know, what it is.

    Args:
        words: What is said.
        sources: Whose words stand in it, as labels name it, where they aren't the person's.
    """

    sources: tuple[str, ...]

    def __new__(cls, words: str, sources: Iterable[str] = ()) -> ByRule:
        """Words that know whose they are."""
        piece = super().__new__(cls, words)
        piece.sources = tuple(dict.fromkeys(sources))
        return piece


@dataclass
class Making:
    """Looks at the pieces of what is said as they come.

    Attributes:
        maker: What made them; the model where it made any.
        sources: Whose words stand in what rules made.
    """

    maker: Maker = "system"
    sources: set[str] = field(default_factory=set)

    def add(self, piece: str) -> None:
        """One more piece."""
        if isinstance(piece, ByRule):
            self.sources |= set(piece.sources)
            self.maker = "rule" if self.maker == "system" else self.maker
        elif not isinstance(piece, Notice) and piece.strip():
            self.maker = "model"

    @property
    def source(self) -> Source:
        """As a result says whose words they are."""
        return "character" if self.maker == "model" else self.maker
