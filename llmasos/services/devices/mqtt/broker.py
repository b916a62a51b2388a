"""A broker that is connected: what is kept of it, sealed, its login with it."""

from __future__ import annotations

import json
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from llmasos.core.base.errors import SyscallError
from llmasos.core.kernel.store import Store
from llmasos.services.devices.mqtt import address as addresses
from llmasos.services.devices.mqtt.address import Address
from llmasos.services.login import Login

KIND = "device.broker"
KNOWN = "device.known"
"""Names the blob with what is known of a broker's devices."""
MOST = 8
LONGEST_NAME = 40
LABEL = "mqtt:"
"""What labels begin with of what devices say."""
TAKEN = frozenset({"simulated"})


@dataclass(frozen=True, slots=True)
class Broker:
    """One broker.

    Attributes:
        id: Random.
        name: What it is called, and what its devices' words are labelled with.
        person: Whose policy it is connected under.
        workspace: The workspace it was named in.
        address: Where it is.
        user: Who it is told that we are; empty for nothing.
        password: What goes with it.
        trouble: Why it couldn't be reached the last time; empty where it could.
    """

    id: str
    name: str
    person: str
    workspace: str
    address: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    trouble: str = ""

    @staticmethod
    def new(name: str, person: str, workspace: str, address: str) -> Broker:
        """One that isn't kept yet."""
        return Broker(secrets.token_hex(6), name, person, workspace, address)

    @property
    def login(self) -> Login | None:
        """Who it is told that we are."""
        return Login(self.user, self.password) if self.user else None

    @property
    def where(self) -> Address:
        """Its address."""
        return addresses.checked(self.address)


class Shelf:
    """All brokers that are connected.

    Args:
        store: Where they are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> Sequence[Broker]:
        """All of them, oldest first."""
        return [Broker(**record.value) for record in self._store.scan(KIND)]

    def get(self, name: str) -> Broker:
        """The one of a name.

        Raises:
            SyscallError: ENOENT, with the names there are.
        """
        known = self.all()
        for broker in known:
            if broker.name.casefold() == name.strip().casefold():
                return broker
        names = ", ".join(broker.name for broker in known)
        raise SyscallError(
            "ENOENT", f"No broker {name[:LONGEST_NAME]!r} is connected.",
            f"There are: {names}." if names else "'llmasos device connect' connects one.",
        )  # fmt: skip

    def by_id(self, id: str) -> Broker | None:
        """The one of an id; None where it was removed."""
        value = self._store.get(KIND, id)
        return Broker(**value) if value else None

    def put(self, broker: Broker) -> None:
        """Keep one."""
        self._store.put(KIND, broker.id, asdict(broker))

    def drop(self, id: str) -> None:
        """Keep it no longer, nor what is known of its devices."""
        with self._store.transaction():
            self._forget(id)
            self._store.delete(KIND, id)

    def free(self, name: str) -> str:
        """A name that can be given.

        Raises:
            SyscallError: EINVAL or EEXIST, it can't.
        """
        name = " ".join(name.split())
        plain = name.replace(" ", "").replace("-", "").replace("_", "")
        if not plain.isalnum() or len(name) > LONGEST_NAME or name.casefold() in TAKEN:
            raise SyscallError(
                "EINVAL", f"A broker can't be called {name[:LONGEST_NAME]!r}.",
                f"Take letters and digits, at most {LONGEST_NAME}, as in 'home'.",
            )  # fmt: skip
        known = self.all()
        if any(broker.name.casefold() == name.casefold() for broker in known):
            raise SyscallError(
                "EEXIST", f"A broker {name!r} is connected already.", "Choose another name, or disconnect it."
            )
        if len(known) >= MOST:
            raise SyscallError("E2BIG", f"{MOST} brokers are connected already.", "Disconnect one first.")
        return name

    def known(self, id: str) -> dict[str, Any] | None:
        """What is known of a broker's devices."""
        record = self._store.get(KNOWN, id)
        packed = self._store.get_blob(record["blob"]) if record else None
        return json.loads(zlib.decompress(packed)) if packed else None

    def keep_known(self, id: str, known: dict[str, Any]) -> None:
        """Keep what is known of a broker's devices; not of one that was removed meanwhile."""
        packed = zlib.compress(json.dumps(known, ensure_ascii=False).encode("utf-8", "replace"))
        with self._store.transaction():
            if self.by_id(id) is not None:
                self._forget(id)
                self._store.put(KNOWN, id, {"blob": self._store.put_blob(packed)})

    def _forget(self, id: str) -> None:
        record = self._store.get(KNOWN, id)
        if record:
            self._store.delete_blob(record["blob"])
            self._store.delete(KNOWN, id)
