"""The connection to one broker: made, listened to, published through, noticed when it breaks. aiomqtt's only door."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from llmasos.core.base.errors import LlmasosError, error_name
from llmasos.services.calendars.address import Refused, Unreachable
from llmasos.services.calendars.background import in_background
from llmasos.services.devices.mqtt.address import Address, resolved
from llmasos.services.login import Login

if TYPE_CHECKING:
    import aiomqtt

log = logging.getLogger(__name__)

CONNECTING, KEEPALIVE = 10.0, 30
"""Seconds that one answer of the broker may take, and after which it is asked whether it is still there."""
WAITING = 10_000
"""Messages that may wait to be read; what comes beyond is dropped."""
AT_ONCE = 100
"""Topics in one subscription."""

Hear = Callable[[str, bytes, bool], None]
"""Called with the topic, the message, and whether the broker had kept it."""


class Link:
    """A connection to one broker.

    Args:
        address: Where it is.
        id: What we are called there; others with the same name would push us out.
        login: Who it is told that we are; None for nothing.
        hear: Told of each message.
        context: How certificates are checked; as the system does where None.
    """

    def __init__(
        self, address: Address, id: str, login: Login | None, hear: Hear, *, context: ssl.SSLContext | None = None
    ) -> None:
        self._address = address
        self._id = id
        self._login = login
        self._hear = hear
        self._context = context
        self._client: aiomqtt.Client | None = None
        self._listening: asyncio.Task[None] | None = None
        self._subscribed: set[str] = set()
        self.lost = asyncio.Event()
        """Set while there is no connection."""
        self.lost.set()

    @property
    def connected(self) -> bool:
        """Whether messages come and go."""
        return self._client is not None and not self.lost.is_set()

    @property
    def status(self) -> str:
        """The topic where the broker says whether we are there."""
        return f"llmasos/{self._id}/status"

    async def open(self, topics: Iterable[str]) -> None:
        """Connect and subscribe.

        Args:
            topics: What to hear of.

        Raises:
            LlmasosError: It can't be done: unreachable, not let in, or aiomqtt isn't installed.
        """
        await self.close()
        aiomqtt = _library()
        host = await in_background(lambda stop: resolved(self._address))
        login, shown = self._login, self._address.server
        context = (self._context or ssl.create_default_context()) if self._address.encrypted else None
        client = aiomqtt.Client(
            host, self._address.port, identifier=f"llmasos-{self._id}",
            username=login.user if login else None, password=login.password if login else None,
            will=aiomqtt.Will(self.status, "offline", qos=1, retain=True), tls_context=context,
            timeout=CONNECTING, keepalive=KEEPALIVE, max_queued_incoming_messages=WAITING, logger=log,
        )  # fmt: skip
        try:
            await client.__aenter__()
        except aiomqtt.MqttError as error:
            raise _trouble(error, shown, told=login is not None) from None
        self._client, self._subscribed = client, set()
        self.lost.clear()
        self._listening = asyncio.create_task(self._listen(client), name=f"mqtt {shown}")
        try:
            await self.subscribe(topics)
            await self.publish(self.status, "online", retain=True)
        except LlmasosError:
            await self.close()
            raise

    def missing(self, topics: Iterable[str]) -> bool:
        """Whether some of these aren't subscribed to."""
        return not self._subscribed.issuperset(topics)

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Hear of further topics.

        Raises:
            Unreachable: The connection is gone.
        """
        new = sorted(set(topics) - self._subscribed)
        for at in range(0, len(new), AT_ONCE):
            some = [(topic, 0) for topic in new[at : at + AT_ONCE]]
            self._subscribed.update(topic for topic, _ in some)
            await self._doing(partial(_subscribe, topics=some))

    async def publish(self, topic: str, payload: str, *, retain: bool = False) -> None:
        """Publish a message; on return the broker has it.

        Raises:
            Unreachable: The connection is gone. Whether the broker has it isn't known.
        """
        await self._doing(lambda client: client.publish(topic, payload, qos=1, retain=retain))

    async def close(self) -> None:
        """End the connection; the broker is told."""
        client, self._client = self._client, None
        self.lost.set()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
            self._listening = None
        if client is not None:
            # A parting that is meant has no last will, so it is said before.
            with suppress(Exception):  # it may be broken already
                await client.publish(self.status, "offline", qos=0, retain=True)
            with suppress(Exception):
                await client.__aexit__(None, None, None)

    async def _doing(self, what: Callable[[aiomqtt.Client], Awaitable[object]]) -> None:
        aiomqtt = _library()
        client = self._client
        if client is None:
            raise Unreachable(f"There is no connection to {self._address.server}.")
        try:
            await what(client)
        except aiomqtt.MqttError:
            self.lost.set()
            raise Unreachable(f"The connection to {self._address.server} broke.") from None

    async def _listen(self, client: aiomqtt.Client) -> None:
        aiomqtt = _library()
        try:
            async for message in client.messages:
                payload = message.payload
                if not isinstance(payload, bytes | bytearray):
                    continue
                try:
                    self._hear(message.topic.value, bytes(payload), bool(message.retain))
                except Exception:  # one message's defect is nobody else's; the log has the traceback
                    log.exception("a message of a broker could not be taken")
        except aiomqtt.MqttError as error:
            log.info("the connection to %s broke: %s", self._address.server, error_name(error))
        finally:
            self.lost.set()


async def _subscribe(client: aiomqtt.Client, topics: list[tuple[str, int]]) -> None:
    await client.subscribe(topics)


def _library() -> Any:
    """The module aiomqtt, which is only there where devices are wanted."""
    try:
        import aiomqtt
    except ImportError:
        raise LlmasosError(
            "Brokers are spoken to through aiomqtt, which isn't installed.",
            "Install it: pip install 'llmasos[devices]'",
        ) from None
    return aiomqtt


def _trouble(error: Exception, shown: str, *, told: bool) -> LlmasosError:
    """What a failed connection means; of what failed aiomqtt hands on the words alone."""
    words = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in words:
        why = words.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        return Refused(f"The certificate of {shown} isn't valid: {why or 'it was issued by nobody known here'}.")
    if any(known in words.lower() for known in ("not authorized", "bad user name")):
        if told:
            return Refused(f"{shown} doesn't know this user and password.", "Disconnect it, and connect it anew.")
        return Refused(
            f"{shown} asks who you are.", "Say it with 'login': user and password are asked for and kept sealed."
        )
    if "timed out" in words:
        return Unreachable(f"{shown} doesn't answer.")
    why = words.rpartition("] ")[2].rstrip(".") or type(error).__name__
    return Unreachable(f"{shown} can't be reached: {why}.")
