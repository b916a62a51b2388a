"""The kernel's end of a native command: its output as it comes, how it ended, and the ways to end it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from llmasos.core.base.errors import PluginError
from llmasos.core.kernel.sandbox.landlock import Place
from llmasos.core.kernel.sandbox.supervisor import INTERRUPT

PIECE = 64 << 10
"""Bytes that are read at once."""
STUCK = 10.0
"""Seconds that its processes may take to be gone before their supervisor is killed too."""


@dataclass(frozen=True, slots=True)
class Command:
    """A native command.

    Attributes:
        argv: The program, by its whole path, and its arguments.
        workspace: The only folder that it may change, by its real path.
        folder: Where it starts, in the workspace; a real path too.
        environment: All of it, but for HOME and TMPDIR, which are its temporary folder.
        closed: Real paths of what lies in the workspace and stays as it is: folders that it mustn't see, files that
            it mustn't change. Only where it has a root folder of its own.
    """

    argv: list[str]
    workspace: Place
    folder: str
    environment: dict[str, str] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)


class Running:
    """A native command that runs.

    Args:
        pid: Of the process that all of its processes belong to.
        pidfd: Stands for that.
        channel: To its supervisor.
        output: What it writes, both its outputs in order.
    """

    def __init__(self, pid: int, pidfd: int, channel: socket.socket, output: int) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._channel = channel
        self._output = output
        self._said = b""
        self._loop = asyncio.get_running_loop()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        for end in (output, channel.fileno()):
            os.set_blocking(end, False)
        self._loop.add_reader(channel.fileno(), self._hear)
        self._loop.add_reader(pidfd, self._ended)

    async def output(self) -> AsyncGenerator[bytes, None]:
        """What it writes, as it comes; whoever reads slowly makes it wait."""
        while True:
            ready = asyncio.Event()
            self._loop.add_reader(self._output, ready.set)
            try:
                await ready.wait()
            finally:
                self._loop.remove_reader(self._output)
            piece = os.read(self._output, PIECE)
            if not piece:
                return
            yield piece

    async def ended(self) -> int | None:
        """Wait until all of its processes are gone.

        Returns:
            Its exit code, or minus the number of the signal that ended it; None where it was ended from here.

        Raises:
            PluginError: It couldn't be confined, or its program not be started; nothing of it ran.
        """
        await asyncio.shield(self._gone)
        told: dict[str, Any] = {}
        for line in reversed(self._said.splitlines()):  # the first one counts
            told = json.loads(line)
        if "error" in told:
            raise PluginError(f"The command can't be started: {told['error']}.")
        return told.get("exit")

    @property
    def is_gone(self) -> bool:
        """Whether none of its processes is left."""
        return self._gone.done()

    async def gone(self, *, within: float) -> None:
        """Wait for that, for some seconds."""
        await asyncio.wait([self._gone], timeout=within)

    def interrupt(self) -> None:
        """Interrupt it, as Ctrl-C does."""
        with contextlib.suppress(OSError):
            self._channel.send(INTERRUPT)

    async def end(self) -> None:
        """End all of its processes and wait until they are gone."""
        self._let_go()
        done, _ = await asyncio.wait([self._gone], timeout=STUCK)
        if not done:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            await asyncio.shield(self._gone)

    def discard(self) -> None:
        """End it before anybody has waited for it."""
        self._let_go()
        self.close()

    def close(self) -> None:
        """Let go of its output; nobody reads it any more."""
        if self._output >= 0:
            os.close(self._output)
            self._output = -1

    def _let_go(self) -> None:
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)

    def _hear(self) -> None:
        said = b""
        with contextlib.suppress(OSError):
            said = self._channel.recv(PIECE)
        self._said += said
        if not said:
            self._loop.remove_reader(self._channel.fileno())

    def _ended(self) -> None:
        with contextlib.suppress(OSError):
            while said := self._channel.recv(PIECE):
                self._said += said
        for end in (self._pidfd, self._channel.fileno()):
            self._loop.remove_reader(end)
        os.close(self._pidfd)
        self._channel.close()
        if not self._gone.done():
            self._gone.set_result(None)
