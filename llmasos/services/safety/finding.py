"""What the rules find in a sentence: why it would be held back, how bad that is, and whether they are sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Reason = Literal[
    "swearing", "insult", "offensive", "sexual", "minors", "cruelty", "threat", "hate", "self-harm", "danger", "drugs",
    "secrets", "notice",
]  # fmt: skip
COARSE, GRAVE, SEVERE = 1, 2, 3
"""Held back where the level is strict; from mild on; and from mild on, and it ends the reply."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes:
        reason: Why it would be held back.
        grade: How bad it is: `COARSE`, `GRAVE` or `SEVERE`.
        sure: Whether it is meant so; else it depends on the rest.
    """

    reason: Reason
    grade: int
    sure: bool = True
