"""`llmasos doctor`: is this installation sound, and what protects it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from llmasos.compose import LOG_FILE, Machine, compose, kept_words
from llmasos.core.base.errors import LlmasosError, PluginError
from llmasos.core.base.paths import cache_dir
from llmasos.core.base.settings import Settings
from llmasos.core.engine import models
from llmasos.core.engine.openai.address import PROMPTS, is_remote
from llmasos.core.engine.sources import file_of
from llmasos.core.kernel.policy import Policy
from llmasos.core.kernel.policy.rule import TIERS
from llmasos.core.kernel.sandbox import (
    PROBE,
    Command,
    Launcher,
    Plugin,
    PluginHost,
    limits,
    seccomp,
)
from llmasos.core.kernel.sandbox.landlock import Place
from llmasos.core.kernel.store import Store
from llmasos.services.interpreter.interpreter import ADAPTER
from llmasos.services.system import resident_mb
from llmasos.shell import keys
from llmasos.shell.server_model import look

State = Literal["ok", "note", "broken"]
_MARKS: dict[State, str] = {"ok": "ok    ", "note": "note  ", "broken": "BROKEN"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    detail: str


async def run_doctor(settings: Settings, *, as_json: bool) -> int:
    """Print what was found; exit code 1 where something is broken."""
    findings = [
        _checked("python", _python),
        *([] if is_remote(settings.model) else [_checked("model", lambda: _model(settings))]),
        _checked("adapter", _adapter),
        _checked("disk", lambda: _disk(settings)),
    ]
    if is_remote(settings.model):
        findings += await _server(settings)
    try:
        machine = await compose(settings, ask=keys.asker())
    except LlmasosError as error:
        findings.append(Finding("home", "broken", str(error)))
    else:
        try:
            findings += await _living(machine)
        finally:
            await machine.close()
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=1))
    else:
        for finding in findings:
            print(f"{_MARKS[finding.state]} {finding.what:14} {finding.detail}")
    return 1 if any(finding.state == "broken" for finding in findings) else 0


def _checked(what: str, look: Callable[[], tuple[State, str]]) -> Finding:
    try:
        state, detail = look()
    except (LlmasosError, OSError) as error:
        state, detail = "broken", str(error)
    return Finding(what, state, detail)


def _python() -> tuple[State, str]:
    return "ok", f"{platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores, {sys.platform}"


def _model(settings: Settings) -> tuple[State, str]:
    info = models.info(file_of(settings.model, settings))
    return "ok", f"{info.name} ({info.path})"


async def _server(settings: Settings) -> list[Finding]:
    """The server that talks, and what leaves for it."""
    try:
        seen = await look(settings)
    except LlmasosError as error:
        return [Finding("model", "broken", str(error))]
    lacking = bool(seen.trouble) or seen.missing or not seen.address.name
    return [
        Finding("model", "broken" if lacking else "ok", f"{seen.address.name} at {seen.address.base}. {seen.state}"),
        Finding("words", "ok" if seen.address.stays else "note", f"{seen.address.whither}, with {PROMPTS}"),
        Finding("server key", "ok", seen.key),
    ]


def _adapter() -> tuple[State, str]:
    if ADAPTER.is_file():
        return "ok", f"interpreter adapter, {ADAPTER.stat().st_size / 1e6:.1f} MB"
    return "broken", "The interpreter's adapter is missing, so sentences are hardly understood. Install llmasos again."


def _disk(settings: Settings) -> tuple[State, str]:
    folder = cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / 1e9
    return ("ok" if free > 1 else "note"), f"{free:.1f} GB free for {folder} and {settings.home}"


async def _living(machine: Machine) -> list[Finding]:
    """What only a running system can tell."""
    found = [
        Finding("home", "ok", str(machine.settings.home)),
        Finding("key", "ok", machine.keyring.custody),
        Finding("kept", "ok", kept_words(machine.kernel.store)),
        _whole(machine.kernel.store),
        Finding("pages", "ok", f"sealed by {seals}" if (seals := machine.kernel.store.pages) else keys.PLAIN_PAGES),
        Finding("log", "ok", f"{machine.settings.home / LOG_FILE}, sealed"),
        Finding("policy", "ok", _policy(machine.kernel.policy)),
        Finding("syscalls", "ok", f"{len(machine.kernel.table.rows)} in the table"),
        Finding("plugins", "ok", ", ".join(map(_with_grants, machine.plugins.plugins)) or "none"),
        *await _confinement(machine.launcher),
        await _commands(machine.launcher),
        *(Finding("problem", "note", problem) for problem in machine.problems),
    ]
    try:
        reading = await machine.interpreter.interpret("what time is it")
        said = ", ".join(map(str, reading.program))
        found.append(
            Finding(
                "understanding", "ok", f"'what time is it' is {said}, {reading.confidence:.0%}, {reading.ms:.0f} ms"
            )
        )
    except LlmasosError as error:
        found.append(Finding("understanding", "broken", str(error)))
    vectors = await machine.embedder.embed(["what time is it"], "query")
    found.append(
        Finding(
            "embeddings",
            "ok" if machine.embedder.name != "lexical" else "note",
            f"{machine.embedder.name}, {vectors.shape[1]} dimensions",
        )
    )
    found.append(Finding("memory", "ok", f"{resident_mb():.0f} MB with all children (PSS)"))
    return found


def _policy(policy: Policy) -> str:
    tiers = [f"{count} {tier}" for tier in TIERS if (count := sum(rule.tier == tier for rule in policy.rules))]
    return f"{policy.name}, {len(policy.rules)} rules ({', '.join(tiers)}), moderation {policy.moderation}"


def _with_grants(plugin: Plugin) -> str:
    return f"{plugin.name} (may: {plugin.asks})" if plugin.asks else plugin.name


def _whole(store: Store) -> Finding:
    """Whether every record opens, and all are there."""
    try:
        count = store.verify()
    except LlmasosError as error:
        return Finding("store", "broken", str(error))
    unfinished = " A rotation of keys was stopped; 'llmasos keys rotate --data' goes on." if store.outdated() else ""
    return Finding("store", "note" if unfinished else "ok", f"{count:,} records and files, all whole.{unfinished}")


async def _confinement(launcher: Launcher) -> list[Finding]:
    """Each layer that confines plugins and apps, and whether a child gets out all the same."""
    try:
        layers = await launcher.layers()
    except PluginError as error:
        return [Finding("confinement", "broken", str(error))]
    if layers.lacking and not launcher.unconfined:
        return [Finding("confinement", "broken", f"No plugin or app is loaded. {layers.lacking} {layers.remedy}")]
    if layers.lacking:
        what = f"NONE: plugins and apps can do what you can, as unconfined_plugins is set. {layers.lacking}"
        return [Finding("confinement", "note", what)]
    scopes = ", signals, abstract sockets" if layers.landlock >= 6 else ""
    return [
        Finding("landlock", "ok", f"ABI {layers.landlock}: files, TCP{scopes}"),
        Finding("seccomp", "ok", f"{len(seccomp.allowed(layers.machine))} system calls of {layers.machine}, no other"),
        Finding("limits", "ok", f"{limits.MEMORY >> 20} MiB, {limits.CPU} s of processor, {limits.FILES} files"),
        Finding("plugin user", "ok", "one for each child" if layers.own_user else "yours, without privileges"),
        Finding("namespaces", "ok", f"not used: {layers.unhidden}" if layers.unhidden else "nothing else is visible"),
        await _probed(launcher),
    ]


async def _commands(launcher: Launcher) -> Finding:
    """What confines native commands, and whether one gets out all the same."""
    try:
        layers = await launcher.commands()
        if await launcher.runs_unconfined():
            what = f"NONE: a command can do what you can, as unconfined_commands is set. {layers.lacking}"
            return Finding("commands", "note", what)
        if layers.lacking:
            return Finding("commands", "note", f"'!' runs no command here. {layers.lacking} {layers.remedy}")
        ways = await _ways_out(launcher)
    except LlmasosError as error:
        return Finding("commands", "broken", str(error))
    if ways:
        return Finding("commands", "broken", f"A command can {', '.join(ways)}. Type none that you don't trust.")
    seen = "nothing else is visible" if layers.hidden else "what else there is can be seen, and not read"
    return Finding("commands", "ok", f"{layers.enforced}: tried from inside; it holds, {seen}")


async def _ways_out(launcher: Launcher) -> list[str]:
    """What a real command could do that it shouldn't, beside what it should."""
    with tempfile.TemporaryDirectory() as top:
        workspace, secret = Path(top).resolve() / "work", Path(top).resolve() / "secret"
        workspace.mkdir()
        secret.write_text("read it")
        about = workspace.stat()
        tried = "echo x > new; cat ../secret; echo x > ../new; kill -0 $1 && echo signalled"
        argv = ["/bin/sh", "-c", tried, "sh", str(os.getpid())]
        place = Place(str(workspace), about.st_dev, about.st_ino)
        running = await launcher.run(Command(argv, place, str(workspace), {"PATH": "/usr/bin:/bin"}))
        try:
            said = b"".join([piece async for piece in running.output()])
            await running.ended()
        finally:
            await running.end()
            running.close()
        tries = {
            "read a file outside": b"read it" in said,
            "write outside": (secret.parent / "new").exists(),
            "signal another process": b"signalled" in said,
            "not write in its workspace": not (workspace / "new").exists(),
        }
        return [way for way, works in tries.items() if works]


async def _probed(launcher: Launcher) -> Finding:
    """What a real child could do that it shouldn't."""
    try:
        async with PluginHost(launcher=launcher) as host:
            (row,) = await host.add(PROBE)
            ways = await row.run(None)
    except LlmasosError as error:
        return Finding("confinement", "broken", str(error))
    if ways:
        return Finding("confinement", "broken", f"A plugin can {', '.join(ways)}. Remove plugins you don't trust.")
    return Finding("confinement", "ok", "tried from inside; it holds")
