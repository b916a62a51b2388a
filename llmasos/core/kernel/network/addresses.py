"""Addresses that a request must not reach, whatever name led there: this machine, its network, the cloud's doors.

A name is resolved once, every address of it is looked at, and the connection goes to what was looked at. Sources: the
IANA special-purpose address registries (RFC 6890), and what clouds document as their metadata services.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _all(*networks: str) -> list[_Network]:
    return [ipaddress.ip_network(network) for network in networks]


_METADATA = _all(
    "169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32",  # AWS, Azure, Google and others; containers of AWS
    "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",  # Alibaba; Azure's host; Oracle
    "fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128",
)  # fmt: skip
"""Give the keys of the machine they run on to whoever asks: never, not even as a local host."""
_HOME = _all(
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
    "198.18.0.0/15",  # some VPNs hand these out
    "::1/128", "fc00::/7", "fe80::/10",
)  # fmt: skip
"""This machine and networks around it: only where a grant says `local:`."""
_NOWHERE = _all(
    "0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4",
)  # fmt: skip
_INTERNET = ipaddress.ip_network("2000::/3")
_NOT_INTERNET = _all("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""Stands for an IPv4 address where a network has only IPv6 (RFC 6052)."""


def refusal(said: str, *, local: bool) -> str:
    """Why an address must not be reached, as the end of a sentence; empty where it may.

    Args:
        said: The address, as a resolver gives it.
        local: Whether addresses of this machine and its home are meant to be reached.
    """
    try:
        address = _plain(ipaddress.ip_address(said))
    except ValueError:
        return "which is no address"
    if _in(address, _METADATA):
        return "where a cloud keeps the keys of its machines"
    if _in(address, _HOME):
        return "" if local else "which is inside this machine or its own network"
    if isinstance(address, ipaddress.IPv4Address):
        return "which is no single machine on the internet" if _in(address, _NOWHERE) else ""
    public = address in _INTERNET and not _in(address, _NOT_INTERNET)
    return "" if public else "which is no single machine on the internet"


def _plain(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 address stands for; otherwise itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _TRANSLATED:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _in(address: _Address, networks: Iterable[_Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
