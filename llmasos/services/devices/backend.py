"""Where devices come from: the simulated home, or a broker of real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from llmasos.services.devices.model import Device, State, Value


class DeviceBackend(Protocol):
    """One source of devices."""

    @property
    def label(self) -> str:
        """What results say of its devices: "simulated", "mqtt:home"."""

    async def devices(self) -> Sequence[Device]:
        """All devices that it knows, whether or not they answer."""

    async def state(self, device: Device) -> State:
        """How a device is now."""

    async def apply(
        self, device: Device, *, on: bool | None = None, settings: Mapping[str, Value] | None = None
    ) -> State:
        """Change a device; what is None stays. Returns how it is then.

        Raises:
            SyscallError: EIO, it doesn't answer, or is otherwise than it was told to be.
            Undecided: It was told, and whether it did so isn't known.
        """
