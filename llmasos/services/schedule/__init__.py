"""Events and reminders: words to time, repeats, the store of events, and what fires them."""

from llmasos.services.schedule.service import Schedule

__all__ = ["Schedule"]
