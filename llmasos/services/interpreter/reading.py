"""What the interpreter makes of a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmasos.core.base.types import Program


@dataclass(frozen=True, slots=True)
class Reading:
    """A program with how sure the model is of it.

    Attributes:
        program: The likeliest calls; empty where nothing fits.
        confidence: 0 to 1.
        alternative: The second likeliest program, looked for only where confidence is low; None otherwise.
        ms: Milliseconds it took.
        derived: `call.argument` of values that weren't said but chosen by a definition.
    """

    program: Program
    confidence: float
    alternative: Program | None = None
    ms: float = 0.0
    derived: tuple[str, ...] = ()

    @property
    def ask(self) -> str:
        """The question that should be put to the person before anything is done, or empty."""
        if self.alternative is None:
            return ""
        return f"Did you mean {say(self.program)}, or {say(self.alternative)}?"

    def to_json(self) -> dict[str, Any]:
        """The form that `interpret` prints."""
        shown: dict[str, Any] = {
            "calls": [call.to_json() for call in self.program],
            "confidence": round(self.confidence, 4),
            "ms": round(self.ms, 1),
        }
        if self.ask:
            shown["ask"] = self.ask
        if self.derived:
            shown["derived"] = list(self.derived)
        return shown


@dataclass(frozen=True, slots=True)
class Kept:
    """A reading that the person corrected or confirmed."""

    id: str
    said: str
    program: Program
    at: str


def say(program: Program) -> str:
    """A program in one line, for a question."""
    return ", then ".join(str(call) for call in program) or "nothing of this"
