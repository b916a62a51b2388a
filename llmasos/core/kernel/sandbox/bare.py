"""A child on a system that isn't Linux: nothing confines it, no zygote forks it; it takes the person's override."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from llmasos import sdk
from llmasos.core.base.errors import PluginError
from llmasos.core.kernel.sandbox import alone
from llmasos.core.kernel.sandbox.folders import Allowed


class BareChild:
    """A process with one plugin, started by the kernel itself; as `launcher.Child` for who calls it.

    It has a channel and nothing else of ours: no environment, no file, no terminal, no working folder.

    Args:
        code: The plugin's file.
        allowed: What it was granted; only the names of folders mean anything here.

    Raises:
        PluginError: It can't be started.
    """

    def __init__(self, code: Path, allowed: Allowed) -> None:
        self.channel, theirs = socket.socketpair()
        python = [sys.executable, "-I", "-S", "-B", "-X", "utf8"]
        own = [alone.__file__, str(theirs.fileno()), sdk.__file__, str(code), json.dumps(dict(allowed.names))]
        try:
            self._process = subprocess.Popen(
                python + own, env={}, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self.channel.close()
            raise PluginError(f"No process can be started: {error.strerror}.", "Try again later.") from None
        finally:
            theirs.close()
        self.pid = self._process.pid
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        threading.Thread(target=self._wait, name=f"plugin {self.pid}", daemon=True).start()

    def discard(self) -> None:
        """End it before it was used."""
        self.channel.close()
        self.kill()

    def kill(self) -> None:
        """End it and what it started; `ended` tells when it has."""
        if self._process.returncode is None:
            # macOS says the latter of one that has just ended.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _wait(self) -> None:
        self._process.wait()
        with contextlib.suppress(RuntimeError):  # the loop has gone, and nobody waits
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
