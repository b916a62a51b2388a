"""One broker's devices as a source of devices: connected when they are needed, told, and asked whether they did it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import LlmasosError, SyscallError, Undecided
from llmasos.services.devices.model import Device, State, Value
from llmasos.services.devices.mqtt.announced import Unusable
from llmasos.services.devices.mqtt.broker import LABEL, Broker
from llmasos.services.devices.mqtt.light import whites
from llmasos.services.devices.mqtt.link import Link
from llmasos.services.devices.mqtt.mirror import Entity, Mirror
from llmasos.services.devices.mqtt.shape import MOVING, ON, Told
from llmasos.services.devices.twin import History, after, agrees

log = logging.getLogger(__name__)

PATIENCE = 3.0
"""Seconds that a device has to tell that it did what it was told."""
ECHO = 3.0
"""Seconds after which a broker that doesn't send our own message back is believed to have sent all that it kept."""
SPACING = {ON: 1.0, "measured": 300.0}
"""Seconds between two changes of a part in the history, where the device makes them itself; others take `OTHERS`."""
OTHERS = 60.0
_MOVES = ("position",)


class MqttHome:
    """The devices of one broker.

    Args:
        broker: Which.
        history: Where changes that a device makes by itself are noted.
        clock: What spaces them.
        known: What was known of its devices when it was connected last.
        patience: Seconds that a device has to answer.
        context: How certificates are checked; as the system does where None.
    """

    def __init__(
        self,
        broker: Broker,
        history: History,
        clock: Clock,
        known: Callable[[], Mapping[str, object] | None] = lambda: None,
        *,
        patience: float = PATIENCE,
        context: ssl.SSLContext | None = None,
    ) -> None:
        where = broker.where
        self.broker = broker
        self.link = Link(where, broker.id, broker.login, self._hear, context=context)
        self.label = f"{LABEL}{broker.name}"
        self._history = history
        self._clock = clock
        self._patience = patience
        self._prefix = where.prefix
        self._echo_topic = f"llmasos/{broker.id}/echo"
        self._echo: tuple[str, asyncio.Event] = ("", asyncio.Event())
        self._announced: set[str] = set()
        self._opening = False
        self._subscribing: asyncio.Task[None] | None = None
        self._commanded: set[str] = set()
        self._noted: dict[tuple[str, str], float] = {}
        self._known = known
        self._mirror: Mirror | None = None

    @property
    def mirror(self) -> Mirror:
        """What is known of its devices; read from the store when somebody first asks."""
        if self._mirror is None:
            self._mirror = Mirror(self._prefix, self._changed)
            kept = self._known()
            if kept is not None:
                self._mirror.load(kept)
        return self._mirror

    # A source of devices

    async def devices(self) -> Sequence[Device]:
        """All devices that were announced, whether or not they answer."""
        return self.mirror.devices()

    async def state(self, device: Device) -> State:
        """How a device is, as it told last."""
        state = self.mirror.state(device)
        return state if self.link.connected else State(state.on, state.settings, False, state.known)

    async def apply(
        self, device: Device, *, on: bool | None = None, settings: Mapping[str, Value] | None = None
    ) -> State:
        """Tell a device, and wait until it says that it is so.

        Raises:
            SyscallError: EINVAL, it can't; EIO, it says that it is otherwise.
            Undecided: It was told, and doesn't answer.
        """
        entity = self.mirror.entity(device)
        if entity is None or entity.shape.orders is None:
            raise SyscallError("EINVAL", f"The {device.name} only tells how it is.", "It can't be switched.")
        wanted = whites(device.kind, {k: v for k, v in (settings or {}).items() if device.kind.setting(k)})
        before, heard = dict(entity.now), entity.heard
        try:
            orders = entity.shape.orders(on, wanted, before)
        except Unusable as error:
            raise SyscallError("EINVAL", f"The {device.name} can't be told that: {error}.") from None
        self._commanded.add(device.id)
        try:
            for order in orders:
                try:
                    await self.link.publish(order.topic, order.payload, retain=order.retain)
                except LlmasosError as error:
                    raise Undecided(
                        "EIO", f"{error.what} Whether the {device.name} was told isn't known.", "Look at it."
                    ) from None
            expected: dict[str, Value] = {**({} if on is None else {ON: on}), **wanted}
            checked = {part: value for part, value in expected.items() if part in entity.shape.reports}
            state = after(self.mirror.state(device), on=on, settings=wanted)
            if not checked:
                self.mirror.assume(entity, expected)
                return State(state.on, state.settings, note=f"The {device.name} doesn't report whether it did so.")
            if not await self._came_true(device, entity, checked, before, heard):
                raise _unanswered(device, entity, checked, told=entity.heard > heard, patience=self._patience)
            self.mirror.assume(entity, {p: v for p, v in expected.items() if p not in checked})
        finally:
            self._commanded.discard(device.id)
        moving = entity.now.get(MOVING)
        now = self.mirror.state(device)
        return State(now.on, now.settings, note=f"The {device.name} is {moving}." if moving else "")

    async def _came_true(
        self, device: Device, entity: Entity, wanted: Mapping[str, Value], before: Told, heard: int
    ) -> bool:
        """Wait until a device tells what was wanted of it, or that it is on its way there."""

        def so() -> bool:
            now = entity.now
            if now.get(MOVING) == "jammed":
                return False
            return all(
                agrees(device.kind.setting(part), value, now.get(part))
                or (device.kind.opens and bool(now.get(MOVING)) and entity.heard > heard)
                or (part in _MOVES and now.get(part) != before.get(part))
                for part, value in wanted.items()
            )

        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                while not so():
                    await entity.told.wait()
        return so()

    # The connection

    async def open(self) -> None:
        """Connect, and hear what is announced and how all of it is.

        Raises:
            LlmasosError: It can't be done; what is known stays.
        """
        mirror = self.mirror
        self._announced, self._opening = set(), True
        try:
            await self.link.open([f"{self._prefix}/+/+/config", f"{self._prefix}/+/+/+/config", self._echo_topic])
            await self._all_sent()
            mirror.keep_only(self._announced)
            await self.link.subscribe(mirror.topics())
            await self._all_sent()
        finally:
            self._opening = False
        self._subscribe_soon()

    async def close(self) -> None:
        """End the connection."""
        if self._subscribing is not None:
            self._subscribing.cancel()
            await asyncio.wait([self._subscribing])
        await self.link.close()

    async def _all_sent(self) -> None:
        """Wait until the broker has sent what it kept: it sends our own message after that."""
        nonce, came = secrets.token_hex(8), asyncio.Event()
        self._echo = (nonce, came)
        await self.link.publish(self._echo_topic, nonce)
        with suppress(TimeoutError):
            async with asyncio.timeout(ECHO):
                await came.wait()

    def _hear(self, topic: str, payload: bytes, retained: bool) -> None:
        if topic == self._echo_topic:
            nonce, came = self._echo
            if payload == nonce.encode():
                came.set()
        elif topic.startswith(f"{self._prefix}/") and topic.endswith("/config"):
            self._announced.add(topic)
            self.mirror.announce(topic, payload)
            self._subscribe_soon()
        else:
            self.mirror.hear(topic, payload)

    def _subscribe_soon(self) -> None:
        """Subscribe to what was announced meanwhile; one at a time."""
        if not self._opening and (self._subscribing is None or self._subscribing.done()):
            self._subscribing = asyncio.create_task(self._subscribe(), name="mqtt subscriptions")

    async def _subscribe(self) -> None:
        with suppress(LlmasosError):  # the next connection subscribes to all of it
            while self.link.connected and self.link.missing(self.mirror.topics()):
                await self.link.subscribe(self.mirror.topics())

    def _changed(self, device: Device, part: str, value: Value | None) -> None:
        """Note what a device did by itself."""
        if device.id in self._commanded or value is None or part == MOVING:
            return
        now, key = self._clock.now().timestamp(), (device.id, part)
        spacing = SPACING.get(part, OTHERS) if not device.kind.tells else SPACING["measured"]
        if now - self._noted.get(key, 0.0) < spacing:
            return
        self._noted[key] = now
        setting = device.kind.setting(part)
        words = f"{part} {setting.shown(value) if setting else value}"
        if part == ON:
            words = device.kind.on if value else device.kind.off
        self._history.add(self.label, device, words, "itself")


def _unanswered(
    device: Device, entity: Entity, wanted: Mapping[str, Value], *, told: bool, patience: float
) -> SyscallError:
    """What is said of a device that didn't tell that it did what it was told."""
    if told:
        now = "; ".join(_words(device, part, entity.now[part]) for part in (MOVING, *wanted) if part in entity.now)
        should = "; ".join(_words(device, part, value) for part, value in wanted.items())
        return SyscallError(
            "EIO",
            f"The {device.name} was told ({should}), and reports: {now or 'nothing'}.",
            "Look at it, or say it again.",
        )
    return Undecided(
        "ETIMEDOUT",
        f"The {device.name} didn't answer within {patience:g} s. It was told, and whether it did so isn't known.",
        "Look at it; 'undo' sets it back.",
    )


def _words(device: Device, part: str, value: Value) -> str:
    if part == ON:
        return device.kind.on if value else device.kind.off
    setting = device.kind.setting(part)
    return str(value) if part == MOVING else f"{part} {setting.shown(value) if setting else value}"
