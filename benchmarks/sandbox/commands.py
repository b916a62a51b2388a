"""The same attacks by a native command, which may do more by its purpose: start programs, change its workspace."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.sandbox.ground import ATTACKS, a_ground
from benchmarks.sandbox.matrix import Column
from llmasos.core.base.errors import PluginError
from llmasos.core.kernel.sandbox import Command, Launcher
from llmasos.core.kernel.sandbox.landlock import Place

PYTHON = "/usr/bin/python3"
"""The system's own: a command sees no other."""
ROOMS = ("files", "sockets", "processes", "kernel", "resources")
BY_PURPOSE = frozenset({
    # It reads what programs need, and writes in its own folder.
    "files.read_passwd", "files.read_installed_packages", "files.write_its_own_code", "files.write_shared_memory",
    # It starts programs, which see each other, talk with each other, and find a few variables.
    "processes.fork", "processes.execute", "processes.list_processes", "processes.find_an_environment",
    "sockets.send_descriptors", "resources.start_many_processes",
    # What it asks of itself alone; its end doesn't hang on it.
    "processes.outlive_the_kernel", "kernel.filter_its_own_calls",
    # Its limits are wider.
    "resources.take_a_gigabyte", "resources.open_many_files",
})  # fmt: skip
"""What a command may and a plugin mayn't."""
OF_ROOT = frozenset({"processes.become_root_again"})
"""Where root types it, it is root, without the privileges."""
IN_PLAIN_SIGHT = frozenset({"files.see_a_file", "files.see_where_a_link_leads"})
"""What is open where there are no namespaces."""

_RUN = """\
import importlib, json, sys

room, _, function = sys.argv[1].partition(".")
try:
    won = getattr(importlib.import_module(f"attacks.{room}"), function)(json.loads(sys.argv[2]))
    told = {"won": bool(won), "said": str(won)[:300]}
except Exception as error:
    told = {"won": False, "said": f"{type(error).__name__}: {error}"[:300]}
print()
print(json.dumps(told))
"""


def attacks() -> list[str]:
    """All of them by name."""
    names = []
    for room in ROOMS:
        module = importlib.import_module(f"benchmarks.sandbox.attacks.{room}")
        own = [name for name, one in vars(module).items() if getattr(one, "__module__", "") == module.__name__]
        names += [f"{room}.{name}" for name in own if not name.startswith("_")]
    return names


async def column_of_commands(
    launcher: Launcher, only: Sequence[str] = (), owner: tuple[int, int] | None = None
) -> Column:
    """Run all attacks, or some, each as a command of its own.

    Args:
        launcher: Which starts them; it is closed at the end.
        only: Names of attacks; all where empty.
        owner: User and group that the launcher's children belong to; ours where None.
    """
    found = Column()
    with a_ground(owner) as (ground, around), tempfile.TemporaryDirectory() as top:
        workspace = Path(top).resolve() / "work"
        shutil.copytree(ATTACKS, workspace / "attacks", ignore=shutil.ignore_patterns("__pycache__"))
        (workspace / "run.py").write_text(_RUN)
        for path in (Path(top), workspace, *workspace.rglob("*")):
            os.chown(path, *(owner or (os.geteuid(), os.getegid())))
        Path(top).chmod(0o755)
        for name in only or attacks():
            told = {"won": False, "said": "it was ended"} | await _tried(
                launcher, workspace, name, ground.described(around)
            )
            harm = ground.harmed()
            (found.won if told["won"] or harm else found.lost)[name] = harm or told["said"]
            if harm:
                ground.reset()
    await launcher.close()
    return found


async def _tried(launcher: Launcher, workspace: Path, name: str, ground: dict[str, Any]) -> dict[str, Any]:
    about = workspace.stat()
    argv = [PYTHON, "-B", "run.py", name, json.dumps(ground)]
    place = Place(str(workspace), about.st_dev, about.st_ino)
    try:
        running = await launcher.run(Command(argv, place, str(workspace), {"PATH": "/usr/bin:/bin"}))
        said = b"".join([piece async for piece in running.output()]).decode(errors="replace")
        await running.ended()
        running.close()
    except PluginError as error:
        return {"said": str(error)}
    last = said.strip().splitlines()[-1:] or [""]
    told: dict[str, Any] = json.loads(last[0]) if last[0].startswith("{") else {}
    return told
