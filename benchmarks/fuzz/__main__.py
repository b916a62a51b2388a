"""Fuzz some targets, or read one input again: python -m benchmarks.fuzz --help."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from pathlib import Path

from benchmarks.fuzz import FINDINGS, INPUTS, SEED, figures, tell
from benchmarks.fuzz.campaign import run
from benchmarks.fuzz.targets import TARGETS
from benchmarks.fuzz.worker import bound, number_of, prepare, read


def main() -> int:
    """Do what was asked for; 1 where something came up."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS, help="in all (default: a million)")
    parser.add_argument("--only", nargs="+", choices=list(TARGETS), default=list(TARGETS), metavar="TARGET")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument(
        "--findings", type=Path, default=FINDINGS, help="folder for inputs that did what they shouldn't"
    )
    parser.add_argument("--json", action="store_true", help="rows instead of a table")
    parser.add_argument(
        "--one", nargs=2, metavar=("TARGET", "FILE"), help="read one input again, or the one with a number"
    )
    parser.add_argument(
        "--guided", type=int, metavar="SECONDS", help="coverage-guided, so long a target (needs atheris)"
    )
    said = parser.parse_args()
    if said.one:
        return one(*said.one, said.seed)
    if said.guided:
        from benchmarks.fuzz.guided import guided

        return guided(said.only, said.guided, said.seed, said.findings.resolve())
    outcomes = run(said.inputs, said.only, said.seed, said.findings.resolve(), told=tell)
    command = f"python -m benchmarks.fuzz --inputs {said.inputs} --seed {said.seed} --only {' '.join(said.only)}"
    found = figures(outcomes, command, inputs=said.inputs)
    if said.json:
        print(json.dumps({"rows": found}))
    return 0 if all(figure["holds"] is not False for figure in found) else 1


def one(name: str, what: str, seed: int) -> int:
    """Read one input again and show what came of it."""
    prepare()
    with tempfile.TemporaryDirectory() as folder:
        target = TARGETS[name](Path(folder))
        data = Path(what).read_bytes() if Path(what).exists() else target.make(number_of(seed, name, int(what)))
        bound()
        try:
            error = read(target, data)
        except target.expected as refused:
            print(f"refused, as it should be: {refused}")
            return 0
    if error is None:
        print("taken")
        return 0
    traceback.print_exception(error)
    return 1


if __name__ == "__main__":
    sys.exit(main())
