"""A session through the socket against one in the program that carries the kernel: the same calls, turn by turn.

    python -m benchmarks.attach

Then whole commands: `llmasos -c system.time` with and without a kernel that runs already.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from llmasos.client import Client, attach
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.kernel.session import Nobody

SENTENCE = "what is still to do"
ROUNDS, COMMANDS = 60, 9


async def _ms(client: Client, what: str) -> float:
    began = time.perf_counter()
    if what == "call":
        await client.trap(Call("system.time"))
    else:
        await client.understand(SENTENCE)
    return (time.perf_counter() - began) * 1000


async def sessions(folder: Path) -> None:
    """Print what a call and a sentence take, here and through the socket."""
    settings = Settings.load(home=folder / "home", seed=1)
    here = await attach(settings, folder, Nobody())
    there = await attach(settings, folder, Nobody())
    try:
        assert not here.owner and there.owner
        await here.understand(SENTENCE)
        for what in ("call", "sentence"):
            pairs = [(await _ms(here, what), await _ms(there, what)) for _ in range(ROUNDS)]
            inside, outside = (statistics.median(side) for side in zip(*pairs, strict=True))
            print(f"{what}: here {inside:.2f} ms, attached {outside:.2f} ms, {outside - inside:+.2f} ms (must be <= 5)")
    finally:
        await there.close()
        await here.close()


def commands(folder: Path) -> None:
    """Print what a whole command takes."""
    program = [sys.executable, "-m", "llmasos"]
    environment = {**os.environ, "LLMASOS_HOME": str(folder / "other")}

    def seconds() -> float:
        began = time.perf_counter()
        subprocess.run([*program, "-c", "system.time"], env=environment, capture_output=True, check=True)
        return time.perf_counter() - began

    alone = [seconds() for _ in range(COMMANDS)]
    subprocess.run([*program, "up"], env=environment, capture_output=True, check=True)
    attached = [seconds() for _ in range(COMMANDS)]
    subprocess.run([*program, "down"], env=environment, capture_output=True, check=True)
    print(
        f"llmasos -c system.time: alone {statistics.median(alone):.2f} s, attached {statistics.median(attached):.2f} s"
    )


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(sessions(Path(folder)))
        commands(Path(folder))


if __name__ == "__main__":
    main()
