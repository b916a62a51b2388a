"""Addresses of brokers: `mqtt://` in one's own network, `mqtts://` anywhere."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from llmasos.core.base.errors import SyscallError
from llmasos.services.calendars.address import Refused, Unreachable, is_here

PORTS = {"mqtt": 1883, "mqtts": 8883}
DISCOVERY = "homeassistant"
"""Below which devices announce themselves."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker is.

    Attributes:
        host: Its name or number.
        port: Its port.
        encrypted: Whether it is talked to through TLS.
        prefix: Below which topic devices announce themselves.
    """

    host: str
    port: int
    encrypted: bool
    prefix: str = DISCOVERY

    @property
    def server(self) -> str:
        """Host and port, as they are shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def checked(said: str) -> Address:
    """The address of a broker.

    Raises:
        SyscallError: EINVAL, it is none.
    """
    said = said.strip()
    try:
        parts = urlsplit(said)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if not host or parts.scheme not in PORTS or not said.isprintable() or " " in said or not said.isascii():
        raise SyscallError(
            "EINVAL",
            f"{said[:80]!r} is no address of a broker.",
            "It looks like mqtt://192.168.1.5 or mqtts://example.org",
        )
    if parts.username or parts.password:
        raise SyscallError(
            "EINVAL", "The address holds a user or a password.",
            "Leave them out and say 'login': they are asked for and kept sealed.",
        )  # fmt: skip
    prefix = parts.path.strip("/") or DISCOVERY
    if parts.query or parts.fragment or any(sign in prefix for sign in "+#$") or len(prefix) > 100:
        raise SyscallError(
            "EINVAL", f"{parts.path[:80]!r} is no topic below which devices announce themselves.",
            f"Leave it out; it is {DISCOVERY!r} nearly everywhere.",
        )  # fmt: skip
    return Address(host, port or PORTS[parts.scheme], parts.scheme == "mqtts", prefix)


def resolved(address: Address) -> str:
    """What is connected to: the number of a host that isn't encrypted, which must be in our own network.

    Raises:
        Unreachable: It isn't found.
        Refused: It is outside, where who passes a message on could read and change it.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError:
        raise Unreachable(f"{address.host} isn't found; perhaps this machine is offline.") from None
    if address.encrypted:
        return address.host  # the certificate is of this name
    numbers = [str(entry[4][0]) for entry in found]
    inside = [number for number in numbers if is_here(number) or not _outside(number)]
    if not inside:
        raise Refused(
            f"mqtt://{address.server} isn't in this machine's own network, and isn't encrypted.",
            "Take its mqtts address.",
        )
    return inside[0]


def _outside(number: str) -> bool:
    try:
        return ipaddress.ip_address(number.partition("%")[0]).is_global
    except ValueError:
        return True
