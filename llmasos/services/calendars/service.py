"""calendar.*: calendars of other programs, imported, exported, or followed read-only; here those that are followed."""

from __future__ import annotations

import asyncio
import glob
import json
import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import LlmasosError, SyscallError, UsageError
from llmasos.core.base.types import Call
from llmasos.core.base.values import done, items
from llmasos.core.kernel.grant import Pattern
from llmasos.core.kernel.session import Nobody, Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Kind, inverse, syscall
from llmasos.core.kernel.trap import Caller, Kernel
from llmasos.services import login as logins
from llmasos.services.calendars import address as addresses
from llmasos.services.calendars import folder
from llmasos.services.calendars.background import Stop, in_background
from llmasos.services.calendars.exchange import Exchange, PathArgument, counted
from llmasos.services.calendars.followed import Calendar, Shelf
from llmasos.services.files.place import Place
from llmasos.services.files.resolve import existing
from llmasos.services.files.space import Space
from llmasos.services.files.task import in_thread
from llmasos.services.schedule import Schedule
from llmasos.services.schedule.event import Event

if TYPE_CHECKING:
    from llmasos.services.calendars import caldav, reading

log = logging.getLogger(__name__)

EVERY = 15 * 60.0
"""Seconds between two looks at the calendars that are followed."""
Name = Annotated[str, Kind("calendar")]
Tell = Callable[[str], bool]


class Calendars(Exchange):
    """Calendars of other programs.

    Args:
        store: Where all of it is kept, sealed.
        clock: The present.
        schedule: Whose events they are, or are shown beside.
        tell: Tells the person when a calendar can't be read any more, or can again.
        private: Folders that no call may reach.
    """

    def __init__(
        self, store: Store, clock: Clock, schedule: Schedule, tell: Tell, *, private: Sequence[Path] = ()
    ) -> None:
        super().__init__(store, clock, schedule, private)
        self._tell = tell
        self._shelf = Shelf(store)
        self._task: asyncio.Task[None] | None = None

    def start(self, kernel: Kernel) -> None:
        """Read what is followed now and every quarter of an hour, until `close`."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_reading(kernel), name="calendars")

    async def close(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    @syscall("calendar.list", effect="read", spoken=False)
    async def list(self, caller: Caller) -> dict[str, Any]:
        """Which calendars are followed, when each was read last, and what is wrong with one."""
        rows = [
            {
                "ref": calendar.name,
                "name": calendar.name,
                "where": calendar.where,
                "events": calendar.events,
                "read": self._when(calendar),
                "trouble": calendar.trouble,
                "kind": "server" if calendar.address else "folder",
            }
            for calendar in self._shelf.all()
        ]
        columns = ["name", "where", "events", "read", *(["trouble"] if any(row["trouble"] for row in rows) else [])]
        return items("calendar", rows, columns, empty="No calendar is followed. 'llmasos calendar add' follows one.")

    @syscall("calendar.add", effect="write", preview="preview_add", spoken=False)
    async def add(self, caller: Caller, name: str, path: PathArgument) -> dict[str, Any]:
        """Follow a folder of iCalendar files, or one file: its events are shown and can't be changed here.

        Args:
            name: What to call it.
            path: Which folder or file.
        """
        name = self._shelf.free(name)
        place = await existing(caller, Space.of(caller.session, self._private), path)
        calendar = Calendar.new(name, caller.session.person, place.root)
        calendar = replace(calendar, parts=list(place.parts))
        caller.prepare("calendar.forget", {"id": calendar.id, "name": name})
        calendar = await self._read(calendar)
        return done(f"Following {name!r}: {counted(calendar.events)}.", ref=name, note=calendar.note)

    async def preview_add(self, caller: Caller, name: str, path: str) -> dict[str, str]:
        """The whole path."""
        place = await existing(caller, Space.of(caller.session, self._private), path)
        return {"name": self._shelf.free(name), "path": place.shown}

    @syscall("calendar.subscribe", effect="external", preview="preview_subscribe", spoken=False)
    async def subscribe(self, caller: Caller, name: str, address: str, login: bool = False) -> dict[str, Any]:
        """Follow a calendar on a server (CalDAV, or an .ics address): its events are shown and can't be changed here.

        It is read again whenever the system starts and every 15 minutes while it runs. User and password are asked for,
        never written into the call.

        Args:
            name: What to call it.
            address: Its https address.
            login: Whether the server wants a user and a password.
        """
        name = self._shelf.free(name)
        calendar = replace(
            Calendar.new(name, caller.session.person, caller.session.workspace), address=_address(address)
        )
        if login:
            calendar = await self._logged_in(caller, calendar)
        calendar = await self._read(calendar)
        if caller.decision.verdict == "ask":
            caller.kernel.consents.follow(caller, _following(name))
        note = " ".join(filter(None, [calendar.note, "It is read again at each start and every 15 minutes."]))
        return done(f"Following {name!r}: {counted(calendar.events)}.", ref=name, note=note)

    async def preview_subscribe(self, caller: Caller, name: str, address: str, login: bool = False) -> dict[str, str]:
        """Which server will be asked, and how often."""
        shown = {"name": self._shelf.free(name), "address": addresses.server(_address(address))}
        shown["login"] = "user and password are asked for next" if login else "none"
        return {**shown, "again": "at each start and every 15 minutes, until you remove it"}

    @syscall("calendar.remove", effect="destroy", preview="preview_remove", spoken=False)
    async def remove(self, caller: Caller, name: Name) -> dict[str, Any]:
        """Follow a calendar no longer.

        Args:
            name: Which one.
        """
        calendar = self._shelf.get(name)
        packed = json.dumps([event.to_json() for event in self._schedule.mirror.of(calendar.id)], ensure_ascii=False)
        consents, pattern = caller.kernel.consents, _following(calendar.name)
        followed = any(grant.pattern == pattern for grant in consents.of(calendar.person))
        with self._store.transaction():
            blob = self._store.put_blob(zlib.compress(packed.encode()))
            payload = {"calendar": asdict(calendar), "blob": blob, "followed": followed}
            caller.prepare("calendar.follow_again", payload, blobs=(blob,))
        consents.unfollow(calendar.person, pattern)
        await self._forget(calendar.id)
        return done(f"No longer following {calendar.name!r}.", ref=calendar.name)

    async def preview_remove(self, caller: Caller, name: str) -> dict[str, str]:
        """Which one."""
        calendar = self._shelf.get(name)
        return {"name": calendar.name, "where": calendar.where, "events": f"{calendar.events:,}"}

    @syscall("calendar.sync", effect="external", preview="preview_sync", spoken=False, journaled=False)
    async def sync(self, caller: Caller, name: Name) -> dict[str, Any]:
        """Read a calendar that is followed on a server again, now.

        Args:
            name: Which one.
        """
        return await self._again(self._shelf.get(name))

    async def preview_sync(self, caller: Caller, name: str) -> dict[str, str]:
        """Which server will be asked."""
        calendar = self._shelf.get(name)
        return {"name": calendar.name, "where": calendar.where}

    @syscall("calendar.refresh", effect="write", spoken=False, journaled=False)
    async def refresh(self, caller: Caller, name: Name) -> dict[str, Any]:
        """Read a calendar that is followed in a folder again, now.

        Args:
            name: Which one.
        """
        calendar = self._shelf.get(name)
        if calendar.address:
            raise SyscallError("EINVAL", f"{calendar.name!r} is on a server.", "'calendar.sync' reads it.")
        return await self._again(calendar)

    @inverse("calendar.forget")
    async def forget(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Take the adding of a calendar back."""
        await self._forget(payload["id"])
        return f"No longer following {payload['name']!r}."

    @inverse("calendar.follow_again")
    async def follow_again(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Take the removal of a calendar back."""
        calendar = Calendar(**payload["calendar"])
        if any(known.name.casefold() == calendar.name.casefold() for known in self._shelf.all()):
            raise SyscallError(
                "ESTALE", f"Another calendar is called {calendar.name!r} by now.", "Remove that one first."
            )
        packed = self._store.get_blob(payload["blob"])
        events = [Event.from_json(value) for value in json.loads(zlib.decompress(packed))] if packed else []
        self._schedule.mirror.put(calendar.id, calendar.name, events)
        self._shelf.put(calendar)
        if payload["followed"]:
            caller.kernel.consents.follow(caller, _following(calendar.name))
        await self._schedule.all_changed()
        return f"Following {calendar.name!r} again."

    # Reading

    async def _keep_reading(self, kernel: Kernel) -> None:
        while True:
            for calendar in self._shelf.all():
                try:
                    await self._quietly(kernel, calendar)
                except Exception:  # one calendar's defect is nobody else's; the log has the traceback
                    log.exception("a calendar could not be read")
            await asyncio.sleep(EVERY)

    async def _quietly(self, kernel: Kernel, calendar: Calendar) -> None:
        """Read a calendar through the door like anybody's call: policy and consent may have changed since."""
        process = kernel.processes.spawn(
            kernel.processes.init, name=f"calendar {calendar.name}", program="calendar",
            subject=f"user:{calendar.person}", owner=calendar.person, priority="background",
        )  # fmt: skip
        try:
            session = Session(calendar.person, Path(calendar.workspace), Nobody())
            call = Call("calendar.sync" if calendar.address else "calendar.refresh", {"name": calendar.name})
            result = await kernel.trap(process, session, call, request=f"calendar {calendar.name}")
            if not result.ok:
                self._failed(calendar, result.message)
        finally:
            await kernel.processes.exit(process)

    async def _again(self, calendar: Calendar) -> dict[str, Any]:
        try:
            after = await self._read(calendar)
        except LlmasosError as error:
            self._failed(calendar, str(error))
            raise
        if calendar.trouble:
            self._tell(f"The calendar {calendar.name!r} can be read again.")
        changed = "it has changed" if after.state != calendar.state or not after.state else "nothing has changed"
        return done(f"Read {after.name!r}: {counted(after.events)}, {changed}.", ref=after.name, note=after.note)

    def _failed(self, calendar: Calendar, why: str) -> None:
        """Keep why a calendar couldn't be read; said once, and by `calendar.list` for as long as it lasts."""
        now = self._shelf.by_id(calendar.id)
        if now is None or now.trouble == why:
            return
        self._shelf.put(replace(now, trouble=why))
        if not now.trouble:
            shown = f"What was read {self._when(now)} is shown." if now.read else ""
            self._tell(f"The calendar {now.name!r} can't be read: {why} {shown}".strip())

    async def _read(self, calendar: Calendar) -> Calendar:
        """Read a calendar into the mirror, and keep what there is to know of it.

        Raises:
            LlmasosError: It can't be read; what was read before stays.
        """
        now = self._clock.now()
        assert now.tzinfo is not None
        zone = now.tzinfo

        def work(stop: Stop) -> tuple[str, reading.Found | None]:
            from llmasos.services.calendars import reading

            fetched: caldav.Fetched | folder.Files
            if calendar.address:
                from llmasos.services.calendars import caldav
                from llmasos.services.calendars.net import Web

                web = Web(calendar.login, folder.MOST_BYTES, stop)
                fetched = caldav.fetch(web, calendar.address, calendar.state, now)
                contents = fetched.files
            else:
                fetched = folder.files(self._place(calendar), calendar.state, stop.event)
                contents = fetched.contents
            if not fetched.changed:
                return fetched.state, None
            if not contents:
                return fetched.state, reading.Found()
            return fetched.state, reading.read(contents, zone, now, stop.event, scope=calendar.id)

        state, found = await in_background(work)
        if found is None:
            after = calendar.was_read(now, state, calendar.events, calendar.note)
        else:
            events = [entry.event for entry in found.entries if not entry.cancelled]
            after = calendar.was_read(now, state, len(events), found.noted)
        known = self._shelf.by_id(calendar.id)
        if calendar.read and known is None:
            raise SyscallError("ECANCELED", f"The calendar {calendar.name!r} was removed meanwhile.")
        if found is not None:
            await in_thread(lambda _: self._schedule.mirror.put(calendar.id, calendar.name, events))
        self._shelf.put(after)
        if found is not None:
            await self._schedule.all_changed()
        return after

    def _place(self, calendar: Calendar) -> Place:
        """Where a folder is, looked at anew: what was a folder can be a link by now."""
        space = Space.of(Session(calendar.person, Path(calendar.workspace), Nobody()), self._private)
        return space.contained(tuple(calendar.parts))

    async def _logged_in(self, caller: Caller, calendar: Calendar) -> Calendar:
        """Ask who the server should be told that we are."""
        login = await logins.asked(caller.session.front, calendar.where)
        return replace(calendar, user=login.user, password=login.password)

    async def _forget(self, id: str) -> None:
        self._shelf.drop(id)
        self._schedule.mirror.remove(id)
        await self._schedule.all_changed()

    def _when(self, calendar: Calendar) -> str:
        return calendar.read[:16].replace("T", " ") if calendar.read else "never"


def _address(address: str) -> str:
    try:
        return addresses.checked(address.strip())
    except UsageError as error:
        raise SyscallError("EINVAL", error.what, error.remedy) from None


def _following(name: str) -> Pattern:
    """The consent to read a calendar again."""
    return Pattern("calendar.sync", {"name": [glob.escape(name)]})
