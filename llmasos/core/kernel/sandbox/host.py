"""All plugins: found in folders and wheels, described and called in children, added and removed while the system runs.

    host = PluginHost(reserved={"files", "tasks"}, grants=Grants(store))
    rows, problems = await host.load(search_path("plugins", home), wheels.find())
    for row in rows:
        table.add(row)

A plugin that can't be loaded is a `Problem` that names it; the others load. One that asks for more than it was
granted can't be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from llmasos.core.base.errors import PluginError
from llmasos.core.kernel.network import Broker
from llmasos.core.kernel.sandbox import description, door, manifest
from llmasos.core.kernel.sandbox.capabilities import NOTHING, Capabilities
from llmasos.core.kernel.sandbox.folders import Folders, is_in_workspace
from llmasos.core.kernel.sandbox.grants import Grants
from llmasos.core.kernel.sandbox.launcher import Launcher
from llmasos.core.kernel.sandbox.manifest import Kind, Plugin
from llmasos.core.kernel.sandbox.wheels import Packaged
from llmasos.core.kernel.sandbox.worker import Worker
from llmasos.core.kernel.syscall import Handler, Syscall

if TYPE_CHECKING:
    from llmasos.core.kernel.process import Process
    from llmasos.core.kernel.trap import Caller

_AT_ONCE = 2
"""Children that start at the same time: the start of a shell isn't slowed by twenty plugins."""
_OURS = frozenset({"net", "plugin", "app"})
"""Rooms that are taken whatever is in the table yet."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A plugin that isn't loaded.

    Attributes:
        folder: Where it is.
        what: Why, one sentence.
        remedy: What to do about it, may be empty.
        plugin: What its manifest says; None where that can't be read.
        wheel: The distribution that it is in; empty for a folder.
        kind: plugin or app.
    """

    folder: Path
    what: str
    remedy: str
    plugin: Plugin | None = None
    wheel: str = ""
    kind: Kind = "plugin"

    @property
    def name(self) -> str:
        """What to call it."""
        return self.plugin.name if self.plugin else self.wheel or self.folder.name

    def __str__(self) -> str:
        return f"The {self.kind} {self.name} isn't loaded: {self.what} {self.remedy}".strip()


class Discovered(NamedTuple):
    """What was found without running anything."""

    plugins: list[Plugin]
    problems: list[Problem]
    off: list[Plugin]


class Loaded(NamedTuple):
    """Syscalls ready to be entered into the table, and the plugins that gave none."""

    rows: list[Syscall]
    problems: list[Problem]


class _Whose(NamedTuple):
    """For whom a child works, and nobody else: what a plugin remembers of one doesn't get to another.

    Attributes:
        who: The person for all their sessions, else one process; empty for all.
        via: Plugins that it was called through, the nearest first.
        workspace: Where the plugin was granted folders in it: a child's confinement stays as it is.
    """

    who: str | int
    via: tuple[str, ...]
    workspace: Path | None


@dataclass(slots=True)
class _Entry:
    plugin: Plugin
    worker: Worker
    """It described the plugin; it works for the first person who calls."""
    workers: dict[_Whose, tuple[Process | None, Worker]] = field(default_factory=dict)
    """Each with the process that it ends with; None where it works for a person."""
    rows: list[Syscall] | None = None
    said: Any = None


class PluginHost:
    """Loads and calls plugins; none of their code runs in this process.

    Args:
        reserved: Names that no plugin may take: the rooms of the system's own syscalls.
        timeout: Seconds a call may take, and a plugin's import.
        idle: Seconds after which an unused child ends.
        kind: What it loads, plugins or apps.
        launcher: Starts the children, and is closed by whoever made it; None makes one.
        trusted: The folder whose plugins are granted what they ask for; None grants nobody anything unasked.
        grants: What the person granted to others; None where nobody was.
        folders: Finds the folders that they were granted.
        broker: Fetches for them.
    """

    def __init__(
        self,
        *,
        reserved: Collection[str] = (),
        timeout: float = 10.0,
        idle: float = 120.0,
        kind: Kind = "plugin",
        launcher: Launcher | None = None,
        trusted: Path | None = None,
        grants: Grants | None = None,
        folders: Folders | None = None,
        broker: Broker | None = None,
    ) -> None:
        self._reserved = frozenset(reserved) | _OURS
        self._timeout = timeout
        self._idle = idle
        self.kind: Kind = kind
        self._trusted = trusted.resolve() if trusted else None
        self._grants = grants
        self._folders = folders or Folders(Path.home())
        self._broker = broker or Broker()
        self._owns_broker = broker is None
        self._launcher = launcher or Launcher()
        self._owns_launcher = launcher is None
        self._entries: dict[str, _Entry] = {}
        self._starting = asyncio.Semaphore(_AT_ONCE)

    @property
    def plugins(self) -> list[Plugin]:
        """The loaded ones."""
        return [entry.plugin for entry in self._entries.values()]

    def discover(self, folders: Iterable[Path], wheels: Iterable[Packaged] = ()) -> Discovered:
        """Read the manifest of every plugin in the search folders and in wheels. Runs nothing.

        The first of a name wins: what ships, then wheels, then the other folders.
        """
        found: dict[str, Plugin] = {}
        discovered = Discovered([], [], [])
        for place in self._places(list(folders), wheels):
            plugin = None
            try:
                if place.wrong:
                    raise PluginError(f"{place.wrong}.", f"Remove it: pip uninstall {place.wheel}.")
                plugin = self.read(place.folder, wheel=place.wheel)
                self._check_name(plugin, found.get(plugin.name))
                found[plugin.name] = plugin
                if self._grants and self._grants.is_off(self.kind, plugin.name):
                    discovered.off.append(plugin)
                    continue
                self._check_granted(plugin)
            except PluginError as error:
                problem = Problem(place.folder, error.what, error.remedy, plugin, place.wheel, self.kind)
                discovered.problems.append(problem)
            else:
                discovered.plugins.append(plugin)
        return discovered

    async def load(self, folders: Iterable[Path], wheels: Iterable[Packaged] = ()) -> Loaded:
        """Discover plugins and describe them in their children."""
        plugins, problems, _ = self.discover(folders, wheels)
        answers = await asyncio.gather(*map(self.rows, plugins), return_exceptions=True)
        loaded = Loaded([], problems)
        for plugin, answer in zip(plugins, answers, strict=True):
            if isinstance(answer, PluginError):
                problem = Problem(plugin.folder, answer.what, answer.remedy, plugin, plugin.wheel, self.kind)
                loaded.problems.append(problem)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                loaded.rows.extend(answer)
        return loaded

    async def add(self, folder: Path, *, wheel: str = "") -> list[Syscall]:
        """Load one plugin while the system runs; one that was loaded from this folder is loaded afresh.

        The caller takes the old rows out of the table first: `remove`.

        Raises:
            PluginError: It is broken, asks for more than it was granted, or its name is taken; both files are named.
        """
        plugin = self.read(folder, wheel=wheel)
        loaded = self._entries.get(plugin.name)
        self._check_name(plugin, loaded.plugin if loaded else None)
        self._check_granted(plugin)
        await self.remove(plugin.name)
        return await self.rows(plugin)

    async def remove(self, name: str) -> list[str]:
        """End a plugin's children and forget it.

        Returns:
            The names of its syscalls, to be taken out of the table; empty where it wasn't loaded.
        """
        entry = self._entries.pop(name, None)
        if entry is None:
            return []
        await _close(entry)
        return [row.name for row in entry.rows or ()]

    async def rows(self, plugin: Plugin) -> list[Syscall]:
        """A plugin's syscalls, described by its child the first time and kept in memory.

        Raises:
            PluginError: It can't be imported, or describes what can't be a syscall.
        """
        entry = self._entries.get(plugin.name)
        if entry is None:
            entry = self._entries[plugin.name] = _Entry(plugin, self._worker(plugin, plugin.asks))
        if entry.rows is None:
            try:
                async with self._starting:
                    entry.said = await entry.worker.describe()
                entry.rows = description.rows(plugin, entry.said, lambda name: self._handler(entry, name))
            except BaseException:
                await self.remove(plugin.name)
                raise
        return entry.rows

    async def faults(self, plugin: Plugin) -> tuple[list[PluginError], list[Syscall]]:
        """All that is wrong with a plugin's code, and its syscalls where nothing is; nothing stays loaded.

        What it asks for needn't be granted: describing itself takes none of it.
        """
        worker = self._worker(plugin, NOTHING)
        try:
            self._check_name(plugin, None)
            said = await worker.describe()
        except PluginError as error:
            return [error], []
        finally:
            await worker.close()
        found = description.faults(plugin, said)
        return found, [] if found else description.rows(plugin, said, description.never)

    def read(self, folder: Path, *, wheel: str = "") -> Plugin:
        """Read the manifest of a plugin of this kind.

        Raises:
            PluginError: It has faults.
        """
        return manifest.read(folder, self.kind, wheel=wheel)

    def granted(self, plugin: Plugin) -> Capabilities:
        """What a plugin may do; for what ships that is what it asks for."""
        if self.is_shipped(plugin.folder):
            return plugin.asks
        return self._grants.of(plugin) if self._grants else NOTHING

    def is_shipped(self, folder: Path) -> bool:
        """Whether it came with llmasos."""
        return folder.resolve().parent == self._trusted

    async def close(self) -> None:
        """End all children."""
        entries, self._entries = list(self._entries.values()), {}
        await asyncio.gather(*map(_close, entries))
        if self._owns_broker:
            self._broker.close()
        if self._owns_launcher:
            await self._launcher.close()

    async def __aenter__(self) -> PluginHost:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _places(self, folders: list[Path], wheels: Iterable[Packaged]) -> Iterator[Packaged]:
        shipped = [folder for folder in folders if folder.resolve() == self._trusted]
        yield from (Packaged("", folder) for folder in _plugin_folders(shipped, self.kind))
        for one in wheels:
            # What holds neither a plugin nor an app is a plugin without its manifest.
            if (one.folder / f"{self.kind}.toml").is_file() or (
                self.kind == "plugin" and not (one.folder / "app.toml").is_file()
            ):
                yield one
        others = [folder for folder in folders if folder not in shipped]
        yield from (Packaged("", folder) for folder in _plugin_folders(others, self.kind))

    def _check_name(self, plugin: Plugin, other: Plugin | None) -> None:
        file = plugin.folder / f"{plugin.kind}.toml"
        if plugin.name in self._reserved:
            raise PluginError(f"{file}: the name {plugin.name!r} belongs to the system.", "Choose another name.")
        if other and other.folder != plugin.folder:
            raise PluginError(
                f"{file}: the name {plugin.name!r} is taken by {other.folder / f'{other.kind}.toml'}.",
                "Rename one of them.",
            )

    def _check_granted(self, plugin: Plugin) -> None:
        granted = self.granted(plugin)
        lacking = plugin.asks.beyond(granted)
        if lacking:
            new = "asks for more than it was granted; new: " if granted else "asks for what it wasn't granted: "
            raise PluginError(f"It {new}{lacking}.", f"'llmasos {plugin.kind} grant {plugin.name}' shows it and asks.")

    def _worker(self, plugin: Plugin, may: Capabilities, workspace: Path | None = None, said: Any = None) -> Worker:
        return Worker(
            plugin, self._launcher, timeout=self._timeout, idle=self._idle, described=said,
            allowed=lambda: self._folders.allowed(may, workspace),
        )  # fmt: skip

    async def _of(self, entry: _Entry, caller: Caller) -> Worker:
        """The worker of whoever calls, made where there is none."""
        plugin, workspace = entry.plugin, caller.session.workspace if is_in_workspace(entry.plugin.asks) else None
        whose, process = _Whose("", (), workspace), None
        # Of one that is single-use nothing is left for another; an app is one process, with a child of its own.
        if plugin.isolation == "worker" and plugin.kind == "plugin":
            *via, process = _up_to_no_plugin(caller)
            person = process.program == "shell"
            whose = _Whose(process.owner if person else process.pid, tuple(one.subject for one in via), workspace)
            process = None if person else process
        if whose not in entry.workers:
            free = entry.worker not in (worker for _, worker in entry.workers.values())
            adopted = free and process is None and workspace is None
            worker = entry.worker if adopted else self._worker(plugin, plugin.asks, workspace, entry.said)
            entry.workers[whose] = (process, worker)
            await _leave(entry)
        return entry.workers[whose][1]

    def _handler(self, entry: _Entry, function: str) -> Handler:
        asks = entry.plugin.asks
        has_door = bool(asks.syscalls or asks.hosts)

        async def run(caller: Any, /, **args: Any) -> Any:
            worker = await self._of(entry, caller) if caller else entry.worker
            if not has_door or caller is None:
                return await worker.call(function, args)
            async with door.opened(caller, entry.plugin, self._broker) as doorway:
                return await worker.call(function, args, doorway)

        return run


def _plugin_folders(folders: Iterable[Path], kind: Kind) -> list[Path]:
    found = []
    for folder in folders:
        try:
            # One with code and no manifest is named, not passed over.
            found += sorted(
                inside
                for inside in folder.iterdir()
                if (inside / f"{kind}.toml").is_file() or (inside / f"{kind}.py").is_file()
            )
        except OSError:
            continue  # a search folder that isn't there holds no plugins
    return found


async def _close(entry: _Entry) -> None:
    workers = {entry.worker, *(worker for _, worker in entry.workers.values())}
    await asyncio.gather(*(worker.close() for worker in workers))


def _up_to_no_plugin(caller: Caller) -> Iterator[Process]:
    """The processes of a call: of the plugins that it was made through, then of whoever called the first of them."""
    for process in caller.kernel.processes.line(caller.process):
        yield process
        if process.program != "plugin":
            return


async def _leave(entry: _Entry) -> None:
    """End the children of processes that have ended."""
    over = [whose for whose, (process, _) in entry.workers.items() if process and not process.alive]
    await asyncio.gather(*(entry.workers.pop(whose)[1].close() for whose in over))


__all__ = ["Discovered", "Loaded", "Plugin", "PluginHost", "Problem"]
