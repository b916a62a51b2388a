"""Runs the targets one after the other, each in a worker process, and sees it when a worker dies or stands still."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fuzz.targets import TARGETS
from benchmarks.fuzz.worker import HEAD, ROOM, SECONDS, keep

ROOT = Path(__file__).resolve().parents[2]
STILL = 120.0
"""Seconds without a further input after which a worker is taken to hang: its own clock counts processor time only."""
_LOOK = 0.2


@dataclass(slots=True)
class Outcome:
    """What came of a target.

    Attributes:
        taken: Inputs that were read without an error; the others were refused as they should be.
        seconds: On the clock.
        used: Processor seconds.
        peak_mb: The most memory that its worker had.
        kinds: Findings, each kind once.
    """

    target: str
    inputs: int = 0
    taken: int = 0
    seconds: float = 0.0
    used: float = 0.0
    peak_mb: float = 0.0
    crashes: int = 0
    hangs: int = 0
    kinds: list[dict[str, Any]] = field(default_factory=list)

    def add(self, found: dict[str, Any]) -> None:
        """Take in what a worker reports."""
        for name in ("inputs", "taken", "seconds", "used", "crashes", "hangs"):
            setattr(self, name, getattr(self, name) + found.get(name, 0))
        self.peak_mb = max(self.peak_mb, found.get("peak_mb", 0.0))
        self.kinds += found.get("kinds", [])


def shares(inputs: int, targets: Sequence[str]) -> dict[str, int]:
    """How many inputs each target gets; at least as many in all as were asked for."""
    whole = sum(TARGETS[name].share for name in targets)
    return {name: -(-inputs * TARGETS[name].share // whole) for name in targets}


def run(
    inputs: int,
    targets: Sequence[str],
    seed: int,
    findings: Path,
    *,
    told: Callable[[Outcome], None] = lambda _: None,
    seconds: float = SECONDS,
    worker: str = "benchmarks.fuzz.worker",
) -> list[Outcome]:
    """Fuzz these targets with so many inputs in all.

    Args:
        inputs: How many.
        targets: Which, by name.
        seed: What all inputs follow from.
        findings: Where inputs go that did what they shouldn't.
        told: Hears of each target that is through.
        seconds: Processor time that one input may take.
        worker: The module that a worker runs.
    """
    outcomes = []
    for name, count in shares(inputs, targets).items():
        outcome = Outcome(name)
        while outcome.inputs < count:
            _stretch(outcome, seed, count, findings, seconds, worker)
        outcomes.append(outcome)
        told(outcome)
    return outcomes


def _stretch(outcome: Outcome, seed: int, count: int, findings: Path, seconds: float, module: str) -> None:
    """A worker, until it is through or has died; then the next one goes on behind the input that ended it."""
    first = outcome.inputs
    with tempfile.TemporaryDirectory() as folder:
        beacon, result = Path(folder) / "beacon", Path(folder) / "result"
        beacon.write_bytes(bytes(ROOM))
        task = {
            "target": outcome.target, "seed": seed, "first": first, "count": count - first, "findings": str(findings),
            "beacon": str(beacon), "result": str(result), "seconds": seconds,
        }  # fmt: skip
        command = [sys.executable, "-m", module, json.dumps(task)]
        began = time.monotonic()
        errors = Path(folder) / "errors"
        with errors.open("wb") as stderr:
            worker = subprocess.Popen(command, cwd=ROOT, env=environment(folder), stderr=stderr)
            still = _watched(worker, beacon)
        if result.exists():
            outcome.add(json.loads(result.read_text(encoding="utf-8")))
            return
        before = result.with_suffix(".partial")
        if before.exists():
            outcome.add(json.loads(before.read_text(encoding="utf-8")))
        number, data = _read(beacon)
        last = errors.read_bytes()[-2000:].decode("utf-8", "replace")
        if not still and not data:
            raise SystemExit(f"The worker for {outcome.target} can't begin:\n{last}")
        why = "hang: no further input" if still else f"the process ended with {worker.returncode}"
        found = {
            "kind": why,
            "count": 1,
            "number": number,
            "file": keep(findings, outcome.target, data, f"{why}\n{last}"),
        }
        outcome.add(
            {
                "inputs": number + 1 - first, "seconds": time.monotonic() - began, "crashes": int(not still),
                "hangs": int(still), "kinds": [found],
            }
        )  # fmt: skip


def _watched(worker: subprocess.Popen[bytes], beacon: Path) -> bool:
    """Wait for a worker; whether it stood still and was ended."""
    seen, since = -1, time.monotonic()
    while worker.poll() is None:
        time.sleep(_LOOK)
        number, _ = _read(beacon)
        if number != seen:
            seen, since = number, time.monotonic()
        elif time.monotonic() - since > STILL:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            return True
    return False


def _read(beacon: Path) -> tuple[int, bytes]:
    with beacon.open("rb") as file:
        number, length = HEAD.unpack(file.read(HEAD.size))
        return number, file.read(min(length, ROOM - HEAD.size))


def environment(home: str) -> dict[str, str]:
    """A worker's environment: nothing of the person's own."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH", "TMPDIR") if name in os.environ}
    paths = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH", "")]))
    return {**kept, "HOME": home, "PYTHONPATH": paths, "PYTHONHASHSEED": "0", "LLMASOS_HOME": f"{home}/home"}
