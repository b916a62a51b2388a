"""Fetches for a plugin: only from hosts that were granted, at addresses that may be reached, within limits.

check the URL against the grants -> resolve once -> check every address -> connect to what was checked
-> a redirect begins anew with the check -> at most so many redirects, bytes and seconds
"""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from llmasos.core.base.errors import LlmasosError, SyscallError, error_name
from llmasos.core.kernel.network import addresses
from llmasos.core.kernel.network.hosts import Host, Target

if TYPE_CHECKING:
    import ssl

log = logging.getLogger(__name__)

LARGEST = 2_000_000
"""Bytes of an answer."""
SECONDS = 10.0
"""For one fetch, redirects included."""
REDIRECTS = 5
_THREADS = 8
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
MOST_HEADERS, LONGEST_HEADERS = 32, 8_000

_OURS = {
    "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect", "keep-alive",
    "accept-encoding",
}  # fmt: skip
"""Headers that say how the connection works, which isn't the plugin's."""
_PUBLIC = {"accept", "accept-language", "user-agent", "content-type"}
"""Headers that go along to another host: none that could be a key."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~]*")


@dataclass(frozen=True, slots=True)
class Request:
    """What a plugin asks for.

    Attributes:
        url: Where.
        method: One of `METHODS`.
        headers: Its own.
        body: What it sends.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came back.

    Attributes:
        url: Where from, after redirects.
        status: HTTP's number.
        headers: In small letters.
        body: As it was sent.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host."""
Ask = Callable[[Target, Sequence[str], Request], Awaitable[Fetched]]
"""Makes one request to a target at checked addresses; follows nothing."""


class Broker:
    """Makes requests for plugins.

    Args:
        resolve: Looks hosts up; the system's resolver where None.
        ask: Makes one request; a stand-in answers without a network.
        trust: Who is believed to be whom; the system's authorities where None.
        seconds: For one fetch.
    """

    def __init__(
        self,
        *,
        resolve: Resolve | None = None,
        ask: Ask | None = None,
        trust: ssl.SSLContext | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._resolve = resolve or self._look_up
        self._ask = ask or self._exchange
        self._trust = trust
        self._seconds = seconds
        # Of their own: what waits for a slow server mustn't take the threads that everything else shares.
        self._threads = ThreadPoolExecutor(_THREADS, "fetch")

    def close(self) -> None:
        """Wait for nothing that is still being fetched."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def fetch(
        self, who: str, asked: Request, granted: Sequence[Host], onward: Callable[[Target], None] | None = None
    ) -> Fetched:
        """Fetch something.

        Args:
            who: The subject that asks, for the log.
            asked: What.
            granted: The hosts that it may ask.
            onward: Told of each place that a redirect leads to, before it is asked; refuses by raising.

        Raises:
            SyscallError: EINVAL, EACCES where it isn't granted or leads where nothing may, ENOENT where there is no
                such host, ETIMEDOUT, E2BIG, EIO.
        """
        target = checked(asked, granted)[0]
        try:
            async with asyncio.timeout(self._seconds):
                fetched = await self._followed(asked, granted, onward)
        except TimeoutError:
            log.info("net.fetch %s %s %s: ETIMEDOUT", who, asked.method, target.origin)
            what = f"{target.origin} took longer than {self._seconds:g} seconds."
            raise SyscallError("ETIMEDOUT", what, "Try again later.") from None
        except LlmasosError as error:
            # Without its words, which repeat where a redirect leads, query and all.
            log.info("net.fetch %s %s %s: %s", who, asked.method, target.origin, error_name(error))
            raise
        size = len(fetched.body)
        # Without the path: some services have keys in it, and what is asked for can be what somebody said.
        log.info("net.fetch %s %s %s: %d, %d bytes", who, asked.method, target.origin, fetched.status, size)
        return fetched

    async def _followed(
        self, asked: Request, granted: Sequence[Host], onward: Callable[[Target], None] | None
    ) -> Fetched:
        for turn in range(REDIRECTS + 1):
            target, host = checked(asked, granted)
            if turn and onward:
                onward(target)
            fetched = await self._ask(target, await self._checked_addresses(target, host), asked)
            place = fetched.headers.get("location")
            if fetched.status not in (301, 302, 303, 307, 308) or place is None:
                return fetched
            asked = _redirected(asked, target, fetched.status, place)
        raise SyscallError("EIO", f"{target.shown} leads on more than {REDIRECTS} times.")

    async def _checked_addresses(self, target: Target, host: Host) -> Sequence[str]:
        try:
            found = await self._resolve(target.host, target.port)
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise SyscallError("ENOENT", f"The host {target.host} isn't found.", "Is there a network?")
        for address in found:
            # One bad address is enough: a name that has good and bad ones is made to deceive.
            refused = addresses.refusal(address, local=host.local)
            if refused:
                raise SyscallError("EACCES", f"{target.host} leads to {address}, {refused}.", "It isn't fetched.")
        return found

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        look = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look)
        return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))

    async def _exchange(self, target: Target, found: Sequence[str], asked: Request) -> Fetched:
        from llmasos.core.kernel.network.exchange import Exchange

        headers = {"Connection": "close", **asked.headers}
        if "user-agent" not in {name.lower() for name in headers}:
            headers["User-Agent"] = "llmasos"
        exchange = Exchange(
            target, found, method=asked.method, headers=headers, body=asked.body, seconds=self._seconds,
            largest=LARGEST, context=self._trust,
        )  # fmt: skip
        try:
            status, received, body = await asyncio.get_running_loop().run_in_executor(self._threads, exchange.run)
        finally:
            exchange.cut()  # nobody waits any more, and the thread shouldn't either
        return Fetched(str(target), status, received, body)


def checked(asked: Request, granted: Sequence[Host]) -> tuple[Target, Host]:
    """Where a request goes, and the grant that lets it.

    Raises:
        SyscallError: EINVAL, it can't be made; EACCES, no grant covers it.
    """
    if asked.method not in METHODS:
        raise SyscallError("EINVAL", f"There is no method {asked.method[:20]!r}.", f"One of {', '.join(METHODS)}.")
    _check_headers(asked.headers)
    try:
        target = Target.parse(asked.url)
    except ValueError as error:
        raise SyscallError("EINVAL", f"The URL {asked.url[:100]!r} {error}.") from None
    for host in granted:
        if host.covers(target):
            return target, host
    known = ", ".join(host.said for host in granted) or "none"
    raise SyscallError("EACCES", f"{target.origin} isn't among the hosts that were granted.", f"Granted: {known}.")


def _check_headers(headers: Mapping[str, str]) -> None:
    if len(headers) > MOST_HEADERS or sum(len(k) + len(v) for k, v in headers.items()) > LONGEST_HEADERS:
        limits = f"{MOST_HEADERS} with {LONGEST_HEADERS:,} characters"
        raise SyscallError("E2BIG", "There are too many headers.", f"The limit is {limits}.")
    for name, value in headers.items():
        if name.lower() in _OURS or name.lower().startswith("proxy-"):
            raise SyscallError("EINVAL", f"The header {name} is set by the kernel.", "Leave it out.")
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise SyscallError("EINVAL", f"The header {name[:60]!r} has characters that none can have.")


def _redirected(asked: Request, target: Target, status: int, place: str) -> Request:
    """The request that a redirect leads to; checked like any other."""
    url = urljoin(str(target), place).partition("#")[0]
    asked = replace(asked, url=url)
    if status == 303 or (status in (301, 302) and asked.method == "POST"):
        asked = replace(asked, method="HEAD" if asked.method == "HEAD" else "GET", body=b"")
    if not url.startswith(f"{target.origin}/"):
        kept = {name: value for name, value in asked.headers.items() if name.lower() in _PUBLIC}
        asked = replace(asked, headers=kept)
    return asked
