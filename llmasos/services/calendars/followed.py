"""A calendar that is followed: what is kept of it, sealed, its login with it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from llmasos.core.base.errors import SyscallError
from llmasos.core.kernel.store import Store
from llmasos.services.calendars.address import server
from llmasos.services.files.place import Place
from llmasos.services.login import Login

KIND = "calendar"
MOST = 50
LONGEST_NAME = 40
TAKEN = frozenset({"imported"})
"""Names that mean something else in labels."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """One calendar.

    Attributes:
        id: Random.
        name: What it is called, and what its events are labelled with.
        person: Whose policy it is read under.
        workspace: The workspace it was named in.
        address: Where it is; empty where it is a folder.
        parts: The folder or file in the workspace.
        user: Who the server is told that we are; empty for nothing.
        password: What goes with it.
        state: By which it is known whether it has changed.
        read: When it was read last, ISO 8601; empty for never.
        events: How many it had then.
        note: What was left out then.
        trouble: Why it couldn't be read the last time; empty where it could.
    """

    id: str
    name: str
    person: str
    workspace: str
    address: str = ""
    parts: list[str] = field(default_factory=list)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    state: str = ""
    read: str = ""
    events: int = 0
    note: str = ""
    trouble: str = ""

    @staticmethod
    def new(name: str, person: str, workspace: Path) -> Calendar:
        """One that isn't kept yet."""
        return Calendar(secrets.token_hex(6), name, person, str(workspace))

    @property
    def login(self) -> Login | None:
        """Who the server is told that we are."""
        return Login(self.user, self.password) if self.user else None

    @property
    def place(self) -> Place:
        """Where a folder is."""
        return Place(Path(self.workspace), tuple(self.parts))

    @property
    def where(self) -> str:
        """What is shown of where it is: of an address only the server, since the rest can be a secret."""
        return server(self.address) if self.address else self.place.shown

    def was_read(self, now: datetime, state: str, events: int, note: str) -> Calendar:
        """As it is after it was read."""
        return replace(self, read=now.isoformat(timespec="seconds"), state=state, events=events, note=note, trouble="")


class Shelf:
    """All calendars that are followed.

    Args:
        store: Where they are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> Sequence[Calendar]:
        """All of them, oldest first."""
        return [Calendar(**record.value) for record in self._store.scan(KIND)]

    def get(self, name: str) -> Calendar:
        """The one of a name.

        Raises:
            SyscallError: ENOENT, with the names there are.
        """
        known = self.all()
        for calendar in known:
            if calendar.name.casefold() == name.strip().casefold():
                return calendar
        names = ", ".join(calendar.name for calendar in known)
        raise SyscallError(
            "ENOENT", f"No calendar {name[:LONGEST_NAME]!r} is followed.",
            f"There are: {names}." if names else "'llmasos calendar add' follows one.",
        )  # fmt: skip

    def by_id(self, id: str) -> Calendar | None:
        """The one of an id; None where it was removed."""
        value = self._store.get(KIND, id)
        return Calendar(**value) if value else None

    def put(self, calendar: Calendar) -> None:
        """Keep one."""
        self._store.put(KIND, calendar.id, asdict(calendar))

    def drop(self, id: str) -> None:
        """Keep it no longer."""
        self._store.delete(KIND, id)

    def free(self, name: str) -> str:
        """A name that can be given.

        Raises:
            SyscallError: EINVAL or EEXIST, it can't.
        """
        name = " ".join(name.split())
        plain = name.replace(" ", "").replace("-", "").replace("_", "").replace(".", "")
        if not plain.isalnum() or len(name) > LONGEST_NAME or name.casefold() in TAKEN:
            raise SyscallError(
                "EINVAL", f"A calendar can't be called {name[:LONGEST_NAME]!r}.",
                f"Take letters and digits, at most {LONGEST_NAME}, as in 'work'.",
            )  # fmt: skip
        known = self.all()
        if any(calendar.name.casefold() == name.casefold() for calendar in known):
            raise SyscallError(
                "EEXIST", f"A calendar {name!r} is followed already.", "Choose another name, or remove it."
            )
        if len(known) >= MOST:
            raise SyscallError("E2BIG", f"{MOST} calendars are followed already.", "Remove one first.")
        return name
