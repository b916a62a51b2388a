"""The digital twin of a device: how it would be after a change, whether it is as it should be, what happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC

from llmasos.core.base.clock import Clock
from llmasos.core.kernel.store import Store
from llmasos.services.devices.colours import COLOURS, distance, rgb
from llmasos.services.devices.model import Device, Setting, State, Value

HISTORY = "device.history"
HISTORY_LENGTH = 20
_NEAR: Mapping[str, float] = {"percent": 3, "temperature": 0.6, "level": 0}
"""How far a device may be from what was set: many round, or count in other units."""


def after(state: State, *, on: bool | None = None, settings: Mapping[str, Value] | None = None) -> State:
    """A copy of a state with a change made to it; what is None stays."""
    return replace(
        state, on=state.on if on is None else on, settings={**state.settings, **(settings or {})},
        known=state.known or on is not None,
    )  # fmt: skip


def agrees(setting: Setting | None, wanted: Value, is_now: Value | None) -> bool:
    """Whether a value is the one that was set, as near as devices come."""
    if is_now is None:
        return False
    numbers = isinstance(wanted, int | float) and isinstance(is_now, int | float)
    if setting is None or not numbers:
        if setting is not None and setting.kind == "colour" and _is_colour(wanted) and _is_colour(is_now):
            return distance(rgb(str(wanted)), rgb(str(is_now))) <= 40
        return str(wanted).casefold() == str(is_now).casefold()
    near = _NEAR.get(setting.kind, (setting.high - setting.low) * 0.05)
    return abs(float(wanted) - float(is_now)) <= near


def _is_colour(value: Value) -> bool:
    return isinstance(value, str) and (value in COLOURS or value.startswith("#"))


class History:
    """The last changes of each device, and who made them.

    Args:
        store: Where they are kept, sealed.
        clock: What dates them.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def of(self, source: str, device: Device) -> list[dict[str, str]]:
        """The changes of one device, oldest first."""
        kept: dict[str, list[dict[str, str]]] | None = self._store.get(HISTORY, f"{source}/{device.id}")
        return kept["entries"] if kept else []

    def add(self, source: str, device: Device, what: str, by: str) -> None:
        """One more change.

        Args:
            source: The label of where the device comes from.
            device: Which.
            what: "on", "brightness 40 %".
            by: Who made it: a subject, or the device itself.
        """
        now = self._clock.now()
        entry = {
            "at": now.astimezone(UTC).isoformat(timespec="seconds"),
            "shown": f"{now:%Y-%m-%d %H:%M}",
            "what": what,
            "by": by,
        }
        kept = [*self.of(source, device), entry][-HISTORY_LENGTH:]
        self._store.put(HISTORY, f"{source}/{device.id}", {"entries": kept})
