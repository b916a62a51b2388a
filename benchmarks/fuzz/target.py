"""What is fuzzed: something that reads what others wrote, with real inputs for it and the errors that it may raise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from random import Random
from typing import ClassVar

from benchmarks.fuzz.mutate import Bytes, Json
from llmasos.core.base.errors import LlmasosError


class Target(ABC):
    """One of them; made in a worker process, of a folder for its files alone.

    Attributes:
        name: What the figures call it.
        share: Of all inputs, in parts of the sum of all shares.
        expected: What it raises where an input is wrong. All else is a crash.
        refuses: Whether there are wrong inputs; some read whatever it is.
    """

    name: ClassVar[str]
    share: ClassVar[int]
    expected: ClassVar[tuple[type[Exception], ...]] = (LlmasosError,)
    refuses: ClassVar[bool] = True

    def __init__(self, folder: Path, draw: Bytes | Json) -> None:
        self.folder = folder
        self._draw = draw

    def make(self, rng: Random) -> bytes:
        """An input."""
        return self._draw(rng)

    def changed(self, rng: Random, data: bytes) -> bytes:
        """An input made of another one; who is guided by coverage goes on from what led somewhere new."""
        return self._draw.changed(rng, data) if rng.random() < 0.8 else self.make(rng)

    @abstractmethod
    def run(self, data: bytes) -> None:
        """Have it read.

        Raises:
            AssertionError: It was taken, and can't be given back as it must be.
        """

    def close(self) -> None:
        """Let go of what it holds."""
        return
