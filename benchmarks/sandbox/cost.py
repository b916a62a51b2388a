"""What a call and a start cost, with and without the confinement; all taken in turn, so that they can be compared."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.sandbox.matrix import LEVELS, Weakened
from llmasos.core.kernel.sandbox import Command, Launcher, PluginHost
from llmasos.core.kernel.sandbox.landlock import Place
from llmasos.core.kernel.sandbox.worker import Worker
from llmasos.core.kernel.syscall import Syscall

ROUNDS, CALLS, SINGLE_CALLS = 20, 100, 10
_MANIFEST = """\
name = "{name}"
version = "1.0"
description = "Says what it was told"
author = "The llmasos team"
license = "Apache-2.0"
isolation = "{name}"

[capabilities]
"""
_CODE = '''\
from llmasos.sdk import syscall


@syscall(effect="read")
def say(text: str) -> str:
    """Say it."""
    return text
'''


async def measure() -> dict[str, list[float]]:
    """Milliseconds of each."""
    taken: dict[str, list[float]] = defaultdict(list)

    async def timed(name: str, work: Callable[[], Awaitable[object]]) -> None:
        began = time.perf_counter()
        await work()
        taken[name].append((time.perf_counter() - began) * 1000)

    async with AsyncExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory()))
        for isolation in ("worker", "single_use"):
            (folder / isolation).mkdir()
            (folder / isolation / "plugin.toml").write_text(_MANIFEST.format(name=isolation))
            (folder / isolation / "plugin.py").write_text(_CODE)

        async def ready(launcher: Launcher) -> tuple[dict[str, Syscall], Worker]:
            ending.push_async_callback(launcher.close)
            host = await ending.enter_async_context(PluginHost(launcher=launcher))
            loaded = await host.load([folder])
            return {row.plugin: row for row in loaded.rows}, host._entries["single_use"].worker

        sandbox, free = await ready(Launcher()), await ready(Weakened(LEVELS["none"]))
        loading = Launcher()
        ending.push_async_callback(loading.close)
        await loading.layers()

        async def load() -> None:
            async with PluginHost(launcher=loading) as host:
                await host.add(folder / "worker")

        async def command() -> None:
            about = folder.stat()
            workspace = Place(str(folder), about.st_dev, about.st_ino)
            running = await loading.run(Command(["/bin/true"], workspace, str(folder)))
            await running.ended()
            running.close()

        await command()
        for _ in range(ROUNDS):
            for name, (rows, single) in (("sandbox", sandbox), ("unconfined", free)):
                for _ in range(SINGLE_CALLS):
                    await single.describe()  # once the next child is loaded
                    await timed(f"{name}_single_ms", lambda rows=rows: rows["single_use"].run(None, text="x"))
                for _ in range(CALLS):
                    await timed(f"{name}_worker_ms", lambda rows=rows: rows["worker"].run(None, text="x"))
            await timed("load_ms", load)
            await timed("command_ms", command)
            began = time.perf_counter()
            subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)  # noqa: ASYNC221 - nothing else runs
            taken["spawn_ms"].append((time.perf_counter() - began) * 1000)
    return taken
