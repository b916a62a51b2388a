"""Addresses of calendars that may be asked. Light: it is there from the start."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from llmasos.core.base.errors import LlmasosError, UsageError

PORTS = {"http": 80, "https": 443}


class Unreachable(LlmasosError):
    """The server can't be reached, or doesn't answer as it should; it may later."""


class Refused(LlmasosError):
    """The server, or a rule of ours, says no; it will the next time too."""


def checked(address: str) -> str:
    """An address that may be asked: https, or http on this machine; `webcal` means https.

    Raises:
        UsageError: It is none.
    """
    if address.lower().startswith(("webcal://", "webcals://")):
        address = f"https://{address.partition('://')[2]}"
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.scheme not in PORTS or not address.isprintable() or " " in address or not address.isascii():
        raise UsageError(
            f"{_shown(address)} is no address of a calendar.", "It looks like https://example.org/calendars/me/"
        )
    if parts.username or parts.password:
        raise UsageError(
            "The address holds a user or a password.",
            "Leave them out and say 'login': they are asked for and kept sealed.",
        )
    if parts.scheme == "http" and not is_here(host):
        raise UsageError(
            f"http://{host} isn't encrypted.", "Only this machine is asked without; take its https address."
        )
    return address


def is_here(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def server(address: str) -> str:
    """What is shown of an address: the path of one can be a secret."""
    return urlsplit(address).netloc or address


def _shown(address: str) -> str:
    return repr(address[:80])


def same_server(one: SplitResult, other: SplitResult) -> bool:
    """Whether two addresses are of one server, which may have become an encrypted one."""
    if one.hostname != other.hostname:
        return False
    ports = [part.port or PORTS.get(part.scheme) for part in (one, other)]
    return (one.scheme, ports[0]) == (other.scheme, ports[1])
