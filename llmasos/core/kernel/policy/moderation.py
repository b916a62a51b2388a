"""How much of what a model says is held back: one word in a policy file, `moderation = "strict"`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

Moderation = Literal["off", "mild", "strict"]
LEVELS: tuple[Moderation, ...] = get_args(Moderation)
"""The most lenient first."""
UNSAID: Moderation = "mild"
"""What holds where no file says anything."""


def strictest(said: Iterable[Moderation | None]) -> Moderation:
    """The strictest of what the files of all tiers say: none can loosen what another says."""
    return max((level for level in said if level), key=LEVELS.index, default=UNSAID)
