"""What gets out of the confinement of plugins, and what the confinement costs.

    llmasos bench sandbox
    python -m benchmarks.sandbox      # each attack by name, under each level

A hostile plugin (attacks/) runs every attack in a child of its own, against a home with secrets, sockets and a
process that stands for the kernel (ground.py). An attack that fails without any confinement proves nothing and isn't
counted among the stopped ones. Native commands run the same attacks, of which some are what commands are for (commands.py).
"""

from __future__ import annotations

import asyncio
import os
import statistics
from typing import Any

from benchmarks.row import at_least, at_most, row
from benchmarks.sandbox import cost
from benchmarks.sandbox.commands import BY_PURPOSE, IN_PLAIN_SIGHT, OF_ROOT, column_of_commands
from benchmarks.sandbox.matrix import LEVELS, Weakened, column
from llmasos.core.kernel.sandbox import Launcher

COMMAND = "llmasos bench sandbox --json"


def rows() -> list[dict[str, Any]]:
    """The figures."""
    return asyncio.run(_rows())


async def _rows() -> list[dict[str, Any]]:
    free = await column(Weakened(LEVELS["none"]))
    confined = await column(Weakened(LEVELS["confined"]))
    here = Launcher()
    hidden = not (await here.layers()).unhidden
    real = await column(here)
    typed = await column_of_commands(Launcher())
    beyond = len(set(typed.won) - BY_PURPOSE - (set() if os.geteuid() else OF_ROOT))
    attacks = len(free.won) + len(free.lost)

    def count(id: str, number: int, **bar: Any) -> dict[str, Any]:
        return row(id, number, "attacks", n=attacks, command=COMMAND, **bar)

    figures = [
        count("attacks_open_unconfined", len(free.won)),
        count("attacks_that_prove_nothing", len(free.lost)),
        count("attacks_open_without_namespaces", len(confined.won), **at_most(len(confined.won), 1)),
        count("attacks_open", len(real.won), **at_most(len(real.won), 0 if hidden else 1)),
        count("attacks_open_to_commands", beyond, **at_most(beyond, 0 if hidden else len(IN_PLAIN_SIGHT))),
        row("needs_unmet", len(real.unmet), "needs", n=1, command=COMMAND, **at_most(len(real.unmet), 0)),
    ]
    costs = await cost.measure()
    bars = {"sandbox_worker_ms": 0.1, "sandbox_single_ms": 0.3}
    for name, samples in costs.items():
        middle = statistics.median(samples)
        bar = at_most(middle, bars[name]) if name in bars else {}
        figures.append(row(name, middle, "ms", n=len(samples), command=COMMAND, samples=samples, **bar))
    times = statistics.median(costs["spawn_ms"]) / statistics.median(costs["sandbox_single_ms"])
    figures.append(
        row("sandbox_vs_spawn", times, "x", n=len(costs["spawn_ms"]), command=COMMAND, **at_least(times, 20))
    )
    return figures
