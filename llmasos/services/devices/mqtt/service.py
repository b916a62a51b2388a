"""device.connect and its like: brokers whose devices are known here. What is done to those is the other service's."""

from __future__ import annotations

import asyncio
import glob
import logging
import random
import ssl
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import LlmasosError, SyscallError
from llmasos.core.base.types import Call
from llmasos.core.base.values import done, items
from llmasos.core.kernel.grant import Pattern
from llmasos.core.kernel.session import Nobody, Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Kind, inverse, syscall
from llmasos.core.kernel.trap import Caller, Kernel
from llmasos.services import login as logins
from llmasos.services.devices.mqtt import address as addresses
from llmasos.services.devices.mqtt.broker import Broker, Shelf
from llmasos.services.devices.mqtt.home import PATIENCE, MqttHome
from llmasos.services.devices.twin import History

log = logging.getLogger(__name__)

Name = Annotated[str, Kind("broker")]
Tell = Callable[[str], bool]
FIRST, LONGEST = 1.0, 60.0
"""Seconds until a broker that went away is tried again, the first time and at most; each time twice as long."""
STEADY = 30.0
"""Seconds after which a connection counts as one that holds."""
AGAIN = 10.0
"""Seconds in which a broker that can't be reached isn't tried again for a call."""
KEEPING = 30.0
"""Seconds between two looks at whether there is something new to keep."""
FOR_A_CALL = 8.0
"""Seconds that a call waits for a connection."""


class _Tried:
    """The attempts to connect one broker: one at a time, and not one for each call."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.at = float("-inf")


class Brokers:
    """All brokers that are connected.

    Args:
        store: Where they are kept, sealed.
        clock: The present.
        tell: Tells the person when one can't be reached any more, or can again.
        patience: Seconds that a device has to answer.
        context: How certificates are checked; as the system does where None.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        tell: Tell,
        *,
        patience: float = PATIENCE,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._tell = tell
        self._patience = patience
        self._context = context
        self._shelf = Shelf(store)
        self._homes: dict[str, MqttHome] = {}
        self._tried: dict[str, _Tried] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._kernel: Kernel | None = None

    # For the devices

    def homes(self) -> list[MqttHome]:
        """The sources of devices that are connected."""
        return [self._home(broker) for broker in self._shelf.all()]

    async def ready(self, kernel: Kernel) -> None:
        """Connect what isn't, for a call that is about devices; those that can't be reached say so themselves."""
        wanted = [broker for broker in self._shelf.all() if not self._home(broker).link.connected]
        attempts = [attempt for broker in wanted if (attempt := self._attempt(kernel, broker))]
        if attempts:
            await asyncio.wait(attempts, timeout=FOR_A_CALL)

    def start(self, kernel: Kernel) -> None:
        """Keep all connected from now on, until `close`."""
        self._kernel = kernel
        for broker in self._shelf.all():
            self._keep(broker)

    async def close(self) -> None:
        """Disconnect all; what is known of their devices is kept."""
        self._kernel = None
        tasks = [*self._tasks.values(), *(one.task for one in self._tried.values() if one.task)]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._tasks.clear()
        for id, home in self._homes.items():
            self._keep_known(id, home)
            await home.close()

    # Syscalls

    @syscall("device.sources", effect="read", spoken=False)
    async def sources(self, caller: Caller) -> dict[str, Any]:
        """Which brokers devices come from, whether they are connected, and what is wrong with one."""
        await self.ready(caller.kernel)
        rows = []
        for broker in self._shelf.all():
            home = self._home(broker)
            mirror = home.mirror
            left = len(mirror.troubles)
            rows.append({
                "ref": broker.name, "name": broker.name, "where": broker.where.server,
                "state": "connected" if home.link.connected else "not connected",
                "devices": len(mirror.devices()),
                "trouble": broker.trouble or (f"{left} announcements not taken, or not whole" if left else ""),
                "not taken": dict(mirror.troubles),
            })  # fmt: skip
        columns = ["name", "where", "state", "devices", *(["trouble"] if any(row["trouble"] for row in rows) else [])]
        empty = "No broker is connected, so devices are simulated. 'llmasos device connect' connects one."
        return items("broker", rows, columns, empty=empty)

    @syscall("device.connect", effect="external", preview="preview_connect", spoken=False)
    async def connect(self, caller: Caller, name: str, address: str, login: bool = False) -> dict[str, Any]:
        """Connect an MQTT broker, whose devices announce themselves as for Home Assistant and are known from then on.

        It is connected again whenever devices are asked about, and stays so while the system runs. User and password
        are asked for, never written into the call.

        Args:
            name: What to call it.
            address: Its address, as mqtt://192.168.1.5 or mqtts://broker.example.org.
            login: Whether it wants a user and a password.
        """
        name, where = self._shelf.free(name), addresses.checked(address)
        broker = Broker.new(name, caller.session.person, str(caller.session.workspace), address.strip())
        if login:
            said = await logins.asked(caller.session.front, where.server)
            broker = replace(broker, user=said.user, password=said.password)
        home = self._new_home(broker)
        try:
            await home.open()
        except BaseException:
            await home.close()
            raise
        caller.prepare("device.forget_broker", {"id": broker.id, "name": name})
        self._shelf.put(broker)
        self._homes[broker.id] = home
        self._keep_known(broker.id, home)
        if caller.decision.verdict == "ask":
            caller.kernel.consents.follow(caller, _reconnecting(name))
        if self._kernel is not None:
            self._keep(broker)
        count = len(home.mirror.devices())
        what = f"{count:,} device{'' if count == 1 else 's'}"
        left = len(home.mirror.troubles)
        note = f"{left} announcements were not taken, or not whole; 'llmasos device --json' says why." if left else ""
        return done(f"Connected {name!r}: {what}.", ref=name, note=note)

    async def preview_connect(self, caller: Caller, name: str, address: str, login: bool = False) -> dict[str, str]:
        """Which broker, and how long."""
        where = addresses.checked(address)
        shown = {"name": self._shelf.free(name), "address": where.server}
        shown["encrypted"] = "yes" if where.encrypted else "no, in this machine's own network only"
        shown["login"] = "user and password are asked for next" if login else "none"
        return {
            **shown,
            "again": "whenever devices are asked about, and while the system runs, until you disconnect it",
        }

    @syscall("device.disconnect", effect="destroy", preview="preview_disconnect", spoken=False)
    async def disconnect(self, caller: Caller, name: Name) -> dict[str, Any]:
        """Know a broker and its devices no longer.

        Args:
            name: Which one.
        """
        broker = self._shelf.get(name)
        consents, pattern = caller.kernel.consents, _reconnecting(broker.name)
        followed = any(grant.pattern == pattern for grant in consents.of(broker.person))
        caller.prepare("device.connect_again", {"broker": asdict(broker), "followed": followed})
        consents.unfollow(broker.person, pattern)
        await self._forget(broker.id)
        return done(f"Disconnected {broker.name!r}.", ref=broker.name)

    async def preview_disconnect(self, caller: Caller, name: str) -> dict[str, str]:
        """Which one."""
        broker = self._shelf.get(name)
        return {"name": broker.name, "where": broker.where.server}

    @syscall("device.reconnect", effect="external", preview="preview_reconnect", spoken=False, journaled=False)
    async def reconnect(self, caller: Caller, name: Name) -> dict[str, Any]:
        """Connect a broker again, now.

        Args:
            name: Which one.
        """
        broker = self._shelf.get(name)
        home = self._home(broker)
        try:
            await home.open()
        except LlmasosError as error:
            self._failed(broker, str(error))
            raise
        if broker.trouble:
            self._shelf.put(replace(broker, trouble=""))
            self._tell(f"The broker {broker.name!r} can be reached again.")
        return done(f"Connected {broker.name!r}.", ref=broker.name)

    async def preview_reconnect(self, caller: Caller, name: str) -> dict[str, str]:
        """Which one."""
        broker = self._shelf.get(name)
        return {"name": broker.name, "where": broker.where.server}

    @inverse("device.forget_broker")
    async def forget_broker(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Take the connecting of a broker back."""
        caller.kernel.consents.unfollow(caller.session.person, _reconnecting(payload["name"]))
        await self._forget(payload["id"])
        return f"Disconnected {payload['name']!r}."

    @inverse("device.connect_again")
    async def connect_again(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Take the disconnecting of a broker back."""
        broker = Broker(**payload["broker"])
        if any(known.name.casefold() == broker.name.casefold() for known in self._shelf.all()):
            raise SyscallError(
                "ESTALE", f"Another broker is called {broker.name!r} by now.", "Disconnect that one first."
            )
        self._shelf.put(broker)
        if payload["followed"]:
            caller.kernel.consents.follow(caller, _reconnecting(broker.name))
        if self._kernel is not None:
            self._keep(broker)
        return f"{broker.name!r} is known again."

    # Connections

    def _home(self, broker: Broker) -> MqttHome:
        if broker.id not in self._homes:
            self._homes[broker.id] = self._new_home(broker)
        return self._homes[broker.id]

    def _new_home(self, broker: Broker) -> MqttHome:
        history = History(self._store, self._clock)
        return MqttHome(
            broker, history, self._clock, lambda: self._shelf.known(broker.id),
            patience=self._patience, context=self._context,
        )  # fmt: skip

    def _attempt(self, kernel: Kernel, broker: Broker) -> asyncio.Task[None] | None:
        """The attempt to connect a broker that is under way; a new one, where the last isn't too young."""
        tried = self._tried.setdefault(broker.id, _Tried())
        if tried.task is not None and not tried.task.done():
            return tried.task
        now = asyncio.get_running_loop().time()
        if now - tried.at < AGAIN:
            return None
        tried.at = now
        tried.task = asyncio.create_task(self._quietly(kernel, broker), name=f"connect {broker.name}")
        return tried.task

    async def _quietly(self, kernel: Kernel, broker: Broker) -> None:
        """Connect a broker through the door like anybody's call: policy and consent may have changed since."""
        process = kernel.processes.spawn(
            kernel.processes.init, name=f"devices {broker.name}", program="devices",
            subject=f"user:{broker.person}", owner=broker.person, priority="background",
        )  # fmt: skip
        try:
            session = Session(broker.person, Path(broker.workspace), Nobody())
            call = Call("device.reconnect", {"name": broker.name})
            result = await kernel.trap(process, session, call, request=f"devices {broker.name}")
            if not result.ok:
                self._failed(broker, result.message)
        finally:
            await kernel.processes.exit(process)

    def _keep(self, broker: Broker) -> None:
        """Keep a broker connected."""
        if broker.id not in self._tasks:
            self._tasks[broker.id] = asyncio.create_task(self._keeping(broker), name=f"broker {broker.name}")

    async def _keeping(self, broker: Broker) -> None:
        home, wait, loop = self._home(broker), FIRST, asyncio.get_running_loop()
        while self._kernel is not None:
            began = loop.time()
            if not home.link.connected:
                try:
                    attempt = self._attempt(self._kernel, broker)
                    if attempt is not None:
                        await asyncio.wait([attempt])
                except Exception:  # one broker's defect is nobody else's; the log has the traceback
                    log.exception("a broker could not be connected")
            while home.link.connected:
                try:
                    async with asyncio.timeout(KEEPING):
                        await home.link.lost.wait()
                except TimeoutError:
                    self._keep_known(broker.id, home)
            wait = FIRST if loop.time() - began > STEADY else min(wait * 2, LONGEST)
            # Not all at once, where a broker that was started anew has many clients.
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311  nothing to guess
            if broker.id in self._tried:
                self._tried[broker.id].at = float("-inf")

    def _keep_known(self, id: str, home: MqttHome) -> None:
        if home.mirror.dirty and not self._store.frozen:
            home.mirror.dirty = False
            self._shelf.keep_known(id, home.mirror.to_json())

    def _failed(self, broker: Broker, why: str) -> None:
        """Keep why a broker can't be reached; said once, and by `device.sources` for as long as it lasts."""
        now = self._shelf.by_id(broker.id)
        if now is None or now.trouble == why or self._store.frozen:
            return
        self._shelf.put(replace(now, trouble=why))
        if not now.trouble:
            self._tell(f"The broker {now.name!r} can't be reached: {why}")

    async def _forget(self, id: str) -> None:
        self._shelf.drop(id)
        tasks: Sequence[asyncio.Task[None] | None] = (
            self._tasks.pop(id, None), self._tried.pop(id, _Tried()).task,
        )  # fmt: skip
        for task in tasks:
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        home = self._homes.pop(id, None)
        if home is not None:
            await home.close()


def _reconnecting(name: str) -> Pattern:
    """The consent to connect a broker again."""
    return Pattern("device.reconnect", {"name": [glob.escape(name)]})
