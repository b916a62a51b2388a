"""Hosts as a manifest asks for them, and what a URL asks for.

example.org             https, its usual port
*.example.org           every name below it, not itself
example.org:8443        another port
http://example.org      without encryption
local:nas.lan           a device at home: its address may be a private one
local:http://10.0.0.7   both
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

Scheme = Literal["https", "http"]
PORTS: dict[str, int] = {"https": 443, "http": 80}
LONGEST = 8_000
"""Characters of a URL."""

_LOCAL = "local:"
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_URL = re.compile(r"[!-\[\]-~]+")  # what can be printed in ASCII, without spaces and the backslash


@dataclass(frozen=True, slots=True)
class Target:
    """Where one request goes.

    Attributes:
        scheme: https or http.
        host: The name or address, in small letters.
        port: The port.
        path: What is asked for there, with its query.
    """

    scheme: Scheme
    host: str
    port: int
    path: str

    @staticmethod
    def parse(url: str) -> Target:
        """What a URL asks for.

        Raises:
            ValueError: It is none that can be asked for; says why, after the URL.
        """
        if len(url) > LONGEST or not _URL.fullmatch(url):
            raise ValueError(f"is longer than {LONGEST:,} characters, or has some that must be written as %XX")
        try:
            parts = urlsplit(url)
            port, host = parts.port, parts.hostname or ""
        except ValueError as error:
            raise ValueError(f"can't be read: {error}") from None
        if parts.scheme not in PORTS:
            raise ValueError("begins with neither https:// nor http://")
        if "@" in parts.netloc:
            raise ValueError("names a user; send what proves who asks as a header")
        if not is_host(host):
            raise ValueError("has no host that can be looked up")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        scheme: Scheme = "https" if parts.scheme == "https" else "http"
        return Target(scheme, host, port or PORTS[scheme], path)

    @property
    def authority(self) -> str:
        """Host and port, as they stand in a URL and in the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{self.authority}"

    @property
    def shown(self) -> str:
        """For people and the log: without the query, which can hold keys."""
        return self.origin + self.path.partition("?")[0]

    def __str__(self) -> str:
        return self.origin + self.path


@dataclass(frozen=True, slots=True)
class Host:
    """Hosts that were asked for, or granted.

    Attributes:
        said: As the manifest has it.
        scheme: https or http.
        name: The name or address; of a wildcard what follows the `*.`.
        port: The port.
        below: Whether it means the names below instead of the name itself.
        local: Whether its address may be a private one.
    """

    said: str
    scheme: Scheme
    name: str
    port: int
    below: bool = False
    local: bool = False

    @staticmethod
    def parse(said: str) -> Host:
        """Read one.

        Raises:
            ValueError: It is no host; says why, after what was said.
        """
        local = said.startswith(_LOCAL)
        rest = said.removeprefix(_LOCAL)
        scheme: Scheme = "http" if rest.startswith("http://") else "https"
        rest = rest.removeprefix(f"{scheme}://")
        below = rest.startswith("*.")
        rest = rest.removeprefix("*.")
        try:
            target = Target.parse(f"{scheme}://{rest}")
        except ValueError as error:
            raise ValueError(str(error)) from None
        if rest not in (target.authority, f"{target.authority}:{target.port}"):
            raise ValueError("is more than a host: a path, a capital letter, or a port that isn't needed")
        if below and (local or "." not in target.host or is_address(target.host)):
            raise ValueError("means more than the names below one domain, as *.example.org does")
        return Host(said, scheme, target.host, target.port, below, local)

    def covers(self, target: Target) -> bool:
        """Whether a request goes to it."""
        if (self.scheme, self.port) != (target.scheme, target.port):
            return False
        return target.host.endswith(f".{self.name}") if self.below else target.host == self.name


def is_host(text: str) -> bool:
    """Whether it is a name as DNS has them, or an address."""
    return is_address(text) or (len(text) <= 253 and bool(_NAME.fullmatch(text)))


def is_address(text: str) -> bool:
    """Whether it is an address, without a zone."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
