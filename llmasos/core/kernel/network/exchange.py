"""One request over one connection, to an address that was checked; in a thread, and cut off from outside it.

Apart from the broker, because what it imports costs a start 20 ms that most never need.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Mapping, Sequence

from llmasos.core.base.errors import SyscallError
from llmasos.core.kernel.network.hosts import Target

_CONNECTING = 4.0
"""Seconds for one of several addresses."""
_PIECE = 1 << 16


class Exchange:
    """One request and its answer.

    Args:
        target: What is asked for.
        addresses: Where the host is; tried in order.
        method: GET, POST, ...
        headers: All but Host.
        body: What is sent.
        seconds: How long all of it may take.
        largest: Bytes that the answer may have.
        context: Who is believed to be whom; the system's authorities where None.
    """

    def __init__(
        self,
        target: Target,
        addresses: Sequence[str],
        *,
        method: str,
        headers: Mapping[str, str],
        body: bytes,
        seconds: float,
        largest: int,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._target = target
        self._addresses = addresses
        self._method, self._headers, self._body = method, headers, body
        self._end = time.monotonic() + seconds
        self._largest = largest
        self._context = context
        self._socket: socket.socket | None = None
        self._cut = False

    def run(self) -> tuple[int, dict[str, str], bytes]:
        """Ask and read the answer: status, headers in small letters, body.

        Raises:
            SyscallError: ETIMEDOUT, E2BIG, or EIO where it can't be reached or answers what isn't HTTP.
        """
        where = self._target.origin
        try:
            return self._asked()
        except TimeoutError:
            raise SyscallError("ETIMEDOUT", f"{where} takes too long.", "Try again later.") from None
        except ssl.SSLCertVerificationError as error:
            raise SyscallError("EIO", f"{where} can't prove who it is: {error.verify_message}.") from None
        except http.client.HTTPException as error:
            raise SyscallError("EIO", f"{where} answers what isn't HTTP: {type(error).__name__}.") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise SyscallError("EIO", f"{where} can't be reached: {reason}.", "Is there a network?") from None
        finally:
            if self._socket:
                self._socket.close()

    def cut(self) -> None:
        """End it, from another thread: what it waits for doesn't come."""
        self._cut = True
        if self._socket:
            with contextlib.suppress(OSError):
                # Not the method of a TLS socket, which would say goodbye first and wait.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _asked(self) -> tuple[int, dict[str, str], bytes]:
        target = self._target
        self._connect()
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.auto_open = 0
        connection.sock = self._socket
        connection.request(self._method, target.path, self._body or None, {"Host": target.authority, **self._headers})
        with contextlib.closing(connection.getresponse()) as answer:
            headers: dict[str, str] = {}
            for name, value in answer.getheaders():
                key = name.lower()
                headers[key] = f"{headers[key]}, {value}" if key in headers else value
            return answer.status, headers, self._read(answer)

    def _connect(self) -> None:
        """Connect to the first address that answers; for https, with the host's name and a proof of it."""
        plain = None
        for number, address in enumerate(self._addresses, 1):
            try:
                plain = socket.create_connection((address, self._target.port), min(_CONNECTING, self._left()))
                break
            except OSError:
                if number == len(self._addresses):
                    raise
        assert plain is not None, "there is an address, else this isn't made"
        self._socket = plain
        if self._target.scheme == "https":
            context = self._context or ssl.create_default_context()
            # The handshake apart, so that it can be cut off too.
            self._socket = secured = context.wrap_socket(
                plain, server_hostname=self._target.host, do_handshake_on_connect=False
            )
            secured.settimeout(self._left())
            secured.do_handshake()
        self._socket.settimeout(self._left())

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        pieces, size = [], 0
        while piece := answer.read(_PIECE):  # for as long as it takes, until it is cut off
            self._left()
            pieces.append(piece)
            size += len(piece)
            if size > self._largest:
                raise SyscallError("E2BIG", f"{self._target.shown} sends more than {self._largest:,} bytes.")
        if answer.length:  # it was announced and didn't come
            raise http.client.IncompleteRead(b"", answer.length)
        return b"".join(pieces)

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0 or self._cut:
            raise TimeoutError
        return left
