"""What was held back, kept sealed, so that a person may see it whose policy allows that; the oldest go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from llmasos.core.base.clock import Clock
from llmasos.core.kernel.store import Store
from llmasos.services.safety.finding import Reason

KIND = "safety.held"
KEPT = 50
"""Sentences that are kept."""


@dataclass(frozen=True, slots=True)
class Held:
    """A sentence that wasn't shown.

    Attributes:
        number: Its number, from 1.
        at: When, ISO 8601.
        person: Whom it would have been said to.
        who: Who would have said it, as processes are called.
        reason: Why it was held back.
        text: The sentence.
    """

    number: int
    at: str
    person: str
    who: str
    reason: Reason
    text: str


class HeldBack:
    """All that was held back in a home.

    Args:
        store: Where it is kept.
        clock: Says when.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._last = max((int(record.id) for record in store.scan(KIND)), default=0)

    def keep(self, person: str, who: str, reason: Reason, text: str) -> int:
        """Keep a sentence; its number."""
        self._last += 1
        held = Held(self._last, self._clock.now().isoformat(timespec="seconds"), person, who, reason, text)
        with self._store.transaction():
            self._store.put(KIND, f"{held.number:09d}", asdict(held))
            self._store.delete(KIND, f"{held.number - KEPT:09d}")
        return held.number

    def of(self, person: str) -> Iterator[Held]:
        """What was held back from a person, the newest first."""
        for record in self._store.scan(KIND, newest_first=True):
            if record.value["person"] == person:
                yield Held(**record.value)

    def get(self, person: str, number: int) -> Held | None:
        """One of a person's by its number."""
        value = self._store.get(KIND, f"{number:09d}")
        return Held(**value) if value and value["person"] == person else None

    def forget(self, person: str) -> None:
        """Something of a person's is erased for good, and may stand in what was held back."""
        for held in list(self.of(person)):
            self._store.delete(KIND, f"{held.number:09d}")
