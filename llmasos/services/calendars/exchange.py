"""Events in and out of the schedule as files: calendar.import, which is undone as one, and calendar.export."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import SyscallError
from llmasos.core.base.values import done
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Kind, inverse, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.calendars import folder
from llmasos.services.calendars.background import Stop, in_background
from llmasos.services.files import changes
from llmasos.services.files.place import Place
from llmasos.services.files.plan import Plans
from llmasos.services.files.resolve import existing, target
from llmasos.services.files.space import Space
from llmasos.services.files.task import in_thread
from llmasos.services.schedule import Schedule, words
from llmasos.services.schedule.event import KIND, Event

if TYPE_CHECKING:
    from llmasos.services.calendars.importing import Plan

# What reads and writes calendars is imported where it is used: every start would pay for it, and few sessions need it.

STEP = 400
"""Records that are written before anything else may run."""
PathArgument = Annotated[str, Kind("path")]


class Exchange:
    """Import and export.

    Args:
        store: Where the events are.
        clock: The present.
        schedule: Whose events they are.
        private: Folders that no call may reach.
    """

    def __init__(self, store: Store, clock: Clock, schedule: Schedule, private: Sequence[Path]) -> None:
        self._store = store
        self._clock = clock
        self._schedule = schedule
        self._private = tuple(private)
        self._plans: Plans[tuple[Place, Plan]] = Plans()

    @syscall("calendar.import", effect="write", preview="preview_import", spoken=False, bound=True)
    async def import_call(self, caller: Caller, path: PathArgument) -> dict[str, Any]:
        """Take the events of an iCalendar file, or of a folder of them, into the schedule.

        Each event is taken once, in its newest version: importing the same file again changes nothing.

        Args:
            path: Which file or folder.
        """
        place, plan = self._plans.take(caller.call) or await self._planned(caller, path)
        note = plan.noted
        if not plan.changes:
            return done(f"Nothing to import from {place.shown}: {plan.said}.", note=note)
        await self._write(caller, place.shown, plan)
        return done(f"Imported {place.shown}: {plan.said}.", note=note)

    async def preview_import(self, caller: Caller, path: str) -> dict[str, str]:
        """The whole path, and what would change."""
        place, plan = self._plans.keep(caller.call, await self._planned(caller, path))
        return {"path": place.shown, "events": plan.said}

    @syscall("calendar.export", effect="write", preview="preview_export", spoken=False)
    async def export_call(
        self, caller: Caller, path: PathArgument, since: str | None = None, until: str | None = None
    ) -> dict[str, Any]:
        """Write the schedule to an iCalendar file, which other programs can import. Followed calendars aren't in it.

        Args:
            path: Which file.
            since: From when on; all where it is left out.
            until: Until when.
        """
        from llmasos.services.calendars import importing, writing

        space = Space.of(caller.session, self._private)
        place = _ics(target(space, path))
        now = self._clock.now()
        events = self._between(since, until, now)
        known = {event.id: record for event in events if (record := self._store.get(importing.ICAL, event.id))}
        text = await in_thread(lambda _: writing.calendar(events, known, now))
        others = sorted({label for event in events for label in event.sources})
        await changes.write(changes.Room(caller, space), place, text, others)
        return done(f"Wrote {counted(len(events))} to {place.shown}.", ref=space.ref(place))

    async def preview_export(
        self, caller: Caller, path: str, since: str | None = None, until: str | None = None
    ) -> dict[str, str]:
        """The whole path, and how much would be in it."""
        now = self._clock.now()
        count = len(self._between(since, until, now))
        place = _ics(target(Space.of(caller.session, self._private), path))
        return {"path": place.shown, "events": f"{count:,}"}

    @inverse("calendar.take_back")
    async def take_back(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Put all events of an import back as they were before."""
        from llmasos.services.calendars import importing

        packed = self._store.get_blob(payload["blob"])
        steps = json.loads(zlib.decompress(packed)) if packed else []
        what = f"the import of {payload['what']}"
        for kind, id, before, after in steps:
            value = self._store.get(kind, id)
            # That a reminder was shown meanwhile is no change of the event.
            if kind in (KIND, importing.ICAL) and value != before and importing.digest(value) != after:
                raise SyscallError("ESTALE", f"Events of {what} have changed since.", "Change them again instead.")
        await self._put_all([(kind, id, before) for kind, id, before, _ in steps])
        return f"The schedule is as it was before {what}."

    async def _planned(self, caller: Caller, path: str) -> tuple[Place, Plan]:
        space = Space.of(caller.session, self._private)
        place = await existing(caller, space, path)
        now = self._clock.now()
        assert now.tzinfo is not None
        zone = now.tzinfo

        def work(stop: Stop) -> Plan:
            from llmasos.services.calendars import importing, reading

            found = reading.read(folder.files(place, "", stop.event).contents, zone, now, stop.event)
            return importing.planned(found, self._store, now)

        return place, await in_background(work)

    async def _write(self, caller: Caller, what: str, plan: Plan) -> None:
        """Make all changes of an import, with what takes them back journaled first."""
        from llmasos.services.calendars import importing

        steps = await in_thread(lambda _: importing.steps(plan.changes, self._store))
        packed = zlib.compress(json.dumps(steps, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        with self._store.transaction():
            blob = self._store.put_blob(packed)
            caller.prepare("calendar.take_back", {"what": what, "blob": blob}, blobs=(blob,))
        await self._put_all(plan.changes)

    async def _put_all(self, changes: Sequence[tuple[str, str, Any]]) -> None:
        """Write many records, some at a time, so that everything else goes on meanwhile.

        Cut off in the middle it is undecided, as the journal tells; what takes it back puts both halves right.
        """
        for at in range(0, len(changes), STEP):
            with self._store.transaction():
                for kind, id, value in changes[at : at + STEP]:
                    if value is None:
                        self._store.delete(kind, id)
                    else:
                        self._store.put(kind, id, value)
            await asyncio.sleep(0)
        await self._schedule.all_changed()

    def _between(self, since: str | None, until: str | None, now: datetime) -> Sequence[Event]:
        """The person's own events of a stretch of time; all where none is said."""
        own = [Event.from_json(record.value) for record in self._store.scan(KIND)]
        if since is None and until is None:
            return own
        start = words.span(since, now)[0] if since else words.EARLIEST
        end = words.span(until, now)[1] if until else words.LATEST
        return [event for event in own if next(iter(event.within(start, end)), None) is not None]


def _ics(place: Place) -> Place:
    """Where a calendar is written; `.ics` where the name says nothing else."""
    if place.is_folder():
        raise SyscallError("EISDIR", f"{place.shown} is a folder.", "Name a file in it.")
    named = "." in place.name
    return place if named else place.parent.child(f"{place.parts[-1]}.ics")


def counted(count: int) -> str:
    """How many events, in words."""
    return "1 event" if count == 1 else f"{count:,} events"
