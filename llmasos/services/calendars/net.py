"""Requests to a calendar's server: encrypted, bounded in size and time, and to no other server than was named.

The library for it is Python's own. What a calendar needs is four methods, and what matters is what isn't done: no
proxy and no password from the environment, no password for another server, no answer larger than was agreed.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import socket
import ssl
import time
import urllib.request
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from llmasos.services.calendars.address import PORTS, Refused, Unreachable, same_server
from llmasos.services.calendars.background import Stop
from llmasos.services.login import Login

CONNECTING, READING, WHOLE = 10.0, 20.0, 90.0
"""Seconds that a connection, one wait for more, and a whole answer may take."""
REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    url: str


class Web:
    """Asks one server.

    Args:
        login: What it is told if it asks who we are; None for nothing.
        limit: Bytes of all answers together.
        stop: Ends it.
        context: How certificates are checked; as the system does where None.
    """

    def __init__(self, login: Login | None, limit: int, stop: Stop, *, context: ssl.SSLContext | None = None) -> None:
        self._login = login
        self._left = limit
        self._limit = limit
        self._stop = stop
        self._context = context
        self._digest: dict[str, str] | None = None

    def ask(self, method: str, address: str, body: bytes = b"", **headers: str) -> Answer:
        """Make a request, following where the server moves it.

        Raises:
            Unreachable: It can't be reached, or its answer is no answer.
            Refused: It doesn't let us in, or sends us to where we don't go.
        """
        began, first = time.monotonic(), urlsplit(address)
        for _ in range(REDIRECTS):
            answer = self._asked(method, address, body, headers, first, began)
            if answer.status == 401 and self._login and self._learn(answer):
                answer = self._asked(method, address, body, headers, first, began)
            if answer.status in (401, 403):
                raise Refused(*_denied(first.netloc, answer.status, self._login is not None))
            if answer.status not in (301, 302, 303, 307, 308) or "Location" not in answer.headers:
                return answer
            address = self._moved(first, urljoin(address, answer.headers["Location"]))
            if answer.status == 303:
                method, body = "GET", b""
        raise Unreachable(f"{first.netloc} sends us from one address to the next.")

    def _moved(self, first: SplitResult, to: str) -> str:
        target = urlsplit(to)
        if target.scheme not in PORTS or not target.hostname:
            raise Refused(f"{first.netloc} sends us to something that is no address.")
        if same_server(first, target):
            return to
        if self._login is not None:
            raise Refused(
                f"{first.netloc} sends us to {target.scheme}://{target.netloc}{target.path}.",
                "Your password goes to no other server than you named. Follow that address if you trust it.",
            )
        if target.scheme != "https":
            raise Refused(f"{first.netloc} sends us to {target.netloc} without encryption.")
        return to

    def _asked(
        self, method: str, address: str, body: bytes, headers: dict[str, str], first: SplitResult, began: float
    ) -> Answer:
        url = urlsplit(address)
        path = f"{url.path or '/'}{'?' + url.query if url.query else ''}"
        sent = {
            "User-Agent": "llmasos", "Accept-Encoding": "identity", "Connection": "close",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }  # fmt: skip
        if self._login and same_server(first, url):
            sent["Authorization"] = self._authorization(method, address)
        assert url.hostname
        connection: http.client.HTTPConnection
        if url.scheme == "https":
            context = self._context or ssl.create_default_context()
            connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=CONNECTING, context=context)
        else:
            connection = http.client.HTTPConnection(url.hostname, url.port, timeout=CONNECTING)
        try:
            connection.connect()
            assert connection.sock is not None
            self._stop.watch(connection.sock)
            if not same_server(first, url):
                _check_outside(connection.sock, url.netloc)
            connection.sock.settimeout(READING)
            connection.request(method, path, body or None, sent)
            with connection.getresponse() as response:
                return Answer(response.status, response.headers, self._body(response, url.netloc, began), address)
        except ssl.SSLCertVerificationError as error:
            raise Refused(f"The certificate of {url.netloc} isn't valid: {error.verify_message}.") from None
        except socket.gaierror:
            raise Unreachable(f"{url.netloc} isn't found; perhaps this machine is offline.") from None
        except TimeoutError:
            raise Unreachable(f"{url.netloc} doesn't answer.") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = "It was stopped." if self._stop.event.is_set() else f"{url.netloc} can't be reached: {_why(error)}."
            raise Unreachable(why) from None
        finally:
            self._stop.watch_nothing()
            connection.close()

    def _body(self, response: http.client.HTTPResponse, host: str, began: float) -> bytes:
        if response.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
            raise Unreachable(f"{host} packs its answer although it was asked not to.")
        parts: list[bytes] = []
        while piece := response.read1(1 << 16):
            self._left -= len(piece)
            if self._left < 0:
                raise Refused(
                    f"{host} answers with more than {self._limit >> 20} MB.", "Follow a smaller calendar of it."
                )
            if time.monotonic() - began > WHOLE:
                raise Unreachable(f"{host} takes longer than {WHOLE:.0f} s.")
            if self._stop.event.is_set():
                raise Unreachable("It was stopped.")
            parts.append(piece)
        return b"".join(parts)

    def _authorization(self, method: str, address: str) -> str:
        assert self._login
        if self._digest is None:
            pair = f"{self._login.user}:{self._login.password}".encode()
            return f"Basic {base64.b64encode(pair).decode()}"
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, address, self._login.user, self._login.password)
        handler = urllib.request.HTTPDigestAuthHandler(passwords)
        request = urllib.request.Request(address, method=method)  # noqa: S310  never opened, and checked before
        return f"Digest {handler.get_authorization(request, self._digest)}"

    def _learn(self, answer: Answer) -> bool:
        """Whether the server wants to be told in another way than it was."""
        for offered in answer.headers.get_all("WWW-Authenticate", []):
            if offered.lower().startswith("digest ") and self._digest is None:
                listed = urllib.request.parse_http_list(offered[7:])
                self._digest = urllib.request.parse_keqv_list(listed)
                return True
        return False


def _check_outside(connection: socket.socket, host: str) -> None:
    """That where we were sent isn't this machine or its own network: a server elsewhere has no business there."""
    try:
        address = ipaddress.ip_address(str(connection.getpeername()[0]).partition("%")[0])
    except ValueError:
        address = ipaddress.ip_address("127.0.0.1")
    if not address.is_global:
        raise Refused(f"We were sent to {host}, which is in this machine's own network.")


def _denied(host: str, status: int, told: bool) -> tuple[str, str]:
    if status == 401 and not told:
        return f"{host} asks who you are.", "Say it with 'login': user and password are asked for and kept sealed."
    if status == 401:
        return f"{host} doesn't know this user and password.", "Many servers want a password made for one program."
    return f"{host} doesn't let you see that calendar.", "Check its address, and who it is shared with."


def _why(error: Exception) -> str:
    return (
        error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    ).rstrip(".")
