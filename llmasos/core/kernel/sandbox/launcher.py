"""The kernel's end of the zygote: starts it, learns what this machine can enforce, asks it for children."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from llmasos import sdk
from llmasos.core.base.errors import PluginError
from llmasos.core.kernel.sandbox import landlock, seccomp, zygote
from llmasos.core.kernel.sandbox.bare import BareChild
from llmasos.core.kernel.sandbox.folders import ORDINARY, Allowed
from llmasos.core.kernel.sandbox.running import Command, Running

Started = TypeVar("Started", bound="Child | BareChild | Running")


@dataclass(frozen=True, slots=True)
class Layers:
    """What this machine has to confine a child with.

    Attributes:
        landlock: The ABI of its Landlock, 0 where it has none.
        seccomp: Whether it has seccomp, and we a table for its processor.
        machine: The processor's architecture.
        own_user: Whether children run as users of their own.
        unhidden: Why the rest of the machine isn't hidden from them; empty where it is.
        escapes: What a child that was confined could do at the start and shouldn't.
        system: What runs on it, as Python calls it.
    """

    landlock: int
    seccomp: bool
    machine: str
    own_user: bool
    unhidden: str
    escapes: Sequence[str] = ()
    system: str = "linux"

    @property
    def lacking(self) -> str:
        """Why a child can't be confined here, in one sentence; empty where it can, and where that holds."""
        if not self.missing and self.escapes:
            return f"The confinement doesn't hold: a child could {', '.join(self.escapes)}."
        return self.missing

    @property
    def remedy(self) -> str:
        """What to do about that."""
        return REMEDY if self.missing else "Update Linux, or llmasos; please report what 'llmasos doctor' shows."

    @property
    def missing(self) -> str:
        """What isn't there to confine a child with, in one sentence; empty where all is."""
        if self.system != "linux":
            return f"What confines them is part of Linux, and this is {self.system}."
        if self.machine not in seccomp.NUMBERS:
            return f"No list of system calls is known for this processor ({self.machine})."
        if not self.seccomp:
            return "This system has no seccomp."
        if self.landlock == 0:
            return "This system has no Landlock, or it is switched off."
        if self.landlock < landlock.ABI:
            return f"Landlock is too old here: ABI {self.landlock}, and {landlock.ABI} is needed."
        return ""


REMEDY = (
    "It takes Linux 6.7 or newer with 'landlock' in /sys/kernel/security/lsm, on x86_64 or aarch64; "
    "or LLMASOS_UNCONFINED_PLUGINS=1, if you trust every plugin and app that is installed."
)


COMMAND_REMEDY = (
    "It takes what plugins take, and namespaces or Linux 6.12; "
    "or LLMASOS_UNCONFINED_COMMANDS=1, if you trust every command that you type."
)


@dataclass(frozen=True, slots=True)
class CommandLayers:
    """What this machine has to confine a native command with.

    Attributes:
        layers: As for plugins.
        hidden: Whether it gets namespaces, and a root folder with nothing but programs and the workspace.
        uncounted: Why the number of its processes can't be limited; empty where it can.
    """

    layers: Layers
    hidden: bool
    uncounted: str

    @property
    def lacking(self) -> str:
        """Why a command can't be confined here, in one sentence; empty where it can."""
        if self.layers.lacking:
            return self.layers.lacking
        if not self.hidden and self.layers.landlock < landlock.SCOPES_ABI:
            return f"There are no namespaces ({self.layers.unhidden}), and Landlock doesn't keep signals inside."
        return self.uncounted

    @property
    def remedy(self) -> str:
        """What to do where it can't be confined."""
        if self.layers.lacking and not self.layers.missing:
            return self.layers.remedy
        return COMMAND_REMEDY if self.layers.system == "linux" else "Type it into a terminal of its own."

    @property
    def enforced(self) -> str:
        """What it is confined with, in a word each, as the audit log keeps it."""
        if self.lacking:
            return "none"
        return f"landlock {self.layers.landlock}, seccomp, limits{', hidden' if self.hidden else ''}"


class Child:
    """A process with one plugin.

    Args:
        pid: Its id.
        pidfd: Stands for the process, also when its id has gone to another.
        channel: The kernel's end of its channel.
        confined: Whether it is.
    """

    def __init__(self, pid: int, pidfd: int, channel: socket.socket, *, confined: bool) -> None:
        self.pid = pid
        self.channel = channel
        self._pidfd = pidfd
        self._confined = confined
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(pidfd, self._end)

    def discard(self) -> None:
        """End it before it was used."""
        self.channel.close()
        self.kill()

    def kill(self) -> None:
        """End it; `ended` tells when it has."""
        if self.ended.done():
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            if not self._confined:  # else it couldn't start any process
                os.killpg(self.pid, signal.SIGKILL)

    def _end(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.ended.set_result(None)


class Launcher:
    """Starts children. The zygote starts with `start`, or with the first child, and again if it was killed.

    Args:
        unconfined: Start children even where they can't be confined.
        unconfined_commands: The same of native commands.
    """

    def __init__(self, *, unconfined: bool = False, unconfined_commands: bool = False) -> None:
        self._unconfined = unconfined
        self._unconfined_commands = unconfined_commands and sys.platform == "linux"  # nothing else can run one
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket
        self._hindrance = ""  # why there is no process
        self._layers: Layers | None = None
        self._commands: CommandLayers | None = None
        self._turn = asyncio.Lock()  # guards all of the above: one request at a time

    def start(self) -> None:
        """Start the zygote; takes a few milliseconds and doesn't wait for it to be ready.

        It gets one descriptor and nothing else of ours: no environment, no file, no terminal, no working folder.
        """
        if sys.platform != "linux":
            self._layers = Layers(0, False, platform.machine(), False, "they aren't confined", system=sys.platform)
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._process = subprocess.Popen(
                self._command(theirs.fileno()),
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            self._hindrance = f"The process that starts plugins can't be started: {error}."
            return
        finally:
            theirs.close()
        ours.setblocking(False)
        self._control = ours

    @property
    def unconfined(self) -> bool:
        """Whether the children that were started couldn't be confined."""
        return self._unconfined and self._layers is not None and bool(self._layers.missing)

    @property
    def commands_enforced(self) -> str:
        """What native commands are confined with, as the audit log keeps it; empty before the first one."""
        return self._commands.enforced if self._commands else ""

    @property
    def enforced(self) -> str:
        """What children are confined with, in a word each, as the audit log keeps it."""
        here = self._layers
        if here is None:
            return ""
        if here.lacking:
            return "none"
        parts = {
            f"landlock {here.landlock}": True,
            "seccomp": True,
            "own user": here.own_user,
            "hidden": not here.unhidden,
        }
        return ", ".join(part for part, there in parts.items() if there)

    async def layers(self) -> Layers:
        """What this machine can enforce.

        Raises:
            PluginError: There is no zygote on this system, or it doesn't start.
        """
        async with self._turn:
            return await self._greeted()

    async def launch(self, code: Path, allowed: Allowed = ORDINARY) -> Child | BareChild:
        """A child that is going to load a plugin.

        Args:
            code: The plugin's file.
            allowed: What it may use of the machine.

        Raises:
            PluginError: It can't be confined here, or not started.
        """
        async with self._turn:
            layers = await self._greeted()
            # The setting is for machines that lack something, not for what should hold and doesn't.
            if layers.lacking and not (self._unconfined and layers.missing):
                raise PluginError(f"Plugins can't be confined here. {layers.lacking}", layers.remedy)
            if not self._process:  # only Linux has the zygote
                return BareChild(code, allowed)
            return await _whole(self._child(code, allowed, confined=not layers.missing))

    async def commands(self) -> CommandLayers:
        """What native commands are confined with, and whether they can be.

        Raises:
            PluginError: There is no zygote on this system, or it doesn't start.
        """
        async with self._turn:
            layers = await self._greeted()
            if not self._process:
                self._commands = CommandLayers(layers, hidden=False, uncounted="")
            elif self._commands is None:
                said, _ = await self._asked({"look": "commands"})
                self._commands = CommandLayers(layers, said["hidden"], said["uncounted"])
            return self._commands

    async def runs_unconfined(self) -> bool:
        """Whether native commands are run though they can't be confined."""
        try:
            layers = await self.commands()
            return self._unconfined_commands and bool(layers.lacking) and not layers.layers.escapes
        except PluginError:  # then none is run at all
            return False

    async def check_commands(self) -> CommandLayers:
        """What native commands are confined with, where they are run at all.

        Raises:
            PluginError: They can't be confined here.
        """
        layers = await self.commands()
        if layers.lacking and (layers.layers.escapes or not self._unconfined_commands):
            raise PluginError(f"Native commands can't be confined here. {layers.lacking}", layers.remedy)
        return layers

    async def run(self, command: Command) -> Running:
        """Start a native command.

        Raises:
            PluginError: It can't be confined here, or not started.
        """
        layers = await self.check_commands()
        async with self._turn:
            return await _whole(self._running(command, confined=not layers.lacking))

    async def close(self) -> None:
        """End the zygote, and with it all children."""
        async with self._turn:
            await self._end()

    def _command(self, control: int) -> list[str]:
        # -I: no PYTHON* variables, no user packages; -S: no site-packages; -B: no files beside plugin.py.
        return [sys.executable, "-I", "-S", "-B", "-X", "utf8", zygote.__file__, str(control), sdk.__file__]

    async def _end(self) -> None:
        process, self._process, self._layers, self._commands = self._process, None, None, None
        if process:
            self._control.close()
            process.kill()
            await asyncio.get_running_loop().run_in_executor(None, process.wait)

    async def _greeted(self) -> Layers:
        if self._process and self._process.poll() is not None:
            await self._end()
        if not self._process and not self._layers:
            self.start()
        if not self._process and not self._layers:
            raise PluginError(self._hindrance)
        if not self._layers:
            self._layers = Layers(**(await self._receive())[0])
        return self._layers

    async def _child(self, code: Path, allowed: Allowed, *, confined: bool) -> Child:
        request = {
            "code": str(code), "confined": confined, "read": allowed.read, "write": allowed.write,
            "memory": allowed.memory, "names": dict(allowed.names),
        }  # fmt: skip
        said, (channel, pidfd) = await self._asked(request, f"What {code} was granted has names that are too long.")
        return Child(said["pid"], pidfd, socket.socket(fileno=channel), confined=confined)

    async def _running(self, command: Command, *, confined: bool) -> Running:
        request = {"command": {**asdict(command), "confined": confined}}
        said, (channel, pidfd, output) = await self._asked(request, "The command is too long. Put it into a file.")
        return Running(said["pid"], pidfd, socket.socket(fileno=channel), output)

    async def _asked(self, request: dict[str, Any], too_long: str = "") -> tuple[dict[str, Any], list[int]]:
        await self._greeted()
        line = json.dumps(request).encode()
        if len(line) > zygote.LONGEST:
            raise PluginError(too_long)
        with contextlib.suppress(OSError):  # if it has ended, there is nothing to receive
            self._control.send(line)
        said, descriptors = await self._receive()
        if "error" in said:
            raise PluginError(f"No process can be started: {said['error']}.", "Try again when fewer are running.")
        return said, descriptors

    async def _receive(self) -> tuple[dict[str, Any], list[int]]:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._control, ready.set)
        try:
            await ready.wait()
            line, descriptors, _, _ = socket.recv_fds(self._control, zygote.LONGEST, 3, socket.MSG_CMSG_CLOEXEC)
        finally:
            loop.remove_reader(self._control)
        if not line:
            await self._end()
            raise PluginError("The process that starts plugins has ended.", "It is started afresh with the next call.")
        return json.loads(line), descriptors


async def _whole(starting: Coroutine[Any, Any, Started]) -> Started:
    """Wait for a child; where nobody waits any more, it is ended as soon as it is there."""
    asking = asyncio.ensure_future(starting)
    try:
        return await asyncio.shield(asking)
    except asyncio.CancelledError:
        # It answers in a moment, and nobody else would end that child.
        with contextlib.suppress(PluginError):
            (await asking).discard()
        raise
