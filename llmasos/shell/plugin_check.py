"""`llmasos plugin check FOLDER`: is it well-formed, with every problem named; nothing of it is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmasos.compose import own_rooms
from llmasos.core.base.errors import LlmasosError, PluginError, UsageError
from llmasos.core.base.paths import shipped
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.sandbox import Kind, Launcher, Plugin, PluginHost
from llmasos.core.kernel.sandbox import manifest as manifests
from llmasos.core.kernel.syscall import Syscall
from llmasos.shell import plugin_tests
from llmasos.shell.safe import one_line


@dataclass
class Report:
    """What was found.

    Attributes:
        plugin: What the manifest says; None where it can't be read.
        rows: The syscalls, where all of them are well-formed.
        problems: What is wrong.
        notes: What could be better.
    """

    plugin: Plugin | None = None
    rows: Sequence[Syscall] = ()
    problems: list[LlmasosError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def run_check(settings: Settings, kind: Kind, folder: Path, *, as_json: bool) -> int:
    """Print what is wrong with a plugin; 1 where anything is."""
    report = await check(settings, kind, folder)
    name = report.plugin.name if report.plugin else folder.resolve().name
    if as_json:
        shown = {
            "name": name, "ok": not report.problems, "syscalls": [row.definition() for row in report.rows],
            "asks": report.plugin.asks.to_json() if report.plugin else {},
            "adapters": dict(report.plugin.adapters) if report.plugin else {},
            "problems": [{"what": error.what, "remedy": error.remedy} for error in report.problems],
            "notes": report.notes,
        }  # fmt: skip
        print(json.dumps(shown, ensure_ascii=False, indent=1))
    else:
        print("\n".join(_lines(name, report)))
    return 1 if report.problems else 0


async def check(settings: Settings, kind: Kind, folder: Path) -> Report:
    """Look at a plugin: its manifest, then what a confined child says about its code, then its tests.

    Raises:
        UsageError: There is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder.", f"Name the folder that has {kind}.toml in it.")
    report = Report(problems=[*manifests.faults(folder, kind)])
    if not report.problems:
        launcher = Launcher(unconfined=settings.unconfined_plugins)
        async with PluginHost(kind=kind, reserved=_taken(kind, folder), launcher=launcher) as host:
            report.plugin = host.read(folder)
            faults, report.rows = await host.faults(report.plugin)
            report.problems += faults
        await launcher.close()
        report.problems += _lacking(report.plugin, report.rows) if not report.problems else []
        report.notes += _notes(report.rows)
    try:
        tests = plugin_tests.read(folder)
    except PluginError as error:
        report.problems.append(error)
    else:
        report.notes += [] if tests.tests else ["There is no tests.toml; 'llmasos plugin new' writes an example."]
    return report


def _taken(kind: Kind, folder: Path) -> frozenset[str]:
    """Names that are the system's, and those of what ships with it."""
    home = shipped("plugins" if kind == "plugin" else "apps")
    bundled = {one.name for one in home.iterdir() if one.resolve() != folder.resolve()} if home.is_dir() else set()
    return (own_rooms() if kind == "plugin" else frozenset()) | bundled


def _lacking(plugin: Plugin, rows: Sequence[Syscall]) -> list[LlmasosError]:
    if plugin.kind == "app" and f"{plugin.name}.open" not in [row.name for row in rows]:
        return [PluginError(f"{plugin.code} has no function open(request).", "Opening the app calls that.")]
    return []


def _notes(rows: Sequence[Syscall]) -> Iterator[str]:
    for row in rows:
        function = row.name.partition(".")[2]
        if not row.examples and function not in ("open", "say"):
            yield f"{function} has no 'Examples:' in its docstring; they are how a sentence finds it."
        for argument in row.arguments:
            if not argument.description:
                yield f"{function}: 'Args:' doesn't describe {argument.name}."


def _lines(name: str, report: Report) -> Iterator[str]:
    for error in report.problems:
        yield f"problem  {one_line(str(error))}"
    for note in report.notes:
        yield f"note     {one_line(note)}"
    for row in report.rows:
        yield f"syscall  {row.usage}: {one_line(row.summary)} ({row.effect})"
    if report.plugin:
        yield f"asks for {report.plugin.asks}"
        for task, name in report.plugin.adapters:
            yield f"adapter  {name}: {task}; 'llmasos model train {name} EXAMPLES.jsonl' makes it"
    count = len(report.problems)
    yield f"{name}: {'well-formed' if not count else f'{count} problem' + ('s' if count > 1 else '')}"
