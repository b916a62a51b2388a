"""What came of a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from llmasos.core.base.types import Result
from llmasos.services.interpreter.reading import Reading

Way = Literal["habit", "call", "kept", "model"]
OnReading = Callable[[Reading], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request.

    Attributes:
        reading: The program and how sure it was; written calls are certain.
        results: One for each call that was tried.
        way: How it was understood: as a habit, a written call, as the person once explained it, or by the model.
        kept: The sentence whose reading is remembered from now on, empty where none is.
    """

    reading: Reading
    results: tuple[Result, ...]
    way: Way
    kept: str = ""

    @property
    def ok(self) -> bool:
        """Whether all was done."""
        return all(result.ok for result in self.results)
