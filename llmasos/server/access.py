"""Who is let in: where the server listens, by which name it is called, and with which key."""

from __future__ import annotations

import hmac
import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmasos.core.base.errors import LlmasosError, UsageError
from llmasos.core.base.paths import expanded
from llmasos.core.engine.openai.key import kept
from llmasos.server.trouble import Trouble

SHORTEST = 16
"""Characters of a key at least."""
_KEY = re.compile(r"[!-~]+")
_OWN = ("localhost", "127.0.0.1", "::1")
"""What a server on this machine alone is called; a page that gives its own name this address calls it otherwise."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask.

    Attributes:
        key: What requests carry; empty where none is needed. Not in the object's `repr`, so in no log.
        names: What the server may be called; empty for anything.
    """

    key: str = field(default="", repr=False)
    names: frozenset[str] = frozenset()

    def check(self, headers: Mapping[str, str], *, needs_key: bool) -> None:
        """Look at a request's head.

        Raises:
            Trouble: It isn't let in.
        """
        host = name_of(headers.get("host", ""))
        if self.names and host not in self.names:
            raise Trouble(403, f"This server is for this machine and isn't called {host[:80]!r}.", "wrong_host")
        if not (self.key and needs_key):
            return
        scheme, _, said = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(said.strip().encode("utf-8", "replace"), self.key.encode())
        if scheme.lower() != "bearer" or not right:
            what = "The key is wrong." if said else "A key is needed: 'Authorization: Bearer KEY'."
            raise Trouble(401, what, "invalid_api_key")


def name_of(host: str) -> str:
    """The name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


def listen(host: str, port: int, key: str) -> tuple[socket.socket, bool]:
    """The socket to listen at, and whether it is for this machine alone.

    Raises:
        UsageError: The host or port is none; or others could reach it, and there is no key.
        LlmasosError: The port is taken, or may not be had.
    """
    if not 0 <= port < 1 << 16:
        raise UsageError(f"There is no port {port}.", "It is a number up to 65535; 0 takes a free one.")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        what = getattr(error, "strerror", None) or error
        raise UsageError(f"{host!r} is no address of this machine: {what}.", "Leave --host out.") from None
    # A name that is known twice is the older address, which every client tries.
    family, kind, protocol, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    stays = ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback
    if not (stays or key):
        raise UsageError(
            f"At {host} others can reach the server, and without a key they would all be let in.",
            "Name a file that holds one with --key-file, or leave --host out.",
        )
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise LlmasosError(
            f"The server can't listen at {host}, port {port}: {(error.strerror or str(error)).lower()}.",
            "End the program that does, or name another --port; 0 takes a free one.",
        ) from None
    return listening, stays


def names_for(host: str, *, stays: bool) -> frozenset[str]:
    """What a server there may be called."""
    return frozenset({*_OWN, host.lower()}) if stays else frozenset()


def read_key(file: Path | None) -> str:
    """The key of a file that only its owner can read; empty where none is named.

    Raises:
        ModelError: It can't be read, or others can.
        UsageError: What it holds is no key.
    """
    if file is None:
        return ""
    key = kept(expanded(file), "--key-file")
    if not _KEY.fullmatch(key) or len(key) < SHORTEST:
        raise UsageError(
            f"What {file} holds is no key: it needs {SHORTEST} characters or more, without blanks.",
            "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return key
