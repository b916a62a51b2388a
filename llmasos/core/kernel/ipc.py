"""Messages between the programs of one home: JSON objects over a Unix socket that only the person can open.

    frame = length (4 bytes, big-endian) | JSON, UTF-8

Two locks on the door: the socket lies in a folder that only its owner can enter, with mode 0600, and who connects must
have the same user id (`SO_PEERCRED`, unix(7)).
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llmasos.core.base.errors import SyscallError

SOCKET = "kernel.sock"
LIMIT = 64 * 1024 * 1024
"""Bytes of one message; arguments end at 4 million characters."""
BEHIND = 64 * 1024 * 1024
"""Bytes that may wait for a slow reader; one that is further behind is dropped, so that nobody waits for it."""

_LENGTH = struct.Struct(">I")
_CREDENTIALS = struct.Struct("3i")
Message = dict[str, Any]


class Connection:
    """One end of a conversation. Sending never waits; `receive` gives None once the other side has gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def peer(self) -> int:
        """The process id at the other end; 0 where the system doesn't tell."""
        return _credentials(self._writer.get_extra_info("socket"))[0]

    @property
    def is_ours(self) -> bool:
        """Whether the other end runs as the same user."""
        return _credentials(self._writer.get_extra_info("socket"))[1] == os.getuid()

    def send(self, message: Message) -> None:
        """Send a message; where the other side has gone, or is too far behind, it is dropped.

        Raises:
            SyscallError: E2BIG.
        """
        if self._writer.is_closing():
            return
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        if len(body) > LIMIT:
            raise SyscallError("E2BIG", f"That is {len(body):,} bytes; {LIMIT:,} fit between two programs.")
        if self._writer.transport.get_write_buffer_size() > BEHIND:
            self._writer.transport.abort()
            return
        self._writer.write(_LENGTH.pack(len(body)) + body)

    async def receive(self) -> Message | None:
        """The next message; None where there will be none."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > LIMIT:
                return None
            body = await self._reader.readexactly(length)
            message = json.loads(body.decode("utf-8", "surrogatepass"))
        except (asyncio.IncompleteReadError, OSError, ValueError, RecursionError):
            return None
        return message if isinstance(message, dict) else None

    async def close(self) -> None:
        """End it, after what was sent has gone out; a reader that doesn't read gets no time for that."""
        self._writer.close()
        try:
            async with asyncio.timeout(1):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()


async def connect(home: Path) -> Connection | None:
    """A connection to the program that owns a home; None where nobody listens."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.setblocking(False)  # a full backlog must not hold up the loop: it counts as nobody
    try:
        with _short(home) as path:
            client.connect(path)
        reader, writer = await asyncio.open_unix_connection(sock=client, limit=1 << 20)
    except OSError:
        client.close()
        return None
    connection = Connection(reader, writer)
    if not connection.is_ours:
        await connection.close()
        return None
    return connection


def listen(home: Path) -> socket.socket:
    """A listening socket in a home. Only for who holds the home's lock: one that is left over is replaced."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        with _short(home) as path:
            (home / SOCKET).unlink(missing_ok=True)
            server.bind(path)
    except BaseException:
        server.close()
        raise
    finally:
        os.umask(old)
    server.listen(64)
    server.setblocking(False)
    # A forked child of this program doesn't answer, so it must not hold the door open.
    os.register_at_fork(after_in_child=server.close)
    return server


def _credentials(connection: Any) -> tuple[int, int]:
    """(process id, user id) of the other end. Where there is no SO_PEERCRED, the folder's mode is what guards."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return 0, os.getuid()
    pid, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return pid, uid


@contextmanager
def _short(home: Path) -> Iterator[str]:
    """The socket's path in less than the 107 bytes that a Unix address has, however deep the home lies."""
    whole = str(home / SOCKET)
    if len(os.fsencode(whole)) < 100:
        yield whole
        return
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET}"
    finally:
        os.close(folder)
