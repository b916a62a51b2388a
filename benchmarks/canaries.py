"""What of a person's words can be read on the disk: a canary in everything that is kept, searched for in every byte.

    python -m benchmarks.canaries

The day of a person with the whole system (tests/system/planting.py): memories, to-dos, events, files with their old contents,
characters, conversations in swap, recorded runs, jobs, consents, an open question, commands, what was typed, the log. All
files of the home, of the person's own folder and of the one for temporary files are searched while it runs, after `kill -9`,
and after its end with a backup beside it; for each word as text, UTF-16, hexadecimal and Base64.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.row import at_most, row
from tests.system.planting import search

COMMAND = "python -m benchmarks.canaries"


def rows() -> list[dict[str, Any]]:
    """The figures as rows."""
    with tempfile.TemporaryDirectory() as folder:
        seen = search(Path(folder))
    for what in seen.found:
        print(what, file=sys.stderr)
    count = len(seen.found)
    return [
        row("canaries", count, "words", n=seen.words, command=COMMAND, **at_most(count, 0)),
        row("canaries_searched", seen.bytes / 1e6, "MB", n=seen.words, command=COMMAND),
    ]


if __name__ == "__main__":
    print(json.dumps({"rows": rows()}, indent=1))
