"""app.*: installed apps, each opened as a process of its own.

An app has the shape of a plugin (`app.toml`, `app.py`, nothing but the sdk) with a function `open(request)`; one that
people talk with has `say(line)` too. Like a plugin's, its code runs in a child process; its process in the table lives
until it is closed or killed, and the syscalls that the code makes are that process's.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Annotated, Any

from llmasos.core.base.errors import PluginError, ProcessKilled, SyscallError
from llmasos.core.base.values import done, items, text
from llmasos.core.kernel.process import Lasting, Process, State
from llmasos.core.kernel.sandbox import PluginHost
from llmasos.core.kernel.session import Session
from llmasos.core.kernel.store.store import PERSON
from llmasos.core.kernel.syscall import Kind, Syscall, inverse, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services import matching

Name = Annotated[str, Kind("app")]


class Apps:
    """The installed apps.

    Args:
        host: Runs their code in children.
    """

    def __init__(self, host: PluginHost) -> None:
        self._host = host
        self._rows: dict[str, Syscall] = {}
        self._lines: dict[str, Syscall] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting: Counter[str] = Counter()

    def enter(self, app: str, rows: Iterable[Syscall]) -> None:
        """An app was loaded, with these functions.

        Raises:
            PluginError: It can't be opened.
        """
        functions = {row.name.partition(".")[2]: row for row in rows}
        if "open" not in functions:
            raise PluginError(f"The app {app} has no function open(request).", "Opening it calls that.")
        self._rows[app] = functions["open"]
        if "say" in functions:
            self._lines[app] = functions["say"]

    def leave(self, app: str) -> None:
        """An app is no longer loaded."""
        self._rows.pop(app, None)
        self._lines.pop(app, None)

    def installed(self) -> Collection[str]:
        """What the apps are called."""
        return self._rows.keys()

    async def names(self, _: Session) -> Iterable[str]:
        """What the apps are called, as a source of names."""
        return self._rows

    async def close_all(self) -> None:
        """End the children."""
        await self._host.close()

    @syscall("app.list", effect="read")
    async def list(self, caller: Caller) -> dict[str, Any]:
        """Installed apps.

        Examples:
            which apps are there
            show me everything I can open
            有哪些应用
        """
        running = {p.name for p in caller.kernel.processes if p.program == "app" and p.alive}
        rows = [
            {
                "ref": plugin.name,
                "name": plugin.name,
                "about": plugin.description,
                "state": "open" if plugin.name in running else "",
            }
            for plugin in self._host.plugins
            if plugin.name in self._rows
        ]
        return items("app", rows, ["name", "about", "state"], empty="No apps are installed.")

    @syscall("app.open", effect="write", preview="preview_open")
    async def open(self, caller: Caller, name: Name, request: str | None = None) -> dict[str, Any]:
        """Start an app as a process.

        Args:
            name: Which app.
            request: What it should do first.

        Examples:
            launch guide
            app.open guide request=reminders
            打开 guide
        """
        app = self._find(name)
        processes = caller.kernel.processes
        process = processes.find("app", app)
        if process is None:
            caller.prepare("app.close", {"name": app})
            process = _started(caller, app)
        if process.state is State.STOPPED:
            raise SyscallError("EBUSY", f"{app} is stopped.", f"Say 'resume process {process.pid}' first.")
        answer = await self._run(self._rows[app], caller, process, {"request": request} if request else {})
        # Who shows it may give the app the lines that are typed next.
        return {**answer, "converses": app in self._lines}

    @syscall("app.say", effect="read", spoken=False)
    async def say(self, caller: Caller, name: Name, line: str) -> dict[str, Any]:
        """Say something to an app that is open; what it was still doing for another line ends.

        Args:
            name: Which app.
            line: What is said.
        """
        process = self._running(caller, name)
        app = process.name
        if app not in self._lines:
            raise SyscallError("ENOTSUP", f"{app} isn't one to talk with.", f"'open {app} and ...' asks it something.")
        turn = self._turns[app]
        self._waiting[app] += 1
        process.attention.set()
        try:
            await turn.acquire()
        finally:
            self._waiting[app] -= 1
            if not self._waiting[app]:
                process.attention.clear()
        try:
            return await self._run(self._lines[app], caller, process, {"line": line})
        finally:
            turn.release()

    @syscall("app.close", effect="write", preview="preview_close")
    async def close(self, caller: Caller, name: Name) -> dict[str, Any]:
        """End an app.

        Args:
            name: Which app.

        Examples:
            close the guide
            I'm done with the guide
            关掉 guide
        """
        process = self._running(caller, name)
        caller.prepare("app.open", {"name": process.name})
        await caller.kernel.processes.exit(process)
        return done(f"Closed {process.name}.", ref=process.name)

    async def preview_open(self, caller: Caller, name: str, request: str | None = None) -> dict[str, str]:
        """Which app is meant."""
        return {"name": self._find(name), **({"request": request} if request else {})}

    async def preview_close(self, caller: Caller, name: str) -> dict[str, str]:
        """Which app is meant, and that it runs."""
        return {"name": self._running(caller, name).name}

    @inverse("app.close")
    async def take_back_open(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Close what was opened."""
        process = caller.kernel.processes.find("app", payload["name"])
        if process is None:
            return f"There was nothing to take back: {payload['name']} isn't open any more."
        await caller.kernel.processes.exit(process)
        return f"Closed {payload['name']} again."

    @inverse("app.open")
    async def take_back_close(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Open what was closed."""
        processes, name = caller.kernel.processes, payload["name"]
        if name not in self._rows:
            raise SyscallError("ESTALE", f"{name} isn't installed any more.")
        if processes.find("app", name):
            return f"There was nothing to take back: {name} is open already."
        _started(caller, name)
        return f"Opened {name} again."

    async def _run(self, row: Syscall, caller: Caller, process: Process, args: dict[str, str]) -> dict[str, Any]:
        """Call a function of an app as its process: what it asks of the kernel is asked by that."""
        process.calls += 1
        task = asyncio.current_task()
        assert task is not None
        process.tasks.add(task)
        try:
            answer = await row.run(replace(caller, process=process), **args)
        except (ProcessKilled, asyncio.CancelledError):
            if process.alive:
                raise
            task.uncancel()  # the app has ended, and not who asked it
            raise SyscallError("ECANCELED", f"{process.name} was closed meanwhile.") from None
        finally:
            process.tasks.discard(task)
        return text(str(answer), source="plugin", ref=row.plugin, title=row.plugin, format="markdown")

    def _find(self, said: str) -> str:
        ranked = matching.rank(said, sorted(self._rows), lambda name: [name])
        if not ranked:
            known = ", ".join(sorted(self._rows)) or "none"
            raise SyscallError("ENOENT", f"There is no app {said!r}.", f"Installed: {known}.")
        return ranked[0].item

    def _running(self, caller: Caller, said: str) -> Process:
        processes = caller.kernel.processes
        # By its own name first: one that is no longer installed can still be open.
        process = processes.find("app", said) or processes.find("app", name := self._find(said))
        if process is None:
            raise SyscallError("ENOENT", f"{name} isn't open.", "'app.list' shows the apps.")
        return process


def _started(caller: Caller, app: str) -> Process:
    """An app's process; it is there until the app is closed, also in the next kernel."""
    processes = caller.kernel.processes
    return processes.spawn(
        processes.init, name=app, program="app", subject=f"app:{app}", owner=caller.process.owner,
        lasting=Lasting(app, PERSON),
    )  # fmt: skip
