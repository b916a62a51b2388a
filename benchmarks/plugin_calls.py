"""How long it takes to load a plugin in its child process and to call it there.

python -m benchmarks.plugin_calls
python -m benchmarks.plugin_calls --folder FOLDER --syscall dice.roll --args '{"sides": 7}'
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from llmasos.core.base.paths import shipped
from llmasos.core.kernel.sandbox import PluginHost

_LOADS = 15
_CALLS = 2_000


async def measure(folder: Path, name: str, args: dict[str, Any]) -> dict[str, float]:
    """Milliseconds: a bare interpreter's start, loading all plugins of a folder, one call."""
    bare, loads, calls = [], [], []
    for _ in range(_LOADS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)  # noqa: ASYNC221 - nothing else runs
        bare.append(time.perf_counter() - began)
        async with PluginHost() as host:
            began = time.perf_counter()
            rows, problems = await host.load([folder])
            loads.append(time.perf_counter() - began)
            if problems:
                raise SystemExit(str(problems[0]))
            row = next(row for row in rows if row.name == name)
            for _ in range(_CALLS // _LOADS):
                began = time.perf_counter()
                await row.run(None, **args)
                calls.append(time.perf_counter() - began)
    found = {
        "bare_start_ms": statistics.median(bare),
        "load_ms": statistics.median(loads),
        "call_p50_ms": statistics.median(calls),
        "call_p95_ms": statistics.quantiles(calls, n=20)[-1],
    }
    return {key: round(seconds * 1000, 3) for key, seconds in found.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=shipped("plugins"))
    parser.add_argument("--syscall", default="calculator.evaluate")
    parser.add_argument("--args", type=json.loads, default={"expression": "15% of 80"})
    said = parser.parse_args()
    print(json.dumps(asyncio.run(measure(said.folder, said.syscall, said.args))))
