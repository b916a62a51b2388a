"""What survives: a program killed at random moments, and a disk that loses power.

    python -m benchmarks.recovery [--kills N] [--seed N] [--every N]

`kill -9` hits a program that uses all of the system: to-dos, memories, events, files with their pre-images, effects outside,
background jobs, conversations that are swapped in and out, processes that are stopped and let go on, an app, and a
consent question that stands open; 15 % of the kills hit its start. Each time the next one tells what it found, and that is
compared with what the one before had acknowledged. The power goes at each moment of four programs that write what must
survive it, and each state is looked at that a disk may hold then (tests/power.py has the model).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.row import row
from tests.core.kernel.power_cuts import PROGRAMS, cut
from tests.system.killed_at_random import killed

NONE = {"must": "0"}


def rows(kills: int = 200, seed: int = 1, every: int = 1) -> list[dict[str, Any]]:
    """The figures as rows."""
    return [*kill9(kills, seed), *power(seed, every)]


def kill9(kills: int = 200, seed: int = 1) -> list[dict[str, Any]]:
    """What comes of `kill -9`."""
    command = f"python -m benchmarks.recovery --kills {kills} --seed {seed}"
    with tempfile.TemporaryDirectory() as folder:
        seen = killed(Path(folder), kills, seed)
    kill: dict[str, Any] = {"unit": "", "n": seen.kills, "command": command}
    for what in (*seen.lost, *seen.doubled, *seen.unreadable):
        print(what, file=sys.stderr)
    return [
        row("kill9_lost", len(seen.lost), holds=not seen.lost, **NONE, **kill),
        row("kill9_doubled", len(seen.doubled), holds=not seen.doubled, **NONE, **kill),
        row("kill9_unreadable", len(seen.unreadable), holds=not seen.unreadable, **NONE, **kill),
        row("kill9_acknowledged", sum(seen.acknowledged.values()), **kill),
    ]


def power(seed: int = 1, every: int = 1) -> list[dict[str, Any]]:
    """What comes of power cuts."""
    command = f"python -m benchmarks.recovery --seed {seed} --every {every}"
    states = lost = unreadable = 0
    for name in PROGRAMS:
        with tempfile.TemporaryDirectory() as folder:
            after = cut(name, Path(folder), seed=seed, every=every)
        states, lost, unreadable = states + after.states, lost + len(after.lost), unreadable + len(after.unreadable)
        for what in (*after.lost, *after.unreadable):
            print(f"{name}: {what}", file=sys.stderr)
    cuts: dict[str, Any] = {"unit": "", "n": states, "command": command}
    return [
        row("power_lost", lost, holds=not lost, **NONE, **cuts),
        row("power_unreadable", unreadable, holds=not unreadable, **NONE, **cuts),
    ]


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=1, help="look at every so-manieth state after a power cut")
    said = parser.parse_args()
    print(json.dumps({"rows": rows(said.kills, said.seed, said.every)}, indent=1))


if __name__ == "__main__":
    main()
