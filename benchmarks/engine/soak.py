"""A system in use for minutes: what it holds at the end, at rest, against what it held at the start, at rest.

Characters talk, sentences are understood, streams are left in the middle and processes killed. Both measurements are
taken when all that is over, the first one after a minute of the same, so that what is made once isn't growth.

Memory is measured twice: all of it (PSS), and what of it isn't pages of files (`anon`). The model and the libraries are
pages of files, can't grow, and are counted by how many programs have them open: another one that loads the model meanwhile
takes 70 MB off the PSS, and its end puts them back.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.engine.lab import Row, Run, figure, note
from benchmarks.engine.talk import LINES, Talkers
from llmasos.compose import Machine, compose
from llmasos.core.base.errors import LlmasosError
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.kernel.session import Nobody
from llmasos.services.system import resident_mb

SENTENCES = ("what is still to do", "remember that the key is under the pot", "what time is it", "list my files")
GROWTH = 5.0
"""Percent of memory; an allocator isn't exact."""
MEMORY = {"pss": "Pss", "anon": "Pss_Anon"}
"""What is measured of it, as the kernel calls it."""


def rows(run: Run) -> list[Row]:
    """The figures."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_rows(run, Path(folder)))


async def _rows(run: Run, folder: Path) -> list[Row]:
    minutes = run.of(run.minutes or 10.0, 0.05)
    machine = await compose(Settings.load(home=folder / "home", seed=1))
    try:
        talkers = Talkers(machine, run.of(12, 2), folder)
        await talkers.create()
        await _use(machine, talkers, folder, min(60.0, minutes * 30))
        start = await _held(machine)
        curve = [start]
        ends = time.monotonic() + minutes * 60
        # In ten stretches with a rest after each: a curve tells a leak from a step.
        while (left := ends - time.monotonic()) > 0:
            await _use(machine, talkers, folder, min(left, minutes * 6))
            curve.append(await _held(machine))
            memory = ", ".join(f"{name} {curve[-1][f'{name}_mb']:.0f} MB" for name in MEMORY)
            note(f"  {left / 60:.1f} min to go: {memory}, {talkers.replies} replies")
        end = await _held(machine)
        failures = sum(talkers.failures.values())
    finally:
        await machine.close()
    found = []
    for name in MEMORY:
        held = [each[f"{name}_mb"] for each in curve]
        grown = 100 * (end[f"{name}_mb"] / start[f"{name}_mb"] - 1)
        found.append(figure(f"soak_{name}_growth_pct", held, "%", ("<=", GROWTH), value=grown))
    for name in start:
        found += [figure(f"soak_{name}_start", [start[name]], ""), figure(f"soak_{name}_end", [end[name]], "")]
        if not name.endswith("_mb"):
            found.append(figure(f"soak_{name}_growth", [end[name] - start[name]], "", ("<=", 0)))
    return [
        *found,
        figure("soak_replies", [talkers.replies], "replies"),
        figure("soak_failures", [failures], "lines"),
    ]


async def _use(machine: Machine, talkers: Talkers, folder: Path, seconds: float) -> None:
    """Everything at once for some time, then nothing."""
    chance = random.Random(5)
    process, session = machine.session(folder, Nobody(yes=True))
    ends = time.monotonic() + seconds
    async with talkers:
        while time.monotonic() < ends:
            with contextlib.suppress(LlmasosError):  # what wasn't understood was worked on too
                await machine.requests.handle(process, session, chance.choice(SENTENCES))
            await _interrupt(machine, folder, chance)
            await asyncio.sleep(0.2)
    await machine.kernel.processes.exit(process)
    await asyncio.sleep(0.5)


async def _interrupt(machine: Machine, folder: Path, chance: random.Random) -> None:
    """Leave a reply in the middle, or kill who speaks it."""
    name = "Interrupted"
    await machine.characters.create(machine.person, name, personality="talkative")
    character = machine.characters.cast.find(machine.person, name)
    assert character
    turn = machine.characters.conversations.turn(character, machine.person, chance.choice(LINES))
    with contextlib.suppress(LlmasosError):  # killed while it spoke, or there was no room to speak
        async with contextlib.aclosing(turn) as pieces:
            async for _ in pieces:
                if chance.random() < 0.5:
                    await machine.characters.conversations.end(character)
                break
    process, session = machine.session(folder, Nobody())
    await machine.kernel.trap(process, session, Call("process.list", {}))
    await machine.kernel.processes.exit(process)


async def _held(machine: Machine) -> dict[str, float]:
    """What the system holds right now: memory, sequences, threads, processes, open files.

    All characters are ended before, since kept conversations are a cache: without them nothing may be left of any.
    """
    for character in machine.characters.cast.of(machine.person):
        await machine.characters.conversations.end(character)
    gc.collect()
    speech, interpreting = (await machine.speech.get()).stats(), (await machine.interpreting.get()).stats()
    return {
        **{f"{name}_mb": resident_mb(part) for name, part in MEMORY.items()},
        "sequences": speech["sequences"] + interpreting["sequences"],
        "threads": threading.active_count(),
        "processes": len(machine.kernel.processes),
        "files": len(list(Path("/proc/self/fd").iterdir())),
    }
