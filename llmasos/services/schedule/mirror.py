"""Events of other calendars, as they were read last: shown beside the person's own, and never changed here."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from llmasos.core.kernel.store import Store
from llmasos.services.schedule.event import FROM_CALENDAR, Event
from llmasos.services.schedule.ringer import TOLD

KIND = "calendar.events"
"""Names the blob with a calendar's events, in which they are written as one: there can be many thousands."""


class Mirror:
    """The events of all calendars that are followed.

    Args:
        store: Where they are kept, sealed.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._events: dict[str, Event] | None = None

    def events(self) -> Mapping[str, Event]:
        """All events by id."""
        if self._events is None:
            self._events = {}
            for record in list(self._store.scan(KIND)):
                for event in self.of(record.id):
                    self._events[event.id] = event
        return self._events

    def of(self, calendar: str) -> Iterable[Event]:
        """The events of one calendar.

        Args:
            calendar: Its id.
        """
        record = self._store.get(KIND, calendar)
        packed = self._store.get_blob(record["blob"]) if record else None
        return [Event.from_json(value) for value in json.loads(zlib.decompress(packed))] if packed else []

    def put(self, calendar: str, name: str, events: Iterable[Event]) -> None:
        """Take the place of what a calendar had before.

        When an event was first seen is kept, for nothing rings that was over by then.
        """
        before = {event.id: event for event in self.of(calendar)}
        label = f"{FROM_CALENDAR}{name}"
        after = {
            event.id: replace(
                event, by=label, created=before[event.id].created if event.id in before else event.created
            )
            for event in events
        }
        packed = zlib.compress(json.dumps([event.to_json() for event in after.values()], ensure_ascii=False).encode())
        with self._store.transaction():
            self._drop(calendar)
            self._store.put(KIND, calendar, {"blob": self._store.put_blob(packed)})
            for id in before.keys() - after.keys():
                self._store.delete(TOLD, id)
        self._events = None

    def remove(self, calendar: str) -> None:
        """Forget a calendar's events."""
        gone = [event.id for event in self.of(calendar)]
        with self._store.transaction():
            self._drop(calendar)
            for id in gone:
                self._store.delete(TOLD, id)
        self._events = None

    def _drop(self, calendar: str) -> None:
        record = self._store.get(KIND, calendar)
        if record:
            self._store.delete_blob(record["blob"])
            self._store.delete(KIND, calendar)
