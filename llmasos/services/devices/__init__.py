"""Devices: what a name and a value mean, what was set when, and a simulated home for those without any."""

from llmasos.services.devices.backend import DeviceBackend
from llmasos.services.devices.model import Device, Kind, Setting
from llmasos.services.devices.service import Devices

__all__ = ["Device", "DeviceBackend", "Devices", "Kind", "Setting"]
