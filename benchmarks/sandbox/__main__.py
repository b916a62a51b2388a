"""Print which attack gets through where: `python -m benchmarks.sandbox`."""

from __future__ import annotations

import asyncio

from benchmarks.sandbox.commands import BY_PURPOSE, OF_ROOT, column_of_commands
from benchmarks.sandbox.matrix import LEVELS, Column, Weakened, column
from llmasos.core.kernel.sandbox import Launcher


async def _columns() -> dict[str, Column]:
    columns = {level: await column(Weakened(layers)) for level, layers in LEVELS.items()}
    return {**columns, "command": await column_of_commands(Launcher())}


def main() -> None:
    """Print the table."""
    columns = asyncio.run(_columns())
    every = [*columns["none"].won, *columns["none"].lost]  # those that prove something first
    print(f"{'':42}" + "".join(f"{level:>10}" for level in columns))
    for name in every:
        print(f"{name:42}" + "".join(f"{'OPEN' if name in one.won else '-':>10}" for one in columns.values()))
    print(f"{'open':34}" + "".join(f"{len(one.won):>10}" for one in columns.values()))
    print(f"\nproves nothing, it fails here without confinement too: {', '.join(columns['none'].lost) or 'none'}")
    for level in ("confined", "hidden"):
        for name, why in columns[level].unmet.items():
            print(f"unmet when {level}: {name}: {why}")
    purpose = [name for name in columns["command"].won if name in BY_PURPOSE | OF_ROOT]
    print(f"open to a command by its purpose: {', '.join(purpose)}")
    for name, why in columns["confined"].won.items():
        print(f"open when confined: {name}: {why}")


if __name__ == "__main__":
    main()
