"""`llmasos top`: what runs on the kernel of the home, and how fast.

It attaches to the program that carries the kernel and never carries one itself: its figures would be its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from llmasos.client import Client
from llmasos.client.opening import find
from llmasos.client.remote import KernelGone
from llmasos.client.snapshot import Snapshot, snapshot
from llmasos.core.base.errors import LlmasosError
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.ownership import OwnerLock
from llmasos.core.kernel.session import Nobody
from llmasos.shell import keys
from llmasos.shell.full_screen import FullScreen
from llmasos.shell.top_view import Overview

EVERY = 1.0
"""Seconds between two looks."""
STARTING, STEP = 10.0, 0.05
"""Seconds that a kernel may take until it lets others in, and between two looks for it."""
WIDE = 160
"""Columns of a snapshot that goes into a pipe."""
GONE = 128 + signal.SIGHUP
"""Exit code where the terminal has gone."""
ALONE = "No kernel runs any more; these are its last figures, until the next one is there."


class NoKernel(LlmasosError):
    """There is nothing to watch."""


async def run_top(settings: Settings, *, once: bool = False, as_json: bool = False) -> int:
    """Show the live view until the person leaves it; or one snapshot, where it was asked for or nobody watches.

    Raises:
        LlmasosError: No kernel runs, or it can't serve us.
    """
    watched = _Watched(settings)
    try:
        # Before the screen is taken, so that an error can be read.
        seen = await watched.look()
        if as_json:
            print(json.dumps(asdict(seen), ensure_ascii=False))
        elif once or not _somebody_watches():
            _print(Overview(seen.system, seen.processes))
        else:
            return await _live(watched, seen)
        return 0
    finally:
        await watched.close()


class _Watched:
    """The kernel of the home, whichever program carries it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Client | None = None

    async def look(self) -> Snapshot:
        """Look at it, and find the next one where it has gone.

        Raises:
            NoKernel: There is none.
            KernelGone: It ended meanwhile.
            LlmasosError: It can't serve us.
        """
        if self._client is None:
            self._client = await self._found()
        try:
            return await snapshot(self._client)
        except KernelGone:
            await self.close()
            raise

    async def _found(self) -> Client:
        # Not `attach`: that would start a kernel to be watched, and take over one that ends.
        lock = OwnerLock(self._settings.home)
        for _ in range(int(STARTING / STEP)):
            client = await find(self._settings, Path("/"), Nobody(yes=self._settings.yes))
            if client:
                return client
            if not lock.is_held():
                raise NoKernel(
                    f"No kernel of {self._settings.home} runs, so there is nothing to watch.",
                    "Open a shell with 'llmasos', or let one run in the background with 'llmasos up'.",
                )
            await asyncio.sleep(STEP)
        raise NoKernel(
            f"Another program holds {self._settings.home} and doesn't answer (process {lock.holder() or 'unknown'}).",
            "End it, or use another --home.",
        )

    async def close(self) -> None:
        """End the session; a look that is under way ends with it."""
        client, self._client = self._client, None
        if client:
            await client.close()


async def _live(watched: _Watched, seen: Snapshot) -> int:
    """The full-screen view; its exit code."""
    loop = asyncio.get_running_loop()
    left: asyncio.Future[int] = loop.create_future()
    note = ""

    def leave(code: int) -> None:
        if not left.done():
            left.set_result(code)

    def show() -> None:
        try:
            screen.show(Overview(seen.system, seen.processes, note=note, full=True))
        except OSError:  # the terminal has gone
            leave(GONE)

    def typed() -> None:
        try:
            pressed = os.read(sys.stdin.fileno(), 64)
        except OSError:
            pressed = b""
        if not pressed:
            leave(GONE)
        elif b"q" in pressed.lower():
            leave(0)

    def suspend() -> None:
        screen.suspend()
        show()

    async def look() -> None:
        nonlocal seen, note
        while True:
            await asyncio.sleep(EVERY)
            try:
                seen, note = await watched.look(), ""
            except (NoKernel, KernelGone):
                note = ALONE
            show()

    ends = {number: lambda number=number: leave(128 + number) for number in (signal.SIGTERM, signal.SIGHUP)}
    with FullScreen(_console()) as screen, _handled({**ends, signal.SIGWINCH: show, signal.SIGTSTP: suspend}):
        show()
        looking = asyncio.create_task(look())
        loop.add_reader(sys.stdin.fileno(), typed)
        try:
            ending: list[asyncio.Future[Any]] = [left, looking]
            await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(sys.stdin.fileno())
            looking.cancel()
    # After the screen is given back: a kernel that hangs can keep a look waiting.
    await watched.close()
    with suppress(asyncio.CancelledError, KernelGone):
        await looking
    return left.result()


@contextmanager
def _handled(handlers: Mapping[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Signals go to these meanwhile."""
    loop = asyncio.get_running_loop()
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


def _somebody_watches() -> bool:
    return keys.at_terminal() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _console(**options: Any) -> Console:
    return Console(markup=False, emoji=False, highlight=False, **options)


def _print(view: Overview) -> None:
    """As text: in colours and as wide as it is to a terminal, plain into a pipe, whatever FORCE_COLOR says."""
    if sys.stdout.isatty():
        _console().print(view)
        return
    console = _console(force_terminal=False, color_system=None, width=WIDE)
    with console.capture() as plain:
        console.print(view)
    for line in plain.get().splitlines():
        print(line.rstrip())
