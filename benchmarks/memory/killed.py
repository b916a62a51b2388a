"""A program that carries characters, killed with -9 in the middle: does the next one find the same memories?

python -m benchmarks.memory.killed HOME SEED         # talks, and prints what it recalls after each turn, until it is killed
python -m benchmarks.memory.killed HOME SEED NUMBER  # asks the same of what came before an event
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.memory.facts import facts
from benchmarks.memory.fillers import fillers
from benchmarks.memory.stage import OWNER, say, stage
from llmasos.compose import Machine
from llmasos.services.characters import CharacterRef

QUESTIONS = 6
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
    child = _start(home, seed)
    assert child.stdout
    last: dict[str, Any] = {}
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
    child.wait()
    return last


def _asked_again(home: Path, seed: str, number: int) -> dict[str, Any]:
    out, _ = _start(home, seed, str(number)).communicate()
    answer: dict[str, Any] = json.loads(out)
    return answer


def _start(*said: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.memory.killed", *map(str, said)]
    # Another salt each time: what depends on `hash` would differ.
    environment = {**os.environ, "PYTHONHASHSEED": "random", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)


async def _recalled(machine: Machine, ref: CharacterRef, seed: str, before: int) -> dict[str, Any]:
    character = machine.characters.cast.get(ref.id)
    assert character
    log = machine.characters.cast.log(character)
    asked = random.Random(seed).sample(facts(), QUESTIONS)
    found = {}
    for question in [fact.near for fact in asked] + [fact.far for fact in asked]:
        hits = await log.recall(question, ref.id, OWNER, before=before, limit=5)
        found[question] = [[hit.item.id, hit.item.text, round(hit.score, 6)] for hit in hits]
    return {"recalled": found, "next": log.next_number}


async def _main(home: Path, seed: str, before: int) -> None:
    async with stage(home) as (machine, _, _):
        ref = await machine.characters.create(OWNER, "Mira")
        if before:
            print(json.dumps(await _recalled(machine, ref, seed, before)))
            return
        draw = random.Random(seed)
        other = fillers(seed)
        told = facts()
        draw.shuffle(told)
        for turns in range(1, 10_000):
            await say(machine, ref, told[turns % len(told)].said(draw.randrange(3)) if turns % 2 else next(other))
            character = machine.characters.cast.get(ref.id)
            assert character
            number = machine.characters.cast.log(character).next_number
            print(json.dumps({**await _recalled(machine, ref, seed, number), "turns": turns}), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0))
