"""Print every task that is asked about and every pair that isn't stopped, then the figures: `python -m benchmarks.policy`."""

from __future__ import annotations

import asyncio

from benchmarks.policy import measure, rows, shipped_policy
from benchmarks.policy.seam import suites


def main() -> None:
    """Print them."""
    found = asyncio.run(measure(list(suites()), shipped_policy("agent")))
    for task in found.tasks:
        for step in task.questions:
            print(f"asked: {task.suite} {task.task}: {step.tool} ({', '.join(step.asked or ())})")
            print(f"       {' '.join(task.said.split())[:160]}")
    for pair in found.pairs:
        done = ", ".join(step.tool for step in pair.steps if step.unasked)
        if not pair.stopped:
            print(f"not stopped: {pair.suite} {pair.task} {pair.injection}: {done}")
    print(f"{sum(not pair.seen for pair in found.pairs)} pairs whose user task doesn't read the injection")
    print()
    for one in rows(found):
        mark = {True: "ok", False: "MISSED", None: ""}[one["holds"]]
        print(f"{one['id']:32} {one['value']:>10} {one['unit']:4} {one['must']:8} {mark:7} n={one['n']}")


if __name__ == "__main__":
    main()
