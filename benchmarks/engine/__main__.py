"""`python -m benchmarks.engine [SUBJECT...] [--quick] [--json] [--save FILE] [--plots FILE]`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.engine import ROOT, SUBJECTS, measure_here, measured
from benchmarks.engine.lab import Row, Run

HOLDS = {None: "", True: "yes", False: "no"}


def main() -> None:
    """Measure what was asked for, print it, keep it, draw it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description="Measure the engine.")
    listed = "; ".join(f"{name}: {about} ({duration})" for name, (about, duration) in SUBJECTS.items())
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=listed)
    parser.add_argument("--quick", action="store_true", help="seconds a subject, to see that it runs")
    parser.add_argument("--json", action="store_true", help="print rows, not a table")
    parser.add_argument("--minutes", type=float, default=0.0, help="of chars100 (5) and soak (10)")
    parser.add_argument("--cells", type=int, default=0, help="KV cells of each sequence of chars100 (1536)")
    parser.add_argument(
        "--sequences", type=int, default=0, help="sequences of chars100 with cells of their own (24); -1 for one pool"
    )
    parser.add_argument(
        "--quantization", default="auto", choices=("auto", "as-shipped", "q8_0", "q4_0"), help="of the model in batch"
    )
    parser.add_argument("--save", type=Path, help="a file that keeps the rows; those of other subjects stay in it")
    parser.add_argument("--plots", type=Path, metavar="FILE", help="measure nothing: draw docs/plots from kept rows")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    said = parser.parse_args()
    unknown = set(said.subjects) - set(SUBJECTS)
    if unknown:
        parser.error(f"there is no subject {', '.join(sorted(unknown))}; there are: {', '.join(SUBJECTS)}")
    if said.plots:
        from benchmarks.engine import plots

        for path in plots.draw(_kept(said.plots), ROOT / "docs/plots"):
            print(path.relative_to(ROOT))
        return
    run = Run(said.quick, said.minutes, said.cells, said.sequences, said.quantization)
    found: list[Row] = []
    if said.here:
        found = [row for subject in said.subjects for row in measure_here(subject, run)]
    else:
        for _, some in measured(said.subjects or list(SUBJECTS), run.options):
            found += some
            if said.save:
                _keep(said.save, some)
    if said.json:
        print(json.dumps({"rows": found}))
    else:
        print(table(found))


def table(rows: list[Row]) -> str:
    """Rows as a Markdown table."""
    lines = ["| id | value | unit | must | holds | n |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row['id']} | {row['value']:,.4g} | {row['unit']} | {row['must']} | {HOLDS[row['holds']]} | {row['n']} |"
        for row in rows
    ]
    return "\n".join(lines)


def _kept(path: Path) -> list[Row]:
    rows: list[Row] = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.is_file() else []
    return rows


def _keep(path: Path, rows: list[Row]) -> None:
    """Replace the rows of the commands that were just run; a long measurement that breaks off loses one subject."""
    commands = {row["command"] for row in rows}
    kept = [row for row in _kept(path) if row["command"] not in commands]
    path.write_text(json.dumps({"rows": kept + rows}), encoding="utf-8")


if __name__ == "__main__":
    main()
