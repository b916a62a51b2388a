"""`llmasos plugin ...` and `llmasos app ...`: made, checked and tested here; the rest are syscalls of the kernel."""

from __future__ import annotations

from pathlib import Path

from llmasos.core.base.errors import UsageError
from llmasos.core.base.paths import expanded
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.kernel.sandbox import Kind
from llmasos.shell.once import Manner, run_once

_NEEDS = {
    "new": "a name", "check": "a folder", "test": "a folder", "add": "a folder or a .whl file", "grant": "a name",
    "revoke": "a name", "enable": "a name", "disable": "a name", "remove": "a name",
}  # fmt: skip


async def run_plugins(settings: Settings, kind: Kind, action: str, what: str, into: Path | None, output: str) -> int:
    """Do one of the actions.

    Args:
        settings: What was set.
        kind: plugin or app.
        action: Which.
        what: A name or a folder.
        into: Where a new one is made.
        output: How results are printed.

    Raises:
        UsageError: Something is missing, or is there already.
    """
    if action in _NEEDS and not what:
        raise UsageError(f"'llmasos {kind} {action}' needs {_NEEDS[action]}.", f"llmasos {kind} {action} ...")
    as_json = output != "text"
    if action == "new":
        from llmasos.shell.scaffold import make

        return make(kind, what, into or Path.cwd(), as_json=as_json)
    if action == "check":
        from llmasos.shell.plugin_check import run_check

        return await run_check(settings, kind, Path(what), as_json=as_json)
    if action == "test":
        from llmasos.shell.plugin_test import run_tests

        return await run_tests(settings, kind, Path(what), as_json=as_json)
    return await run_once(settings, str(_call(kind, action, what)), Manner(output=output))


def _call(kind: Kind, action: str, what: str) -> Call:
    if action == "list":
        return Call("plugin.list", {"kind": kind})
    if action == "add":
        # From the folder that this program is in, which needn't be the workspace.
        return Call("plugin.add", {"path": str(expanded(what).absolute())})
    return Call(f"plugin.{action}", {"name": what, "kind": kind})
