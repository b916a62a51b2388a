"""Inputs that nobody meant, at everything that reads what others wrote: a million of them, no crash and no hang.

    llmasos bench fuzz --json
    python -m benchmarks.fuzz --inputs 20000 --only calls programs    # some targets, some inputs
    python -m benchmarks.fuzz --one cards FILE                        # one input again, with what came of it
    python -m benchmarks.fuzz --guided 60 --only cards                # coverage-guided instead, seconds a target

A target (targets/) reads an input and takes it or refuses it with the error that it documents. A crash is any other
exception, an assertion about what was taken (that it can be kept, and given back as it was), more memory than allowed, or
the end of the process; a hang is more than five seconds of processor time. Inputs are real ones, changed in their own
structure or at a byte (mutate.py), or made of parts that may each be odd; each follows from the seed and its number.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.fuzz.campaign import Outcome, run
from benchmarks.fuzz.targets import TARGETS
from benchmarks.row import at_least, at_most, row

COMMAND = "llmasos bench fuzz --json"
INPUTS = 1_000_000
SEED = 1
FINDINGS = Path("fuzz-findings")


def rows() -> list[dict[str, Any]]:
    """The figures of a million inputs; half an hour and more."""
    outcomes = run(INPUTS, list(TARGETS), SEED, FINDINGS.resolve(), told=tell)
    return figures(outcomes, COMMAND, inputs=INPUTS)


def tell(outcome: Outcome) -> None:
    """Say what came of a target, as soon as it is through."""
    print(line(outcome), file=sys.stderr, flush=True)


def line(outcome: Outcome) -> str:
    """A target in one line, and one for each kind of finding."""
    one = outcome
    taken = 100 * one.taken / max(1, one.inputs)
    head = (
        f"{one.target:12} {one.inputs:>9,} inputs  {one.crashes:>4} crashes  {one.hangs:>3} hangs  "
        f"{one.inputs / max(one.used, 1e-9):>8,.0f}/s  {taken:5.1f} % taken  {one.peak_mb:5.0f} MB"
    )
    return "\n".join([head, *(f"    {kind['count']:>5} x {kind['kind']}: {kind['file']}" for kind in one.kinds)])


def figures(outcomes: list[Outcome], command: str, *, inputs: int) -> list[dict[str, Any]]:
    """The rows; in all, then for each target its inputs, findings, and inputs a second of processor time."""
    whole = sum(one.inputs for one in outcomes)
    crashes, hangs = sum(one.crashes for one in outcomes), sum(one.hangs for one in outcomes)
    found = [
        row("fuzz_crashes", crashes + hangs, "inputs", n=whole, command=command, **at_most(crashes + hangs, 0)),
        row("fuzz_inputs", whole, "inputs", n=len(outcomes), command=command, **at_least(whole, inputs)),
    ]
    for one in outcomes:
        named: dict[str, Any] = {"n": one.inputs, "command": command}
        found += [
            row(f"fuzz_{one.target}_crashes", one.crashes, "inputs", **named),
            row(f"fuzz_{one.target}_hangs", one.hangs, "inputs", **named),
            row(f"fuzz_{one.target}_per_s", one.inputs / max(one.used, 1e-9), "inputs/s", **named),
            row(f"fuzz_{one.target}_taken_pct", 100 * one.taken / max(1, one.inputs), "%", **named),
        ]
    return found
