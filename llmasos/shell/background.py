"""`llmasos up` and `down`: the kernel in a program of its own, that outlives shells."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from llmasos.client import attach
from llmasos.client.local import LocalClient
from llmasos.client.opening import chosen, find
from llmasos.client.remote import answered
from llmasos.core.base.errors import LlmasosError, UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.kernel import ipc
from llmasos.core.kernel.ownership import OwnerLock
from llmasos.core.kernel.session import Nobody
from llmasos.shell import keys

STARTING, ENDING = 120.0, 40.0
"""Seconds that the kernel may take for its start, and for its end with all that guests and jobs began."""
UNIT = """[Unit]
Description=llmasos, an operating system whose command interpreter is a local language model

[Service]
Type=exec
ExecStart={command}
Environment=LLMASOS_HOME={home}
Restart=on-failure
UMask=0077

[Install]
WantedBy=default.target
"""


async def up(settings: Settings) -> int:
    """Start the kernel in the background; exit code 0 where it runs then, or ran before."""
    there = await find(settings, Path("/"), Nobody())
    if there:
        where = "in the background" if there.in_background else "in a shell"
        print(f"The kernel of {settings.home} runs already, {where} (process {there.owner}).")
        await there.close()
        return 0
    command = [sys.executable, "-m", "llmasos", "up", "--foreground"]
    # The terminal stays for as long as a passphrase may be asked; then the child leaves it.
    child = subprocess.Popen(command, env={**os.environ, **_variables(settings), "LLMASOS_DETACH": "1"})  # noqa: ASYNC220
    for _ in range(int(STARTING / 0.05)):
        if child.poll() is not None:
            return child.returncode or 1
        there = await find(settings, Path("/"), Nobody())
        if there:
            await there.close()
            if there.owner == child.pid:
                print(f"The kernel of {settings.home} runs in the background (process {child.pid}).")
                return 0
        await asyncio.sleep(0.05)
    child.kill()
    raise LlmasosError("The kernel didn't start in two minutes.", "'llmasos doctor' looks what is wrong.")


async def serve(settings: Settings) -> int:
    """Carry the kernel until a signal or `down` ends it."""
    stop = asyncio.Event()
    client = await attach(settings, Path("/"), Nobody(), ask=keys.asker(), end=stop.set)
    if not isinstance(client, LocalClient):
        await client.close()
        raise UsageError(f"The kernel of {settings.home} runs already (process {client.owner}).", "One is enough.")
    try:
        keys.announce(client)
        client.machine.interpreting.start()
        await client.machine.keep_jobs()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if os.environ.get("LLMASOS_DETACH"):
            _leave_terminal()
        await stop.wait()
    finally:
        await client.close()
    return 0


async def down(settings: Settings) -> int:
    """End the kernel in the background.

    Raises:
        UsageError: It runs in somebody's shell.
    """
    connection = await ipc.connect(settings.home)
    if connection is None:
        print(f"No kernel of {settings.home} runs.")
        return 0
    owner = connection.peer
    connection.send({"hello": {"down": True}})
    answer = await answered(connection, settings.home)
    await connection.close()
    if answer is None or not answer.get("down"):
        raise UsageError(f"The kernel of {settings.home} runs in a shell (process {owner}).", "Leave that shell.")
    lock = OwnerLock(settings.home)
    for _ in range(int(ENDING / 0.05)):
        if not lock.is_held() or lock.holder() != owner:  # a shell that was attached carries it now
            print(f"The kernel in the background (process {owner}) has ended.")
            return 0
        await asyncio.sleep(0.05)
    raise LlmasosError(f"The kernel (process {owner}) doesn't end.", f"Look what it does, or 'kill {owner}'.")


def unit(settings: Settings) -> str:
    """A systemd user unit that carries the kernel (systemd.service(5))."""
    command = [sys.executable, "-m", "llmasos", "up", "--foreground"]
    command += [
        word for name, value in chosen(settings).items() for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    return UNIT.format(command=shlex.join(command), home=settings.home)


def _variables(settings: Settings) -> dict[str, str]:
    return {f"LLMASOS_{f.name.upper()}": str(getattr(settings, f.name)) for f in fields(Settings)}


def _leave_terminal() -> None:
    """Become independent of the terminal that started us."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
