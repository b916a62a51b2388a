"""Calendars of other programs: iCalendar files in and out, folders and servers that are followed read-only."""

from llmasos.services.calendars.service import Calendars

__all__ = ["Calendars"]
