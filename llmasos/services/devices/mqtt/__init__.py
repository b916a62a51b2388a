"""Devices at an MQTT broker: found as Home Assistant finds them, mirrored, told, and asked whether they did it."""

from llmasos.services.devices.mqtt.service import Brokers

__all__ = ["Brokers"]
