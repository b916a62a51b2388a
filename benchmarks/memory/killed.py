"""A program that carries characters, killed with -9 in the middle: does the next one find the same memories?

python -m benchmarks.memory.killed HOME SEED         # talks, and prints what it recalls after each turn, until it is killed
python -m benchmarks.memory.killed HOME SEED NUMBER  # asks the same of what came before an event
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass
class Kills:
    """What a number of kills did.

    Attributes:
        same: For each kill, whether all questions had the same answers in the next program.
        lost: Turns that were done and weren't there any more.
        turns: Turns that were done in all.
    """

    same: list[bool] = field(default_factory=list)
    lost: int = 0
    turns: int = 0


def kills(count: int, seed: str) -> Kills:
    """Kill so many programs, each at a random point of its talk, in one home one after another."""
    found, draw = Kills(), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            last = _until_killed(Path(folder) / "home", f"{seed} {number}", draw.randrange(2, 14), draw.random() * 0.05)
            again = _asked_again(Path(folder) / "home", f"{seed} {number}", last["next"])
            found.same.append(again["recalled"] == last["recalled"])
            found.lost += max(0, last["next"] - again["next"])
            found.turns += last["turns"]
    return found


def _until_killed(home: Path, seed: str, turns: int, longer: float) -> dict[str, Any]:
    """Let a program talk for some turns and a little longer, then kill it; the last that it said."""
    last: dict[str, Any] = {}
    with _start(home, seed) as child:
        assert child.stdout
        for _ in range(turns):
            line = child.stdout.readline()
            if not line:
                raise RuntimeError("The program ended before it was killed.")
            last = json.loads(line)
        try:
            child.wait(longer)  # into the middle of the next turn
        except subprocess.TimeoutExpired:
            child.kill()
        # What it had said before it died counts as done.
        for line in child.stdout.read().splitlines():
            if line.endswith("}"):
                last = json.loads(line)
    return last


def _asked_again(home: Path, seed: str, number: int) -> dict[str, Any]:
    out, _ = _start(home, seed, str(number)).communicate()
    answer: dict[str, Any] = json.loads(out)
    return answer


def _start(*said: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.memory.talker", *map(str, said)]
    # Another salt each time: what depends on `hash` would differ.
    environment = {**os.environ, "PYTHONHASHSEED": "random", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
