"""What the kernel adds: to a call of the model, and to a syscall. A whole composed system, its models scripted.

A scripted model costs nothing that counts, so that what is left is ours. `added_latency_ms`: `assistant.answer`
through the door (policy, service, process table, scheduler, what may be said) against the same engine asked directly
for the same tokens of the same prompt. `trap_us`: a syscall with an effect, so that policy, journal and whatever
audits are on; its body does nothing.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.engine.lab import Row, Run, figure, percentile
from llmasos.compose import Machine, compose
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.base.values import done
from llmasos.core.engine.base import Sampling
from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.process import Process
from llmasos.core.kernel.session import Nobody, Session
from llmasos.core.kernel.syscall import syscall
from llmasos.core.kernel.trap import Caller
from llmasos.system import System

SAID = "It is a small town by the sea."
QUESTION = "What kind of place is that?"


class Bench:
    """Syscalls that do nothing, so that the door is all they cost."""

    @syscall("bench.write", effect="write")
    async def write_call(self, caller: Caller, text: str) -> dict[str, Any]:
        """Change nothing.

        Args:
            text: Anything.
        """
        return done("Done.")

    @syscall("bench.undoable", effect="write")
    async def undoable_call(self, caller: Caller, text: str) -> dict[str, Any]:
        """Change nothing, with what takes it back in the journal, as handlers put it there.

        Args:
            text: Anything.
        """
        caller.prepare("bench.nothing", {"text": text})
        return done("Done.")

    @syscall("bench.read", effect="read")
    async def read_call(self, caller: Caller, text: str) -> dict[str, Any]:
        """Look at nothing.

        Args:
            text: Anything.
        """
        return done("Done.")


def rows(run: Run) -> list[Row]:
    """The figures."""
    with tempfile.TemporaryDirectory() as folder:
        inside = asyncio.run(_inside(run, Path(folder)))
        return inside + _portal(run, Path(folder))


async def _inside(run: Run, folder: Path) -> list[Row]:
    machine = await compose(Settings.load(home=folder / "inside", seed=1), engines=ScriptedEngines(says=[SAID]))
    try:
        machine.kernel.table.add_service(Bench())
        process, session = machine.session(folder, Nobody())
        added = await _added(run, machine, process, session)
        found = added
        for id, name, must in (
            ("trap_us", "bench.write", ("<=", 100.0)),
            ("trap_undoable_us", "bench.undoable", None),
            ("trap_read_us", "bench.read", None),
        ):
            took = await _trapped(run, machine, process, session, name)
            found.append(figure(id, took, "us", must))
            found.append(figure(id.replace("_us", "_p95_us"), took, "us", value=percentile(took, 95)))
        return found
    finally:
        await machine.close()


async def _added(run: Run, machine: Machine, process: Process, session: Session) -> list[Row]:
    through, direct = [], []
    plain = ScriptedEngine([SAID])
    engine = await machine.speech.get()
    assert isinstance(engine, ScriptedEngine)
    for number in range(run.of(300, 30) + 10):
        session.state.clear()  # an answer before this one would change the prompt
        begun = time.perf_counter()
        result = await machine.kernel.trap(process, session, Call("assistant.answer", {"question": QUESTION}))
        middle = time.perf_counter()
        assert result.ok, result.message
        assert result.value["text"] == SAID
        prompt = engine.tokenize(engine.requests.pop(), special=True)
        begun_direct = time.perf_counter()
        sequence = await plain.open()
        async for _ in plain.generate(sequence, prompt, sampling=Sampling(max_tokens=160)):
            pass
        await plain.close(sequence)
        ended = time.perf_counter()
        if number >= 10:
            through.append((middle - begun) * 1e3)
            direct.append((ended - begun_direct) * 1e3)
    added = [a - b for a, b in zip(through, direct, strict=True)]
    return [
        figure("added_latency_ms", added, "ms", ("<=", 5)),
        figure("added_latency_p95_ms", added, "ms", value=percentile(added, 95)),
        figure("scripted_call_ms", direct, "ms"),
    ]


async def _trapped(run: Run, machine: Machine, process: Process, session: Session, name: str) -> list[float]:
    """Microseconds of each call, awaited one by one inside the loop."""
    took = []
    for number in range(run.of(3000, 100) + 20):
        call = Call(name, {"text": f"note {number}"})
        begun = time.perf_counter_ns()
        result = await machine.kernel.trap(process, session, call)
        ended = time.perf_counter_ns()
        assert result.ok, result.message
        if number >= 20:
            took.append((ended - begun) / 1e3)
    return took


def _portal(run: Run, folder: Path) -> list[Row]:
    """`system.call` from a program's own thread against the same call inside the loop, in turn."""
    with System(
        Settings.load(home=folder / "portal", workspace=str(folder), seed=1), engines=ScriptedEngines()
    ) as system:
        outside, inside = [], []

        async def within() -> float:
            begun = time.perf_counter()
            await system.acall("system.time")
            return (time.perf_counter() - begun) * 1e6

        for number in range(run.of(1000, 50) + 20):
            begun = time.perf_counter()
            system.call("system.time")
            took = (time.perf_counter() - begun) * 1e6
            # The loop itself is the system's own; no public function runs a stranger's coroutine on it.
            there = asyncio.run_coroutine_threadsafe(within(), system._loop).result()
            if number >= 20:
                outside.append(took)
                inside.append(there)
    return [
        figure("portal_us", outside, "us"),
        figure("portal_added_us", [a - b for a, b in zip(outside, inside, strict=True)], "us"),
        figure("portal_inside_us", inside, "us", value=statistics.median(inside)),
    ]
