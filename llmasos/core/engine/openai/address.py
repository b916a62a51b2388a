"""Where a model on a server is, and what it means that prompts go there.

openai:http://localhost:8080/v1/qwen3           the path up to its version is the server's, the rest names the model
openai:http://localhost:11434/llama3.2:3b       where there is no version it is /v1
openai:https://example.org/inference#org/large  a # says where the name begins
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from llmasos.core.base.errors import ModelError

PREFIX = "openai:"
PORTS = {"https": 443, "http": 80}
FORM = "Write it as openai:URL/NAME, for example openai:http://localhost:8080/v1/qwen3."
PROMPTS = (
    "what you ask, texts to be summarized or translated, and all that characters are, hear and remember, "
    "private things too"
)
"""What a speaker's prompts are made of."""

_PRINTABLE = re.compile(r"[!-\[\]-~]+")  # ASCII without spaces and the backslash
_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?")
_VERSION = re.compile(r"/v\d+(?:beta/openai)?(?=/|$)")
_PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"),
    )
)


@dataclass(frozen=True, slots=True)
class Address:
    """A model on a server.

    Attributes:
        scheme: `https` or `http`.
        host: The name or address, in small letters.
        port: The port.
        path: What all paths of the server begin with, `/v1`.
        name: The model's name there.
    """

    scheme: str
    host: str
    port: int
    path: str
    name: str

    @staticmethod
    def parse(said: str) -> Address:
        """Read `openai:URL/NAME`; the name may be missing.

        Raises:
            ModelError: It is none; says why.
        """
        url = said.removeprefix(PREFIX)
        if not _PRINTABLE.fullmatch(url):
            raise ModelError(f"{_shown(said)} is no address: it has spaces or characters that no URL has.", FORM)
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise ModelError(f"{_shown(said)} is no address: {error}.", FORM) from None
        if "@" in parts.netloc:
            # Not shown: it may hold a password.
            raise ModelError("The model's address has a user in it.", "A key goes into LLMASOS_OPENAI_KEY or a file.")
        if parts.scheme not in PORTS:
            raise ModelError(f"{_shown(said)} is no address: it begins with neither https:// nor http://.", FORM)
        if parts.query or not (_HOST.fullmatch(host) or _is_address(host)):
            wrong = "a query" if parts.query else "no host that can be looked up"
            raise ModelError(f"{_shown(said)} is no address: it has {wrong}.", FORM)
        path, name = _split(parts.path, parts.fragment)
        return Address(parts.scheme, host, port or PORTS[parts.scheme], path, name)

    @staticmethod
    def named(said: str) -> Address:
        """Read `openai:URL/NAME` with its name.

        Raises:
            ModelError: It is none, or names no model.
        """
        address = Address.parse(said)
        if not address.name:
            what = f"{_shown(said)} names no model on {address.authority}."
            raise ModelError(what, f"Add its name; 'llmasos model info {said}' lists those there are.")
        return address

    @property
    def authority(self) -> str:
        """Host and port, as they stand in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def base(self) -> str:
        """The URL that all paths of the server begin with."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def stays(self) -> bool:
        """Whether the server is a program on this machine, by its address."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        return _is_address(self.host) and ipaddress.ip_address(self.host).is_loopback

    @property
    def whither(self) -> str:
        """Where words go, in a few words of their own."""
        if self.stays:
            return f"words are made by another program on this machine ({self.authority})"
        plainly = ", unencrypted" if self.scheme == "http" else ""
        return f"words leave this machine: they go to {self.authority}{plainly}"

    @property
    def told(self) -> str:
        """What a person should know at a start: where words go, and which."""
        whither = self.whither[:1].upper() + self.whither[1:]
        if self.stays:
            return f"{whither}, {self.name}."
        return f"{whither}. {self.name} there is given {PROMPTS}; sentences are still read on this machine."


def is_remote(said: str) -> bool:
    """Whether a model that was named is one on a server."""
    return said.startswith(PREFIX)


def is_private(address: str) -> bool:
    """Whether a numeric address is this machine's or one of a private network."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return found.is_loopback or any(found in network for network in _PRIVATE)


def called(said: str) -> str:
    """What a model that was named is called where there is little room: `qwen3 at HOST`, or its file's name."""
    if not is_remote(said):
        return said.rpartition("/")[2]
    address = Address.parse(said)
    return f"{address.name} at {address.authority}"


def _split(path: str, fragment: str) -> tuple[str, str]:
    """The server's path and the model's name."""
    if fragment:
        return path.rstrip("/"), fragment
    version = _VERSION.search(path)
    if version:
        return path[: version.end()], path[version.end() :].strip("/")
    return "/v1", path.strip("/")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def _shown(said: str) -> str:
    """What was said, without what may be a secret in it, and not too long."""
    return repr(re.sub(r"//[^/@]*@", "//…@", said)[:120])
