"""Devices: what a name and a value mean, what was set when, real ones at brokers, else a simulated home."""

from llmasos.services.devices.backend import DeviceBackend
from llmasos.services.devices.model import Device, Kind, Setting
from llmasos.services.devices.mqtt import Brokers
from llmasos.services.devices.service import Devices

__all__ = ["Brokers", "Device", "DeviceBackend", "Devices", "Kind", "Setting"]
