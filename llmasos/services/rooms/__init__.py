"""Rooms: a person and several characters talk; nobody knows what they didn't witness."""

from llmasos.services.rooms.service import RoomService

__all__ = ["RoomService"]
