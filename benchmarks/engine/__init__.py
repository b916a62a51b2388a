"""The engine and the kernel over it, measured: one file a subject, each run in a process of its own.

    llmasos bench engine --json                       # all of it, somewhat over an hour
    python -m benchmarks.engine batch swap            # some subjects
    python -m benchmarks.engine --quick               # all, seconds each: does it run? Its figures mean nothing
    python -m benchmarks.engine --save rows.json      # keep the rows, those of each subject as soon as they are there
    python -m benchmarks.engine --plots rows.json     # draw docs/plots from them

A process of its own for each subject: OpenMP reads its settings once, memory is that of the subject alone, and what
one leaves in caches helps no other. Where two things are compared they run in one process on one loaded file, in turn
(A B A B), so that a machine that slows down slows both; the figure is the median of the ratios.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.engine.lab import Row, Run, note

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "python -m benchmarks.engine"
SUBJECTS = {
    "batch": ("many processes together, against one after another and against a bare loop", "8 min"),
    "prefix": ("the first token behind a shared prefix", "1 min"),
    "swap": ("a swapped context restored, against computed anew", "2 min"),
    "door": ("what the kernel adds to a model call and to a syscall", "1 min"),
    "sharing": ("fair shares, and three scheduling disciplines", "5 min"),
    "load": ("a sentence understood while 32 characters talk", "4 min"),
    "chars100": ("100 characters on one model", "14 min"),
    "step": ("where a step of 16 sequences spends its time", "2 min"),
    "spike": ("threads, KV layout, LoRA, a busy machine", "25 min"),
    "scaling": ("more processes, longer contexts", "7 min"),
    "quantization": ("perplexity and speed of three quantizations", "2 min"),
    "width": ("a step of 1 to 128 rows, by quantization and threads", "1 min"),
    "soak": ("memory, sequences and threads after a long time", "12 min"),
}
"""Name -> what it measures, and about how long that takes on two cores of some 50 tokens/s each."""


def rows() -> list[Row]:
    """All rows of all subjects; what `llmasos bench engine` prints."""
    return [row for _, found in measured(list(SUBJECTS), []) for row in found]


def measured(subjects: Sequence[str], options: Sequence[str]) -> Iterator[tuple[str, list[Row]]]:
    """Each subject's rows, as soon as they are there.

    Args:
        subjects: Their names.
        options: Further options of the command line, for each.

    Raises:
        SystemExit: A subject failed; what it wrote to stderr says why.
    """
    for subject in subjects:
        about, duration = SUBJECTS[subject]
        note(f"{subject}: {about}; about {'some seconds' if '--quick' in options else duration}")
        command = [sys.executable, "-m", "benchmarks.engine", subject, "--here", "--json", *options]
        done = subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, check=False)
        if done.returncode:
            raise SystemExit(f"The subject {subject} failed.")
        yield subject, json.loads(done.stdout)["rows"]


def environment() -> dict[str, str]:
    """The environment of a subject: without whoever measures' settings of OpenMP and malloc, so that the engine's hold."""
    foreign = ("OMP_", "GOMP_", "MALLOC_", "GLIBC_TUNABLES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])}


def measure_here(subject: str, run: Run) -> list[Row]:
    """One subject's rows, measured in this process."""
    module: Any = importlib.import_module(f"benchmarks.engine.{subject}")
    found: list[Row] = module.rows(run)
    command = " ".join([COMMAND, subject, *run.options])
    return [{**row, "command": command} for row in found]
