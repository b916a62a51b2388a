"""`llmasos plugin test FOLDER`: runs its tests.toml in a whole system of its own, thrown away afterwards.

The plugin is added as a person would add it, and its calls go through the real door, policy and sandbox. The network
is what the file says, and so are the workspace and the home folder.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmasos.client.local import LocalClient
from llmasos.compose import Machine, Outside, compose
from llmasos.core.base import values
from llmasos.core.base.errors import LlmasosError, PluginError, SyscallError
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call, Result
from llmasos.core.engine.sources import Engines
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.network import Broker, Fetched, Request, Target
from llmasos.core.kernel.sandbox import Kind, Plugin
from llmasos.core.kernel.sandbox import manifest as manifests
from llmasos.core.kernel.session import Nobody
from llmasos.shell import plugin_tests
from llmasos.shell.plugin_tests import Page, Test, Tests
from llmasos.shell.safe import one_line

_SOMEWHERE = "93.184.215.14"
"""Where all hosts of a test are: an address on the internet, which is never connected to."""


async def run_tests(
    settings: Settings, kind: Kind, folder: Path, *, as_json: bool, engines: Engines | None = None
) -> int:
    """Print how each test went; 1 where one failed.

    Raises:
        PluginError: The plugin can't be added, or its tests can't be read.
    """
    plugin, tests = manifests.read(folder, kind), plugin_tests.read(folder)
    if not tests.tests:
        raise PluginError(f"{folder / plugin_tests.FILE} has no test.", f"'llmasos {kind} new' writes an example.")
    results: list[dict[str, Any]] = []
    async with _system(settings, folder, tests, engines) as (machine, client):
        for number, test in enumerate(tests.tests, 1):
            wrong = await _wrong(machine, client, plugin, test)
            results.append({"test": number, "name": _named(test), "ok": not wrong, "wrong": wrong})
            if not as_json:
                print(f"{'ok    ' if not wrong else 'FAILED'} {number} {_named(test)}", end="" if wrong else "\n")
                print(f": {one_line(wrong)}" if wrong else "", end="\n" if wrong else "")
    failed = sum(not one["ok"] for one in results)
    if as_json:
        print(json.dumps({"name": plugin.name, "ok": not failed, "tests": results}, ensure_ascii=False, indent=1))
    else:
        print(f"{plugin.name}: {len(results)} tests, {failed} failed")
    return 1 if failed else 0


@asynccontextmanager
async def _system(
    settings: Settings, folder: Path, tests: Tests, engines: Engines | None
) -> AsyncIterator[tuple[Machine, LocalClient]]:
    with tempfile.TemporaryDirectory(prefix="llmasos-test-") as made:
        top = Path(made).resolve()
        home, workspace, person = top / "state", top / "workspace", top / "home"
        for place in (workspace, person):
            place.mkdir()
        for name, text in tests.files.items():
            file = person / name[2:] if name.startswith("~/") else workspace / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        # A passphrase of its own, so that no desktop's keyring hears of this home.
        passphrase = secrets.token_hex()
        await asyncio.to_thread(Keyring.open, home, passphrase=passphrase)
        machine = await compose(
            replace(settings, home=home, policy="default", record=False),
            engines=engines,
            ask=lambda _: passphrase,
            outside=Outside(Broker(resolve=_resolve, ask=_Web(tests.web)), person),
        )
        try:
            client = LocalClient(machine, workspace, Nobody(yes=True))
            added = await client.trap(Call("plugin.add", {"path": str(folder.absolute())}))
            if not added.ok:
                raise PluginError(added.message)
            yield machine, client
        finally:
            await machine.close()


async def _wrong(machine: Machine, client: LocalClient, plugin: Plugin, test: Test) -> str:
    """What is wrong with what came of a test; empty where nothing is."""
    try:
        for line in test.before:
            outcome = await client.handle(line)
            if not outcome.ok:
                return f"{line!r} before it: {outcome.results[-1].message}"
        call = _call(plugin, test)
        if test.say:
            reading = await machine.interpreter.interpret(test.say)
            if not _same(machine, reading.program, call):
                said = ", ".join(map(str, reading.program)) or "nothing"
                return f"it was read as {said}, not as {call}"
        return _unexpected(test, await client.trap(call)) if test.expected else ""
    except LlmasosError as error:
        return str(error)


def _call(plugin: Plugin, test: Test) -> Call:
    if plugin.kind == "app":  # its functions are called through the app's process
        return Call(f"app.{test.call}", {"name": plugin.name, **test.args})
    return Call(f"{plugin.name}.{test.call}", dict(test.args))


def _same(machine: Machine, program: Sequence[Call], wanted: Call) -> bool:
    table = machine.kernel.table
    if len(program) != 1 or program[0].syscall != wanted.syscall or wanted.syscall not in table:
        return False
    row = table[wanted.syscall]
    return row.validate(program[0].args) == row.validate(wanted.args)


def _unexpected(test: Test, result: Result) -> str:
    ((kind, wanted),) = test.expected.items()
    if kind == "error":
        if result.ok:
            return f"it gave {values.plain(result.value)!r} and no error"
        return "" if wanted in result.message else f"it failed with {result.message!r}"
    if not result.ok:
        return f"it failed with {result.message!r}"
    text = values.plain(result.value)
    if kind == "contains":
        return "" if wanted in text else f"it gave {text!r}"
    # An app's words come as a text; what a plugin's function gives comes as it is.
    given = result.value["text"] if result.call.syscall.startswith("app.") else result.value
    return "" if given == wanted else f"it gave {given!r}"


def _named(test: Test) -> str:
    return one_line(test.say) or str(Call(test.call, dict(test.args)))


async def _resolve(host: str, port: int) -> Sequence[str]:
    return [_SOMEWHERE]


class _Web:
    """The network of a test."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages = pages

    async def __call__(self, target: Target, addresses: Sequence[str], asked: Request) -> Fetched:
        for page in self._pages:
            if page.url in (str(target), target.shown) and page.method == asked.method:
                headers = {name.lower(): value for name, value in page.headers.items()}
                return Fetched(str(target), page.status, headers, page.body.encode())
        what = f"{plugin_tests.FILE} has no [[web]] for {asked.method} {target}."
        raise SyscallError("ENOENT", what, "Add what it should get.")
