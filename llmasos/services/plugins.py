"""plugin.*: plugins and apps by others: what is installed, from where, what it may do; added, granted, removed.

None of these can be said in a sentence: what is installed here, and what it may do, is typed by the person.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from llmasos.core.base import paths
from llmasos.core.base.errors import PluginError, SyscallError
from llmasos.core.base.paths import expanded
from llmasos.core.base.values import done, items
from llmasos.core.kernel.sandbox import Capabilities, Packaged, Plugin, PluginHost, Problem
from llmasos.core.kernel.sandbox.grants import Grants, Kept
from llmasos.core.kernel.sandbox.manifest import Kind
from llmasos.core.kernel.syscall import Syscall, SyscallTable, inverse, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services import plugin_files

Of = Literal["plugin", "app"]

State = Literal["loaded", "off", "asks", "broken", "new"]
"""Runs; switched off; waits for a grant; can't be loaded; came after the start."""

_STAGED = ".adding-"
_REMEMBERED = 64


class Shelf(Protocol):
    """Where the functions of loaded plugins go, or those of apps."""

    def enter(self, name: str, rows: Sequence[Syscall]) -> None:
        """One was loaded.

        Raises:
            PluginError: It can't be entered.
        """

    def leave(self, name: str) -> None:
        """One is no longer loaded."""


class TableShelf:
    """Plugins: their functions are rows of the syscall table."""

    def __init__(self, table: SyscallTable) -> None:
        self._table = table

    def enter(self, name: str, rows: Sequence[Syscall]) -> None:
        """All rows, or none."""
        try:
            for row in rows:
                self._table.add(row)
        except PluginError:
            self.leave(name)
            raise

    def leave(self, name: str) -> None:
        """Take its rows out."""
        for row in list(self._table):
            if row.plugin == name:
                del self._table.rows[row.name]


@dataclass
class Collection:
    """All there is of one kind.

    Attributes:
        host: Runs them.
        shelf: Where their functions go.
        home: The folder of all state.
        folder: What their folder is called, there and in what ships.
        broken: Those that failed when they were loaded.
    """

    host: PluginHost
    shelf: Shelf
    home: Path
    folder: paths.Kind
    broken: dict[Path, Problem] = field(default_factory=dict)

    @property
    def own(self) -> Path:
        """The folder for those that a person adds."""
        return self.home / self.folder

    @property
    def folders(self) -> Sequence[Path]:
        """Where they are looked for."""
        return list(paths.search_path(self.folder, self.home))


@dataclass(frozen=True, slots=True)
class Standing:
    """How one stands.

    Attributes:
        plugin: What its manifest says; None where that can't be read.
        state: Whether it runs.
        name: What it is called.
        source: bundled, home, or the wheel.
        reason: Why it doesn't run.
    """

    plugin: Plugin | None
    state: State
    name: str
    source: str
    reason: str = ""


class Plugins:
    """The plugins and apps of one home.

    Args:
        collections: By kind.
        wheels: Looks which distributions have some.
        grants: What the person granted.
        home: The folder of all state.
    """

    def __init__(
        self,
        collections: Mapping[Kind, Collection],
        wheels: Callable[[], list[Packaged]],
        grants: Grants,
        home: Path,
    ) -> None:
        self._collections = collections
        self._wheels = wheels
        self._grants = grants
        self._home = home
        self._previewed: dict[str, str] = {}
        """What a person was shown last -> the digest of the manifest that said it."""

    async def load(self, kind: Kind) -> list[str]:
        """Load all of a kind; returns what is wrong with those that can't be."""
        here = self._collections[kind]
        loaded = await here.host.load(here.folders, self._wheels())
        problems = list(loaded.problems)
        for plugin in here.host.plugins:
            try:
                here.shelf.enter(plugin.name, [row for row in loaded.rows if row.plugin == plugin.name])
            except PluginError as error:
                await here.host.remove(plugin.name)
                problems.append(Problem(plugin.folder, error.what, error.remedy, plugin, plugin.wheel, kind))
        here.broken = {problem.folder: problem for problem in problems}
        return list(map(str, problems))

    @syscall("plugin.list", effect="read", spoken=False)
    async def listed(self, caller: Caller, kind: Of | None = None) -> dict[str, Any]:
        """Plugins and apps that are installed, and what they may do.

        Args:
            kind: Only plugins, or only apps.
        """
        rows = [
            {
                "ref": one.name, "kind": of, "name": one.name, "version": one.plugin.version if one.plugin else "",
                "from": one.source, "state": one.state, "may": self._may(of, one), "reason": one.reason,
            }
            for of in self._collections if kind in (None, of) for one in self._standings(of)
        ]  # fmt: skip
        return items("plugin", rows, ["kind", "name", "version", "from", "state", "may", "reason"], empty="None.")

    @syscall("plugin.add", effect="final", preview="preview_add", spoken=False)
    async def add(self, caller: Caller, path: str) -> dict[str, Any]:
        """Install a plugin or an app from a folder or a wheel, and grant what it asks for.

        The files are copied, described in a confined child, and loaded. One of the same name that was added before is
        replaced.

        Args:
            path: The folder, or the .whl file.
        """
        with self._brought(caller, path) as plugin:
            here = self._collections[plugin.kind]
            self._check_shown(f"add {_source(caller, path)}", plugin)
            faults, _ = await here.host.faults(plugin)
            if faults:
                raise faults[0]
            place = _put(plugin.folder, here.own / plugin.name)
            await self._unload(plugin.kind, plugin.name)
            plugin = here.host.read(place)
            self._grants.give(plugin)
            self._grants.switch(plugin.kind, plugin.name, on=True)
            names = await self._load(plugin)
        return done(f"Added {plugin.name} {plugin.version}: {', '.join(names)}.", ref=plugin.name)

    async def preview_add(self, caller: Caller, path: str) -> dict[str, str]:
        """Who it is, what is new about it, and what it asks for."""
        with self._brought(caller, path) as plugin:
            here = self._collections[plugin.kind]
            self._check_free(plugin, here)
            self._shown(f"add {_source(caller, path)}", plugin)
            before = self._kept_version(here, plugin.name)
            kept = self._grants.kept(plugin.kind, plugin.name) if before else None
            version = f"{before} → {plugin.version}" if before else plugin.version
            return {"path": str(_source(caller, path)), **_about(plugin, version), **_asked(plugin, kept)}

    @syscall("plugin.grant", effect="final", preview="preview_grant", spoken=False)
    async def grant(self, caller: Caller, name: str, kind: Of = "plugin") -> dict[str, Any]:
        """Grant a plugin or an app what it asks for, and load it.

        Args:
            name: Which.
            kind: plugin or app.
        """
        plugin = self._found(kind, name)
        self._check_shown(f"grant {kind} {name}", plugin)
        self._grants.give(plugin)
        with _told():
            await self._unload(kind, name)
            if not self._grants.is_off(kind, name):
                await self._load(plugin)
        return done(f"{name} may now: {plugin.asks}.", ref=name)

    async def preview_grant(self, caller: Caller, name: str, kind: Of = "plugin") -> dict[str, str]:
        """What it asks for, and what of it is new."""
        plugin = self._found(kind, name)
        if not plugin.asks.beyond(self._collections[kind].host.granted(plugin)):
            raise SyscallError("EEXIST", f"{name} has all that it asks for: {plugin.asks}.")
        self._shown(f"grant {kind} {name}", plugin)
        kept = self._grants.kept(kind, name)
        known = kept if kept and kept["source"] == plugin.source else None
        return {**_about(plugin, plugin.version), "from": plugin.source, **_asked(plugin, known)}

    @syscall("plugin.revoke", effect="write", spoken=False)
    async def revoke(self, caller: Caller, name: str, kind: Of = "plugin") -> dict[str, Any]:
        """Take back what a plugin or an app was granted; one that asks for something is no longer loaded.

        Args:
            name: Which.
            kind: plugin or app.
        """
        kept = self._grants.kept(kind, name)
        if kept is None:
            raise SyscallError("ENOENT", f"{name} was granted nothing.", "'plugin.list' shows what is.")
        caller.prepare("plugin.revoke", {"kind": kind, "name": name, "grant": dict(kept)})
        self._grants.take(kind, name)
        await self._reload(kind, name)
        return done(f"{name} is granted nothing any more.", ref=name)

    @syscall("plugin.disable", effect="write", spoken=False)
    async def disable(self, caller: Caller, name: str, kind: Of = "plugin") -> dict[str, Any]:
        """Switch a plugin or an app off: it stays installed and isn't loaded.

        Args:
            name: Which.
            kind: plugin or app.
        """
        self._found(kind, name)
        if self._grants.is_off(kind, name):
            raise SyscallError("EEXIST", f"{name} is off already.")
        caller.prepare("plugin.switch", {"kind": kind, "name": name, "on": True})
        self._grants.switch(kind, name, on=False)
        await self._unload(kind, name)
        return done(f"{name} is off.", ref=name)

    @syscall("plugin.enable", effect="write", spoken=False)
    async def enable(self, caller: Caller, name: str, kind: Of = "plugin") -> dict[str, Any]:
        """Switch a plugin or an app on again.

        Args:
            name: Which.
            kind: plugin or app.
        """
        self._found(kind, name)
        if not self._grants.is_off(kind, name):
            raise SyscallError("EEXIST", f"{name} isn't off.")
        caller.prepare("plugin.switch", {"kind": kind, "name": name, "on": False})
        self._grants.switch(kind, name, on=True)
        why = await self._reload(kind, name)
        return done(f"{name} is on.", ref=name, note=why)

    @syscall("plugin.remove", effect="destroy", preview="preview_remove", spoken=False)
    async def remove(self, caller: Caller, name: str, kind: Of = "plugin") -> dict[str, Any]:
        """Remove a plugin or an app that was added, with what it was granted.

        Args:
            name: Which.
            kind: plugin or app.
        """
        place = self._own_place(kind, name)
        with _told():
            packed = plugin_files.pack(place)
        store, kept = caller.kernel.store, self._grants.kept(kind, name)
        with store.transaction():
            blob = store.put_blob(packed)
            payload = {"kind": kind, "name": name, "folder": place.name, "grant": kept and dict(kept), "blob": blob}
            caller.prepare("plugin.remove", payload, blobs=(blob,))
        await self._unload(kind, name)
        shutil.rmtree(place)
        self._grants.take(kind, name)
        return done(f"Removed {name}.", ref=name)

    async def preview_remove(self, caller: Caller, name: str, kind: Of = "plugin") -> dict[str, str]:
        """Which folder goes."""
        return {"name": name, "kind": kind, "path": str(self._own_place(kind, name))}

    @inverse("plugin.revoke")
    async def take_back_revoke(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Grant again what was revoked."""
        self._grants.put_back(payload["kind"], payload["name"], payload["grant"])
        await self._reload(payload["kind"], payload["name"])
        return f"Granted {payload['name']} again what it had."

    @inverse("plugin.switch")
    async def take_back_switch(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Switch it the other way again."""
        kind, name = payload["kind"], payload["name"]
        self._grants.switch(kind, name, on=payload["on"])
        await (self._reload(kind, name) if payload["on"] else self._unload(kind, name))
        return f"Switched {name} {'on' if payload['on'] else 'off'} again."

    @inverse("plugin.remove")
    async def take_back_remove(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Put the files and the grant back."""
        kind, name = payload["kind"], payload["name"]
        place = self._collections[kind].own / payload["folder"]
        packed = caller.kernel.store.get_blob(payload["blob"])
        if place.exists() or packed is None:
            raise SyscallError("ESTALE", f"{place} is there again.", "Remove it first.")
        with _told():
            plugin_files.unpack(packed, place)
        self._grants.put_back(kind, name, payload["grant"])
        await self._reload(kind, name)
        return f"Put {name} back."

    # What is where

    def _standings(self, kind: Kind) -> list[Standing]:
        """All of a kind that can be found now."""
        here = self._collections[kind]
        running = {plugin.name: plugin for plugin in here.host.plugins}
        found = here.host.discover(here.folders, self._wheels())
        standings = [Standing(running[name], "loaded", name, self._from(here, running[name])) for name in running]
        standings += [Standing(plugin, "off", plugin.name, self._from(here, plugin)) for plugin in found.off]
        for plugin in found.plugins:
            if plugin.name not in running:
                failed = here.broken.get(plugin.folder)
                state: State = "broken" if failed else "new"
                reason = f"{failed.what} {failed.remedy}".strip() if failed else "It is loaded at the next start."
                standings.append(Standing(plugin, state, plugin.name, self._from(here, plugin), reason))
        for problem in found.problems:
            one = problem.plugin
            if one and one.name in running and one.folder == running[one.name].folder:
                continue  # runs as it was granted; what its new manifest asks for is met at the next start
            asks = one is not None and bool(one.asks.beyond(here.host.granted(one)))
            source = f"wheel {problem.wheel}" if problem.wheel else self._from_folder(here, problem.folder)
            reason = f"{problem.what} {problem.remedy}".strip()
            standings.append(Standing(one, "asks" if asks else "broken", problem.name, source, reason))
        return sorted(standings, key=lambda one: one.name)

    def _from(self, here: Collection, plugin: Plugin) -> str:
        return plugin.source if plugin.wheel else self._from_folder(here, plugin.folder)

    def _from_folder(self, here: Collection, folder: Path) -> str:
        return "bundled" if here.host.is_shipped(folder) else "home"

    def _may(self, kind: Kind, one: Standing) -> str:
        granted = self._collections[kind].host.granted(one.plugin) if one.plugin else None
        return str(granted) if granted else ""

    def _found(self, kind: Kind, name: str) -> Plugin:
        standings = self._standings(kind)
        for one in standings:
            if one.plugin and one.name == name:
                return self._collections[kind].host.read(one.plugin.folder, wheel=one.plugin.wheel)
        known = ", ".join(one.name for one in standings) or "none"
        raise SyscallError("ENOENT", f"There is no {kind} {name!r}.", f"Installed: {known}.")

    def _own_place(self, kind: Kind, name: str) -> Path:
        """The folder of one that a person added."""
        here = self._collections[kind]
        named = [one for one in self._standings(kind) if one.name == name]
        for one in named:
            if one.source == "home":
                # By its name there, which may be a link; one whose manifest can't be read goes by that alone.
                wanted = one.plugin.folder if one.plugin else (here.own / name).resolve()
                return next(place for place in here.own.iterdir() if place.resolve() == wanted)
        for one in named:
            whence = "llmasos" if one.source == "bundled" else f"the {one.source}"
            what = f"{name} comes with {whence}."
            raise SyscallError("ENOTSUP", what, f"'llmasos {kind} disable {name}' switches it off.")
        raise SyscallError("ENOENT", f"There is no {kind} {name!r}.", "'plugin.list' shows those there are.")

    def _kept_version(self, here: Collection, name: str) -> str:
        """The version that would be replaced; empty where there is none."""
        try:
            return here.host.read(here.own / name).version
        except PluginError:
            return "another" if (here.own / name).exists() else ""

    def _check_free(self, plugin: Plugin, here: Collection) -> None:
        for one in self._standings(plugin.kind):
            if one.name == plugin.name and one.plugin and one.plugin.folder != here.own.resolve() / plugin.name:
                what = f"There is a {plugin.kind} {plugin.name} already, in {one.plugin.folder}."
                raise SyscallError("EEXIST", what, "Rename one of them.")

    def _shown(self, what: str, plugin: Plugin) -> None:
        if len(self._previewed) > _REMEMBERED:
            self._previewed.clear()
        self._previewed[what] = plugin.digest

    def _check_shown(self, what: str, plugin: Plugin) -> None:
        if self._previewed.pop(what, None) != plugin.digest:
            raise SyscallError("ESTALE", f"{plugin.name} isn't what was shown.", "Say it again.")

    # Coming and going

    @contextmanager
    def _brought(self, caller: Caller, path: str) -> Iterator[Plugin]:
        """A copy of a plugin's files in a folder of ours, which goes at the end if it is still there."""
        source = _source(caller, path)
        for left in self._home.glob(f"{_STAGED}*"):  # by one that was killed
            shutil.rmtree(left, ignore_errors=True)
        staged = Path(tempfile.mkdtemp(prefix=_STAGED, dir=self._home))
        try:
            with _told():
                place = staged / "plugin"
                plugin_files.bring(source, place)
                kind: Kind = "app" if (place / "app.toml").is_file() else "plugin"
                yield self._collections[kind].host.read(place)
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    async def _load(self, plugin: Plugin) -> Sequence[str]:
        """Load one; returns the names of its functions."""
        here = self._collections[plugin.kind]
        here.broken.pop(plugin.folder, None)
        try:
            rows = await here.host.add(plugin.folder, wheel=plugin.wheel)
            try:
                here.shelf.enter(plugin.name, rows)
            except PluginError:
                await here.host.remove(plugin.name)
                raise
        except PluginError as error:
            here.broken[plugin.folder] = Problem(
                plugin.folder, error.what, error.remedy, plugin, plugin.wheel, plugin.kind
            )
            raise
        return [row.name for row in rows]

    async def _unload(self, kind: Kind, name: str) -> None:
        here = self._collections[kind]
        here.shelf.leave(name)
        await here.host.remove(name)

    async def _reload(self, kind: Kind, name: str) -> str:
        """Load one again as it stands now; why that can't be, empty where it can."""
        await self._unload(kind, name)
        try:
            await self._load(self._found(kind, name))
        except (PluginError, SyscallError) as error:
            return str(error)
        return ""


def _source(caller: Caller, path: str) -> Path:
    """Where a plugin is that somebody names: from the folder they are in."""
    try:
        named = expanded(path)
    except RuntimeError:  # ~nobody
        named = Path(path)
    return caller.session.workspace / caller.session.cwd / named


def _about(plugin: Plugin, version: str) -> dict[str, str]:
    """Who it is, as a person is shown it."""
    return {
        "kind": plugin.kind, "name": plugin.name, "version": version, "about": plugin.description,
        "author": f"{plugin.author} ({plugin.license})",
    }  # fmt: skip


def _put(staged: Path, place: Path) -> Path:
    """Put a folder into its place; the one that is there goes with the rest of what was staged."""
    place.parent.mkdir(exist_ok=True, mode=0o700)
    replaced = staged.with_name("replaced")
    if place.exists():
        place.rename(replaced)
    try:
        return staged.rename(place)
    except OSError as error:
        if replaced.exists():
            replaced.rename(place)
        raise PluginError(f"{place} can't be made: {error.strerror}.") from None


def _asked(plugin: Plugin, kept: Kept | None) -> dict[str, str]:
    """What a plugin asks for, and what of it is new where it was granted something before."""
    if kept is None:
        return plugin.asks.shown() or {"asks for": "nothing"}
    granted = Capabilities.from_json(kept["capabilities"])
    return {"has": str(granted), "new": str(plugin.asks.beyond(granted))}


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with a plugin is an answer to who named it."""
    try:
        yield
    except PluginError as error:
        raise SyscallError("EINVAL", error.what, error.remedy) from None
