"""The first program of a home owns it and carries the kernel; every other one is let in by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmasos.client.base import Client
from llmasos.client.remote import RemoteClient
from llmasos.client.steady import SteadyClient
from llmasos.core.base.errors import LlmasosError
from llmasos.core.base.paths import private_dir
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.ownership import OwnerLock
from llmasos.core.kernel.session import FrontEnd

if TYPE_CHECKING:
    from llmasos.core.engine.sources import Engines

SHARED = (
    "model", "translator", "interpreter_model", "quantization", "threads", "lanes", "conversations", "policy", "seed",
)  # fmt: skip
"""Settings that a kernel has once for all its sessions."""
WAITING, STEP = 60.0, 0.02
"""Seconds that an owner may take for its start before others give up, and between two looks."""


async def attach(
    settings: Settings,
    workspace: Path,
    front: FrontEnd,
    *,
    ask: Callable[[str], str] | None = None,
    engines: Engines | None = None,
    end: Callable[[], None] | None = None,
    resumes: bool = False,
) -> Client:
    """A session with the kernel of a home, which is started here where no other program carries it.

    One that keeps nothing has a kernel of its own, which nobody else finds.

    Args:
        settings: What was set.
        workspace: The folder that `files.*` sees.
        front: Who is shown and asked things.
        ask: Asks for the passphrase of a home that has one; None where nobody is there.
        engines: Where models come from; the real ones where None.
        end: Ends this program; for one that only serves others.
        resumes: Whether the session goes on with the conversation of the one before.

    Raises:
        LlmasosError: It can't be started, or the owner can't serve us.
    """
    if not settings.remember:
        return await _own(settings, workspace, front, None, ask, engines, end=end, resumes=resumes)

    async def opened(front: FrontEnd, may_ask: bool, end: Callable[[], None] | None = None) -> Client:
        lock = OwnerLock(private_dir(settings.home))
        for _ in range(int(WAITING / STEP)):
            guest = await find(settings, workspace, front, resumes=resumes)
            if guest:
                return guest
            if lock.acquire():
                asks = ask if may_ask else None
                return await _own(settings, workspace, front, lock, asks, engines, end=end, resumes=resumes)
            # The owner has the lock and doesn't listen yet, or any more.
            await asyncio.sleep(STEP)
        raise LlmasosError(
            f"Another program holds {settings.home} and doesn't answer (process {lock.holder() or 'unknown'}).",
            "End it, or use another --home.",
        )

    first = await opened(front, True, end)
    return SteadyClient(first, opened) if first.owner else first


async def find(settings: Settings, workspace: Path, front: FrontEnd, *, resumes: bool = False) -> RemoteClient | None:
    """A session with the kernel that another program carries; None where none does.

    Raises:
        LlmasosError: It can't serve us; the message says why and what to do.
    """
    return await RemoteClient.meet(settings, chosen(settings), workspace, front, resumes=resumes)


def chosen(settings: Settings) -> Mapping[str, Any]:
    """The shared settings that the person chose, as far as they differ from the defaults."""
    default = Settings(home=settings.home)
    return {n: v for n in SHARED if (v := getattr(settings, n)) != getattr(default, n)}


async def _own(
    settings: Settings,
    workspace: Path,
    front: FrontEnd,
    lock: OwnerLock | None,
    ask: Callable[[str], str] | None,
    engines: Engines | None,
    *,
    end: Callable[[], None] | None,
    resumes: bool,
) -> Client:
    # A guest starts faster without what only an owner needs.
    from llmasos.client.listener import Listener
    from llmasos.client.local import LocalClient
    from llmasos.compose import compose

    try:
        machine = await compose(settings, ask=ask, engines=engines)
    except BaseException:
        if lock:
            lock.release()
        raise
    if lock is None:
        return LocalClient(machine, workspace, front, resumes=resumes, closing=machine.close)
    listener = Listener(machine, end=end)

    async def close() -> None:
        try:
            await listener.stop()
        finally:
            try:
                await machine.close()
            finally:
                lock.release()

    try:
        await listener.start()
        return LocalClient(machine, workspace, front, resumes=resumes, closing=close)
    except BaseException:
        await close()
        raise
