"""The same targets, guided by coverage: atheris (Google's libFuzzer for Python) keeps what led to a new branch and goes on from it.

It finds more in the same time, and counts less well: what it tries depends on what it tried before. So the figures are
those of campaign.py, and this is for looking. Each target in a process of its own, started anew behind what ended it.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.fuzz.campaign import ROOT, environment

_LARGEST = 16 << 10
"""Bytes of an input: coverage grows with what is in it, not with its length."""


def guided(targets: Sequence[str], seconds: int, seed: int, findings: Path) -> int:
    """Fuzz these targets, each so many seconds; 1 where something came up."""
    if importlib.util.find_spec("atheris") is None:
        print("atheris isn't installed: pip install 'llmasos[bench]' (Linux, Python 3.11 to 3.13).", file=sys.stderr)
        return 2
    found = 0
    for name in targets:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "corpus").mkdir()
            until, came, inputs = time.monotonic() + seconds, {}, 0
            while (left := int(until - time.monotonic())) > 2:
                result = Path(folder) / "result"
                result.unlink(missing_ok=True)
                task = {
                    "target": name,
                    "seconds": left,
                    "seed": seed + inputs,
                    "findings": str(findings),
                    "folder": folder,
                }
                command = [sys.executable, "-m", "benchmarks.fuzz.guided", json.dumps(task)]
                errors = Path(folder) / "errors"
                with errors.open("wb") as stderr:
                    ended = subprocess.run(command, cwd=ROOT, env=environment(folder), stdout=stderr, stderr=stderr)
                told = json.loads(result.read_text()) if result.exists() else {"inputs": 0, "kinds": []}
                inputs += told["inputs"]
                for kind in told["kinds"]:
                    came[kind["kind"]] = kind
                if ended.returncode:
                    last = errors.read_bytes()[-3000:].decode("utf-8", "replace")
                    came.setdefault(f"the process ended with {ended.returncode}", {"file": last, "count": 1})
                    if not told["inputs"]:
                        break
            print(f"{name:12} {inputs:>9,} inputs in {seconds} s, {len(came)} kinds of findings", flush=True)
            for said, kind in came.items():
                print(f"    {kind['count']:>5} x {said}: {kind['file']}", flush=True)
            found += len(came)
    return 1 if found else 0


def work(task: dict[str, Any]) -> None:
    """One process: the product is imported with its branches marked, then libFuzzer runs until the time is over."""
    import atheris

    with atheris.instrument_imports(include=["llmasos"]):
        from benchmarks.fuzz.targets import TARGETS
    from benchmarks.fuzz.worker import Findings, bound, prepare, read

    prepare()
    name, folder = task["target"], Path(task["folder"])
    target = TARGETS[name](Path(tempfile.mkdtemp(dir=folder)))
    draw = Random(task["seed"])
    corpus = folder / "corpus"
    for number in range(40):
        (corpus / f"seed-{task['seed']}-{number}").write_bytes(target.make(draw)[:_LARGEST])
    findings = Findings(Path(task["findings"]), name)
    result, count = folder / "result", 0

    def report() -> None:
        result.write_text(json.dumps({"inputs": count, "kinds": list(findings.kinds.values())}), encoding="utf-8")

    def one(data: bytes) -> None:
        nonlocal count
        count += 1
        try:
            error = read(target, data)
        except target.expected:
            error = None
        if error is not None:
            findings.add(error, count, data)
        if error is not None or count % 200 == 0:
            report()

    def change(data: bytes, most: int, seed: int) -> bytes:
        rng = Random(seed)
        if rng.random() < 0.4:
            return bytes(atheris.Mutate(data, most))
        return target.changed(rng, data)[:most]

    bound()
    arguments = [
        "fuzz", f"-max_total_time={task['seconds']}", f"-seed={task['seed'] % 2**31 + 1}", f"-max_len={_LARGEST}",
        "-timeout=60", "-rss_limit_mb=0", f"-artifact_prefix={task['findings']}/{name}-", "-print_final_stats=0", str(corpus),
    ]  # fmt: skip
    Path(task["findings"]).mkdir(parents=True, exist_ok=True)
    atheris.Setup(arguments, one, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    work(json.loads(sys.argv[1]))
