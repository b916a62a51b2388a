"""Killing the program that carries the kernel, 50 times: what is lost, and how long the others wait.

python -m benchmarks.takeover
"""

from __future__ import annotations

import statistics
import tempfile
from collections import Counter
from pathlib import Path

from tests.client.killing import killed

TIMES = 50


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "work"
        workspace.mkdir()
        seen, titles = killed(Path(folder) / "home", workspace, TIMES)
    lost = set(seen.acknowledged) - set(titles)
    twice = [title for title, count in Counter(titles).items() if count > 1]
    waits = sorted(seen.waits)
    print(
        f"{TIMES} owners killed: {len(lost)} of {len(seen.acknowledged)} acknowledged to-dos lost, {len(twice)} done twice"
    )
    print(f"from the kill to the next answer: median {statistics.median(waits):.2f} s, longest {waits[-1]:.2f} s")


if __name__ == "__main__":
    main()
