"""All plugins: found in folders, described and called in children, added and removed while the system runs.

    host = PluginHost(reserved={"files", "tasks"})
    rows, problems = await host.load(search_path("plugins", home))
    for row in rows:
        table.add(row)

A plugin that can't be loaded is a `Problem` that names it; the others load.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from llmasos.core.base.errors import PluginError, SyscallError
from llmasos.core.base.types import Call
from llmasos.core.kernel.sandbox import description, manifest
from llmasos.core.kernel.sandbox.launcher import Launcher
from llmasos.core.kernel.sandbox.manifest import Kind, Plugin
from llmasos.core.kernel.sandbox.worker import Door, Worker
from llmasos.core.kernel.session import Inside
from llmasos.core.kernel.syscall import Handler, Syscall

_AT_ONCE = 2
"""Children that start at the same time: the start of a shell isn't slowed by twenty plugins."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A plugin that isn't loaded.

    Attributes:
        folder: Where it is.
        what: Why, one sentence.
        remedy: What to do about it, may be empty.
    """

    folder: Path
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"The plugin {self.folder.name} isn't loaded: {self.what} {self.remedy}".strip()


class Discovered(NamedTuple):
    """What was found without running anything."""

    plugins: list[Plugin]
    problems: list[Problem]


class Loaded(NamedTuple):
    """Syscalls ready to be entered into the table, and the plugins that gave none."""

    rows: list[Syscall]
    problems: list[Problem]


@dataclass(slots=True)
class _Entry:
    plugin: Plugin
    worker: Worker
    rows: list[Syscall] | None = None


class PluginHost:
    """Loads and calls plugins; none of their code runs in this process.

    Args:
        reserved: Names that no plugin may take: the rooms of the system's own syscalls.
        timeout: Seconds a call may take, and a plugin's import.
        idle: Seconds after which an unused child ends.
        kind: What it loads, plugins or apps.
        launcher: Starts the children, and is closed by whoever made it; None makes one.
        trusted: The folder whose plugins are granted the syscalls they ask for; None grants nobody any.
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
    ) -> None:
        self._reserved = frozenset(reserved)
        self._timeout = timeout
        self._idle = idle
        self._kind: Kind = kind
        self._trusted = trusted.resolve() if trusted else None
        self._launcher = launcher or Launcher()
        self._owns_launcher = launcher is None
        self._entries: dict[str, _Entry] = {}
        self._starting = asyncio.Semaphore(_AT_ONCE)

    @property
    def plugins(self) -> list[Plugin]:
        """The loaded ones."""
        return [entry.plugin for entry in self._entries.values()]

    def discover(self, folders: Iterable[Path]) -> Discovered:
        """Read the manifest of every plugin in the search folders; the first of a name wins. Runs nothing."""
        found: dict[str, Plugin] = {}
        problems: list[Problem] = []
        for folder in _plugin_folders(folders, self._kind):
            try:
                plugin = self._read(folder)
                self._check_name(plugin, found.get(plugin.name))
            except PluginError as error:
                problems.append(Problem(folder, error.what, error.remedy))
            else:
                found[plugin.name] = plugin
        return Discovered(list(found.values()), problems)

    async def load(self, folders: Iterable[Path]) -> Loaded:
        """Discover plugins and describe them in their children."""
        plugins, problems = self.discover(folders)
        answers = await asyncio.gather(*map(self.rows, plugins), return_exceptions=True)
        loaded = Loaded([], problems)
        for plugin, answer in zip(plugins, answers, strict=True):
            if isinstance(answer, PluginError):
                loaded.problems.append(Problem(plugin.folder, answer.what, answer.remedy))
            elif isinstance(answer, BaseException):
                raise answer
            else:
                loaded.rows.extend(answer)
        return loaded

    async def add(self, folder: Path) -> list[Syscall]:
        """Load one plugin while the system runs; one that was loaded from this folder is loaded afresh.

        The caller takes the old rows out of the table first: `remove`.

        Raises:
            PluginError: It is broken, or its name is taken; both files are named.
        """
        plugin = self._read(folder)
        loaded = self._entries.get(plugin.name)
        self._check_name(plugin, loaded.plugin if loaded else None)
        await self.remove(plugin.name)
        return await self.rows(plugin)

    async def remove(self, name: str) -> list[str]:
        """End a plugin's child and forget it.

        Returns:
            The names of its syscalls, to be taken out of the table; empty where it wasn't loaded.
        """
        entry = self._entries.pop(name, None)
        if entry is None:
            return []
        await entry.worker.close()
        return [row.name for row in entry.rows or ()]

    async def rows(self, plugin: Plugin) -> list[Syscall]:
        """A plugin's syscalls, described by its child the first time and kept in memory.

        Raises:
            PluginError: It can't be imported, or describes what can't be a syscall.
        """
        entry = self._entries.get(plugin.name)
        if entry is None:
            worker = Worker(plugin, self._launcher, timeout=self._timeout, idle=self._idle)
            entry = self._entries[plugin.name] = _Entry(plugin, worker)
        if entry.rows is None:
            try:
                async with self._starting:
                    said = await entry.worker.describe()
                entry.rows = description.rows(plugin, said, lambda name: _handler(entry, name))
            except BaseException:
                await self.remove(plugin.name)
                raise
        return entry.rows

    async def close(self) -> None:
        """End all children."""
        entries, self._entries = list(self._entries.values()), {}
        await asyncio.gather(*(entry.worker.close() for entry in entries))
        if self._owns_launcher:
            await self._launcher.close()

    async def __aenter__(self) -> PluginHost:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _read(self, folder: Path) -> Plugin:
        return manifest.read(folder, self._kind, granted=folder.resolve().parent == self._trusted)

    def _check_name(self, plugin: Plugin, other: Plugin | None) -> None:
        file = plugin.folder / f"{plugin.kind}.toml"
        if plugin.name in self._reserved:
            raise PluginError(f"{file}: the name {plugin.name!r} belongs to the system.", "Choose another name.")
        if other and other.folder != plugin.folder:
            raise PluginError(
                f"{file}: the name {plugin.name!r} is taken by {other.folder / f'{other.kind}.toml'}.",
                "Rename one of them.",
            )


def _plugin_folders(folders: Iterable[Path], kind: Kind) -> Sequence[Path]:
    found = []
    for folder in folders:
        try:
            found += sorted(inside for inside in folder.iterdir() if (inside / f"{kind}.toml").is_file())
        except OSError:
            continue  # a search folder that isn't there holds no plugins
    return found


def _handler(entry: _Entry, function: str) -> Handler:
    async def run(caller: Any, /, **args: Any) -> Any:
        return await entry.worker.call(function, args, _door(caller, entry.plugin) if entry.plugin.syscalls else None)

    return run


def _door(caller: Any, plugin: Plugin) -> Door:
    """The kernel's door for the code of one plugin, as the process that calls it.

    What it does is shown to the person as the call that they made; what it wants to ask, they are asked.
    """

    async def trap(name: str, args: Mapping[str, Any]) -> dict[str, Any]:
        if not any(fnmatchcase(name, pattern) for pattern in plugin.syscalls):
            raise SyscallError(
                "EACCES", f"{plugin.name} may not call {name[:80]}.", f"It may call {', '.join(plugin.syscalls)}."
            )
        inside = replace(caller.session, front=Inside(caller.session.front))
        # Whatever it names, the plugin chose it.
        origins = dict.fromkeys(args, frozenset({f"{plugin.kind}:{plugin.name}"}))
        result = await caller.kernel.trap(
            caller.process,
            inside,
            Call(name, dict(args), origins=origins),
            request=caller.request,
            labels=caller.labels,
        )
        if result.ok:
            return {"value": result.value}
        return {"error": {"code": result.error, "what": result.message, "remedy": ""}}

    return trap


__all__ = ["Discovered", "Loaded", "Plugin", "PluginHost", "Problem"]
