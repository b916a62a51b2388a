"""What an effect will do, decided once: what the person was shown is what runs.

The kernel asks for a preview, shows it, perhaps asks for consent, and then runs the call with the words that
were said. Resolving those a second time could ask the same question twice, or find something else than was
consented to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from llmasos.core.base.types import Call
from llmasos.services.files.place import Place

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """An effect on one place.

    Attributes:
        place: Where.
    """

    place: Place

    def shown(self) -> dict[str, str]:
        """What a person sees before it."""
        return {"path": self.place.shown}


@dataclass(frozen=True, slots=True)
class Transfer:
    """A copy or move.

    Attributes:
        source: What.
        destination: Its place afterwards, where nothing is yet.
    """

    source: Place
    destination: Place

    def shown(self) -> dict[str, str]:
        """What a person sees before it."""
        return {"source": self.source.shown, "destination": self.destination.shown}


class Plans(Generic[T]):
    """Plans between preview and run, by the very call they are for."""

    LIMIT = 64
    """Plans that are kept; those of calls that were refused are never taken."""

    def __init__(self) -> None:
        self._plans: dict[int, tuple[Call, T]] = {}

    def keep(self, call: Call, plan: T) -> T:
        """Keep the plan of a call."""
        while len(self._plans) >= self.LIMIT:
            del self._plans[next(iter(self._plans))]
        # The call is kept too, so that its identity is nobody else's meanwhile.
        self._plans[id(call)] = (call, plan)
        return plan

    def take(self, call: Call) -> T | None:
        """The plan of a call, once."""
        kept = self._plans.pop(id(call), None)
        return kept[1] if kept else None
