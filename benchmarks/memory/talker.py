"""A program that carries a character and is to be killed (killed.py).

python -m benchmarks.memory.talker HOME SEED         # talks, and prints what it recalls after each turn, until it is killed
python -m benchmarks.memory.talker HOME SEED NUMBER  # asks the same of what came before an event
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path
from typing import Any

from benchmarks.memory.facts import facts
from benchmarks.memory.fillers import fillers
from benchmarks.memory.stage import OWNER, say, stage
from llmasos.compose import Machine
from llmasos.services.characters import CharacterRef

QUESTIONS = 6


async def _recalled(machine: Machine, ref: CharacterRef, seed: str, before: int) -> dict[str, Any]:
    character = machine.characters.cast.get(ref.id)
    assert character
    log = machine.characters.cast.log(character)
    asked = random.Random(seed).sample(facts(), QUESTIONS)
    found = {}
    for question in [fact.near for fact in asked] + [fact.far for fact in asked]:
        hits = await log.recall(question, ref.id, OWNER, before=before, limit=5, wide=True)
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
